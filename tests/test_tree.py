"""The tree: who imports whom, how long things are, what must not stand anywhere.

Every test collects all its findings, `file:line: what`, so that one run shows everything.
"""

import ast
import re
import subprocess
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("amsdf", "encoders", "heads", "losses")
#: What each package may import of ours.
MAY_IMPORT = {
    "amsdf": {"amsdf"},
    "encoders": {"amsdf", "encoders"},
    "heads": {"amsdf", "heads"},
    "losses": {"amsdf", "losses"},
}
#: Modules that everything uses: they import nothing of ours but themselves and the first two.
LEAVES = (
    *("amsdf.conventions", "amsdf.published_names", "amsdf.contracts", "amsdf.registry"),
    "amsdf.metrics",
)
PRINTERS = ("amsdf/cli/", "scripts/")
MAX_FILE, MAX_FUNCTION = 300, 60
MAX_SHIPPED_BYTES = 25_000_000
MAX_GOLDEN_BYTES = 12_000_000
#: Folders of a machine, and notes to oneself; split so that this file does not hold them.
FORBIDDEN = re.compile(
    "|".join(
        [
            "/wo" + "rk/",
            "/ro" + "ot/",
            "/ho" + "me/[a-z]",
            "/Us" + "ers/",
            r"\.\./sha" + "red",
            r"\bTO" + r"DO\b",
            r"\bFIX" + r"ME\b",
            r"(?i:\bAI )(?:assis" + "tant|agent)",
        ]
    )
)
#: Where tests look for what is not in the repository.
MAY_NAME_SHARED = ("tests/kept_files.py",)
BINARY = (".safetensors", ".pt", ".pth", ".npz", ".npy", ".gz", ".png", ".wav", ".flac")


@cache
def sources() -> dict[str, ast.Module]:
    """Path below the root -> syntax tree, of everything that is shipped."""
    paths = [
        path for part in (*PACKAGES, "scripts") for path in sorted((ROOT / part).rglob("*.py"))
    ]
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text())
        for path in [*paths, ROOT / "main.py"]
    }


def module_of(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full name of everything imported: `from a import b` gives `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = "." * node.level + (node.module or "")
            yield from ((node.lineno, f"{start}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0] if node.args else node
            yield node.lineno, str(name.value) if isinstance(name, ast.Constant) else "?"


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def without_type_checking(tree: ast.Module) -> ast.Module:
    """The module as it runs: blocks for type checkers taken out."""
    kept = [
        node
        for node in tree.body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    return ast.Module(kept, [])


def report(problems: list[str]) -> None:
    assert not problems, "\n" + "\n".join(problems)


# Who imports whom


def test_packages_import_one_way() -> None:
    """`amsdf` meets plugins by name only; encoders, heads and losses never meet each other."""
    report(
        [
            f"{path}:{line}: {path.partition('/')[0]} must not import {module}"
            for path, tree in sources().items()
            if path.partition("/")[0] in MAY_IMPORT
            for line, module in imports(tree)
            if module.partition(".")[0] in {*PACKAGES, "tests", "scripts", "main"}
            and module.partition(".")[0] not in MAY_IMPORT[path.partition("/")[0]]
        ]
    )


def test_leaves_stand_alone() -> None:
    """Contracts, registry and metrics import nothing of ours."""
    problems = []
    for path, tree in sources().items():
        leaf = next((x for x in LEAVES if f"{module_of(path)}.".startswith(f"{x}.")), None)
        for line, module in imports(tree) if leaf else []:
            allowed = (f"{leaf}.", "amsdf.conventions.", "amsdf.published_names.")
            if module.partition(".")[0] in PACKAGES and not f"{module}.".startswith(allowed):
                problems.append(f"{path}:{line}: {leaf} must not import {module}")
    report(problems)


def test_no_import_cycles() -> None:
    known = {module_of(path) for path in sources()}
    graph: dict[str, set[str]] = {}
    for path, tree in sources().items():
        here = module_of(path)
        names = [name for _, name in imports(without_type_checking(tree))]
        found = {name if name in known else name.rpartition(".")[0] for name in names}
        packages = {other for other in found if f"{here}.".startswith(f"{other}.")}
        graph[here] = (found & known) - packages
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])))


def test_no_two_public_classes_share_a_name() -> None:
    """Two things of one name are taken for one another; one logic belongs in one place."""
    places: dict[str, list[str]] = {}
    for path, tree in sources().items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(f"{path}:{node.lineno}")
    report([f"{name}: {', '.join(found)}" for name, found in places.items() if len(found) > 1])


def test_imports_are_absolute_and_at_the_top() -> None:
    """In a function only in `cli.py`, so that help is quick."""
    problems = []
    for path, tree in sources().items():
        inner = [found for function in functions(tree) for found in ast.walk(function)]
        for node in inner:
            if isinstance(node, ast.Import | ast.ImportFrom) and path != "amsdf/cli/main.py":
                problems.append(f"{path}:{node.lineno}: import inside a function")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.level or node.names[0].name == "*"):
                problems.append(f"{path}:{node.lineno}: relative or star import")
    report(problems)


# What stands in a file


def test_only_the_command_line_prints() -> None:
    report(
        [
            f"{path}:{node.lineno}: print"
            for path, tree in sources().items()
            if not path.startswith(PRINTERS)
            for node in ast.walk(tree)
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print"
        ]
    )


def test_files_and_functions_are_short() -> None:
    problems = []
    tests = {
        path.relative_to(ROOT).as_posix(): ast.Module([], [])
        for path in (ROOT / "tests").rglob("*.py")
    }
    for path, tree in (tests | sources()).items():
        count = len((ROOT / path).read_text().splitlines())
        if count > MAX_FILE:
            problems.append(f"{path}: {count} lines, at most {MAX_FILE}: split it by subject")
        for function in functions(tree):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > MAX_FUNCTION:
                problems.append(
                    f"{path}:{function.lineno}: {function.name} has {length} lines, "
                    f"at most {MAX_FUNCTION}"
                )
    report(problems)


def test_one_subject_a_file() -> None:
    """A helper lives with its subject: no drawers for everything else."""
    drawers = {"utils", "util", "common", "base", "core", "helpers", "misc"}
    report([path for path in sources() if drawers & set(module_of(path).split("."))])


def test_no_constructor_swallows_and_nothing_asks_for_a_gpu() -> None:
    """No `**kwargs` in a constructor, no `.cuda()` anywhere."""
    problems = []
    for path, tree in sources().items():
        for function in functions(tree):
            if function.name == "__init__" and function.args.kwarg:
                problems.append(f"{path}:{function.lineno}: ** in a constructor")
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".cuda"):
                problems.append(f"{path}:{node.lineno}: .cuda()")
    report(problems)


def net_of_the_command_line(path: str, tree: ast.Module) -> set[ast.AST]:
    """The last `except` of `main`."""
    place = "amsdf/cli/main.py", "main"
    mains = [found for found in functions(tree) if (path, found.name) == place]
    tries = [node for main in mains for node in main.body if isinstance(node, ast.Try)]
    return {tried.handlers[-1] for tried in tries}


def test_errors_are_caught_by_name() -> None:
    """A broad `except` only around foreign plugin code, in the registry, or to tidy and raise.

    What is raised may be another error: decoders raise anything at a broken file. And once in
    `cli.main`: whatever a library raises there, its user is told in one line, and
    AMSDF_TRACEBACK shows the rest.
    """
    report(
        [
            f"{path}:{node.lineno}: except {'' if node.type is None else ast.unparse(node.type)}"
            for path, tree in sources().items()
            if path != "amsdf/registry.py"
            for node in set(ast.walk(tree)) - net_of_the_command_line(path, tree)
            if isinstance(node, ast.ExceptHandler)
            and (node.type is None or re.search(r"\b(Base)?Exception\b", ast.unparse(node.type)))
            and not isinstance(node.body[-1], ast.Raise)
        ]
    )


@cache
def tracked() -> list[str]:
    """Files under version control; the test is skipped where there is none."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip("not a git checkout")
    return [path for path in done.stdout.split("\0") if path and (ROOT / path).is_file()]


def test_no_machine_and_no_note_to_oneself_is_named() -> None:
    """Paths of one machine, and unfinished business, stand in no tracked file."""
    problems = []
    for path in tracked():
        if path.endswith(BINARY) or path in MAY_NAME_SHARED:
            continue
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if found := FORBIDDEN.search(line):
                problems.append(f"{path}:{number}: {found[0]!r} in {line.strip()[:80]!r}")
    report(problems)


def test_nothing_large_is_tracked() -> None:
    """Golden numbers stay within 12 MB, what is shipped within 25; nothing else is above 1 MB."""
    sizes = {path: (ROOT / path).stat().st_size for path in tracked()}
    golden = sum(size for path, size in sizes.items() if path.startswith("tests/golden/"))
    assert golden < MAX_GOLDEN_BYTES, f"tests/golden holds {golden} bytes"
    shipped = sum(size for path, size in sizes.items() if path.startswith("pretrained_models/"))
    assert shipped < MAX_SHIPPED_BYTES, f"pretrained_models holds {shipped} bytes"
    apart = ("tests/golden/", "pretrained_models/")
    others = {path: size for path, size in sizes.items() if not path.startswith(apart)}
    report([f"{path}: {size} bytes" for path, size in others.items() if size > 1_000_000])
    report([path for path in others if path.endswith((".pth", ".pt", ".safetensors", ".onnx"))])

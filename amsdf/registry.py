"""Names to plugins. A plugin is an entry point; built-ins are in the same table as anybody's.

There is no decorator, no folder scan and no second list: `pyproject.toml` is the list.
"""

import difflib
import inspect
import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

KINDS = ("encoders", "heads", "losses", "corpora", "augmentations")
SINGULAR = {
    "encoders": "encoder",
    "heads": "head",
    "losses": "loss",
    "corpora": "corpus",
    "augmentations": "augmentation",
}
#: Optional packages, and what installs them.
HOW_TO_INSTALL = {
    **{extra: f"pip install 'amsdf[{extra}]'" for extra in ("peft", "pyworld", "tensorboard")},
    # The wheels of PyPI need a torch with CUDA, and without one they stop transformers as well.
    "torchaudio": "pip install 'amsdf[torchaudio]', or beside a torch without CUDA: "
    "pip install torchaudio==2.11.0 --index-url https://download.pytorch.org/whl/cpu",
    # Its rebuild for Python 3.11 asks for torchaudio, which it does not need: hence --no-deps.
    "fairseq": "pip install 'setuptools<81' cython hydra-core==1.3.2 omegaconf==2.3.0 bitarray "
    "sacrebleu regex && pip install --no-build-isolation --no-deps fairseq-fixed==0.12.3.1 "
    "(needs a C++ compiler); or use encoder 'xlsr', which reads the same files without it",
}


@dataclass(frozen=True)
class PluginStatus:
    """One line of `amsdf plugins`: `problem` is empty when nothing is wrong with the plugin."""

    kind: str
    name: str
    target: str
    distribution: str
    summary: str
    problem: str

    @property
    def broken(self) -> bool:
        """Whether something else is wrong than an optional package that is not installed."""
        remedies = HOW_TO_INSTALL.values()
        return bool(self.problem) and not any(remedy in self.problem for remedy in remedies)


@cache
def _table(kind: str) -> dict[str, list[EntryPoint]]:
    found: dict[str, list[EntryPoint]] = {}
    for point in entry_points(group=f"amsdf.{kind}"):
        found.setdefault(point.name, []).append(point)
    return dict(sorted(found.items()))


def names(kind: str) -> list[str]:
    """All registered names of a kind, sorted, whether or not they load."""
    return list(_table(kind))


def nearest(word: str, choices: Iterable[str]) -> str:
    """' Did you mean …?' for the nearest choice, or nothing when none is near."""
    close = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else ""


def find(kind: str, name: str) -> EntryPoint:
    """Where the plugin called `name` is; a ValueError when there is none or there are two."""
    table = _table(kind)
    if name not in table:
        stale = stale_metadata()
        raise ValueError(
            f"no {SINGULAR[kind]} named {name!r}.{nearest(name, table)} "
            f"Available: {', '.join(table)}" + (f". {stale}" if stale else "")
        )
    points = table[name]
    if len({point.value for point in points}) > 1:
        raise ValueError(
            f"{SINGULAR[kind]} {name!r} is registered twice, by {_owners(points)}: "
            "uninstall or rename one"
        )
    return points[0]


def load(kind: str, name: str) -> Any:
    """The plugin called `name`; a ValueError that says why when there is none or it is broken."""
    point = find(kind, name)
    try:
        return point.load()
    except ModuleNotFoundError as error:
        raise ValueError(about_missing(kind, point, error.name or "")) from error
    except (Exception, SystemExit) as error:  # a plugin is foreign code and may fail in any way
        raise ValueError(
            f"{SINGULAR[kind]} {name!r} of {_distribution(point)} is broken: "
            f"{type(error).__name__}: {_first_line(error)}"
        ) from error


def about_missing(kind: str, point: EntryPoint, module: str) -> str:
    """What to do about a module that a plugin imports and that is not there."""
    what, owner = f"{SINGULAR[kind]} {point.name!r}", _distribution(point)
    if f"{point.module}.".startswith(f"{module}."):
        return (
            f"{what} of {owner} points to {point.value!r}, which is not there: "
            "install the distribution again (pip install -e . for this one)"
        )
    package = module.partition(".")[0]
    if package == point.module.partition(".")[0]:
        return f"{what} of {owner} is broken: its own module {module!r} is not there"
    remedy = HOW_TO_INSTALL.get(package, f"pip install {package}")
    return f"{what} needs the package {package!r}, which is not installed: {remedy}"


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or "no message").splitlines()[0]


def _distribution(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown distribution"


def _owners(points: Iterable[EntryPoint]) -> str:
    return " and ".join(sorted({_distribution(point) for point in points}))


def parameters(kind: str, name: str) -> dict[str, inspect.Parameter]:
    """The keyword arguments of a plugin, without those that the framework gives it."""
    given = {"heads": "views", "losses": "embedding_dim"}.get(kind)
    plugin = load(kind, name)
    if not callable(plugin):
        raise ValueError(
            f"{SINGULAR[kind]} {name!r} of {_owners(_table(kind)[name])} is broken: "
            f"{type(plugin).__name__} is no class or function; correct its entry point"
        )
    try:
        signature = inspect.signature(plugin, eval_str=True)
    except Exception:  # types that a foreign plugin imports for type checkers alone
        signature = inspect.signature(plugin)
    return {key: value for key, value in signature.parameters.items() if key != given}


def check_arguments(
    kind: str, name: str, arguments: Mapping[str, Any], beside: Iterable[str] = ()
) -> dict[str, Any]:
    """The arguments with the types that the plugin's constructor declares; unknown ones refused.

    Args:
        kind: One of `KINDS`.
        name: The plugin's.
        arguments: By the names of its parameters.
        beside: Other keys that are written among the arguments; a misspelt one is offered.
    """
    known = parameters(kind, name)
    fitting: dict[str, Any] = {}
    for key, value in arguments.items():
        if key not in known:
            declared = ", ".join(str(parameter) for parameter in known.values()) or "nothing"
            raise ValueError(
                f"{SINGULAR[kind]} {name!r}: got an unexpected keyword argument {key!r}."
                f"{nearest(key, [*known, *beside])} It takes: {declared}"
            )
        try:
            fitting[key] = _fitted(known[key].annotation, value)
        except ValidationError as error:
            reasons = ", or: ".join(problem["msg"] for problem in error.errors()[:3])
            raise ValueError(
                f"{SINGULAR[kind]} {name!r}: {key} is {value!r}: {reasons}; it takes {known[key]}"
            ) from None
    return fitting


def _fitted(annotation: Any, value: Any) -> Any:
    """A value in the annotated type: a list becomes a tuple, YAML's text 1e-4 a number.

    A parameter without an annotation, or with one that cannot be looked up, is not checked.
    """
    if annotation is inspect.Parameter.empty or isinstance(annotation, str):
        return value
    try:
        adapter = TypeAdapter(annotation, config={"arbitrary_types_allowed": True})
    except Exception:  # the annotation of a foreign plugin
        return value
    return adapter.validate_python(value)


def build(kind: str, name: str, /, *given: Any, **arguments: Any) -> Any:
    """Construct a plugin; a failure of its constructor names it."""
    fitting = check_arguments(kind, name, arguments)
    try:
        return load(kind, name)(*given, **fitting)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{SINGULAR[kind]} {name!r}: {_first_line(error)}") from error
    except (RuntimeError, AssertionError, ArithmeticError, LookupError) as error:
        words = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise ValueError(
            f"{SINGULAR[kind]} {name!r}: cannot be built with {words or 'what it is given'}: "
            f"{type(error).__name__}: {_first_line(error)}"
        ) from error


def summary(kind: str, name: str) -> str:
    """The first line of a plugin's docstring; a ValueError when it does not load."""
    return (inspect.getdoc(load(kind, name)) or "").partition("\n")[0]


def status(summary_of: Callable[[str, str], str] = summary) -> list[PluginStatus]:
    """Every registered plugin, tried one by one: a broken one disturbs no other.

    `summary_of(kind, name)` gives a summary or raises a ValueError; by default it loads the plugin.
    """
    return [_status(kind, name, summary_of) for kind in KINDS for name in names(kind)]


def _status(kind: str, name: str, summary_of: Callable[[str, str], str]) -> PluginStatus:
    points = _table(kind)[name]
    found, problem = "", ""
    try:
        found = summary_of(kind, name)
    except ValueError as error:
        problem = str(error)
    return PluginStatus(kind, name, points[0].value, _owners(points), found, problem)


def package_version(name: str) -> str | None:
    """The installed version of a distribution, or None."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def stale_metadata() -> str:
    """A sentence when the installed table differs from the `pyproject.toml` beside us, or ''."""
    declared = _declared_table()
    if declared is None:
        return ""
    for kind in KINDS:
        installed = {
            point.name: point.value
            for points in _table(kind).values()
            for point in points
            if point.dist and point.dist.name == "amsdf"
        }
        changed = set(installed.items()) ^ set(declared.get(f"amsdf.{kind}", {}).items())
        if changed:
            return (
                f"The plugin table changed since installation ({sorted(changed)[0][0]}): "
                "run pip install -e ."
            )
    return ""


def _declared_table() -> dict[str, dict[str, str]] | None:
    path = Path(__file__).parent.parent / "pyproject.toml"
    if not path.is_file():
        return None  # installed from a wheel: nothing to compare with
    project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    return project.get("entry-points", {}) if project.get("name") == "amsdf" else None

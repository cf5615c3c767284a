"""The pages that `mkdocs build` makes from the code: every part that has a name, and the API.

Mkdocs calls the functions whose names begin with `on_`. Nothing of it is written to `docs/`.
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

import amsdf
from amsdf import registry
from amsdf.config import recipe_names
from amsdf.config.recipes import recipe_text

#: Title of a kind, and how one of them is chosen.
KINDS = {
    "encoders": ("Encoders", "`--view audio={name}`; `{name}:{argument}=…` sets an argument"),
    "heads": ("Heads", "`--head {name}`; `{name}:{argument}=…` sets an argument"),
    "losses": ("Losses", "`--loss {name}`; `{name}:{argument}=…` sets an argument"),
    "augmentations": ("Augmentations", "`augment: [{{name: {name}, {argument}: …}}]` in a file"),
    "corpora": ("Corpora", ""),
}
#: What is left out before the names of types.
_MODULES = re.compile(r"\b(?:typing|collections\.abc|pathlib)\.")
#: A link that leaves `docs/`: it works in the repository alone.
_OUTSIDE = re.compile(r"\[([^\]]*)\]\((?:\.\./)+((?!\.)[\w./-]+)\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    pages = {"parts.md": parts_page(), "recipes.md": recipes_page(), "api.md": api_page()}
    for name, text in pages.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Name what is outside `docs/` instead of linking it."""
    levels = page.file.src_uri.count("/")

    def named(found: re.Match[str]) -> str:
        outside = found[0].count("../") > levels
        return f"{found[1]} (`{found[2]}`)" if outside else found[0]

    return _OUTSIDE.sub(named, markdown)


def parts_page() -> str:
    """Every encoder, head, loss, augmentation and corpus, from signatures and docstrings."""
    lines = [
        "# Every part",
        "",
        "This page is made from the code when the documentation is built. `amsdf plugins NAME` "
        "shows the same at a terminal, and what other packages have added.",
    ]
    for kind, (title, _) in KINDS.items():
        lines += ["", f"## {title}", ""]
        lines += corpora_table() if kind == "corpora" else _sections(kind)
    return "\n".join(lines) + "\n"


def _sections(kind: str) -> Iterator[str]:
    for name in registry.names(kind):
        yield f"### `{name}` {{#{kind}-{name}}}"
        yield ""
        try:
            plugin = registry.load(kind, name)
        except ValueError as error:  # an optional package that is not installed
            yield f"Where this page was built, it could not be opened: {error}."
            yield ""
            continue
        yield split_docstring(inspect.getdoc(plugin) or "")[0]
        yield ""
        yield from _arguments(kind, name, _described(plugin))


def _described(plugin: Any) -> dict[str, str]:
    """What a plugin says of its arguments, and the classes that it extends."""
    found: dict[str, str] = {}
    for each in reversed(getattr(plugin, "__mro__", (plugin,))):
        found |= split_docstring(inspect.cleandoc(each.__doc__ or ""))[1]
    return found


def _arguments(kind: str, name: str, described: dict[str, str]) -> Iterator[str]:
    known = registry.parameters(kind, name)
    if known:
        yield "| argument | type and default | meaning |"
        yield "|---|---|---|"
        for key, parameter in known.items():
            declared = _MODULES.sub("", str(parameter).removeprefix(key).lstrip(": "))
            meaning = described.get(key, "").replace("|", "\\|")
            yield f"| `{key}` | {f'`{declared}`' if declared else ''} | {meaning} |"
        yield ""
    how = KINDS[kind][1].format(name=name, argument=next(iter(known), ""))
    yield f"Chosen by {how if known else how.partition(';')[0]}."
    yield ""


def split_docstring(text: str) -> tuple[str, dict[str, str]]:
    """What is said of a plugin, and of each of its arguments."""
    about, _, rest = text.partition("\nArgs:\n")
    block = re.split(r"\n(?=\S)", rest)[0]
    found = re.findall(r"^    (\w+): (.*(?:\n {5,}.*)*)", block, re.MULTILINE)
    return about.strip(), {name: " ".join(meaning.split()) for name, meaning in found}


def corpora_table() -> list[str]:
    """A row for each corpus that has a reader."""
    lines = ["| name | splits | source |", "|---|---|---|"]
    for name in registry.names("corpora"):
        corpus: Any = registry.load("corpora", name)
        splits = ", ".join(f"`{split}`" for split in (*corpus.splits, *corpus.pooled))
        lines.append(f"| [`{name}`](corpora/{name}.md) | {splits} | {corpus.source} |")
    return lines


def recipes_page() -> str:
    """Every shipped experiment as it is written."""
    lines = [
        "# The recipes",
        "",
        "The comments of each say where its paper, its code and this experiment differ. "
        "`amsdf init FILE --recipe NAME` writes one to edit.",
    ]
    for name in recipe_names():
        lines += ["", f"## `{name}` {{#{name}}}", "", "```yaml", recipe_text(name).rstrip(), "```"]
    return "\n".join(lines) + "\n"


def api_page() -> str:
    """The public names of `amsdf`, which mkdocstrings describes."""
    lines = ["# Python API", "", "`import amsdf` knows these names; `dir(amsdf)` lists them.", ""]
    for name, home in sorted(amsdf._HOME.items()):
        module, _, inside = home.partition(":")
        lines += [f"## `amsdf.{name}` {{#{name}}}", ""]
        if name.isupper():
            lines += [f"`{getattr(amsdf, name)!r}`", ""]
        else:
            lines += [f"::: {module}.{inside or name}", ""]
    lines += ["## `amsdf.metrics` {#metrics}", "", "::: amsdf.metrics", ""]
    return "\n".join(lines)

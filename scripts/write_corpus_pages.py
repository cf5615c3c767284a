"""Write docs/corpora/: a page for each corpus, out of what its reader and its description say.

    python scripts/write_corpus_pages.py

The page about descriptions of one's own, docs/corpora/README.md, holds the list between two marks.
"""

from pathlib import Path
from textwrap import dedent

from amsdf import registry
from amsdf.data.corpora.finding.corpus import ALIASES, Corpus

FOLDER = Path(__file__).parents[1] / "docs" / "corpora"
BEGIN, END = "<!-- corpora -->", "<!-- end of corpora -->"


def main() -> None:
    """Write all pages, and take away those of corpora that are gone."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    written = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in {*written, "README.md"}:
            path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    readme = FOLDER / "README.md"
    readme.write_text(with_list(readme.read_text(encoding="utf-8")), encoding="utf-8")


def pages() -> dict[str, str]:
    """Name of the file -> the page, of every corpus that this package declares."""
    return {f"{corpus.name}.md": page_of(corpus) for corpus in _corpora()}


def with_list(text: str) -> str:
    """The page with the list of all corpora between its marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [f"- [{corpus.name}]({corpus.name}.md): {_title(corpus)}" for corpus in _corpora()]
    return f"{before}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{after}"


def page_of(corpus: Corpus) -> str:
    """Source, licence, layout, splits with their counts, columns."""
    short = [f"`{alias}` = `{whole}`" for alias, whole in ALIASES.items() if _is_of(whole, corpus)]
    columns = ", ".join(f"`{name}`" for name in corpus.columns) or "none"
    parts = [
        "<!-- Written by scripts/write_corpus_pages.py; change the description instead. -->",
        f"# {corpus.name}",
        f"{corpus.source}. Licence: {corpus.licence or 'see its page'}.",
        corpus.notes,
        f"    amsdf corpora check {corpus.name} --data {corpus.name}=FOLDER",
        "## Layout",
        f"```\n{dedent(corpus.layout).strip()}\n```",
        "## Splits",
        _splits(corpus),
        f"Short: {', '.join(short)}." if short else "",
        "## Columns",
        f"Beside `utt`, `path`, `label`, `corpus` and `split`: {columns}.",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _splits(corpus: Corpus) -> str:
    rows = ["| split | bona fide | spoof |", "|---|---:|---:|"]
    for split in (*corpus.splits, *corpus.pooled):
        counts = corpus.counts.get(split)
        numbers = " | ".join(f"{count:,}" for count in counts) if counts else "not known |"
        mark = " (default)" if split == corpus.default_split else ""
        pooled = " (only where it is named)" if split in corpus.pooled else ""
        rows.append(f"| {split}{mark}{pooled} | {numbers} |")
    return "\n".join(rows)


def _corpora() -> list[Corpus]:
    found = [registry.load("corpora", name) for name in registry.names("corpora")]
    return [corpus for corpus in found if _is_ours(corpus)]


def _is_ours(corpus: Corpus) -> bool:
    read = getattr(corpus.read, "func", corpus.read)
    return str(read.__module__).startswith("amsdf.")


def _title(corpus: Corpus) -> str:
    return corpus.source.partition(", http")[0]


def _is_of(reference: str, corpus: Corpus) -> bool:
    return reference.partition("/")[0] == corpus.name


if __name__ == "__main__":
    main()

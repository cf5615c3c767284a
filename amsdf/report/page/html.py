"""The page around the report: sections, tables and pictures as HTML that needs no other file."""

import base64
from collections.abc import Mapping, Sequence
from html import escape

from amsdf.report.table import Table

#: Title and HTML of one section.
Section = tuple[str, str]

_STYLE = """
:root { color-scheme: light dark; --text: #1d2129; --soft: #5b6472; --line: #d8dde4;
  --page: #ffffff; --panel: #f5f7f9; --accent: #0072B2; --bad: #B34700; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e9ee; --soft: #a3adba; --line: #3a424d;
  --page: #15181d; --panel: #1e232a; --accent: #6db9ea; --bad: #ff9d5c; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 84rem; padding: 1.5rem 1.25rem 4rem; color: var(--text);
  background: var(--page); font: 16px/1.55 system-ui, "Segoe UI", Helvetica, Arial, sans-serif; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .4rem; padding-top: .9rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1.02rem; margin: 1.5rem 0 .5rem; }
p { max-width: 48rem; margin: .3rem 0 .9rem; } p.lead { color: var(--soft); }
a { color: var(--accent); } nav { margin: 1rem 0; } nav a { margin-right: 1.1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .36rem .6rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; }
thead th { white-space: normal; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--page); }
td.bad { color: var(--bad); font-weight: 600; }
table.facts td { text-align: left; white-space: pre-wrap; overflow-wrap: anywhere; }
table.facts td:first-child { color: var(--soft); min-width: 11rem; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1rem;
  align-items: start; }
.pictures > div > figure + figure { margin-top: .6rem; }
figure { margin: 0; background: #ffffff; border: 1px solid var(--line); border-radius: 8px;
  padding: .6rem; overflow: hidden; }
figure.full { max-width: 56rem; }
figure img { display: block; max-width: 100%; height: auto; margin: 0 auto; cursor: zoom-in; }
figure input { position: absolute; opacity: 0; }
figure:has(input:checked) { overflow: auto; }
figure input:checked + img { max-width: none; cursor: zoom-out; }
p.note { color: var(--soft); font-size: .85rem; margin: .2rem 0; }
ul.warnings { background: var(--panel); border-left: 4px solid var(--bad); border-radius: 4px;
  padding: .8rem 1rem .8rem 2rem; max-width: 56rem; }
details { margin: .8rem 0; } summary { cursor: pointer; color: var(--accent); }
@media (max-width: 40rem) {
  body { padding: 1rem .8rem 3rem; } .pictures { grid-template-columns: 1fr; }
  table.rows, table.rows tbody, table.rows tr, table.rows td { display: block; }
  table.rows thead { display: none; }
  table.rows tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  table.rows td { display: flex; justify-content: space-between; gap: 1rem; border: 0;
    padding: .12rem 0; white-space: normal; }
  table.rows td::before { content: attr(data-name); color: var(--soft); text-align: left; }
  table.rows td:first-child { font-weight: 600; }
  table.rows td:first-child::before { display: none; }
  table.rows td:empty { display: none; }
}
"""


def html_table(table: Table) -> str:
    """A table; cells that end in `!` are shown as warnings. On a phone each row is a card."""
    head = "".join(f"<th>{escape(word)}</th>" for word in table.header)
    rows = "".join(f"<tr>{_cells(table.header, row)}</tr>\n" for row in table.rows)
    notes = "".join(f'<p class="note">{escape(note)}</p>\n' for note in table.notes)
    return (
        f'<div class="wide"><table class="rows"><thead><tr>{head}</tr></thead>'
        f"<tbody>\n{rows}</tbody></table></div>{notes}"
    )


def _cells(header: Sequence[str], row: Sequence[str]) -> str:
    """Each cell knows its heading, for screens that are too narrow for a header."""
    return "".join(_cell(name, word) for name, word in zip(header, row, strict=True))


def _cell(name: str, word: str) -> str:
    bad = ' class="bad"' if word.endswith(" !") else ""
    return f'<td{bad} data-name="{escape(name, quote=True)}">{escape(word)}</td>'


def facts(entries: Mapping[str, object]) -> str:
    """Keys and values, the values as they were written."""
    rows = "".join(
        f"<tr><td>{escape(str(key))}</td><td>{escape(str(value))}</td></tr>\n"
        for key, value in entries.items()
    )
    return f'<div class="wide"><table class="facts"><tbody>\n{rows}</tbody></table></div>'


def picture(png: bytes, description: str, full: bool = False) -> str:
    """A PNG inside the page, full size on a tap; the description is for who cannot see it."""
    data = base64.b64encode(png).decode("ascii")
    kind = ' class="full"' if full else ""
    text = escape(description, quote=True)
    return (
        f'<figure{kind}><label><input type="checkbox"><img alt="{text}" '
        f'src="data:image/png;base64,{data}"></label></figure>'
    )


def pictures(items: Sequence[str]) -> str:
    """Pictures beside each other where there is room."""
    return f'<div class="pictures">{"".join(items)}</div>'


def folded(summary: str, content: str) -> str:
    """Content that opens on a click."""
    return f"<details><summary>{escape(summary)}</summary>{content}</details>"


def heading(text: str) -> str:
    """A heading inside a section."""
    return f"<h3>{escape(text)}</h3>"


def warning_list(lines: Sequence[str]) -> str:
    """One item a warning, or a sentence that there is none."""
    if not lines:
        return "<p>Nothing to warn about.</p>"
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<ul class="warnings">{items}</ul>'


def section(title: str, explanation: str, *parts: str) -> Section:
    """A titled section: (title, HTML)."""
    inside = "\n".join(parts)
    explained = escape(explanation).replace(" %", "&nbsp;%")
    return title, (
        f'<section id="{_anchor(title)}"><h2>{escape(title)}</h2>\n'
        f'<p class="lead">{explained}</p>\n{inside}</section>'
    )


def _anchor(title: str) -> str:
    return "".join(c if c.isalnum() else "-" for c in title.lower())


def page(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The whole document."""
    links = " ".join(f'<a href="#{_anchor(name)}">{escape(name)}</a>' for name, _ in sections)
    body = "\n".join(content for _, content in sections)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style></head>\n"
        f'<body><h1>{escape(title)}</h1><p class="lead">{escape(subtitle)}</p>\n'
        f"<nav>{links}</nav>\n{body}\n</body></html>\n"
    )

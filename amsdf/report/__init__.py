"""Results to what people look at: tables, pictures and the page."""

from amsdf.report.table import Table, percent, to_csv, to_latex, to_markdown, to_text

__all__ = ["Table", "percent", "to_csv", "to_latex", "to_markdown", "to_text"]

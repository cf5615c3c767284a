"""What a model card says about evaluation corpora, from score files."""

from pathlib import Path

from amsdf.evaluation.cross_evaluation import EvaluationSettings, build_results
from amsdf.report.table import to_markdown
from amsdf.report.tables import matrix_table
from amsdf.scoring.score_files.folder import read_folder


def evaluation_section(folder: Path, digest: str) -> str:
    """A section `## On evaluation corpora` from the score files of the detector of this digest."""
    scores = [each for each in read_folder(folder) if each.header.get("detector_hash") == digest]
    if not scores:
        raise ValueError(
            f"{folder}: holds no scores of this detector (digest {digest}); make them with "
            "`amsdf eval --detector … --on …`"
        )
    table = to_markdown(matrix_table(build_results(scores, EvaluationSettings())))
    inverted = " `!`: fakes score higher than real speech." * (" ! " in table)
    return (
        "## On evaluation corpora\n\nEqual error rates in %, with 95 % intervals: 0 is perfect, 50 "
        f"is guessing.{inverted}\n\n{table}"
    )


def read_notes(path: Path) -> str:
    """Sections of one's own, in Markdown: where the recordings come from, their licences."""
    if not path.is_file():
        raise ValueError(f"{path}: no such file; give notes in Markdown, `## …` and text")
    return path.read_text("utf-8").strip() + "\n"

"""The figures of a submission, derived anew from the score file beside it."""

import re
from pathlib import Path

import yaml

from amsdf.evaluation.arena.documents import RULES, ScoreFacts, is_finished, scores_text
from amsdf.evaluation.arena.files import ADAPTER, SCORES
from amsdf.evaluation.arena.rules import problems
from amsdf.evaluation.bundles.ladder import DerivedFigure
from amsdf.scoring.score_files.table import Scores

_DIGEST = re.compile(r"^DIGEST = '(\w+)'$", re.MULTILINE)


def submission_figures(folder: Path, scores: Scores) -> list[DerivedFigure]:
    """Scores, EER, counts and digests of a bundle; what breaks the Arena's rules is refused."""
    found = ScoreFacts.of(scores)
    derived = dict(line.split() for line in scores_text(scores).splitlines())
    lines = (folder / SCORES).read_text("utf-8").splitlines()
    stored = {utt: rest for utt, _, rest in (line.partition(" ") for line in lines)}
    figures = [
        DerivedFigure(f"{SCORES}, {utt}", stored.get(utt, ""), derived.get(utt, ""))
        for utt in {**stored, **derived}
    ]
    for name, rules in RULES.items():
        if not (folder / name).exists():
            continue
        content = yaml.safe_load((folder / name).read_text("utf-8"))
        broken = problems(content, rules) if is_finished(content) else []
        if broken:
            raise ValueError(f"{folder / name}: {broken[0]}")
        block = found.block if "scores" in content else {}
        figures += [
            DerivedFigure(f"{name}, {key}", str(content["scores"].get(key, "")), str(value))
            for key, value in block.items()
        ]
        if digest := content.get("artifact", {}).get("scores_sha256"):
            figures.append(DerivedFigure(f"{name}, scores_sha256", digest, found.sha256))
    opened = _DIGEST.findall((folder / ADAPTER).read_text("utf-8"))
    figures.append(
        DerivedFigure(f"{ADAPTER}, DIGEST", "".join(opened), scores.header.get("detector_hash", ""))
    )
    return figures

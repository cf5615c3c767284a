"""The YAML files of a submission: what the user says of the system, and what a run has found."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import yaml

from amsdf import __version__
from amsdf.evaluation.arena.rules import (
    META,
    METRIC,
    PATTERNS,
    RESULT,
    SUBMISSION,
    Rules,
    problems,
)
from amsdf.metrics.crossing import eer_interpolated
from amsdf.scoring.score_files.table import Scores, class_scores

ARENA = "https://huggingface.co/spaces/SpeechAntiSpoofingBenchmarks/SpeechAntiSpoofingArena"
#: Who computed the figures, and by whose rules.
BENCH_VERSION = f"amsdf=={__version__}, by the rules of speech-spoof-bench==0.3.0"
RULES: dict[str, Rules] = {"meta.yaml": META, "submission.yaml": SUBMISSION, "result.yaml": RESULT}
#: What only the user knows: the flag, and the form of what is given.
_FORMS = {
    "slug": "slug",
    "code": "url",
    "checkpoint": "url",
    "arxiv": "arxiv",
    "dataset": "dataset",
    "revision": "revision",
    "split": "some",
    "scores_url": "scores_url",
    "hf_user": "username",
    "contact": "some",
}
_EXAMPLES = {
    "slug": "my-detector",
    "code": "https://github.com/me/mine",
    "checkpoint": "https://huggingface.co/me/mine",
    "arxiv": "2110.01200",
    "dataset": "SpeechAntiSpoofingBenchmarks/InTheWild",
    "revision": "the commit of the data set, 7 to 40 hexadecimal digits",
    "split": "test",
    "scores_url": "https://huggingface.co/me/mine/resolve/COMMIT/scores.txt, pinned by its commit",
    "hf_user": "me",
    "contact": "me@example.com",
}
#: What each file cannot do without.
_NEEDED = {
    "meta.yaml": ("code", "checkpoint"),
    "submission.yaml": (
        *("code", "checkpoint", "dataset", "revision", "scores_url", "hf_user", "contact"),
    ),
    "result.yaml": ("arxiv", "dataset", "revision", "scores_url"),
}


@dataclass(frozen=True)
class Submission:
    """What a user says of a submission; what is None is left out or makes a file wait."""

    name: str
    slug: str | None = None
    description: str | None = None
    code: str | None = None
    checkpoint: str | None = None
    arxiv: str | None = None
    bibtex: str | None = None
    dataset: str | None = None
    revision: str | None = None
    split: str = "test"
    scores_url: str | None = None
    hf_user: str | None = None
    contact: str | None = None
    submitted_at: str = field(default_factory=lambda: date.today().isoformat())
    notes: str | None = None

    def __post_init__(self) -> None:
        if self.slug is None:
            object.__setattr__(self, "slug", slug_of(self.name))
        for key, form in _FORMS.items():
            given = getattr(self, key)
            if given is not None and not re.fullmatch(PATTERNS[form], given):
                raise ValueError(
                    f"{flag_of(key)}: {given!r} is not of its form, {PATTERNS[form]}; "
                    f"give for instance {_EXAMPLES[key]}"
                )
        if self.bibtex is not None and self.arxiv is None:
            raise ValueError("--bibtex: the paper also needs its number; give --arxiv")

    def missing(self, file: str) -> list[str]:
        """The flags without which `file` cannot be written."""
        return [flag_of(key) for key in _NEEDED[file] if getattr(self, key) is None]


def flag_of(key: str) -> str:
    """`scores_url` -> `--scores-url`."""
    return f"--{key.replace('_', '-')}"


def slug_of(name: str) -> str:
    """A name in small letters, digits and dashes."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug:
        raise ValueError(f"--name: {name!r} has no letter or digit a-z, 0-9; give a --slug")
    return slug


@dataclass(frozen=True)
class ScoreFacts:
    """What follows from the scores alone: EER in percent, counts, the digest of `scores.txt`."""

    eer_percent: float
    listed: int
    skipped: int
    sha256: str

    @classmethod
    def of(cls, scores: Scores) -> "ScoreFacts":
        """Computed from the scores as they are written."""
        listed = int(scores.header["listed"])
        return cls(
            eer_percent=100 * eer_interpolated(*class_scores(scores)).rate,
            listed=listed,
            skipped=listed - len(scores),
            sha256=hashlib.sha256(scores_text(scores).encode()).hexdigest(),
        )

    @property
    def block(self) -> dict[str, Any]:
        """The block of figures that all files share."""
        return {METRIC: self.eer_percent, "n_trials": self.listed, "n_skipped": self.skipped}


@dataclass(frozen=True)
class RunFacts:
    """What a run has found, and what a reader should know of its detector."""

    found: ScoreFacts
    parameters: int
    about: str
    notes: str


def documents(said: Submission, run: RunFacts) -> dict[str, dict[str, Any]]:
    """File name -> content, of every file for which nothing is missing; each fits its rules."""
    made = {"meta.yaml": _meta, "submission.yaml": _submission, "result.yaml": _result}
    found = {name: make(said, run) for name, make in made.items() if not said.missing(name)}
    for name, content in found.items():
        broken = problems(content, RULES[name])
        if broken:
            raise ValueError(f"{name}: {broken[0]}")
    return found


def as_yaml(content: Mapping[str, Any]) -> str:
    """YAML in the order given; it reads back as it was."""
    return yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=100)


def unfinished(said: Submission, run: RunFacts) -> dict[str, dict[str, Any]]:
    """File name -> content, of the files that a run needs and leaves: null is not known yet."""
    return {"meta.yaml": _meta(said, run), "result.yaml": _run_result(said, run)}


def is_finished(content: Any) -> bool:
    """Whether nothing in it is null."""
    if isinstance(content, dict):
        return all(map(is_finished, content.values()))
    return content is not None


def _run_result(said: Submission, run: RunFacts) -> dict[str, Any]:
    return {
        "schema_version": 4,
        "system": {
            "name": said.name,
            **dict.fromkeys(("slug", "description", "code", "checkpoint", "paper")),
        },
        "dataset": {"id": said.dataset, "revision": said.revision, "split": said.split},
        "scores": run.found.block,
        "artifact": {
            "scores_url": None,
            "scores_sha256": run.found.sha256,
            "bench_version": BENCH_VERSION,
        },
        "reproduction": {},
        "submitter": {},
        "submitted_at": None,
        "notes": None,
    }


def _system(said: Submission, run: RunFacts) -> dict[str, Any]:
    system: dict[str, Any] = {
        "name": said.name,
        "slug": said.slug,
        "description": said.description or run.about,
        "code": said.code,
        "checkpoint": said.checkpoint,
    }
    if said.arxiv is not None:
        url = f"https://arxiv.org/abs/{said.arxiv}"
        bibtex = (
            said.bibtex or f"@misc{{{said.slug}, eprint={{{said.arxiv}}}, eprinttype={{arXiv}}}}"
        )
        system["paper"] = {"arxiv_id": said.arxiv, "url": url, "bibtex": bibtex}
    return {**system, "params_millions": run.parameters / 1e6}


def scores_text(scores: Scores) -> str:
    """`utterance_id score`, one trial a line, with all digits."""
    rows = scores.table.select("utt", "score").iter_rows()
    return "".join(f"{utt} {score!r}\n" for utt, score in rows)


def _notes(said: Submission, run: RunFacts) -> str:
    return "\n".join(filter(None, (said.notes, run.notes)))


def _meta(said: Submission, run: RunFacts) -> dict[str, Any]:
    return {"system": _system(said, run), "notes": _notes(said, run)}


def _dataset(said: Submission) -> dict[str, Any]:
    return {"id": said.dataset, "revision": said.revision, "split": said.split}


def _submission(said: Submission, run: RunFacts) -> dict[str, Any]:
    return {
        "schema_version": 4,
        "system": _system(said, run),
        "dataset": _dataset(said),
        "scores": run.found.block,
        "artifact": {
            "scores_url": said.scores_url,
            "scores_sha256": run.found.sha256,
            "bench_version": BENCH_VERSION,
        },
        "reproduction": {},
        "submitter": {"hf_username": said.hf_user, "contact": said.contact},
        "submitted_at": said.submitted_at,
        "notes": _notes(said, run),
    }


def _result(said: Submission, run: RunFacts) -> dict[str, Any]:
    return {
        "schema_version": 1,
        "system": {"name": said.name, "slug": said.slug, "paper": {"arxiv_id": said.arxiv}},
        "dataset": _dataset(said),
        "scores": run.found.block,
        "arena": {"url": ARENA, "system_url": f"{ARENA}?system={said.slug}"},
        "artifact": {"scores_url": said.scores_url},
    }

"""`amsdf demo`: the whole way from nothing to an EER table and a report, on made-up speech."""

import time
from argparse import Namespace
from pathlib import Path

import numpy as np

from amsdf.audio.synthetic import CorpusPlan, lpc_vocoder, make_corpus
from amsdf.audio.vocoders import GriffinLim
from amsdf.cli.show import show
from amsdf.config import Experiment, merge, read_recipe
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.detector.inference import CorpusEmbeddings, ScoreSettings, embed_manifest
from amsdf.detector.pretrained import find_pretrained
from amsdf.evaluation.results import matrix
from amsdf.report.report import write_report
from amsdf.report.terminal import Tables
from amsdf.scoring.calibrated_training import train_and_calibrate
from amsdf.scoring.judge import Judge, load
from amsdf.scoring.score_files import read_scores
from amsdf.scoring.scorer import Outcome, score_all, summary_of
from amsdf.training.plan import Plan


def run(args: Namespace) -> int:
    """Make two corpora, train a three-view detector on each, score both on both."""
    started, out = time.time(), Path(args.out)
    corpora = {plan.name: _corpus(out, plan, args) for plan in _plans(args.clips)}
    for name, corpus in corpora.items():
        _train(args, name, corpus, out / "runs" / name)
    return _cross_evaluate(args, corpora, out, started)


def _corpus(out: Path, plan: CorpusPlan, args: Namespace) -> Manifest:
    """Made once; an existing corpus of another size is refused."""
    corpus = read_manifest(make_corpus(out / "corpora" / plan.name, plan, not args.quiet))
    there = len(corpus) // 2  # each recording and its copy
    if there != args.clips:
        raise ValueError(
            f"{out}: holds a demo of {there} recordings a corpus, not {args.clips}; "
            f"give --clips {there} or another --out"
        )
    return corpus


def _plans(clips: int) -> list[CorpusPlan]:
    """Two corpora that differ in voices and in how speech is faked."""
    return [
        CorpusPlan("low-voices", (85, 145), {"mel-vocoder": _mel_vocoder}, clips, seed=1),
        CorpusPlan("high-voices", (150, 250), {"lpc": lpc_vocoder}, clips, seed=2),
    ]


def _mel_vocoder(waveform: np.ndarray, _rng: np.random.Generator) -> np.ndarray:
    return GriffinLim(iterations=8, mel_bands=40)(waveform)


def _train(args: Namespace, name: str, corpus: Manifest, folder: Path) -> None:
    overrides = {"name": name, "train": {"corpora": [f"{name}/train"]}, "dev": [f"{name}/dev"]}
    data = merge(read_recipe("demo"), overrides)
    if args.epochs:
        data = merge(data, {"train": {"epochs": args.epochs}})
    experiment = Experiment.parse(data)
    plan = Plan(
        folder=folder,
        train=corpus.select("train"),
        dev=[corpus.select("dev")],
        find_pretrained=find_pretrained,
        resume=(folder / "experiment.yaml").exists(),
        progress=not args.quiet,
    )
    print(f"training a three-view detector on {name}")
    train_and_calibrate(experiment, plan)


def _cross_evaluate(
    args: Namespace, corpora: dict[str, Manifest], out: Path, started: float
) -> int:
    parts = [corpus.select("eval") for corpus in corpora.values()]
    settings = ScoreSettings(progress=not args.quiet)
    outcomes: list[Outcome] = []
    embeddings: dict[str, list[CorpusEmbeddings]] = {}
    judges = {name: load(out / "runs" / name) for name in corpora}
    for name, judge in judges.items():
        outcomes += score_all((name, judge.detector), parts, out / "scores", settings)
        shown = [corpora[name].select("train"), *parts]
        embeddings[name] = [embed_manifest(judge.detector, part) for part in shown]

    results = matrix([read_scores(outcome.path) for outcome in outcomes])
    print(
        "\nEER in percent with 95 % intervals: columns are detectors, rows what they are tried on"
    )
    show(results, out / "scores", Tables())
    about = {"command": "amsdf demo", "clips in each corpus": args.clips}
    calibrations = {name: found for name, judge in judges.items() if (found := judge.calibration)}
    page = write_report(out / "report", results, embeddings, about, calibrations)
    lines, status = summary_of(outcomes, out / "scores")
    print("\n".join(lines))

    _judge_one(judges, corpora)
    print(f"\nreport: {page}\ndone in {time.time() - started:.0f} s")
    return status


def _judge_one(judges: dict[str, Judge], corpora: dict[str, Manifest]) -> None:
    name, corpus = next(iter(corpora.items()))
    row = corpus.select("eval").table.row(1, named=True)
    print(f"\none recording, in truth {'real' if row['label'] else 'fake'}:")
    print(f"{row['utt']}: {judges[name](row['path'])}")

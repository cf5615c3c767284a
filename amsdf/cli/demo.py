"""`amsdf demo`: bundled recordings are judged, a small detector is trained, two are compared."""

import shutil
import time
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import torch

from amsdf.cli.terminal.results import show
from amsdf.config.overrides import Overrides
from amsdf.data.manifest import Manifest, read_manifest
from amsdf.detector.inference.scores import ScoreSettings, embed_manifest
from amsdf.detector.storage.pretrained_views import architecture_of
from amsdf.evaluation.calibrations import keep_beside_scores
from amsdf.evaluation.matrix import matrix
from amsdf.files import make_folder
from amsdf.report.page.report import write_report
from amsdf.report.terminal import Tables
from amsdf.scoring.calibration.calibrated_training import named_experiment, train_and_calibrate
from amsdf.scoring.judging.judge import Judge, load
from amsdf.scoring.outcomes import summary_of
from amsdf.scoring.score_files.table import read_scores
from amsdf.scoring.scorer import score_all
from amsdf.training.plan import RunSettings, open_plan

SAMPLES = Path(__file__).parents[1] / "samples"
TRAINED_ON, OTHER = "many-voices", "one-voice"
STARTER = "starter"
#: What is judged first: a recording, and the copy of another one by a vocoder.
SHOWN = ("ljspeech_13", "ljspeech_06_hifigan")


def run(args: Namespace) -> int:
    """Judge, train, cross-evaluate, report."""
    torch.set_num_threads(1)  # the number of cores changes no figure
    started, out = time.time(), Path(args.out)
    corpora = {name: _copied(name, out / "corpora") for name in (TRAINED_ON, OTHER)}
    starter = load(STARTER, device="cpu")
    _judge(starter, corpora[OTHER])

    folder = _train(args, out, corpora[TRAINED_ON])
    judges = {STARTER: starter, "small": load(folder, device="cpu")}
    parts = [corpora[TRAINED_ON].select("eval"), corpora[OTHER].select("eval")]
    status = _cross_evaluate(args, judges, parts, out)
    print(f"done in {time.time() - started:.0f} s")
    return status


def _copied(name: str, folder: Path) -> Manifest:
    """A bundled corpus, copied to where its files are easy to find."""
    make_folder(folder)
    shutil.copytree(SAMPLES / name, folder / name, dirs_exist_ok=True)
    return read_manifest(folder / name / "manifest.csv")


def _judge(starter: Judge, corpus: Manifest) -> None:
    rows = {row["utt"]: row for row in corpus.table.iter_rows(named=True)}
    for utt in SHOWN:
        row = rows[utt]
        print(f"{utt}, in truth {'real' if row['label'] else 'fake'}:")
        print(f"{starter(row['path'])}\n")


def _train(args: Namespace, out: Path, corpus: Manifest) -> Path:
    """The small detector of the recipe, on the training part of one corpus."""
    print(f"training a three-view detector on {corpus.name}, with frozen views")
    name = corpus.name
    settings = [f"train.epochs={args.epochs}"] if args.epochs else []
    experiment, roots = named_experiment(
        Overrides(recipe="small", train=[f"{name}/train"], dev=[f"{name}/dev"], settings=settings),
        {name: out / "corpora" / name},
        architecture_of,
    )
    folder = out / "runs" / "small"
    resumed = (folder / "experiment.yaml").exists()
    run_settings = RunSettings(resume=resumed, progress=not args.quiet)
    train_and_calibrate(experiment, open_plan(experiment, folder, roots, run_settings))
    return folder


def _cross_evaluate(
    args: Namespace, judges: dict[str, Judge], parts: Sequence[Manifest], out: Path
) -> int:
    settings = ScoreSettings(progress=not args.quiet)
    outcomes = [
        outcome
        for name, judge in judges.items()
        for outcome in score_all(
            (name, judge.detector), parts, out / "scores", settings, judge.training
        )
    ]
    calibrations = {name: found for name, judge in judges.items() if (found := judge.calibration)}
    for name in judges:
        keep_beside_scores(out / "scores" / name, calibrations.get(name))
    tables = [read_scores(outcome.path) for outcome in outcomes]
    results = matrix(tables, calibrations=calibrations)
    print(
        "\nEER in percent with 95 % intervals: columns are detectors, rows what they are tried on"
    )
    show(results, out / "scores", Tables())

    maps = {
        name: [embed_manifest(judge.detector, part) for part in parts]
        for name, judge in judges.items()
    }
    about = {"command": "amsdf demo"}
    page = write_report(out / "report", results, maps, about)
    lines, status = summary_of(outcomes, out / "scores")
    print("\n".join([*lines, f"report: {page}"]))
    return status

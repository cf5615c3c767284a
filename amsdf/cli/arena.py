"""`amsdf arena`: a submission to the Speech Anti-Spoofing Arena, and what it still needs."""

from argparse import Namespace
from pathlib import Path

from amsdf.cli.flags.shared import named_paths
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.detector.storage.hub import is_hub_id
from amsdf.detector.storage.loading import find_detector
from amsdf.evaluation.arena.documents import Submission
from amsdf.evaluation.arena.export import ArenaSettings, Bundle, export_arena

_SAID = ("slug", "description", "code", "checkpoint", "arxiv", "dataset", "revision", "split")
_SAID_OF_USER = ("scores_url", "hf_user", "contact")


def run(args: Namespace) -> int:
    """Write the bundle; status 1 when clips were skipped."""
    given = {key: getattr(args, key) for key in (*_SAID, *_SAID_OF_USER)}
    if not given["checkpoint"] and is_hub_id(args.detector):
        given["checkpoint"] = f"https://huggingface.co/{args.detector.partition('@')[0]}"
    said = Submission(
        name=args.name or find_detector(args.detector)[0],
        bibtex=_text(args.bibtex),
        notes=_text(args.notes),
        **given,
    )
    settings = ArenaSettings(
        scoring=ScoreSettings(
            batch_size=args.batch_size,
            workers=args.workers,
            progress=not args.quiet,
            score_rule=args.score_rule,
        ),
        device=args.device,
        bonafide_class=args.bonafide_class,
        trust_remote_code=args.trust_remote_code,
        data=named_paths(args.data),
        licence=args.license,
    )
    bundle = export_arena(args.detector, args.corpus, Path(args.out), said, settings)
    print("\n".join(lines_of(bundle)))
    return 1 if bundle.found.skipped else 0


def lines_of(bundle: Bundle) -> list[str]:
    """What was found and written, and which flags are still to be given."""
    found = [
        *bundle.notes,
        f"EER {bundle.found.eer_percent:.4f} % of {bundle.found.listed} trials, "
        f"{bundle.found.skipped} skipped",
    ]
    for name, flags in bundle.waiting.items():
        so_far = " (null until then)" if (bundle.folder / name).exists() else ""
        found.append(f"{name} still needs {', '.join(flags)}{so_far}")
    return [*found, f"bundle: {bundle.folder}"]


def _text(file: str | None) -> str | None:
    if file is None:
        return None
    if not Path(file).is_file():
        raise ValueError(f"{file}: no such file; give a file of text")
    return Path(file).read_text("utf-8").strip()

"""`amsdf card`: the model card of a detector, from what its folder and its score files know."""

from argparse import Namespace
from pathlib import Path

from amsdf.files import write_text
from amsdf.report.card import evaluation_section, read_notes
from amsdf.scoring.card import judge_card
from amsdf.scoring.judging.judge import load


def run(args: Namespace) -> int:
    """Print the card, or write it."""
    judge = load(args.detector, device="cpu", trust_remote_code=args.trust_remote_code)
    sections: tuple[str, ...] = ()
    if args.scores:
        sections = (evaluation_section(Path(args.scores), judge.detector.digest()),)

    if args.notes:
        sections += (read_notes(Path(args.notes)),)

    name = str(args.name or args.detector)
    card = judge_card((name, judge.detector), judge.calibration, sections, args.license)
    if not args.out:
        print(card, end="")
        return 0
    write_text(Path(args.out), card)
    print(f"model card: {args.out}")
    return 0

"""`amsdf verify`: a result folder against its record."""

import io
from argparse import Namespace
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

from amsdf.cli.main import main
from amsdf.evaluation.bundles.record import RECORD
from amsdf.evaluation.bundles.verification import Verification, verify, verify_against


def run(args: Namespace) -> int:
    """Print how far the folder is what it was; status 1 when a figure differs."""
    folder = Path(args.bundle)
    if args.against:
        found = [verify_against(folder, Path(args.against))]
    else:
        found = verify(folder, _remake)
    for each in found:
        print("\n".join(lines_of(each)))
    return 1 if any(each.step == "differs" for each in found) else 0


def lines_of(found: Verification) -> list[str]:
    """Each part with its step of the ladder; at the end the lowest of them."""
    record = found.record
    lines = [f"{found.folder}: {len(record.files)} files of `{record.made_by}` are as written"]
    lines += [f"  {name}: {part}" for name, part in found.parts.items() if part.figures]
    if found.by_digest:
        lines.append(f"  by SHA-256 alone: {', '.join(found.by_digest)}")
    if found.unknown:
        lines.append(f"  not checked, not in {RECORD}: {', '.join(found.unknown)}")
    return [*lines, f"verdict: {found.step}"]


def _remake(scores: Path, out: Path, words: Sequence[str]) -> None:
    """Make the tables again, as a user would; nothing is printed."""
    said = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(said):
        # Behind the words of a record, which may come from anywhere: the last --out counts.
        status = main(["report", str(scores), *words, "--out", str(out)])
    if status:
        raise ValueError(f"its tables cannot be made again: {said.getvalue().strip()}")

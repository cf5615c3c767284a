"""`amsdf score`: recordings to verdicts that a lay person understands."""

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from amsdf.audio import stream_audio
from amsdf.data.recordings import gather_recordings, left_out
from amsdf.scoring.explain import explain_recording
from amsdf.scoring.judge import Judge, judge_manifest, load
from amsdf.scoring.score_files import require_score_file
from amsdf.scoring.scorer import Outcome, describe_detector, write_failed, write_recordings
from amsdf.scoring.verdict import Verdict


def run(args: Namespace) -> int:
    """Judge each recording; status 1 when some could not be judged."""
    recordings = gather_recordings(args.inputs)
    if args.out:
        require_score_file(Path(args.out))
    judge = _open_judge(args)

    for line in left_out(args.inputs, recordings):
        print(f"# {line}")
    scores: dict[str, float] = {}
    failed: list[tuple[str, str, str]] = []
    try:
        for row, verdict in judge_manifest(judge, recordings):
            if isinstance(verdict, Verdict):
                assert verdict.score is not None
                scores[row["utt"]] = verdict.score
                _show(row["utt"], verdict)
                if args.explain:
                    _show_evidence(judge, verdict, row)
            elif args.strict or len(recordings) == 1:
                raise verdict
            else:
                print(verdict)
                failed.append((row["utt"], row["path"], str(verdict)))
    finally:  # what is done is kept, also when it is stopped
        if args.out and (scores or failed):
            out = Path(args.out)
            header = describe_detector(judge.detector, judge.name, judge.settings)
            write_recordings(out, recordings, scores, header)
            outcome = Outcome(out, recordings.name, len(recordings), len(scores), failed)
            write_failed(out.with_suffix(".failed.tsv"), [outcome])

    if failed:
        print(f"{len(scores)} scored + {len(failed)} failed = {len(recordings)} listed")
    return 1 if failed else 0


def _open_judge(args: Namespace) -> Judge:
    judge = load(
        args.detector,
        device=args.device,
        trust_remote_code=args.trust_remote_code,
        bonafide_class=args.bonafide_class,
        threshold=args.threshold,
    )
    if args.score_rule == "published":
        judge = judge.as_published()
    if judge.calibration is None:
        if args.threshold:
            print(f"# --threshold {args.threshold} has no effect: no calibration, so no threshold")
        if args.score_rule == "default":
            print("# this detector has no calibration, so its scores only rank; fit one:")
            print("#   import a published file, then `eval --calibrate logistic --on` known clips")
    return replace(judge, batch_size=args.batch_size, precision=args.precision)


def _show(utt: str, verdict: Verdict) -> None:
    first, *rest = verdict.lines(verbose=True)
    print("\n".join([f"{utt}: {first}", *(f"  {line}" for line in rest)]))


def _show_evidence(judge: Judge, verdict: Verdict, row: Mapping[str, Any]) -> None:
    """Of a recording of several windows, the one that looks most like a fake is explained."""
    lowest = min(verdict.windows, key=lambda window: window.score)
    stream = stream_audio(row["path"], row.get("start"), row.get("end"))
    place = verdict.windows.index(lowest)
    print(f"  what moves the score from {lowest.start:.1f} to {lowest.end:.1f} s:")
    for evidence in explain_recording(judge.detector, stream, place, judge.settings):
        print(f"    {evidence}")

"""The browser demo: a page that judges recordings with an exported detector, on its own.

    python scripts/build_browser_demo.py OUT
    python -m http.server --directory OUT

It needs `npm`, which fetches onnxruntime-web; nothing of it is in the repository.
"""

import argparse
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory

from amsdf.scoring.judging.judge import load
from amsdf.serving.export.exporting import export
from amsdf.serving.export.onnx_judge import OnnxJudge

PACKAGE = "onnxruntime-web@1.22.0"
RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
PAGE = Path(__file__).parents[1] / "docs/browser-demo"


def build(detector: str, out: Path) -> None:
    """Put page, runtime and detector into a folder."""
    shutil.copytree(PAGE, out, dirs_exist_ok=True)
    _fetch_runtime(out)
    judge = load(detector, device="cpu")
    if judge.detector.experiment.clip.samples is None or judge.calibration is None:
        raise SystemExit(f"{detector}: the page needs a calibrated detector of clips of a length")
    made = export(judge, out / "detector.onnx")
    knows = OnnxJudge(made.path).knows
    if not knows["calibration"]["operating_point"]:
        raise SystemExit(f"{detector}: its calibration has no operating point")
    (out / "detector.json").write_text(json.dumps(knows), encoding="utf-8")


def _fetch_runtime(out: Path) -> None:
    with TemporaryDirectory() as folder:
        packed = ["npm", "pack", "--silent", "--pack-destination", folder, PACKAGE]
        subprocess.run(packed, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as files:
            for name in RUNTIME:
                content = files.extractfile(f"package/dist/{name}")
                assert content is not None, f"{PACKAGE} has no {name}"
                (out / name).write_bytes(content.read())


def main() -> None:
    """Build it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", metavar="OUT", type=Path)
    parser.add_argument("--detector", default="starter")
    args = parser.parse_args()
    build(args.detector, args.out)
    print(f"python -m http.server --directory {args.out}")


if __name__ == "__main__":
    main()

"""`amsdf_runtime.py`: what judges an exported detector, joined to one file.

It is made of the modules that judge here, so its answers are the same.
"""

import ast
import inspect
from pathlib import Path
from types import ModuleType

from amsdf import __version__, conventions
from amsdf.audio import cropping, speech
from amsdf.detector.inference import cutting
from amsdf.files import write_text
from amsdf.scoring.calibration import points
from amsdf.scoring.judging import deciding, verdict
from amsdf.serving.export import onnx_judge, resampling

NAME = "amsdf_runtime.py"
#: Each needs only those before it.
_PARTS = (
    *(conventions, cropping, cutting, speech, points, verdict, deciding),
    *(resampling, onnx_judge),
)
_HEAD = f'''"""Judges recordings with a detector that `amsdf export` wrote; no torch is needed.

    pip install onnxruntime numpy soundfile
    python {NAME} detector.onnx call.wav

    from amsdf_runtime import load
    print(load("detector.onnx")("call.wav"))

Made by AMSDF {__version__} from its own modules; MIT licence.
"""

from __future__ import annotations
'''
#: What annotations name and the file does not bring.
_KINDS = "\nClip = Experiment = ScoringRule = Any\n\n"
_END = """
if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
"""


def write_runtime(folder: Path) -> Path:
    """Put the file into a folder -> where it is."""
    write_text(folder / NAME, runtime_text())
    return folder / NAME


def runtime_text() -> str:
    """The one file."""
    parted = [_parted(part) for part in _PARTS]
    needed = [node for nodes, _ in parted for node in nodes]
    whole = {ast.unparse(node) for node in needed if isinstance(node, ast.Import)}
    named: dict[str, set[str]] = {}
    for node in needed:
        if isinstance(node, ast.ImportFrom):
            named.setdefault(node.module or "", set()).update(each.name for each in node.names)
    chosen = {f"from {name} import {', '.join(sorted(of))}" for name, of in named.items()}

    imports, bodies = whole | chosen, [body for _, body in parted]
    return "\n".join([_HEAD, *sorted(imports), _KINDS, "\n\n\n".join(bodies), _END])


def _parted(module: ModuleType) -> tuple[list[ast.Import | ast.ImportFrom], str]:
    """The imports of a module from outside AMSDF, and what follows its imports."""
    source = inspect.getsource(module)
    found = [
        node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    needed = [node for node in found if not _is_ours(node)]
    last = max((node.end_lineno or 0 for node in found), default=_doc_end(source))
    return needed, "\n".join(source.splitlines()[last:]).strip()


def _is_ours(node: ast.Import | ast.ImportFrom) -> bool:
    return isinstance(node, ast.ImportFrom) and (node.module or "").startswith("amsdf")


def _doc_end(source: str) -> int:
    """The last line of a module's docstring."""
    return ast.parse(source).body[0].end_lineno or 0

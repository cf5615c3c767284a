"""What a wheel of this project holds: our four packages, the recipes, the starter, nothing else.

Trap: stray packages in the wheel.
"""

import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path, PurePosixPath

import pytest

from amsdf import __version__

ROOT = Path(__file__).parent.parent
PACKAGES = {"amsdf", "encoders", "heads", "losses"}
#: The folder of the shipped weights.
SHIPPED = "pretrained_models"
SAMPLES = "amsdf/samples/"
WEIGHTS = (".safetensors", ".json", ".md", ".pth")
#: The folder of the modules that are installed under their own names.
TOP_LEVEL = "losses/top_level/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    pytest.importorskip("hatchling", reason="pip install -e '.[dev]' brings it")
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"),
        *("--no-index", "--disable-pip-version-check", "--wheel-dir", str(folder), str(ROOT)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    assert path.name == f"amsdf-{__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def test_only_our_packages(wheel: zipfile.ZipFile) -> None:
    """Trap 'stray packages in the wheel': no tests, scripts or demo beside our packages."""
    tops = {PurePosixPath(name).parts[0] for name in wheel.namelist()}
    modules = {path.name for path in (ROOT / TOP_LEVEL).glob("*.py")}
    assert tops == PACKAGES | modules | {SHIPPED, f"amsdf-{__version__}.dist-info"}
    others = [name for name in wheel.namelist() if "dist-info" not in name]
    code = {PurePosixPath(name).suffix for name in others if not name.startswith(SAMPLES)}
    assert code <= {".py", ".yaml", ".html", ".css", ".js", ".svg", ".typed", *WEIGHTS}
    bundled = {PurePosixPath(name).suffix for name in others if name.startswith(SAMPLES)}
    assert bundled == {".flac", ".csv", ".md"}
    shipped = {name for name in others if name.startswith(SHIPPED)}
    assert f"{SHIPPED}/starter/model.safetensors" in shipped
    assert f"{SHIPPED}/starter/training_data.json" in shipped
    assert sum(wheel.getinfo(name).file_size for name in shipped) < 25_000_000


def test_every_module_and_recipe_is_inside(wheel: zipfile.ZipFile) -> None:
    inside = set(wheel.namelist())
    sources = {
        path.relative_to(ROOT).as_posix().removeprefix(TOP_LEVEL)
        for package in PACKAGES
        for pattern in ("*.py", "*.yaml", "py.typed")
        for path in (ROOT / package).rglob(pattern)
    }
    assert sources <= inside, f"missing: {sorted(sources - inside)}"
    assert any(name.startswith("amsdf/config/recipes/") for name in inside)


def test_documented_modules_open_from_the_wheel(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """`from AOC_loss import AOCloss` and the like, from nothing but what the wheel holds."""
    wheel.extractall(tmp_path)
    check = "import AOC_loss; print(AOC_loss.__file__, AOC_loss.AOCloss.__module__)"
    command = [
        sys.executable,
        "-S",
        "-c",
        f"import sys; sys.path = {[str(tmp_path), *sys.path]!r}; {check}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout.split() == [str(tmp_path / "AOC_loss.py"), "losses.compatibility"], (
        done.stderr
    )


def test_metadata(wheel: zipfile.ZipFile) -> None:
    """The licence travels along, the command and every group of plugins is declared."""
    info = f"amsdf-{__version__}.dist-info"
    points = wheel.read(f"{info}/entry_points.txt").decode()
    assert "amsdf = amsdf.cli.main:main" in points
    for group in ("encoders", "heads", "losses", "corpora", "augmentations"):
        assert f"[amsdf.{group}]" in points
    assert any("LICENSE" in name for name in wheel.namelist())
    metadata = Parser().parsestr(wheel.read(f"{info}/METADATA").decode())
    assert metadata["Version"] == __version__ and metadata["License-Expression"] == "MIT"


def test_the_wheel_is_small(wheel: zipfile.ZipFile) -> None:
    """Beside the starter and the samples, no weights or golden numbers slipped in."""
    apart = (SHIPPED, SAMPLES)
    rest = [file for file in wheel.infolist() if not file.filename.startswith(apart)]
    assert sum(file.file_size for file in rest) < 2_000_000
    samples = [file for file in wheel.infolist() if file.filename.startswith(SAMPLES)]
    assert sum(file.file_size for file in samples) < 6_000_000

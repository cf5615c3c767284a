"""Several processes fill one cache; a kill loses only what was being made, and none reads half."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from toys import toy_experiment, toy_manifest

from amsdf.detector.cache import store
from amsdf.detector.cache.filling import Team
from amsdf.detector.cache.store import Kept, ViewStore
from amsdf.detector.cache.upkeep import prune
from amsdf.detector.cache.view_cache import ViewCache
from amsdf.detector.detector import Detector

TESTS = Path(__file__).parents[2]
#: Fills the cache of a folder with the toy corpus, an entry every 0.05 s.
SLOW = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
sys.path.insert(0, sys.argv[1] + "/detector/cache")
from test_cache_filling import frozen_detector, fill
from amsdf.detector.cache import filling
quick = filling.encode_alone
def slow(*given):
    time.sleep(0.05)
    return quick(*given)
filling.encode_alone = slow
fill(Path(sys.argv[2]))
"""


def frozen_detector() -> Detector:
    torch.manual_seed(0)
    views = {"audio": {"freeze": True}, "text": {"freeze": True}}
    return Detector.build(toy_experiment(views=views)).eval()


def fill(root: Path, folder: str = "cache", team: Team | None = None) -> ViewCache:
    cache, manifest = ViewCache(root / folder), toy_manifest(root / "toy", "train")
    cache.parts(frozen_detector(), manifest, range(len(manifest)), "fp32", team)
    return cache


def start(root: Path) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-c", SLOW, str(TESTS), str(root)])


def views_in(folder: Path) -> dict[str, torch.Tensor]:
    """All views of a cache, each of which can be read."""
    return {
        f"{path.parts[-3]}/{path.name}": load_file(path)["view"]
        for path in (folder / "views").rglob("*.safetensors")
        if not path.name.startswith(".")
    }


def wait_for(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not done():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.fixture
def expected(tmp_path) -> dict[str, torch.Tensor]:
    fill(tmp_path, "expected")
    return views_in(tmp_path / "expected")


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[key], expected[key]) for key in expected)


def test_a_killed_build_goes_on_where_it_was(tmp_path, expected):
    process = start(tmp_path)
    wait_for(lambda: (tmp_path / "cache").is_dir() and len(views_in(tmp_path / "cache")) > 8)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    kept = views_in(tmp_path / "cache")
    assert 8 < len(kept) < len(expected)
    cache = fill(tmp_path)
    assert cache.num_made == 16 - len(kept) // 2, "nothing is made twice"
    assert_same(views_in(tmp_path / "cache"), expected)


def test_two_builds_at_once_lose_nothing(tmp_path, expected):
    processes = [start(tmp_path) for _ in range(2)]
    assert [process.wait(timeout=100) for process in processes] == [0, 0]
    assert_same(views_in(tmp_path / "cache"), expected)
    assert fill(tmp_path).num_made == 0


def test_a_team_makes_what_one_process_makes(tmp_path, expected):
    cache = fill(tmp_path, "cache", Team(2, frozen_detector))
    assert cache.num_made == 16
    assert_same(views_in(tmp_path / "cache"), expected)


def killed() -> Detector:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def other_weights() -> Detector:
    torch.manual_seed(1)
    views = {"audio": {"freeze": True}, "text": {"freeze": True}}
    return Detector.build(toy_experiment(views=views)).eval()


@pytest.mark.parametrize(
    ("open_detector", "words"),
    [
        (killed, "2 of 2 processes that fill the cache were killed.*start again"),
        (other_weights, "the weights of a frozen encoder have changed"),
        (partial(int, "x"), "invalid literal"),
    ],
)
def test_what_befalls_a_process_of_a_team_is_one_line(tmp_path, open_detector, words):
    with pytest.raises(ValueError, match=words):
        fill(tmp_path, "cache", Team(2, open_detector))


def test_half_a_view_is_never_read(tmp_path, monkeypatch):
    """A write that is cut off leaves a file of another name; a file that is cut off is nothing."""
    views, kept = ViewStore(tmp_path), Kept(torch.ones(3, 2), {"samples": "3"})
    views.describe("e", {"stored": "fp32"})

    def cut_off(tensors, path, about):
        Path(path).write_bytes(b"half")
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store, "save_file", cut_off)
        patched.setattr(Path, "unlink", lambda *_, **__: None)  # a kill cleans nothing up
        with pytest.raises(KeyboardInterrupt):
            views.write("e", "abc", kept, "fp32")
    assert views.read("e", "abc") is None and not list(views.files("e"))
    left = list(tmp_path.rglob(".*.safetensors"))
    assert len(left) == 1
    os.utime(left[0], (0, 0))
    prune(views, most_bytes=10**9)
    assert not left[0].exists()

    views.write("e", "abc", kept, "fp32")
    path = views.path_of("e", "abc")
    path.write_bytes(path.read_bytes()[:-1])
    assert views.read("e", "abc") is None and views.about("e", "abc") is None

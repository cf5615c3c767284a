"""Names to plugins: what is asked for, and every way a foreign plugin can be wrong."""

import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from amsdf import registry
from amsdf.cli.main import main
from amsdf.config import Experiment

GOOD = '''"""A plugin that works."""
import torch
from amsdf import Encoder

class GoodEncoder(Encoder):
    """Frames of 100 samples as they are.

    More words.
    """
    def __init__(self, *, width: int = 100):
        super().__init__()
        self.dim = width
    def forward(self, waveform):
        usable = waveform.shape[1] // self.dim * self.dim
        return waveform[:, :usable].unflatten(1, (-1, self.dim))
'''
Install = Callable[..., None]


@pytest.fixture(autouse=True)
def fresh_table() -> Iterator[None]:
    registry._table.cache_clear()
    yield
    registry._table.cache_clear()


@pytest.fixture
def install(tmp_path: Path, monkeypatch) -> Iterator[Install]:
    """`install(distribution, {name: value}, {module: source})`: as pip would leave it behind."""
    before = set(sys.modules)

    def one(
        distribution: str, points: dict[str, str], modules: dict[str, str], kind: str = "encoders"
    ) -> None:
        site = tmp_path / distribution
        info = site / f"{distribution.replace('-', '_')}-1.0.dist-info"
        info.mkdir(parents=True)
        info.joinpath("METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n"
        )
        lines = [f"[amsdf.{kind}]", *(f"{name} = {value}" for name, value in points.items())]
        info.joinpath("entry_points.txt").write_text("\n".join(lines) + "\n")
        for module, source in modules.items():
            site.joinpath(f"{module}.py").write_text(source)
        monkeypatch.syspath_prepend(site)
        registry._table.cache_clear()

    yield one
    for module in set(sys.modules) - before:
        if module.startswith("foreign_"):
            del sys.modules[module]


def problem(name: str, kind: str = "encoders") -> str:
    with pytest.raises(ValueError) as caught:
        registry.load(kind, name)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_every_kind_has_its_built_ins() -> None:
    assert "xlsr" in registry.names("encoders") and "graph-fusion" in registry.names("heads")
    assert "oc-softmax" in registry.names("losses") and "in-the-wild" in registry.names("corpora")
    assert "rawboost" in registry.names("augmentations")
    assert registry.names("heads") == sorted(registry.names("heads"))


@pytest.mark.parametrize(
    ("kind", "word", "message"),
    [
        ("encoders", "xslr", r"no encoder named 'xslr'\. Did you mean 'xlsr'\? Available: acrnn, "),
        ("heads", "graphfusion", r"no head named .* Did you mean 'graph-fusion'\?"),
        ("losses", "ocsoftmax", r"no loss named .* Did you mean 'oc-softmax'\?"),
        ("corpora", "in-the-wilds", r"no corpus named .* Did you mean 'in-the-wild'\?"),
        ("augmentations", "rawbost", r"no augmentation named .* Did you mean 'rawboost'\?"),
        ("encoders", "zzzzzzzz", r"no encoder named 'zzzzzzzz'\. Available: "),
    ],
)
def test_unknown_names_get_the_nearest(kind: str, word: str, message: str) -> None:
    assert re.match(message, problem(word, kind))


def test_unknown_arguments_get_the_nearest_and_the_signature() -> None:
    with pytest.raises(ValueError, match=r"encoder 'lfcc': .* 'filter'\. Did you mean 'filters'\?"):
        registry.build("encoders", "lfcc", filter=3)
    with pytest.raises(ValueError, match=r"It takes: .*coefficients: int \| None = None"):
        registry.build("encoders", "lfcc", zzzzz=3)


def test_what_the_framework_gives_is_no_argument() -> None:
    assert "views" not in registry.parameters("heads", "graph-fusion")
    assert "embedding_dim" not in registry.parameters("losses", "oc-softmax")


def test_a_constructor_that_refuses_is_named() -> None:
    with pytest.raises(ValueError, match="encoder 'acrnn': frames is 3; give an even number"):
        registry.build("encoders", "acrnn", frames=3)


def test_a_foreign_plugin_stands_beside_the_built_ins(install: Install) -> None:
    install("amsdf-good", {"good": "foreign_good:GoodEncoder"}, {"foreign_good": GOOD})
    assert "good" in registry.names("encoders") and "xlsr" in registry.names("encoders")
    assert registry.build("encoders", "good", width=50).dim == 50
    (status,) = [s for s in registry.status() if s.name == "good"]
    assert status.distribution == "amsdf-good 1.0" and not status.problem
    assert status.summary == "Frames of 100 samples as they are."
    assert Experiment.parse({"views": {"a": "good"}, "head": "pool-linear"})


def test_the_same_name_twice_names_both(install: Install) -> None:
    modules = {"foreign_good": GOOD, "foreign_more": GOOD}
    install("amsdf-one", {"twice": "foreign_good:GoodEncoder"}, modules)
    install("amsdf-two", {"twice": "foreign_more:GoodEncoder"}, modules)
    assert problem("twice") == (
        "encoder 'twice' is registered twice, by amsdf-one 1.0 and amsdf-two 1.0: "
        "uninstall or rename one"
    )


def test_a_name_of_ours_cannot_be_taken(install: Install) -> None:
    install("amsdf-thief", {"lfcc": "foreign_good:GoodEncoder"}, {"foreign_good": GOOD})
    message = problem("lfcc")
    assert "registered twice" in message and "amsdf-thief 1.0" in message and "amsdf 0" in message


BROKEN = {
    "raise RuntimeError('no licence\\nsecond line')": (
        "encoder 'bad' of amsdf-bad 1.0 is broken: RuntimeError: no licence"
    ),
    "def oh no": "encoder 'bad' of amsdf-bad 1.0 is broken: SyntaxError: ",
    "raise SystemExit(3)": "encoder 'bad' of amsdf-bad 1.0 is broken: SystemExit: 3",
    "raise OSError": "encoder 'bad' of amsdf-bad 1.0 is broken: OSError: no message",
    "Other = 1": "is broken: AttributeError: module 'foreign_bad' has no attribute 'BadEncoder'",
    "import a_package_nobody_has": (
        "encoder 'bad' needs the package 'a_package_nobody_has', which is not installed: "
        "pip install a_package_nobody_has"
    ),
    "import fairseq.models": (
        "encoder 'bad' needs the package 'fairseq', which is not installed: "
        f"{registry.HOW_TO_INSTALL['fairseq']}"
    ),
}


@pytest.mark.parametrize("source", list(BROKEN), ids=lambda source: source.split("(")[0])
def test_a_broken_plugin_says_why_and_disturbs_no_other(
    source: str, install: Install, capsys, monkeypatch
) -> None:
    if source == "import fairseq.models":
        monkeypatch.setitem(sys.modules, "fairseq", None)  # absent, whatever is installed
    install("amsdf-bad", {"bad": "foreign_bad:BadEncoder"}, {"foreign_bad": source})
    install("amsdf-good", {"good": "foreign_good:GoodEncoder"}, {"foreign_good": GOOD})
    message = problem("bad")
    assert BROKEN[source] in message
    assert registry.build("encoders", "good").dim == 100
    problems = {s.name: s.problem for s in registry.status() if s.kind == "encoders"}
    assert problems["bad"] == message and problems["good"] == problems["xlsr"] == ""
    assert main(["plugins", "--check"]) == 1 - (source == "import fairseq.models")
    printed = capsys.readouterr().out
    assert message in printed and "Frames of 100 samples as they are. [amsdf-good" in printed


def test_without_loading_plugins_finds_what_the_source_shows(install: Install, capsys) -> None:
    """A package that is not there, a class that is not there; no foreign code is run."""
    sources = {
        "foreign_needs": GOOD.replace("import torch", "import a_package_nobody_has"),
        "foreign_empty": "Other = 1",
        "foreign_loud": GOOD.replace("import torch", "import torch; raise SystemExit(3)"),
    }
    points = {name[8:]: f"{name}:GoodEncoder" for name in sources}
    install("amsdf-three", points, sources)
    assert main(["plugins"]) == 1
    printed = capsys.readouterr().out
    assert problem("needs") in printed and problem("empty") in printed
    assert "  loud               Frames of 100 samples as they are. [amsdf-three 1.0]" in printed


def test_an_uninstalled_module_and_a_missing_own_module(install: Install) -> None:
    """Stale metadata of a foreign package: its table outlived its code."""
    install("amsdf-gone", {"gone": "foreign_gone:Encoder"}, {})
    assert "points to 'foreign_gone:Encoder', which is not there: install the" in problem("gone")
    install("amsdf-half", {"half": "foreign_half:E"}, {"foreign_half": "import foreign_half.x"})
    assert "own module 'foreign_half.x' is not there" in problem("half")


def test_what_is_no_class_is_refused(install: Install) -> None:
    install("amsdf-odd", {"odd": "foreign_odd:VALUE"}, {"foreign_odd": "VALUE = 3"})
    with pytest.raises(ValueError, match=r"'odd' of amsdf-odd 1\.0 is broken: int is no class"):
        Experiment.parse({"views": {"a": "odd"}})


def test_one_distribution_seen_twice_is_no_duplicate(install: Install) -> None:
    """An editable install beside a build folder shows the same entry points twice."""
    for distribution in ("amsdf-copy", "amsdf-other-copy"):
        install(distribution, {"good": "foreign_good:GoodEncoder"}, {"foreign_good": GOOD})
    assert registry.build("encoders", "good").dim == 100


def test_stale_metadata_is_noticed(monkeypatch) -> None:
    """The table was edited and nobody ran pip: said by name, where it explains a failure."""
    assert registry.stale_metadata() == ""
    declared = registry._declared_table()
    assert declared is not None
    changed = {**declared, "amsdf.heads": {**declared["amsdf.heads"], "new-head": "heads.new:New"}}
    monkeypatch.setattr(registry, "_declared_table", lambda: changed)
    assert registry.stale_metadata() == (
        "The plugin table changed since installation (new-head): run pip install -e ."
    )
    assert problem("new-head", "heads").endswith("(new-head): run pip install -e .")


def test_installed_without_sources_nothing_is_stale(tmp_path: Path, monkeypatch) -> None:
    """In site-packages no `pyproject.toml` of ours stands beside us; a stranger's is not ours."""
    monkeypatch.setattr(registry, "__file__", str(tmp_path / "amsdf" / "registry.py"))
    assert registry.stale_metadata() == ""
    for text in ('[project]\nname = "other"\n', "[tool.ruff]\n"):
        (tmp_path / "pyproject.toml").write_text(text)
        assert registry.stale_metadata() == ""


def test_plugins_shows_one_and_refuses_the_unknown(capsys) -> None:
    assert main(["plugins", "oc-softmax"]) == 0
    printed = capsys.readouterr().out
    assert "loss oc-softmax" in printed and "alpha: float = 20.0" in printed
    assert main(["plugins", "oc-sofmax"]) == 2
    assert "Did you mean 'oc-softmax'" in capsys.readouterr().err

"""From words to an experiment: flags > file > recipe > defaults, and any part can be swapped."""

import pytest
import yaml

from amsdf.cli.flags import build_parser
from amsdf.cli.train import overrides_of
from amsdf.config import Experiment, read_recipe, recipe_names
from amsdf.config.overrides import Overrides, build_experiment, parse_component, parse_value


def experiment(*words, architecture_of=lambda encoder, file: {}):
    args = build_parser().parse_args(["train", *map(str, words)])
    return build_experiment(overrides_of(args), architecture_of)


@pytest.fixture
def own(tmp_path):
    """A file over the recipe `aasist`: other epochs and another rate."""
    path = tmp_path / "own.yaml"
    path.write_text("train: {epochs: 7, learning_rate: 0.5, patience: 2}\nseed: 5\n")
    return path


def test_flags_stand_above_file_above_recipe_above_defaults(own):
    found = experiment("--recipe", "aasist", "--config", own, "--epochs", 3, "--set", "seed=6")
    recipe = Experiment.parse(read_recipe("aasist"))
    assert found.train.epochs == 3 and found.seed == 6, "flags"
    assert found.train.learning_rate == 0.5 and found.train.patience == 2, "file"
    assert found.train.batch_size == recipe.train.batch_size == 24, "recipe"
    assert found.train.accumulate == 1, "default"
    assert found.views == recipe.views and found.head == recipe.head


@pytest.mark.parametrize(
    ("words", "path", "value"),
    [
        (["--epochs", "5"], "train.epochs", 5),
        (["--batch-size", "3"], "train.batch_size", 3),
        (["--learning-rate", "1e-4"], "train.learning_rate", 1e-4),
        (["--precision", "bf16"], "train.precision", "bf16"),
        (["--seed", "11"], "seed", 11),
        (["--name", "my own"], "name", "my own"),
        (["--train", "a/train", "b"], "train.corpora", ["a/train", "b"]),
        (["--dev", "c/dev"], "dev", ["c/dev"]),
        (["--freeze", "text", "--freeze", "audio"], "views.text.freeze", True),
        (["--set", "train.learning_rate=2e-5"], "train.learning_rate", 2e-5),
        (["--set", "clip.samples=null"], "clip.samples", None),
        (["--set", "views.text.unfreeze_epoch=3"], "views.text.unfreeze_epoch", 3),
        (["--set", "train.betas=[0.8, 0.9]"], "train.betas", [0.8, 0.9]),
        (["--set", "head=pool-linear"], "head", {"name": "pool-linear"}),
        (["--head", "pool-linear:embedding_dim=32"], "head.embedding_dim", 32),
        (["--loss", "am-softmax"], "loss.name", "am-softmax"),
        (["--loss", "cross-entropy"], "loss", {"name": "cross-entropy", "weights": [0.1, 0.9]}),
        (
            ["--view", "text=whisper:size=small"],
            "views.text",
            {"encoder": "whisper", "size": "small"},
        ),
        (["--view", "text=xlsr:layer=all"], "views.text.pretrained", "xlsr2_300m.pt"),
        (["--view", "extra=lfcc"], "views.extra", {"encoder": "lfcc"}),
        (
            ["--augment", "rawboost:algorithm=[1,2],p=0.5"],
            "augment",
            [{"name": "rawboost", "algorithm": [1, 2], "p": 0.5}],
        ),
    ],
)
def test_every_flag_sets_its_key(words, path, value):
    data = yaml.safe_load(experiment("--recipe", "amsdf", *words).to_yaml())
    for key in path.split("."):
        data = data[key]
    assert data == value


def test_a_view_can_be_taken_away_and_another_loss_brings_no_old_argument():
    found = experiment("--recipe", "amsdf", "--view", "text=none", "--loss", "oc-softmax:alpha=10")
    assert set(found.views) == {"audio", "emotion"}
    assert found.loss.name == "oc-softmax" and found.loss.args == {"alpha": 10}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ["--recipe", "amsdff"],
            "no recipe named 'amsdff'. Did you mean 'amsdf'? Available: aasist",
        ),
        (["--view", "text=xslr"], "no encoder named 'xslr'. Did you mean 'xlsr'? Available: acrnn"),
        (["--view", "text=whisper:sise=small"], "'sise'. Did you mean 'size'? It takes: size"),
        (["--view", "txt=none"], "no view named 'txt'. Did you mean 'text'? Views: audio, emotion"),
        (["--view", "text"], "--view text: write NAME=ENCODER, for instance text=whisper"),
        (["--view", "text=xlsr:layer"], "xlsr:layer: write xlsr:argument=value"),
        (["--view", "a=lfcc", "--freeze", "aa"], "named 'aa'. Did you mean 'a'? Views: audio, emo"),
        (["--freeze", "emotoin"], "no view named 'emotoin'. Did you mean 'emotion'?"),
        (["--head", "graph"], "no head named 'graph'. Did you mean 'graph-fusion'?"),
        (["--loss", "oc-sofmax"], "no loss named 'oc-sofmax'. Did you mean 'oc-softmax'?"),
        (["--loss", "oc-softmax:alfa=1"], "'alfa'. Did you mean 'alpha'? It takes: real_margin"),
        (["--augment", "rawbost"], "no augmentation named 'rawbost'. Did you mean 'rawboost'?"),
        (["--set", "train.epoch=5"], "no key 'train.epoch'. Did you mean 'epochs'? Keys: corpora"),
        (["--set", "trian.epochs=5"], "no key 'trian'. Did you mean 'train'? Keys: name, views"),
        (["--set", "clip.sample=9"], "no key 'clip.sample'. Did you mean 'samples'?"),
        (["--set", "train.epochs"], "--set train.epochs: write KEY=VALUE"),
        (["--set", "=5"], "--set =5: write KEY=VALUE"),
        (["--set", "seed.more=5", "--seed", "3"], "--set seed.more: 'seed' is a value"),
        (["--epochs", "0"], "train.epochs: Input should be greater than or equal to 1; given: 0"),
        (["--seed", "-1"], "seed: Input should be greater than or equal to 0; given: -1"),
        (["--set", "clip.short=mirror"], "clip.short: Input should be 'repeat' or 'zero'; given"),
    ],
)
def test_what_is_wrong_is_named_with_the_nearest_right_one(words, says):
    with pytest.raises(ValueError) as error:
        experiment("--recipe", "amsdf", *words)
    assert says in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize("views", ["[lfcc]", "lfcc", "{audio: [lfcc]}", "{audio: 3}"])
def test_views_that_are_not_names_and_encoders(tmp_path, views):
    (tmp_path / "own.yaml").write_text(f"views: {views}\n")
    with pytest.raises(ValueError, match=r"views[.\w]*: Input should be a valid dictionary"):
        experiment("--config", tmp_path / "own.yaml", "--epochs", 3)


def test_several_problems_are_told_together():
    with pytest.raises(ValueError, match=r"no key 'clip\.sample'.*; no key 'train\.epoch'"):
        experiment("--recipe", "amsdf", "--set", "train.epoch=5", "--set", "clip.sample=9")


def test_a_view_of_the_same_line_is_known():
    with pytest.raises(ValueError, match=r"named 'audi'\. Did you mean 'audio'\? Views: audio"):
        experiment("--view", "audio=lfcc", "--freeze", "audi")


def test_overrides_from_python():
    overrides = Overrides(recipe="amsdf", views=["text=none"], loss="acs", dev=["toy"], seed=7)
    found = build_experiment(overrides, lambda encoder, file: {})
    assert set(found.views) == {"audio", "emotion"} and found.loss.name == "acs"
    assert found.dev == ["toy"] and found.seed == 7


def test_nothing_to_build():
    with pytest.raises(ValueError, match="give --recipe, --config or --view NAME=ENCODER"):
        experiment("--epochs", "3")


def test_what_a_pretrained_file_decides_is_written_down_below_what_a_person_set():
    decided = {"hidden": 512, "layers_count": 3}
    asked = []

    def architecture_of(encoder, file):
        asked.append((encoder, file))
        return decided if encoder == "xlsr" else {}

    words = ("--recipe", "amsdf", "--set", "views.text.layers_count=2")
    found = experiment(*words, architecture_of=architecture_of)
    assert found.views["text"].args.items() >= {"hidden": 512, "layers_count": 2}.items()
    assert asked == [("acrnn", "ser_acrnn.pth"), ("xlsr", "xlsr2_300m.pt")]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("1e-4", 1e-4),
        ("-2E3", -2000.0),
        ("true", True),
        ("null", None),
        ("a b", "a b"),
        ("[1, 2]", [1, 2]),
        ("{a: 1}", {"a": 1}),
        ("'5'", "5"),
        ("[1", "[1"),
        ("", None),
    ],
)
def test_values_are_yaml_and_numbers_are_numbers(text, value):
    assert parse_value(text) == value and type(parse_value(text)) is type(value)


def test_commas_within_brackets_belong_to_the_value():
    found = parse_component("band:low_hz=[50, 300],p=0.5,shape={a: 1, b: 2}", "name")
    assert found == {"name": "band", "low_hz": [50, 300], "p": 0.5, "shape": {"a": 1, "b": 2}}


@pytest.mark.parametrize("name", recipe_names())
def test_a_resolved_experiment_reads_back_as_itself(name):
    found = experiment("--recipe", name)
    assert Experiment.from_yaml(found.to_yaml()) == found

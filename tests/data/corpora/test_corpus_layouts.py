"""Where corpora are looked for, what is answered where no recording is, and segment labels."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from corpus_trees import TREES, make_tree

from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.corpora.partialspoof import read_frames, spans
from amsdf.data.corpora.reading.protocol import WrongLayout

LISTED = sorted(
    name
    for name, files in TREES.items()
    if any(Path(file).suffix in (".txt", ".csv", ".tsv", ".trn") for file in files)
)


@pytest.mark.parametrize("name", LISTED)
def test_lists_without_a_recording_are_no_corpus(name, tmp_path):
    """Trap: a protocol alone opened as a set of thousands of clips, none of which was there."""
    texts = {file: text for file, text in TREES[name].items() if text}
    root = make_tree(tmp_path / name, texts)
    with pytest.raises(ValueError, match="Expected layout: ") as error:
        open_corpus(name, {name: root})
    assert str(root) in str(error.value)


@pytest.mark.parametrize("name", ["asvspoof5", "codecfake", "librisevoc", "vctk"])
def test_corpus_is_found_one_level_down(name, tmp_path):
    make_tree(tmp_path / "downloads" / "it", TREES[name])
    make_tree(tmp_path / "downloads", {"a-readme/readme.txt": "nothing", ".cache/x": "nothing"})
    reference = "codecfake/C1" if name == "codecfake" else name
    found = open_corpus(reference, {name: tmp_path / "downloads"})
    direct = open_corpus(reference, {name: tmp_path / "downloads" / "it"})
    assert found.table.equals(direct.table)


def sound_of(reference: str, files: dict[str, str], root: Path) -> list[str]:
    """Paths below the root of the clips that a corpus lists."""
    name = reference.partition("/")[0]
    manifest = open_corpus(reference, {name: make_tree(root, files)})
    return [Path(path).relative_to(root).as_posix() for path in manifest.table["path"]]


@pytest.mark.parametrize(
    ("reference", "files", "expected"),
    [
        pytest.param(
            "asvspoof2019-la/eval",
            {
                "ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm.eval.trl.txt": (
                    "LA_0039 LA_E_2834763 - A11 spoof\n"
                ),
                "LA/ASVspoof2019_LA_eval/flac/LA_E_2834763.flac": "",
            },
            ["LA/ASVspoof2019_LA_eval/flac/LA_E_2834763.flac"],
            id="protocols beside LA",
        ),
        *(
            pytest.param(
                "asvspoof5/eval",
                {
                    "ASVspoof5.eval.track_1.tsv": (
                        "E_1 E_0000000001 F C05 2 E_0000000009 AC1 A26 spoof -\n"
                    ),
                    f"{folder}/E_0000000001.flac": "",
                },
                [f"{folder}/E_0000000001.flac"],
                id=folder,
            )
            for folder in ("flac_E_eval", "flac_E", "ASVspoof5_eval/flac_E_eval")
        ),
        pytest.param(
            "add2022/track3.2",
            {
                "ADD2022track3.2/track3_R2_label.txt": "ADD_E_5.wav fake 12\n",
                "ADD2022track3.2/wav/ADD_E_5.wav": "",
            },
            ["ADD2022track3.2/wav/ADD_E_5.wav"],
            id="track3_R2_label",
        ),
        pytest.param(
            "add2023",
            {
                "ADD2023/Track1.2/testR2/label.txt": "ADD2023_T1.2R2_E_3.wav genuine\n",
                "ADD2023/Track1.2/testR2/wav/ADD2023_T1.2R2_E_3.wav": "",
            },
            ["ADD2023/Track1.2/testR2/wav/ADD2023_T1.2R2_E_3.wav"],
            id="above Track1.2",
        ),
        *(
            pytest.param(
                f"codecfake/{split}",
                {f"label/{split}.txt": "F01_SSB1.wav fake 1\n", f"{home}/F01_SSB1.wav": ""},
                [f"{home}/F01_SSB1.wav"],
                id=home,
            )
            for split, home in (
                ("C1", "test/C1"),
                ("C2", "C2"),
                ("C4", "test/C4"),
                ("train", "train"),
            )
        ),
    ],
)
def test_published_tree(reference, files, expected, tmp_path):
    """Layouts that opened with no recording at all, or not, before."""
    assert sound_of(reference, files, tmp_path) == expected


# PartialSpoof


def labels_at(root: Path, frame: str, frames: dict[str, list[str]]) -> None:
    path = root / f"database/segment_labels/dev_seglab_{frame}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    held = {name: np.array(words) for name, words in frames.items()}
    np.save(path, np.array(held, dtype=object), allow_pickle=True)


def test_segments_of_partialspoof(tmp_path):
    """Of several resolutions the finest; an utterance without labels has none."""
    root = make_tree(tmp_path, TREES["partialspoof"])
    labels_at(root, "0.16", {"CON_D_0000000": list("10")})
    labels_at(root, "0.02", {"CON_D_0000000": list("1100011")})
    table = open_corpus("partialspoof/dev", {"partialspoof": root}).table
    found = dict(table.select("utt", "segments").iter_rows())
    assert found.pop("CON_D_0000000") == ("0.00-0.04-bonafide 0.04-0.10-spoof 0.10-0.14-bonafide")
    assert set(found.values()) == {None}


def test_spans():
    assert spans(np.array([True]), 0.16) == "0.00-0.16-bonafide"
    assert spans(np.array([], dtype=bool), 0.16) == ""
    assert spans(np.array([False, False, True]), 0.5) == "0.00-1.00-spoof 1.00-1.50-bonafide"


def run_something():
    pytest.fail("a pickle was obeyed")


class Malicious:
    def __reduce__(self):
        return run_something, ()


@pytest.mark.parametrize("content", [Malicious(), {"u": Malicious()}, ["no", "labels"], "text"])
def test_labels_run_nothing(content, tmp_path):
    """Trap: numpy needs `allow_pickle` for the published labels, which then may do anything."""
    path = tmp_path / "dev_seglab_0.01.npy"
    held = np.empty((), dtype=object)
    held[()] = content
    np.save(path, held, allow_pickle=True)
    with pytest.raises(WrongLayout, match=r"dev_seglab_0\.01\.npy (is not an array|holds)"):
        read_frames(path)


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY\x01\x00", pickle.dumps({"u": "1"})])
def test_what_is_no_array_is_named(content, tmp_path):
    path = tmp_path / "dev_seglab_0.01.npy"
    path.write_bytes(content)
    with pytest.raises(WrongLayout, match="is not an array of segment labels"):
        read_frames(path)

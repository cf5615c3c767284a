"""Small trees in the published layouts of all corpora, and what their readers must make of them."""

from pathlib import Path

import corpus_trees_new

LA19 = "ASVspoof2019_LA_cm_protocols/ASVspoof2019.LA.cm"
LA21 = """\
LA_0009 LA_E_9332881 alaw ita_tx A07 spoof notrim eval
LA_0020 LA_E_7294490 g722 loc_tx bonafide bonafide notrim eval
LA_0022 LA_E_5000000 opus loc_tx A19 spoof notrim progress
LA_0021 LA_E_7310647 none - bonafide bonafide only_speech hidden
"""
DF21 = """\
LA_0023 DF_E_2000011 nocodec asvspoof A14 spoof notrim progress traditional_vocoder - - - -
TGF1 DF_E_2000024 mp3m4a vcc2020 Task2-team12 spoof notrim eval traditional_vocoder Task2 team12 \
FF G
LA_0043 DF_E_2000026 mp3m4a asvspoof - bonafide notrim eval bonafide - - - -
"""
FAC_HEADER = "source,target1,target2,method,category,type,race,gender,path,\n"
FAC_ROWS = [
    "id0,-,-,real,A,RealVideo-RealAudio,African,men,0.mp4,FakeAVCeleb/RealVideo-RealAudio/id0",
    "id1,-,-,real,A,RealVideo-RealAudio,African,men,0.mp4,FakeAVCeleb/RealVideo-RealAudio/id1",
    "id1,-,-,rtvc,B,RealVideo-FakeAudio,African,men,1.mp4,FakeAVCeleb/RealVideo-FakeAudio/id1",
    "id1,-,-,faceswap,C,FakeVideo-RealAudio,Asian,men,2.mp4,FakeAVCeleb/FakeVideo-RealAudio/id1",
    "id1,-,-,fsgan,C,FakeVideo-RealAudio,Asian,men,2.mp4,FakeAVCeleb/FakeVideo-RealAudio/id1",
    "id2,-,-,wav2lip,D,FakeVideo-FakeAudio,Asian,men,3.mp4,FakeAVCeleb/FakeVideo-FakeAudio/id2",
    "id2,-,-,real,A,RealVideo-RealAudio,Asian,men,4.mp4,FakeAVCeleb/RealVideo-RealAudio/id2",
]
MLAAD = (
    "path|original_file|language|is_original_language|duration|training_data|model_name"
    "|architecture|transcript\n"
    './fake/ja/kokoro v1/a.wav|de_DE/by_book/male/karlsson/a/x.wav|ja|True|2|-|k|StyleTTS2|"open\n'
    "./fake/ja/kokoro v1/b.wav|ja/y.wav|ja|True|2.0|-|kokoro|StyleTTS2|a | bar\n"
    './fake/ja/kokoro v1/c.wav|ja/z.wav|ja|True|2.0|-|kokoro|StyleTTS2|"closed" here\n'
)
MLAAD_CSV = "path,language,model_name\nfake/en/vits/a.wav,en,vits\n"
RECORDINGS = ("real/file1.wav", "real/sub/file2.MP3", "fake/file1.wav", "fake/Thumbs.db")


def sounds(*paths: str) -> dict[str, str]:
    """Recordings that nobody opens."""
    return dict.fromkeys(paths, "")


#: Corpus -> files of its tree; a file without text is a recording that nobody opens.
TREES: dict[str, dict[str, str]] = {
    "asvspoof2015": {
        "CM_protocol/cm_train.trn": "T1 T1_1000001 human human\n",
        "CM_protocol/cm_develop.ndx.txt": "D1 D1_1 human human\nD1 D1_2 S1 spoof\n",
        "CM_protocol/cm_evaluation.ndx": "E1 E1_1 S10 spoof\n",
        **sounds("wav/T1/T1_1000001.wav", "wav/D1/D1_2.wav", "wav/E1/E1_1.wav"),
    },
    "asvspoof2019-la": {
        f"{LA19}.train.trl.txt": "LA_0079 LA_T_1138215 - - bonafide\nLA_0098 LA_T_2 - A01 spoof\n",
        f"{LA19}.dev.trl.txt": "LA_0069 LA_D_1047731 - - bonafide \n",
        f"{LA19}.eval.trl.txt": "LA_0039 LA_E_2834763 - A11 spoof\r\n\r\n",
        "ASVspoof2019_LA_eval/flac/LA_E_enrolment.flac": "",
        **sounds(
            "ASVspoof2019_LA_train/flac/LA_T_2.flac",
            "ASVspoof2019_LA_dev/flac/LA_D_1047731.flac",
            "ASVspoof2019_LA_eval/flac/LA_E_2834763.flac",
        ),
    },
    "asvspoof2019-pa": {
        "PA/ASVspoof2019_PA_cm_protocols/ASVspoof2019.PA.cm.train.trn.txt": (
            "PA_0079 PA_T_0000001 aaa - bonafide\nPA_0095 PA_T_0005731 aaa AA spoof\n"
        ),
        "PA/ASVspoof2019_PA_train/flac/PA_T_0005731.flac": "",
    },
    "asvspoof2021-la": {
        "keys/LA/CM/trial_metadata.txt": LA21,
        **{f"ASVspoof2021_LA_eval/flac/LA_E_{i}.flac": "" for i in (7294490, 5000000, 7310647)},
    },
    "asvspoof2021-df": {
        "keys/DF/CM/trial_metadata.txt": DF21,
        **sounds(*(f"ASVspoof2021_DF_eval/flac/DF_E_20000{i}.flac" for i in (11, 24))),
    },
    "asvspoof2021-pa": {
        "keys/PA/CM/trial_metadata.txt": (
            "PA_0010 PA_E_1000001 R3 M3 d4 r1 m1 s4 c4 spoof notrim eval\n"
            "PA_0011 PA_E_1000002 R3 M3 d4 - - - - bonafide notrim eval\n"
            "PA_0012 PA_E_1000003 R1 M1 d2 r1 m1 s2 c3 spoof notrim hidden1\n"
            "PA_0012 PA_E_1000004 R1 M1 d2 - - - - bonafide trim hidden_track_2\n"
        ),
        **sounds(*(f"ASVspoof2021_PA_eval/flac/PA_E_100000{i}.flac" for i in range(1, 5))),
    },
    "asvspoof5": {
        "ASVspoof5.dev.track_1.tsv": (
            "D_4461 D_0000000169 F - - - AC1 A14 spoof -\n"
            "D_0461 D_0000000190 M - - - - bonafide bonafide -\n"
        ),
        "ASVspoof5.eval.track_1.tsv": "E_1 E_0000000001 F C05 2 E_0000000009 AC1 A26 spoof -\n",
        "ASVspoof5.eval.track_2.trial.tsv": (
            "E_1 E_0000000001 F A26 spoof\nE_1 E_0000000002 F bonafide target\n"
            "E_3 E_0000000002 F bonafide nontarget\n"
        ),
        **sounds(
            "ASVspoof5_dev/flac_D/D_0000000169.flac",
            "ASVspoof5_eval/flac_E_eval/E_0000000001.flac",
        ),
    },
    "in-the-wild": {
        "release_in_the_wild/meta.csv": (
            "file,speaker,label\n0.wav,Alec Guinness,spoof\n1.wav,Alec Guinness,bona-fide\n"
        ),
        "release_in_the_wild/1.wav": "",
    },
    "fake-or-real": {f"for-original/testing/{name}": "" for name in RECORDINGS},
    "fake-or-real-norm": {f"testing/{name}": "" for name in RECORDINGS},
    "fake-or-real-2sec": {f"for-2sec/for-2seconds/testing/{name}": "" for name in RECORDINGS},
    "fake-or-real-rerec": {f"for-rerec/for-rerecorded/testing/{name}": "" for name in RECORDINGS},
    "fakeavceleb": {
        "meta_data.csv": FAC_HEADER + "\n".join(FAC_ROWS) + "\n",
        **sounds("RealVideo-RealAudio/id0/0.mp4", "FakeVideo-RealAudio/id1/2.mp4"),
    },
    "wavefake": {
        "generated_audio/ljspeech_melgan/LJ001-0001_gen.wav": "",
        "generated_audio/jsut_multi_band_melgan/deep/LJ001-0001_gen.wav": "",
        "generated_audio/LJSpeech-1.1/wavs/LJ001-0001.wav": "",
    },
    "dfadd": {
        "DATASET_VCTK_BONAFIDE/test/p225_001.wav": "",
        "DATASET_VCTK_BONAFIDE/train/p226_001.wav": "",
        "DATASET_GradTTS/test/p225_001.wav": "",
        "DATASET_StyleTTS2/test/p225_001.wav": "",
    },
    "codecfake": {
        "label/C1.txt": "SSB13650058.wav real 0\nF01_SSB13650058.wav fake 1\n",
        "label/C3-1.txt": "SSB13650058.wav real 0\nF03_SSB13650058.wav fake 3\n",
        "label/A1.txt": "SSB13650058.wav real 0\nL01_SSB13650058.wav fake 8\n",
        "label/train.txt": "SSB13650058.wav real 0\n",
        **sounds("train/SSB13650058.wav", "test/C1/F01_SSB13650058.wav"),
        **sounds("test/C3-1/F03_SSB13650058.wav", "test/L1/L01_SSB13650058.wav"),
    },
    "mlaad": {
        "fake/ja/kokoro v1/meta.csv": MLAAD,
        "fake/en/vits/meta.csv": MLAAD_CSV,
        "fake/ja/kokoro v1/a.wav": "",
    },
    "add2022": {
        "ADD_train_dev/label/train_label.txt": "ADD_T_0.wav fake\nADD_T_1.wav genuine\n",
        "ADD_train_dev/train/ADD_T_0.wav": "",
        "eval_track1/label.txt": "ADD_E_0.wav fake\nADD_E_1.wav genuine\n",
        "eval_track1/wav/ADD_E_0.wav": "",
        "ADD2022track3.2_eval_R2/track3_R2_label.txt": "ADD_E_5.wav fake 12\nE_6.wav genuine 0\n",
        "ADD2022track3.2_eval_R2/wav/ADD_E_5.wav": "",
    },
    "add2023": {
        "Track1.2/testR2/label.txt": "ADD2023_T1.2R2_E_3.wav genuine\nE_4.wav fake\n",
        "Track1.2/testR2/wav/ADD2023_T1.2R2_E_3.wav": "",
    },
    "ljspeech": {
        "metadata.csv": 'LJ001-0001|"open quote|text\nLJ001-0002|a|b\n',
        "wavs/LJ001-0001.wav": "",
    },
}
#: reference, number bona fide, number spoof, then one row: id, path below the root, other columns.
EXPECTED = [
    ("asvspoof2015/train", 1, 0, "T1_1000001", "wav/T1/T1_1000001.wav", {"attack": "-"}),
    ("asvs2015d", 1, 1, "D1_2", "wav/D1/D1_2.wav", {"attack": "S1", "speaker": "D1"}),
    ("asvs2015e", 0, 1, "E1_1", "wav/E1/E1_1.wav", {"attack": "S10"}),
    (
        "asvspoof2019-la/train",
        1,
        1,
        "LA_T_2",
        "ASVspoof2019_LA_train/flac/LA_T_2.flac",
        {"attack": "A01", "speaker": "LA_0098", "split": "train"},
    ),
    ("asvspoof2019-la/dev", 1, 0, "LA_D_1047731", None, {"attack": "-"}),
    ("asvs2019la", 0, 1, "LA_E_2834763", None, {"attack": "A11"}),
    (
        "asvspoof2019-pa/train",
        1,
        1,
        "PA_T_0005731",
        "PA/ASVspoof2019_PA_train/flac/PA_T_0005731.flac",
        {"attack": "AA", "environment": "aaa"},
    ),
    (
        "asvs2021la",
        1,
        1,
        "LA_E_7294490",
        "ASVspoof2021_LA_eval/flac/LA_E_7294490.flac",
        {"attack": "-", "codec": "g722", "transmission": "loc_tx", "trim": "notrim"},
    ),
    ("asvspoof2021-la/progress", 0, 1, "LA_E_5000000", None, {"codec": "opus"}),
    ("asvspoof2021-la/hidden", 1, 0, "LA_E_7310647", None, {"trim": "only_speech"}),
    ("asvspoof2021-la/all", 2, 2, "LA_E_7310647", None, {"split": "hidden"}),
    (
        "asvs2021df",
        1,
        1,
        "DF_E_2000024",
        "ASVspoof2021_DF_eval/flac/DF_E_2000024.flac",
        {"vocoder": "traditional_vocoder", "codec": "mp3m4a", "language": "G", "team": "team12"},
    ),
    ("asvspoof2021-df/progress", 0, 1, "DF_E_2000011", None, {"source": "asvspoof"}),
    (
        "asvspoof2021-pa",
        1,
        1,
        "PA_E_1000001",
        "ASVspoof2021_PA_eval/flac/PA_E_1000001.flac",
        {"attack": "s4", "room": "R3", "attack_distance": "c4", "trim": "notrim"},
    ),
    ("asvspoof2021-pa/hidden", 1, 1, "PA_E_1000003", None, {"split": "hidden1"}),
    ("asvspoof2021-pa/hidden1", 0, 1, "PA_E_1000003", None, {"trim": "notrim"}),
    ("asvspoof2021-pa/hidden2", 1, 0, "PA_E_1000004", None, {"trim": "trim", "attack": "-"}),
    (
        "asvspoof5/dev",
        1,
        1,
        "D_0000000169",
        "ASVspoof5_dev/flac_D/D_0000000169.flac",
        {"attack": "A14", "speaker": "D_4461", "codec": "-", "gender": "F"},
    ),
    (
        "asvspoof5",
        0,
        1,
        "E_0000000001",
        "ASVspoof5_eval/flac_E_eval/E_0000000001.flac",
        {"codec": "C05", "codec_quality": "2"},
    ),
    ("asvspoof5/eval-track2", 1, 1, "E_0000000002", None, {"attack": "-", "gender": "F"}),
    ("itw", 1, 1, "1.wav", "release_in_the_wild/1.wav", {"speaker": "Alec Guinness"}),
    ("for", 2, 1, "testing/fake/file1.wav", "for-original/testing/fake/file1.wav", {}),
    ("fake-or-real-norm/testing", 2, 1, "testing/real/file1.wav", "testing/real/file1.wav", {}),
    ("fake-or-real-2sec", 2, 1, "testing/real/sub/file2.MP3", None, {}),
    ("fake-or-real-rerec", 2, 1, "testing/real/file1.wav", None, {}),
    (
        "fac",
        2,
        2,
        "FakeVideo-RealAudio/id1/2.mp4",
        "FakeVideo-RealAudio/id1/2.mp4",
        {"attack": "-", "method": "faceswap", "speaker": "id1", "race": "Asian"},
    ),
    ("wavefake", 0, 2, "ljspeech_melgan/LJ001-0001_gen.wav", None, {"attack": "ljspeech_melgan"}),
    (
        "dfadd",
        1,
        2,
        "DATASET_GradTTS/test/p225_001.wav",
        None,
        {"attack": "GradTTS", "speaker": "p225"},
    ),
    ("dfadd/train", 1, 0, "DATASET_VCTK_BONAFIDE/train/p226_001.wav", None, {"attack": "-"}),
    (
        "codecfake/C1",
        1,
        1,
        "F01_SSB13650058.wav",
        "test/C1/F01_SSB13650058.wav",
        {"attack": "1", "speaker": "SSB1365"},
    ),
    ("codecfake/C3-1", 1, 1, "F03_SSB13650058.wav", "test/C3-1/F03_SSB13650058.wav", {}),
    ("codecfake/L1", 1, 1, "L01_SSB13650058.wav", "test/L1/L01_SSB13650058.wav", {}),
    ("codecfake/A1", 1, 1, "L01_SSB13650058.wav", "test/L1/L01_SSB13650058.wav", {}),
    ("codecfake/train", 1, 0, "SSB13650058.wav", "train/SSB13650058.wav", {"attack": "-"}),
    (
        "mlaad",
        0,
        4,
        "ja/kokoro v1/a.wav",
        "fake/ja/kokoro v1/a.wav",
        {
            "attack": "kokoro v1",
            "language": "ja",
            "architecture": "StyleTTS2",
            "speaker": "karlsson",
        },
    ),
    ("add2022/train", 1, 1, "ADD_T_0.wav", "ADD_train_dev/train/ADD_T_0.wav", {}),
    ("add2022/track1", 1, 1, "ADD_E_0.wav", "eval_track1/wav/ADD_E_0.wav", {}),
    (
        "add2022/track3.2",
        1,
        1,
        "ADD_E_5.wav",
        "ADD2022track3.2_eval_R2/wav/ADD_E_5.wav",
        {"attack": "12"},
    ),
    ("add2023", 1, 1, "ADD2023_T1.2R2_E_3.wav", "Track1.2/testR2/wav/ADD2023_T1.2R2_E_3.wav", {}),
    ("ljspeech", 2, 0, "LJ001-0001", "wavs/LJ001-0001.wav", {"speaker": "LJ"}),
]

TREES |= corpus_trees_new.TREES
EXPECTED += corpus_trees_new.EXPECTED


def make_tree(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    return root

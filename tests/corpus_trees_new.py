"""Small trees of the corpora that a YAML file describes, as published, and what must be read."""

PS = "database/protocols/PartialSpoof_LA_cm_protocols/PartialSpoof.LA.cm"
CDADD = "dataset_LibriTTS/dataset_clean_v2"
UTT = "1673/143396/1673_143396_000015_000001"
VOCODED = "103_1240_000000_000001"

#: Corpus -> its recordings, which nobody opens.
_SOUNDS: dict[str, tuple[str, ...]] = {
    "spoofceleb": (
        "spoofceleb/flac/development/a00/id10318/YYsxcZ5saac-00002-006.flac",
        "spoofceleb/flac/development/a06/id10318/YYsxcZ5saac-00002-006.flac",
    ),
    "partialspoof": ("database/dev/con_wav/CON_D_0000000.wav",),
    "llamapartialspoof": ("R01TTS.0.a/dev-clean_1462_170145_000020_000002.wav",),
    "librisevoc": (
        f"gt/{VOCODED}.wav",
        *(
            f"{vocoder}/{VOCODED}_gen.wav"
            for vocoder in ("diffwave", "melgan", "parallel_wave_gan", "wavegrad", "wavenet")
        ),
        f"wavernn/{VOCODED}_gen.wav",
    ),
    "deepfake-eval-2024": ("audio-data/a1.mp3", "audio-data/a2.wav", "audio-data/a3.m4a"),
    "speechfake": ("Real/VCTK-Corpus/p225_001.wav", "BD/HiFiGAN/VCTK/p226_002.wav"),
    "codecfake-wu": ("processed/encodec_24khz+p272_103.wav",),
    "cvoicefake": (
        "CVoiceFake_Large/CN/Bonafide/common_voice_zh-CN_1.mp3",
        "CVoiceFake_Large/EN/Bonafide/common_voice_en_36752138.mp3",
        "CVoiceFake_Large/EN/vctk_parallel_wavegan.v1_generated/common_voice_en_36752138_Gen.mp3",
    ),
    "cfad": (
        "clean_version/test_unseen_clean/real_clean/aishell3/SSB09660003.wav",
        "clean_version/test_unseen_clean/fake_clean/lpcnet/SSB09660003_lpcnet.wav",
        "noisy_version/dev_noise/real_noise/thchs/A2_1_airport_snr10.wav",
        "noisy_version/dev_noise/fake_noise/gl/SSB09660003_gl_airport_snr10.wav",
        "codec_version/test_seen_codec/real_codec/aishell3/SSB09660003_aac.wav",
        "codec_version/test_seen_codec/fake_codec/lpcnet/SSB09660003_lpcnet_m4a.wav",
    ),
    "decro": ("petrichorwq-DECRO-dataset-6fc9884/ch_dev/20032123.wav",),
    "habla": (
        "FinalDataset_16khz/Real/Chile/clf_07508/clf_07508_00799857148.wav",
        "FinalDataset_16khz/CycleGAN/Venezuela-Argentina/vem_02484-arm_01523/"
        "CycleGAN-vem_02484_00993837010-arm_01523_020267.wav",
        "FinalDataset_16khz/TTS/Peru/TTS-pef_00610_1.wav",
        "FinalDataset_16khz/TTS-VC/TTS-Diff/Chile-Peru/TTS-Diff-clf_07508_1_TTS-pef_00610_1.wav",
    ),
    "sonar": ("SONAR_dataset/real_samples/1.wav", "SONAR_dataset/xTTS/1.wav"),
    "diffssd": (
        "generated_speech/your_tts/speaker_1487/sentence_449.wav",
        "real_speech/LibriSpeech/test-clean/1089/134686/1089-134686-0000.flac",
        "real_speech/LJSpeech-1.1/wavs/LJ001-0001.wav",
    ),
    "ctrsvdd": ("dev_set/CtrSVDD_0110_D_0015416.flac",),
    "odss": (
        "odss/natural/openslr-es/arf_00295/1.wav",
        "odss/vits/hui-acg/Bernd_Ungerer/1.wav",
        "odss/fastpitch-hifigan/hifi-tts/92/1.wav",
    ),
    "emofake": (
        "EmoFake/English/train/wav/0012_Angry_000606.wav",
        "EmoFake/English/train/wav/S2_Neutral2Sad_0011_000141.wav",
        "EmoFake/Chinese/train/wav/S2_Neutral2Sad_0001_000141.wav",
    ),
    "cd-add": (
        f"{CDADD}/dev-clean/{UTT}/real.wav",
        f"{CDADD}/dev-clean/{UTT}/openvoice.wav",
        f"{CDADD}/dev-clean/{UTT}/yourTTS.wav",
        "dataset_TED-LIUM/dataset_ted/BillGates_2010/BillGates_2010_104/real.wav",
        "dataset_TED-LIUM/dataset_ted/BillGates_2010/BillGates_2010_104/valle.wav",
    ),
    "vctk": (
        "wav48_silence_trimmed/p225/p225_001_mic1.flac",
        "wav48_silence_trimmed/p225/p225_001_mic2.flac",
    ),
}
#: Corpus -> its tables.
_TABLES: dict[str, dict[str, str]] = {
    "spoofceleb": {
        "spoofceleb/metadata/development.csv": (
            "file,speaker,attack\n"
            "a00/id10318/YYsxcZ5saac-00002-006.flac,id10318,a00\n"
            "a06/id10318/YYsxcZ5saac-00002-006.flac,id10318,a06\n"
        )
    },
    "partialspoof": {
        f"{PS}.dev.trl.txt": (
            "LA_0069 LA_D_1047731 - - bonafide\nLA_0070 CON_D_0000000 - CON spoof\n"
        )
    },
    "llamapartialspoof": {
        "label_R01TTS.0.a.txt": (
            "dev-clean_1462_170145_000020_000002 0.9600 bonafide 0.0000-0.9600-bonafide\n"
            "dev01-yourtts-full_3000_15664_000010_000001 10.9930 spoof 0.0000-10.9930-spoof\n"
            "dev01-yourtts-partial-cf_8842_304647_000034_000001 1.9740 spoof "
            "0.0000-0.8510-bonafide 0.8510-1.1910-spoof 1.1910-1.9740-bonafide\n"
        )
    },
    "librisevoc": {"test.txt": f"{VOCODED}.wav\n"},
    "deepfake-eval-2024": {
        "audio-metadata-publish.csv": (
            "Filename,Notes,Ground Truth,Finetuning Set\n"
            "a1.wav,-,Real,Train\na2.wav,-,Fake,Test\na3.wav,-,Real,Test\na4.wav,-,Unknown,Test\n"
        )
    },
    "speechfake": {
        "metadata/experiments/baseline/test_all.csv": (
            ",file,label,generator,model,speaker,language\n"
            "0,Real/VCTK-Corpus/p225_001.wav,bonafide,-,-,p225,en\n"
            "1,BD/HiFiGAN/VCTK/p226_002.wav,spoof,NV,HiFiGAN,p226,en\n"
        )
    },
    "decro": {
        "petrichorwq-DECRO-dataset-6fc9884/ch_dev.txt": (
            "unknown 20032123 - baidu spoof \nG0019 T0055G0019S0420 - aidatatang bonafide\n"
        )
    },
    "diffssd": {
        "train_val_test_splits.csv": (
            "filename,method_name,category,source,set,target\n"
            "generated_speech/your_tts/speaker_1487/sentence_449.wav,your_tts,tts,-,test,1\n"
            "real_speech/librispeech/test-clean/1089/134686/1089-134686-0000.flac,real,real,"
            "librispeech,test,0\n"
            "real_speech/ljspeech/LJ001-0001.wav,real,real,ljspeech,test,0\n"
            "real_speech/ljspeech/LJ001-0002.wav,real,real,ljspeech,val,0\n"
        )
    },
    "ctrsvdd": {
        "dev.txt": (
            "m4singer CtrSVDD_0110 CtrSVDD_0110_D_0015416 - - bonafide\n"
            "jvsmusic CtrSVDD_0097 CtrSVDD_0097_D_0010993 - A06 deepfake\n"
        )
    },
}
TREES = {
    name: {**_TABLES.get(name, {}), **dict.fromkeys(paths, "")} for name, paths in _SOUNDS.items()
}
_DETAILS = "0.0000-0.8510-bonafide 0.8510-1.1910-spoof 1.1910-1.9740-bonafide"
_REAL = "real_speech/librispeech/test-clean/1089/134686/1089-134686-0000.flac"
#: reference, number bona fide, number spoof, then one row: id, path below the root, other columns.
EXPECTED = [
    (
        "spoofceleb/development",
        1,
        1,
        "a06/id10318/YYsxcZ5saac-00002-006.flac",
        _SOUNDS["spoofceleb"][1],
        {"attack": "a06", "speaker": "id10318"},
    ),
    (
        "partialspoof/dev",
        1,
        1,
        "CON_D_0000000",
        _SOUNDS["partialspoof"][0],
        {"speaker": "LA_0070"},
    ),
    (
        "llamapartialspoof",
        1,
        2,
        "dev01-yourtts-partial-cf_8842_304647_000034_000001",
        "R01TTS.0.a/dev01-yourtts-partial-cf_8842_304647_000034_000001.wav",
        {
            "attack": "yourtts",
            "extent": "partial",
            "joint": "cf",
            "speaker": "8842",
            "segments": _DETAILS,
        },
    ),
    (
        "librisevoc",
        1,
        6,
        f"wavenet/{VOCODED}_gen.wav",
        f"wavenet/{VOCODED}_gen.wav",
        {"attack": "wavenet", "speaker": "103"},
    ),
    ("librisevoc/all", 1, 6, f"gt/{VOCODED}.wav", f"gt/{VOCODED}.wav", {"speaker": "103"}),
    ("deepfake-eval-2024", 1, 1, "a3.wav", "audio-data/a3.m4a", {}),
    (
        "speechfake",
        1,
        1,
        "BD/HiFiGAN/VCTK/p226_002.wav",
        "BD/HiFiGAN/VCTK/p226_002.wav",
        {"attack": "HiFiGAN", "generator": "NV", "source": "VCTK", "speaker": "p226"},
    ),
    (
        "codecfake-wu",
        0,
        1,
        "processed/encodec_24khz+p272_103.wav",
        "processed/encodec_24khz+p272_103.wav",
        {"attack": "encodec_24khz", "speaker": "p272"},
    ),
    (
        "cvoicefake",
        2,
        1,
        _SOUNDS["cvoicefake"][2].removeprefix("CVoiceFake_Large/"),
        _SOUNDS["cvoicefake"][2],
        {"attack": "vctk_parallel_wavegan.v1", "language": "en"},
    ),
    (
        "cfad",
        1,
        1,
        _SOUNDS["cfad"][1],
        _SOUNDS["cfad"][1],
        {"attack": "lpcnet", "speaker": "SSB0966", "language": "zh"},
    ),
    ("cfad/noisy-dev", 1, 1, _SOUNDS["cfad"][3], None, {"noise": "airport", "snr": "10"}),
    ("cfad/codec-test_seen", 1, 1, _SOUNDS["cfad"][5], None, {"codec": "m4a"}),
    ("decro/ch_dev", 1, 1, "20032123", _SOUNDS["decro"][0], {"attack": "baidu", "language": "zh"}),
    (
        "habla",
        1,
        3,
        _SOUNDS["habla"][1].removeprefix("FinalDataset_16khz/"),
        _SOUNDS["habla"][1],
        {"attack": "CycleGAN", "speaker": "arm_01523", "source_speaker": "vem_02484"},
    ),
    ("sonar", 1, 1, "xTTS/1.wav", "SONAR_dataset/xTTS/1.wav", {"attack": "xTTS"}),
    ("diffssd", 2, 1, _REAL, _SOUNDS["diffssd"][1], {"attack": "-", "source": "librispeech"}),
    (
        "ctrsvdd/dev",
        1,
        1,
        "CtrSVDD_0097_D_0010993",
        "dev_set/CtrSVDD_0097_D_0010993.flac",
        {"attack": "A06", "source": "jvsmusic", "speaker": "CtrSVDD_0097"},
    ),
    (
        "odss",
        1,
        2,
        "vits/hui-acg/Bernd_Ungerer/1.wav",
        "odss/vits/hui-acg/Bernd_Ungerer/1.wav",
        {"attack": "vits", "language": "de", "speaker": "Bernd_Ungerer", "source": "hui-acg"},
    ),
    (
        "emofake/train",
        1,
        2,
        "Chinese/train/wav/S2_Neutral2Sad_0001_000141.wav",
        None,
        {"attack": "S2", "speaker": "0001", "emotion": "Neutral2Sad", "language": "zh"},
    ),
    (
        "cd-add/dev-clean",
        1,
        2,
        f"{CDADD}/dev-clean/{UTT}/yourTTS.wav",
        None,
        {"attack": "yourTTS", "speaker": "1673", "source": "LibriTTS"},
    ),
    ("cd-add/test-TED", 1, 1, _SOUNDS["cd-add"][4], None, {"speaker": "BillGates_2010"}),
    ("vctk", 1, 0, _SOUNDS["vctk"][0], _SOUNDS["vctk"][0], {"speaker": "p225"}),
]

"""Columns of the protocols that corpora are published with, in their order.

Readers of corpora and of score files' keys take them from here.
"""

PROTOCOLS: dict[str, tuple[str, ...]] = {
    "utt-label": ("utt", "label"),  # ADD 2022 and 2023
    "codecfake": ("utt", "label", "attack"),
    "asvspoof2015": ("speaker", "utt", "attack", "label"),
    # Logical access has no environment: it reads `-`.
    "asvspoof2019": ("speaker", "utt", "environment", "attack", "label"),
    "asvspoof2021-la": (
        *("speaker", "utt", "codec", "transmission", "attack", "label", "trim", "subset"),
    ),
    "asvspoof2021-pa": (
        *("speaker", "utt", "room", "mic", "distance", "attacker_room", "attacker_mic", "device"),
        *("attack_distance", "label", "trim", "subset"),
    ),
    "asvspoof2021-df": (
        *("speaker", "utt", "codec", "source", "attack", "label", "trim", "subset"),
        *("vocoder", "task", "team", "gender", "language"),
    ),
    "asvspoof5": (
        *("speaker", "utt", "gender", "codec", "codec_quality", "codec_seed"),
        *("attack_tag", "attack", "label", "spare"),
    ),
}

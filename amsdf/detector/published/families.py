"""The published systems whose checkpoints are opened."""

from amsdf.detector.published.family import Family, Part

AASIST = Family(
    name="AASIST",
    marks=("HtrgGAT_layer_ST11",),
    recipe="aasist",
    parts=(
        Part("encoders.audio", "sinc-resnet"),
        Part("head", "aasist"),
        Part("loss", "cross-entropy", "out_layer"),
    ),
)

SSL_AASIST = Family(
    name="SSL_Anti-spoofing (XLS-R + AASIST)",
    marks=("LL",),
    recipe="ssl-aasist",
    parts=(
        Part("encoders.text", "xlsr", "ssl_model.model"),
        Part("head", "ssl-aasist"),
        Part("loss", "cross-entropy", "out_layer"),
    ),
    ssl_view="text",
)

AMSDF = Family(
    name="AMSDF",
    marks=("emo_view_extract",),
    recipe="amsdf",
    parts=(
        Part("encoders.audio", "sinc-resnet", "audio_view_extract"),
        Part("encoders.emotion", "acrnn", "emo_view_extract.model"),
        Part("encoders.text", "xlsr", "text_view_extract.model"),
        Part("head", "graph-fusion"),
        Part("loss", "cross-entropy", "out_layer2"),
    ),
    ssl_view="text",
    bonafide_class=None,
)

EBM = Family(
    name="EBM",
    marks=("bridge_module",),
    recipe="ebm",
    parts=(Part("loss.parts.0", "eoc-softmax", "loss.weight"), Part("head", "layer-attention")),
    ssl_view="text",
)

#: A front-end, five back-ends and five losses, each in a file of its own.
HM_CONFORMER = Family(
    name="HM-Conformer",
    marks=("conformer_mp",),
    recipe="hm-conformer",
    parts=(
        *(Part(f"loss.parts.{n}", "oc-softmax", f"loss{n}.weight") for n in range(5)),
        Part("head", "hm-conformer"),
    ),
    file_parts=("frontend", *(f"{part}{n}" for part in ("backend", "loss") for n in range(5))),
)

#: The OC-Softmax study on deepfake-whisper-features. With a centre of its own, the classifier of
#: the network (`fc1`, `fc2`) was not trained.
WHISPER_MESONET_OC = Family(
    name="Whisper-ocsoftmax (MFCC + Whisper + MesoNet, OC-Softmax)",
    marks=("Incption1_conv1", "whisper_model", "center"),
    recipe="mfcc-whisper-mesonet-oc",
    parts=(
        Part("encoders.whisper", "whisper", "whisper_model"),
        Part("loss", "oc-softmax", "center"),
        Part("head", "meso-inception"),
    ),
    unused=("fc1", "fc2"),
)

#: The same with soft-max: one output, high for spoof.
WHISPER_MESONET = Family(
    name="Whisper-ocsoftmax (MFCC + Whisper + MesoNet, soft-max)",
    marks=("Incption1_conv1", "whisper_model"),
    recipe="mfcc-whisper-mesonet-softmax",
    parts=(
        Part("encoders.whisper", "whisper", "whisper_model"),
        Part("loss", "cross-entropy", "fc2"),
        Part("head", "meso-inception"),
    ),
    bonafide_class=0,
    companion="ocsoftmax_ckpt.pth",
)

#: State dicts of the network and of the loss. With a centre, `fc_mu` was not trained.
AIR_OC = Family(
    name="AIR-ASVspoof (LFCC + ResNet-18, OC-Softmax)",
    marks=("layer1.0", "fc_mu", "center"),
    recipe="lfcc-resnet18-oc",
    parts=(Part("loss", "oc-softmax", "center"), Part("head", "resnet18")),
    unused=("fc_mu",),
)

#: The same with soft-max, class 0 = bona fide.
AIR = Family(
    name="AIR-ASVspoof (LFCC + ResNet-18, soft-max)",
    marks=("layer1.0", "fc_mu"),
    recipe="lfcc-resnet18-softmax",
    parts=(Part("loss", "cross-entropy", "fc_mu"), Part("head", "resnet18")),
    bonafide_class=0,
)

#: In the order in which their marks are looked for. The baseline of ASVspoof 5 is AASIST, trained
#: on other data: nothing in its file tells it from the AASIST of 2021.
FAMILIES = (
    *(AMSDF, SSL_AASIST, EBM, HM_CONFORMER, WHISPER_MESONET_OC, WHISPER_MESONET),
    *(AIR_OC, AIR, AASIST),
)

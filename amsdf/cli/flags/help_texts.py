"""What `--help` says of the commands: a sentence each, and lines to copy."""

COMMANDS = {
    "init": "write an experiment with a comment on every key, to edit and train",
    "train": "train a detector from a recipe, a file or flags",
    "eval": "score corpora with detectors and print the detector x corpus EER table",
    "score": "judge recordings or folders of them",
    "serve": "judge recordings in a browser, or for programs over HTTP",
    "live": "judge a microphone or a growing stream while it comes",
    "report": "make tables and the HTML report again from score files",
    "import": "turn a published checkpoint (.pth) into a detector folder",
    "card": "write the model card of a detector",
    "export": "write a detector as an ONNX file, for use without torch",
    "arena": "write a submission to the Speech Anti-Spoofing Arena: scores, YAML, adapter, card",
    "verify": "check a result folder: its files unchanged, its figures derived anew",
    "study": "train a grid of losses, recipes and seeds and print its table",
    "corpora": "list corpora, check one, or write its manifest",
    "cache": "keep what frozen encoders give, for many epochs, heads and seeds",
    "plugins": "list encoders, heads, losses, corpora, augmentations and recipes",
    "recipes": "list the shipped experiments, or show one",
    "doctor": "say what is installed and found, and what to do about the rest",
    "demo": "judge two bundled recordings, train a small detector, compare it with the starter",
    "completion": "print what makes a shell complete commands and flags",
}
#: Command lines, without `amsdf` in front.
EXAMPLES = {
    "train": (
        "train --recipe aasist --data asvspoof2019-la=/data/LA",
        "train --recipe amsdf --view text=whisper:size=small --loss acs --epochs 5",
        "train --view audio=lfcc --head resnet18 --loss oc-softmax --train mine/train "
        "--dev mine/dev",
        "train --recipe demo --view emotion=none --set train.patience=3 --dry-run",
    ),
    "eval": (
        "eval --detector runs/mine --on asvspoof2019-la/eval in-the-wild",
        "eval --detector runs/a --detector runs/b --on mine/eval --compare --fuse vote --html",
        "eval --detector AASIST.pth --on mine/eval --by attack",
        "eval --detector runs/mine --on mine/eval --calibrate-on mine/dev --store-calibration",
    ),
    "score": (
        "score call.m4a",
        "score recordings/ --out verdicts.csv",
        "score call.m4a --detector runs/mine --explain --plot call.png",
        "score 'calls/*.m4a' --jsonl",
    ),
    "serve": (
        "serve",
        "serve --detector starter --detector runs/mine --port 8080",
        "serve --host 0.0.0.0 --token-file token.txt",
    ),
    "live": (
        "live",
        "live - --raw s16le:16000 --false-alarms-per-hour 60",
        "live call.wav --follow --jsonl",
        "live --measure calls --detector runs/mine",
    ),
    "report": (
        "report scores --by attack --compare",
        "report scores --asv asvspoof2019-la/eval=asv.txt",
        "report theirs.txt --key ASVspoof2019.LA.cm.eval.trl.txt",
    ),
    "card": (
        "card runs/mine",
        "card runs/mine --scores scores --license mit --name me/mine --out README.md",
    ),
    "export": (
        "export starter starter.onnx",
        "export runs/mine mine.onnx --int8 --on mine/eval",
    ),
    "arena": (
        "arena runs/mine in-the-wild --out arena/in-the-wild",
        "arena runs/mine in-the-wild --out arena/in-the-wild --code https://github.com/me/mine "
        "--checkpoint https://huggingface.co/me/mine",
    ),
    "verify": ("verify scores", "verify arena/in-the-wild", "verify scores --against again"),
    "import": (
        "import AASIST.pth detectors/aasist",
        "import M1.pth detectors/m1 --verify known-clips.csv",
        "import ebm.pth detectors/ebm --ssl xlsr2_300m.pt",
        "import ckpt.pth ocsoftmax_ckpt.pth detectors/whisper-mesonet",
    ),
    "study": (
        "study scripts/studies/small.yaml --data mine=/data/mine",
        "study scripts/studies/small.yaml --out studies/second",
        "study scripts/studies/sources.yaml --data mine=/data/mine",
    ),
    "corpora": (
        "corpora",
        "corpora check /data/mine --sample 100",
        "corpora manifest asvspoof2019-la/eval --out eval.parquet",
    ),
    "cache": (
        "cache build views --recipe small --train mine/train --dev mine/dev --workers 2",
        "cache build views --detector runs/mine --on mine/eval --limit 20",
        "cache info views",
        "cache prune views --unused 30 --to 50",
    ),
    "plugins": ("plugins", "plugins oc-softmax", "plugins aasist", "plugins --check"),
    "init": ("init", "init mine.yaml --recipe aasist", "init mine.yaml --recipe small --loss acs"),
    "recipes": ("recipes", "recipes aasist"),
    "completion": ("completion bash", "completion zsh"),
    "doctor": ("doctor", "doctor --check", "doctor --data mine=/data/mine"),
    "demo": ("demo", "demo --out small --epochs 1"),
}
TERMS = """\
words:
  bona fide  real speech, recorded from a person
  spoof      fake speech: synthetic, converted, cut or replayed
  score      higher means more bona fide
  detector   views (encoders) of a recording, a head that joins them, a loss that scores
  EER        equal error rate: the share of mistakes at the threshold where real and fake
             recordings are mistaken equally often
"""
LEGACY = "The AMSDF authors' own flags (--eval --ename … --emodel …) are understood too."
SCORE_STATUS = """\
exit status:
  0  all recordings were judged, real or fake; scripts read the verdicts from --json
  1  some recordings could not be judged; the others were
  2  the command, or the one recording given, cannot be used
"""
VERIFY_STATUS = """\
exit status:
  0  identical (to the last digit) or equivalent (every figure within 1e-9)
  1  a figure differs; the farthest is named
  2  a file is missing or was changed, or there is nothing to check
"""
CHECK_STATUS = """\
verdicts of check, and exit status:
  good                0  no fault was found
  usable, but         0  notes to read, but no problem
  problems            1  figures mean little until they are mended
  (the command, or a corpus, cannot be used: 2)
"""
STATUS = {"score": SCORE_STATUS, "corpora": CHECK_STATUS, "verify": VERIFY_STATUS}


def epilog_of(command: str) -> str:
    """The examples of a command, one a line, and what its exit status says."""
    examples = ["examples:", *(f"  amsdf {line}" for line in EXAMPLES[command])]
    return "\n".join([*examples, *([f"\n{STATUS[command]}"] if command in STATUS else [])])

"""The module that the Arena's package imports to score a data set with a detector of ours."""

from dataclasses import dataclass

CLASS = "AmsdfModel"


@dataclass(frozen=True)
class Opening:
    """How a detector is opened again, and what it must be then."""

    name: str
    #: As given on the command line: a shipped name, a folder, a published file or a hub id.
    detector: str
    digest: str
    bonafide_class: int | None = None
    trust_remote_code: bool = False
    score_rule: str = "default"
    batch_size: int = 16


def adapter_source(opening: Opening) -> str:
    """The module as text."""
    how = f"bonafide_class={opening.bonafide_class!r}"
    how += ", trust_remote_code=True" * opening.trust_remote_code
    return f'''\
"""{CLASS}: a detector of AMSDF for speech-spoof-bench, `--model-module adapter:{CLASS}`.

$AMSDF_DETECTOR says where the detector is, if it is not at {opening.detector!r}.
"""

import os

from speech_spoof_bench.model import AntiSpoofingModel

from amsdf import load
from amsdf.detector.inference.scores import ScoreSettings, score_waveforms

DETECTOR = os.environ.get("AMSDF_DETECTOR", {opening.detector!r})
DIGEST = {opening.digest!r}
SETTINGS = ScoreSettings(batch_size={opening.batch_size}, score_rule={opening.score_rule!r})


class {CLASS}(AntiSpoofingModel):
    """Scores waveforms at 16 kHz; higher = more bona fide."""

    name = {opening.name!r}
    expected_sample_rate = 16000
    batch_size = {opening.batch_size}

    def load(self):
        """Open the detector; another one than the scores are of is refused."""
        self.detector = load(DETECTOR, {how}).detector
        found = self.detector.digest()
        if found != DIGEST:
            raise ValueError(f"{{DETECTOR}}: its digest is {{found}}; the scores are of {{DIGEST}}")

    def score_batch(self, audios, srs):
        """Waveforms (S,), float32, mono -> a score each."""
        if set(srs) - {{self.expected_sample_rate}}:
            raise ValueError(f"sampling rates {{sorted(set(srs))}}; give audio at 16000 Hz")
        return score_waveforms(self.detector, audios, SETTINGS)

    def unload(self):
        """Free the detector."""
        del self.detector
'''

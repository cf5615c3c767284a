"""What every part agrees on. Imports nothing, so that a command that needs only this is quick."""

#: Labels. The higher score is bona fide (real speech); spoof is fake speech of any kind.
BONAFIDE = 1
SPOOF = 0
#: Samples a second of every waveform inside the framework.
SAMPLE_RATE = 16_000
#: Argument of an encoder that can run model code: the folder that the code is in. The caller of
#: `Detector.build` gives it by `trust_remote_code`; an experiment that names it is refused.
CODE_FOLDER = "code_folder"

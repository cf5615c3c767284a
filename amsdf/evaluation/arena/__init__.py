"""The Speech Anti-Spoofing Arena: a detector and a corpus to the files of a submission."""

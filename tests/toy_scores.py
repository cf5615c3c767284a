"""Made-up scores as tables."""

import numpy as np
import polars as pl

from amsdf.scoring.score_files.table import Scores


def table(real, fake, detector="ours", corpus="here", **columns):
    num = len(real) + len(fake)
    frame = pl.DataFrame(
        {
            "utt": [f"u{place}" for place in range(num)],
            "score": [float(score) for score in (*real, *fake)],
            "label": [1] * len(real) + [0] * len(fake),
            **columns,
        }
    )
    return Scores(corpus, frame, {"detector": detector, "corpus": corpus})


def noisy(shift, seed, detector="ours", corpus="here", num=200):
    generator = np.random.default_rng(seed)
    return table(generator.normal(shift, 1, num), generator.normal(0, 1, num), detector, corpus)

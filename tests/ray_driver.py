"""Scores a collection by Ray, slowly, so that it can be killed: `ray_driver.py TABLE OUT`."""

import sys
import time

import ray

from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import ScoreSettings
from amsdf.scoring.engines import collection, results
from amsdf.scoring.engines.work_units import open_place

#: A store that every machine has room for.
CLUSTER = {"num_cpus": 2, "object_store_memory": 80_000_000, "include_dashboard": False}
SETTINGS = ScoreSettings(batch_size=2, progress=False, engine="ray")


def slowed(detector: Detector) -> Detector:
    """The same detector, which takes its time, also where it is sent to."""
    detector.head.register_forward_hook(lambda *_: time.sleep(0.3))
    return detector


if __name__ == "__main__":
    ray.init(**CLUSTER, log_to_driver=False)
    collection.AT_ONCE, results._SECONDS = 2, 0.0
    detector = slowed(Detector.from_pretrained("detector"))
    table, out = sys.argv[1:]
    given = collection.Collection.at(table)
    collection.score_collection(("detector", detector), given, open_place(out), SETTINGS)

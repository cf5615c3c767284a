"""The page of a cross-evaluation: its results, embedding maps and calibration curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from amsdf.data.corpora.finding.corpus import open_corpus
from amsdf.data.manifest import Manifest
from amsdf.detector.detector import Detector
from amsdf.detector.inference.scores import CorpusEmbeddings, embed_manifest
from amsdf.detector.storage.loading import best_device, find_detector, open_detector
from amsdf.evaluation.cross_evaluation import Evaluation, EvaluationSettings
from amsdf.report.page.report import write_report


def write_evaluation_page(
    folder: Path,
    evaluation: Evaluation,
    settings: EvaluationSettings,
    roots: Mapping[str, Path],
    about: Mapping[str, object],
) -> tuple[Path, list[str]]:
    """Write the page; returns where it is, and a note for each map that could not be drawn."""
    if evaluation.results is None:
        raise ValueError("nothing was scored, so there is no page to write")
    scored = {outcome.corpus for outcome in evaluation.outcomes if outcome.scored}
    labelled = [
        manifest
        for manifest in evaluation.manifests
        if manifest.name in scored and manifest.table["label"].count()
    ]

    embeddings: dict[str, list[CorpusEmbeddings]] = {}
    notes = []
    for path in evaluation.detectors:
        name = find_detector(path)[0]
        bonafide_class = evaluation.bonafide_classes.get(name, settings.bonafide_class)
        name, detector = open_detector(path, bonafide_class, settings.trust_remote_code)
        detector.to(best_device(settings.device))
        try:
            embeddings[name] = _embed(detector, labelled, roots)
        except ValueError as error:
            notes.append(f"no embedding maps of {name} against its training corpus: {error}")

    return write_report(folder, evaluation.results, embeddings, about), notes


def _embed(
    detector: Detector, manifests: Sequence[Manifest], roots: Mapping[str, Path]
) -> list[CorpusEmbeddings]:
    """What the detector was trained on, then the other corpora."""
    corpora = detector.experiment.train.corpora
    if not corpora:
        return []
    train = open_corpus(corpora[0], roots)
    others = [manifest for manifest in manifests if manifest.name != train.name]
    return [embed_manifest(detector, manifest) for manifest in (train, *others)]

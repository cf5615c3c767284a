"""Embeddings in two dimensions, the training corpus against another, by class and by attack.

Left the projection on the two widest directions (PCA), which keeps distances honest; right t-SNE
(van der Maaten and Hinton, 2008), which shows neighbourhoods and whose distances mean little.
"""

import numpy as np
from matplotlib.axes import Axes
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from amsdf.detector.inference.scores import CorpusEmbeddings
from amsdf.report.pictures.plots import (
    BONAFIDE_COLOUR,
    PALETTE,
    SPOOF_COLOUR,
    new_figure,
    shortened,
    tidy,
    to_bytes,
)

_MOST_ATTACKS = len(PALETTE) - 1


def project(points: np.ndarray, method: str, seed: int = 0) -> np.ndarray:
    """(T, E) -> (T, 2), by 'pca' or 'tsne'."""
    if method not in ("pca", "tsne"):
        raise ValueError(f"no projection {method!r}; use pca or tsne")
    if len(points) < 3:
        raise ValueError(f"{len(points)} embeddings given; a map needs 3 or more")
    if points.shape[1] < 2:
        points = np.pad(points, ((0, 0), (0, 2 - points.shape[1])))
    if method == "pca":
        return PCA(2, random_state=seed).fit_transform(points)
    perplexity = min(30.0, (len(points) - 1) / 3)
    return TSNE(2, init="pca", perplexity=perplexity, random_state=seed).fit_transform(points)


def embedding_map(
    train: CorpusEmbeddings,
    other: CorpusEmbeddings,
    most: int = 400,
    seed: int = 0,
    kind: str = "png",
) -> bytes:
    """Four panels: PCA and t-SNE, coloured by class and by attack.

    Args:
        train: the corpus the detector was trained on, drawn as rings.
        other: the corpus it is set against, drawn as crosses.
        most: trials drawn of each corpus; t-SNE takes minutes over many thousands.
        seed: of the sample and the projections.
        kind: png or svg.
    """
    train, other = train.sample(most, seed), other.sample(most, seed)
    points = np.concatenate([train.points, other.points])
    names = np.concatenate([train.names(), other.names()])
    is_train = np.arange(len(points)) < len(train.points)
    figure = new_figure(10, 8.6)
    panels = figure.subplots(2, 2)
    by_class = np.where(names == "bona fide", names, "spoof")
    for column, (method, title) in enumerate((("pca", "PCA"), ("tsne", "t-SNE"))):
        place = project(points, method, seed)
        _scatter(panels[0, column], place, by_class, is_train)
        _scatter(panels[1, column], place, _most_frequent(names), is_train)
        tidy(panels[0, column], f"{title}, by class", "", "")
        tidy(panels[1, column], f"{title}, by attack", "", "")
    for axes in panels.flat:
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
    for row in panels:
        row[1].legend(fontsize=9, loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    figure.suptitle(
        f"rings: {shortened(train.corpus)} (training)     crosses: {shortened(other.corpus)}",
        fontsize=11,
    )
    return to_bytes(figure, kind)


def _most_frequent(names: np.ndarray) -> np.ndarray:
    """Attacks beyond the number of colours become 'other attacks'."""
    values, counts = np.unique(names[names != "bona fide"], return_counts=True)
    if len(values) <= _MOST_ATTACKS:
        return names
    kept = values[np.argsort(-counts, kind="stable")[: _MOST_ATTACKS - 1]]
    return np.where(np.isin(names, [*kept, "bona fide"]), names, "other attacks")


def _scatter(axes: Axes, place: np.ndarray, names: np.ndarray, is_train: np.ndarray) -> None:
    fakes = sorted(set(names) - {"bona fide"})
    only_classes = fakes in ([], ["spoof"])
    rest = [colour for colour in PALETTE if colour != BONAFIDE_COLOUR]
    colours = dict(zip(fakes, [SPOOF_COLOUR] if only_classes else rest, strict=False))
    colours = {"bona fide": BONAFIDE_COLOUR, **colours}
    for name, colour in colours.items():
        ring, cross = (names == name) & is_train, (names == name) & ~is_train
        x, y = place[ring].T
        axes.scatter(x, y, s=16, facecolors="none", edgecolors=colour, linewidths=0.8)
        x, y = place[cross].T
        axes.scatter(x, y, s=16, marker="x", color=colour, linewidths=0.9)
        axes.scatter([], [], color=colour, label=shortened(str(name), 20))

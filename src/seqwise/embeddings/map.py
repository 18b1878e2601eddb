"""A picture of the most frequent words for the browser: one file to pan, zoom and search, with nothing from outside."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from seqwise.embeddings.vectors import WordVectors
from seqwise.errors import DataError, FileError

Projection = Literal["tsne", "pca"]
LARGEST_MAP = 20_000  # words: t-SNE of more takes many minutes, and nobody reads them
NEIGHBOURS = 8
_COMPONENTS = 50  # t-SNE reads the principal components, as its authors advise
_FEWEST = 5  # words for t-SNE


def project(
    vectors: WordVectors, count: int = 1000, *, method: Projection = "tsne", seed: int = 0
) -> NDArray[np.float64]:
    """Places in the plane for the most frequent words, (min(count, V), 2), each coordinate within [-1, 1].

    Args:
        vectors: what to show; lengths do not matter, as for cosines.
        count: how many words.
        method: "tsne" keeps neighbours together; "pca" shows the two directions of largest variance. Of fewer than
            five words it is always PCA.
        seed: of t-SNE. The same seed gives the same picture on the same machine.

    Source: van der Maaten and Hinton 2008 (t-SNE).

    Raises:
        DataError: fewer than one word or more than LARGEST_MAP are asked for, or the method is unknown.
    """
    if not 1 <= count <= LARGEST_MAP:
        raise DataError(f"count: a map shows 1 to {LARGEST_MAP:,} words, not {count:,}")
    if method not in ("tsne", "pca"):
        raise DataError(f'method: a map is made by "tsne" or "pca", not {method!r}')
    shown = min(count, len(vectors))
    if shown == 0:
        raise DataError("there are no words to show")
    units = vectors.units(np.arange(shown)).astype(np.float64)
    if method == "pca" or shown < _FEWEST:
        places = _principal(units, 2)
    else:
        from sklearn.manifold import TSNE

        start = _principal(units, min(_COMPONENTS, *units.shape))
        perplexity = min(30.0, (shown - 1) / 3)
        spread = start[:, :1].std()
        if spread == 0:  # all words are alike: there is nothing to arrange
            return np.zeros((shown, 2))
        first = np.pad(start, ((0, 0), (0, max(0, 2 - start.shape[1]))))[:, :2] / spread * 1e-4
        places = TSNE(perplexity=perplexity, init=first, learning_rate="auto", random_state=seed).fit_transform(start)
    places = np.asarray(places, np.float64)
    places = places - (places.min(0) + places.max(0)) / 2
    return places / max(np.abs(places).max(), 1e-12)


def write_map(
    vectors: WordVectors,
    path: str | Path,
    count: int = 1000,
    *,
    method: Projection = "tsne",
    seed: int = 0,
    title: str = "Word vectors",
) -> int:
    """Writes the picture and returns how many words it shows.

    A click on a word lists its nearest words among those shown, by the cosine of the whole vectors.

    Args:
        vectors: see `project`, as are `count`, `method` and `seed`.
        path: an HTML file; an existing one is replaced.
        title: what stands above.

    Raises:
        DataError: as for `project`.
        FileError: the file cannot be written.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileError(f"{path} cannot be written: there is no folder {path.parent}")
    places = project(vectors, count, method=method, seed=seed)
    shown = vectors.most_frequent(len(places))
    every = np.arange(len(shown))
    rows, cosines = shown.nearest(shown.units(every), NEIGHBOURS, exclude=list(every[:, None]))
    used = "PCA" if method == "pca" or len(shown) < _FEWEST else "t-SNE"
    document: dict[str, Any] = {
        "title": title,
        "about": f"The {len(shown):,} most frequent of {len(vectors):,} words, {vectors.size} numbers each, by {used}.",
        "words": shown.words,
        "counts": None if shown.counts is None else shown.counts.tolist(),
        "places": np.round(places, 4).tolist(),
        "neighbours": [
            [[int(i), round(float(c), 3)] for i, c in zip(*pair, strict=True) if c > -np.inf]
            for pair in zip(rows, cosines, strict=True)
        ],
    }
    # Within a script element only "</" and "<!--" could end the data: a "<" is written as JSON's escape.
    data = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    template = files("seqwise.embeddings").joinpath("map.html").read_text("utf-8")
    try:
        path.write_text(template.replace("__DATA__", data), encoding="utf-8")
    except OSError as error:
        raise FileError(f"{path} cannot be written: {error.strerror or error}") from None
    return len(shown)


def _principal(rows: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The first principal components, (N, count); each with its largest entry positive, so that signs are settled."""
    centred = rows - rows.mean(0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    components = (left * values)[:, :count]
    signs = np.sign(components[np.abs(components).argmax(0), np.arange(components.shape[1])])
    components = components * np.where(signs == 0, 1, signs)
    return np.pad(components, ((0, 0), (0, count - components.shape[1])))

"""Approximate search for millions of vectors: a graph of neighbours that is walked towards the query.

The graph is that of Malkov and Yashunin 2018 (HNSW), by the library usearch (extra `search`). Building it takes far longer
than an exact search, so that it pays for many queries, or kept in a file. Cosines are computed from the vectors themselves:
only which rows are found is approximate.

Axis letters: V rows, D size of a row, Q queries.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seqwise.errors import DataError, FileError, MissingExtraError

EXPANSION = 256  # rows that a search keeps in view; more finds more and takes longer
AT_ONCE = 65_536  # rows that are added at a time
PROBES = 32  # rows by which a file is told from that of other vectors


class NeighbourGraph:
    """The nearest rows of a matrix, most of them and quickly.

    Args:
        vectors: (V, D).
        norms: (V,), the lengths of the rows; a row of length 0 is not in the graph.
        path: of a file to read the graph from, or to keep it in if there is none; None keeps it in memory.
        threads: that build it, 0: one a core.

    Raises:
        MissingExtraError: usearch is not installed.
        DataError: the file holds a graph of other vectors.
        FileError: the file cannot be read or written.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        norms: NDArray[np.float32],
        path: Path | None = None,
        *,
        threads: int = 0,
    ) -> None:
        self._vectors, self._norms = vectors, norms
        if path is not None and path.exists():
            self._graph = self._read(path)
        else:
            self._graph = self._built(threads)
            if path is not None:
                self._write(path)
        self._graph.expansion_search = EXPANSION

    def nearest(
        self,
        units: NDArray[np.float32],
        count: int,
        exclude: Sequence[NDArray[np.integer]] | None = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows with the largest cosines, as far as the walk meets them.

        Args:
            units: queries of length 1, (Q, D).
            count: rows for each query.
            exclude: for each query the rows that are not answered.

        Returns:
            Rows and cosines, both (Q, min(count, V)), best first; where too few were found, the rest has the cosine -inf.
        """
        count = min(count, len(self._vectors))
        rows = np.zeros((len(units), count), np.int64)
        cosines = np.full((len(units), count), -np.inf, np.float32)
        for query, unit in enumerate(units):
            left_out = np.zeros(0, np.int64) if exclude is None else np.asarray(exclude[query], np.int64)
            asked = min(count + len(left_out), len(self._graph))
            self._graph.expansion_search = max(EXPANSION, 2 * asked)
            found = np.asarray(self._graph.search(unit, asked, threads=1).keys, np.int64) if asked else left_out
            found = found[~np.isin(found, left_out)]
            scores = self._vectors[found] @ unit / self._norms[found]
            order = np.lexsort((found, -scores))[:count]
            rows[query, : len(order)], cosines[query, : len(order)] = found[order], scores[order]
        return rows, cosines

    def _built(self, threads: int) -> Any:
        graph = _new(self._vectors.shape[1])
        for start in range(0, len(self._vectors), AT_ONCE):
            rows = start + np.flatnonzero(self._norms[start : start + AT_ONCE] > 0)
            if len(rows):
                graph.add(rows, self._unit(rows), threads=threads)
        return graph

    def _unit(self, rows: NDArray[np.integer]) -> NDArray[np.float32]:
        return np.asarray(self._vectors[rows] / self._norms[rows, None], np.float32)

    def _read(self, path: Path) -> Any:
        graph = _new(self._vectors.shape[1])
        try:
            graph.load(str(path))
        except Exception as error:  # the library raises RuntimeError, ValueError and others
            raise FileError(f"{path} is no graph of neighbours, or is damaged: {error}") from None
        rows = np.flatnonzero(self._norms > 0)
        probes = rows[np.linspace(0, len(rows) - 1, min(PROBES, len(rows))).astype(np.int64)]
        if len(graph) != len(rows) or graph.ndim != self._vectors.shape[1] or not self._holds(graph, probes):
            raise DataError(f"{path} is the graph of other vectors: remove it, and it is built anew")
        return graph

    def _holds(self, graph: Any, rows: NDArray[np.integer]) -> bool:
        kept = [graph.get(int(row)) for row in rows]
        return all(one is not None for one in kept) and np.allclose(
            np.array(kept, np.float32).reshape(len(rows), -1), self._unit(rows), atol=2e-3
        )  # it keeps them in half precision

    def _write(self, path: Path) -> None:
        temporary = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._graph.save(str(temporary))
            temporary.replace(path)
        except Exception as error:  # the library raises RuntimeError for a full disk
            temporary.unlink(missing_ok=True)
            raise FileError(f"{path} cannot be written: {error}") from None


def _new(size: int) -> Any:
    try:
        from usearch.index import Index
    except ImportError:
        raise MissingExtraError("usearch is not installed: pip install 'seqwise[search]'") from None
    return Index(ndim=size, metric="cos", dtype="f16")

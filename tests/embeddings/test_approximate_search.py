"""Approximate search beside the exact one."""

import sys
from importlib.util import find_spec

import numpy as np
import pytest
import torch

from seqwise.embeddings import WordVectors
from seqwise.errors import DataError, FileError, MissingExtraError
from tolerances import assert_close

needs_usearch = pytest.mark.skipif(find_spec("usearch") is None, reason="usearch is not installed")


def random_vectors(words=3000, size=32, seed=0):
    drawn = np.random.default_rng(seed).normal(size=(words, size)).astype(np.float32)
    return WordVectors([f"w{i}" for i in range(words)], drawn)


@needs_usearch
def test_most_of_the_ten_nearest_are_found_with_their_exact_cosines():
    vectors = random_vectors()
    queries = np.random.default_rng(1).normal(size=(100, 32))
    rows, cosines = vectors.nearest(queries, 10, approximate=True)
    expected, best = vectors.nearest(queries, 10)
    recall = np.mean([len(set(found) & set(true)) / 10 for found, true in zip(rows, expected, strict=True)])
    assert recall > 0.97
    same = torch.from_numpy(rows == expected)
    assert_close(torch.from_numpy(cosines)[same], torch.from_numpy(best)[same], "cosines")
    assert (np.diff(cosines, axis=1) <= 0).all()


@needs_usearch
def test_words_that_are_left_out_are_not_answered():
    vectors = random_vectors(200, 4)
    found = vectors.neighbours("w7", 20, approximate=True)
    assert len(found) == 20
    assert "w7" not in {word for word, _ in found}
    left = vectors.neighbours("w7", 5, exclude=["w7", found[0].word], approximate=True)
    assert [word for word, _ in left] == [word for word, _ in found[1:6]]


@needs_usearch
def test_a_small_vocabulary_and_zero_vectors_are_answered_as_far_as_there_are_words():
    vectors = WordVectors(["a", "b", "nothing"], [[1.0, 0.0], [1.0, 1.0], [0.0, 0.0]])
    found = vectors.neighbours("a", 10, approximate=True)
    assert [word for word, _ in found] == ["b"]
    assert found[0].score == pytest.approx(0.5**0.5, rel=1e-5)
    assert vectors.neighbours("nothing", 2, approximate=True)


@needs_usearch
def test_the_graph_is_kept_in_a_file_and_read_again(tmp_path, monkeypatch):
    path = tmp_path / "vectors.usearch"
    expected = random_vectors(500, 8)
    expected.build_graph(path, threads=1)
    again = random_vectors(500, 8)
    monkeypatch.setattr("seqwise.embeddings.approximate.NeighbourGraph._built", None)
    again.build_graph(path)
    for word in ("w0", "w77", "w499"):
        assert again.neighbours(word, 5, approximate=True) == expected.neighbours(word, 5, approximate=True)
    assert [file.name for file in tmp_path.iterdir()] == ["vectors.usearch"]


@needs_usearch
@pytest.mark.parametrize(("words", "size", "seed"), [(500, 8, 1), (400, 8, 0), (500, 9, 0)])
def test_the_graph_of_other_vectors_is_refused(tmp_path, words, size, seed):
    random_vectors(500, 8).build_graph(tmp_path / "g")
    with pytest.raises(DataError, match="is the graph of other vectors: remove it"):
        random_vectors(words, size, seed).build_graph(tmp_path / "g")


@needs_usearch
def test_a_damaged_file_and_a_folder_that_is_not_there_are_said(tmp_path):
    (tmp_path / "g").write_bytes(b"no graph at all, but some bytes")
    with pytest.raises(FileError, match="is no graph of neighbours, or is damaged"):
        random_vectors(50, 8).build_graph(tmp_path / "g")
    with pytest.raises(FileError, match="cannot be written"):
        random_vectors(50, 8).build_graph(tmp_path / "none" / "g")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'seqwise\[search\]'"):
        random_vectors(50, 8).neighbours("w1", approximate=True)

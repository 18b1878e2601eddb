"""Counts of pairs against plain loops, with and without spilling, and what happens when the disk is full."""

import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from seqwise.embeddings import cooccurrence
from seqwise.embeddings.cooccurrence import count_pairs, merge
from seqwise.errors import FileError
from tolerances import assert_close

WORDS = 40
SMALL = 1 << 13
"""Bytes: about 500 slots, fewer than there are pairs."""


def make_tokens(count=3000, seed=0):
    random = np.random.default_rng(seed)
    weights = 1 / np.arange(1, WORDS + 1)
    tokens = random.choice(WORDS, count, p=weights / weights.sum()).astype(np.int32)
    tokens[random.random(count) < 0.1] = -1  # some sentences are empty
    return tokens


def brute_force(tokens, window):
    """Every word looks at the words on either side of it."""
    matrix = np.zeros((WORDS, WORDS))
    for i, word in enumerate(tokens):
        for step in (-1, 1):
            for distance in range(1, window + 1):
                j = i + step * distance
                if word < 0 or not 0 <= j < len(tokens) or tokens[j] < 0:
                    break
                matrix[word, tokens[j]] += 1 / distance
    return matrix


def matrix_of(cells):
    matrix = np.zeros((WORDS, WORDS))
    for row, column, value in cells.tolist():
        assert matrix[row, column] == 0  # neither twice nor both ways round
        matrix[row, column] = matrix[column, row] = value
    return matrix


@pytest.mark.parametrize("window", [1, 3, 12])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("memory", [cooccurrence.MEMORY, SMALL])
def test_counts_are_those_of_plain_loops(window, threads, memory):
    tokens = make_tokens()
    with count_pairs(tokens, window, threads=threads, memory=memory, seed=7) as counted:
        found = matrix_of(counted.cells)
    expected = torch.tensor(brute_force(tokens, window))
    assert_close(torch.tensor(found), expected, "counts", torch.float32)
    assert np.array_equal(found > 0, expected.numpy() > 0)


def test_a_small_table_spills_runs_and_merges_them_into_the_same_file(monkeypatch):
    runs = []
    whole = cooccurrence.merge
    monkeypatch.setattr(cooccurrence, "merge", lambda given: whole(runs.extend(given) or runs))
    tokens = make_tokens(20_000)
    with (
        count_pairs(tokens, 9, memory=SMALL) as small,
        count_pairs(tokens, 9) as large,
        count_pairs(tokens, 9, threads=3) as shared,
    ):
        assert len(runs) > 10
        for other in (small, shared):
            for name in ("row", "column"):
                np.testing.assert_array_equal(other.cells[name], large.cells[name])
            values = (torch.tensor(np.array(counted.cells["value"])) for counted in (other, large))
            assert_close(*values, "values")


def test_the_order_is_random_and_another_one_for_another_seed():
    tokens = make_tokens()
    with count_pairs(tokens, 5, seed=1) as one, count_pairs(tokens, 5, seed=2) as two:
        assert len(one.cells) == len(two.cells)
        assert not np.array_equal(one.cells, two.cells)
        np.testing.assert_array_equal(matrix_of(one.cells), matrix_of(two.cells))
        for counted in (one, two):
            row, column = (counted.cells[name].astype(float) for name in ("row", "column"))
            place = np.arange(len(row))
            for values in (row, column, row + column):
                assert abs(np.corrcoef(place, values)[0, 1]) < 5 / np.sqrt(len(row))
            either = row != column
            assert abs((row < column)[either].mean() - 0.5) < 2.5 / np.sqrt(either.sum())


def test_runs_of_any_lengths_merge_like_a_dictionary():
    random = np.random.default_rng(3)
    expected, runs = {}, []
    for length in (0, 1, 700, 30, 256):
        keys = np.sort(random.choice(1000, length, replace=False)).astype(np.uint64) << np.uint64(54)
        entries = np.zeros(length, cooccurrence._ENTRY)
        entries["key"], entries["value"] = keys, random.random(length)
        for key, value in entries.tolist():
            expected[key] = expected.get(key, 0) + value
        runs.append(iter(np.array_split(entries, max(1, length // 64))))
    merged = np.concatenate(list(merge(runs)))
    assert merged["key"].tolist() == sorted(expected)
    sums = torch.tensor([expected[key] for key in sorted(expected)], dtype=torch.float64)
    assert_close(torch.tensor(merged["value"].copy()), sums, "sums")


def test_nothing_stands_together_and_nothing_is_counted():
    for tokens in ([], [0, -1, 1, -1], [-1, -1]):
        with count_pairs(np.array(tokens, np.int32), 5) as counted:
            assert len(counted.cells) == 0


@pytest.fixture
def cache(tmp_path, monkeypatch):
    (tmp_path / "kernels").symlink_to(cooccurrence.cache_folder(), target_is_directory=True)
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path))
    return tmp_path / "corpora"


@pytest.mark.parametrize("memory", [cooccurrence.MEMORY, SMALL])  # the disk is full for the cells, or for the runs
def test_a_full_disk_is_said_in_one_sentence_and_leaves_nothing(cache, monkeypatch, memory):
    full = Path("/dev/full")
    if not full.exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda *_, **__: full.open("r+b", buffering=0))
    with pytest.raises(FileError, match=r"corpora: No space left on device: .* learns \(SEQWISE_CACHE"):
        count_pairs(make_tokens(), 5, memory=memory, threads=2)
    assert not list(cache.iterdir())


def test_files_are_gone_when_they_are_closed_and_after_an_interruption(cache):
    tokens = make_tokens()
    counted = count_pairs(tokens, 5, memory=SMALL)
    counted.close()
    assert not list(cache.iterdir())
    threads = threading.active_count()

    def interrupt(tokens):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        count_pairs(tokens, 5, report=interrupt)
    assert not list(cache.iterdir())
    assert threading.active_count() <= threads


def test_progress_ends_with_all_tokens():
    seen = []
    tokens = make_tokens()
    with count_pairs(tokens, 2, threads=2, report=seen.append):
        pass
    assert seen == sorted(seen)
    assert seen[-1] == len(tokens)

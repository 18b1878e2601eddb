"""Memory stays bounded however large the file is: a child process prepares texts that are larger than what it holds."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from seqwise.data import write_table

ROWS = 50_000
PADDING = "x" * 3000  # makes the texts large and their tokens few, so that the test is quick

PREPARE = """
import sys, threading, time
import numpy as np
import pyarrow.parquet
from seqwise.data import find_duplicates, load_examples, open_table, stratified_split
from seqwise.text import NgramFeatures, TextPipeline, TextSettings

def held():  # without mapped files, which the system may drop whenever it likes
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) / 1024

def watch():
    global peak
    while True:
        peak = max(peak, held())
        time.sleep(0.002)

path, folder, above = sys.argv[1], sys.argv[2], int(sys.argv[3])
TextPipeline().fit_encode(["warm up"]); NgramFeatures().fit_transform(["warm up"])
peak = before = held()
threading.Thread(target=watch, daemon=True).start()

examples = load_examples(open_table(path), "text", "label", stream_above=above)
pipeline, features = TextPipeline(TextSettings(unit="words", max_length=4)), NgramFeatures(words=(1, 2))
kept, part = stratified_split(examples.labels, 0.1, seed=0)
texts = examples.texts.take(kept) if above < 2**40 else [examples.texts[i] for i in kept]
tokens = pipeline.fit_encode(texts, folder=folder)
ngrams = features.fit_transform(texts, folder=folder)
assert len(tokens) == len(ngrams) == len(kept)
for row in (0, len(kept) - 1):
    np.testing.assert_array_equal(tokens[row], pipeline.encode([texts[row]])[0])
    np.testing.assert_array_equal(ngrams[row], features.transform([texts[row]])[0])
assert find_duplicates(examples.texts, examples.labels).duplicates > 0
print(sum(map(len, examples.texts)) / 2**20, peak - before)
"""


def many_rows() -> Iterator[dict[str, list]]:
    for start in range(0, ROWS, 1000):
        rows = range(start, start + 1000)
        yield {"text": [f"row {i % 500} of {i % 7} {PADDING}" for i in rows], "label": ["ab"[i % 2] for i in rows]}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
def test_texts_larger_than_what_is_held_are_prepared_for_training(tmp_path, suffix):
    path = tmp_path / f"large.{suffix}"
    write_table(path, many_rows())

    def prepare(stream_above: int) -> tuple[float, float]:
        arguments = [str(path), str(tmp_path / "arrays"), str(stream_above)]
        child = subprocess.run([sys.executable, "-c", PREPARE, *arguments], capture_output=True, text=True, check=False)
        assert child.returncode == 0, child.stderr
        size, held = map(float, child.stdout.split())
        return size, held

    size, held = prepare(stream_above=2**20)
    assert size > 140
    assert held < 0.7 * size  # of which Arrow's own pool, for Parquet, is half
    assert prepare(stream_above=2**40)[1] > size  # loaded whole, the texts alone are as large as they are

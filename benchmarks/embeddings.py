"""Word vectors: words a second of the whole command, memory, and quality, beside gensim where it is installed.

    python benchmarks/embeddings.py CORPUS [--epochs 1] [--threads 2] [--seeds 3] [--only skipgram-negative ...]
    python benchmarks/embeddings.py CORPUS --scaling      # one thread beside two
    python benchmarks/embeddings.py CORPUS --repeat 20    # the corpus 20 times as long, min-count too: the same vocabulary

CORPUS has one sentence a line, words separated by white space. Every run is a process of its own, so that the time holds
everything: start, vocabulary, training, file. Quality is that of the 30,000 most frequent words on the Google analogies, and
of all words on MEN; without the public sets (`$SEQWISE_DATA/embeddings`) it is left out. Figures are medians over the seeds
(speed, memory) and means with their standard error (quality). GloVe reads the corpus once and goes through its counts 15
times, whatever --epochs says; gensim has none.

gensim runs twice: from an iterable of lines, as its manual has it, and from a file (`corpus_file`), which is faster with
several threads, but then its learning rate does not fall to zero: each thread measures how far it is by the whole
corpus. --peer names an interpreter in whose environment gensim is.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from seqwise.embeddings import WordVectors
from seqwise.embeddings.evaluation import evaluate_vectors
from seqwise.errors import SeqwiseError

CASES = {  # name -> model, objective, further options
    "skipgram-negative": ("skipgram", "negative", []),
    "skipgram-nce": ("skipgram", "nce", []),
    "skipgram-negative-pair": ("skipgram", "negative", ["--negatives-for", "pair"]),
    "skipgram-hierarchical": ("skipgram", "hierarchical", []),
    "cbow-negative": ("cbow", "negative", ["--rate", "0.025"]),
    "cbow-negative-.05": ("cbow", "negative", []),
    "cbow-nce": ("cbow", "nce", []),
    "cbow-hierarchical": ("cbow", "hierarchical", ["--rate", "0.025"]),
    "skipgram-ngrams": ("skipgram", "negative", ["--ngrams", "3-6"]),
    "nplm-negative": ("nplm", "negative", []),
    "nplm-nce": ("nplm", "nce", []),
    "nplm-hierarchical": ("nplm", "hierarchical", []),
    "nplm-negative-around": ("nplm", "negative", ["--context", "around"]),
    "glove": ("glove", None, []),  # the program's demonstration
    "glove-paper": ("glove", None, ["--window", "10", "--x-max", "100"]),
    "glove-wide": ("glove", None, ["--window", "40", "--x-max", "2", "--rate", "0.1"]),  # for 20 million words
}
PROGRAM = "from seqwise.cli import main; main()"
PEER = """
import sys
from gensim.models import Word2Vec
from gensim.models.word2vec import LineSentence
reader, corpus, out, model, objective, epochs, threads, seed = sys.argv[1:]
source = {"corpus_file": corpus} if reader == "file" else {"sentences": LineSentence(corpus)}
trained = Word2Vec(**source, sg=int(model == "skipgram"), hs=int(objective == "hierarchical"),
                   negative=5 if objective == "negative" else 0, vector_size=100, window=5, min_count=5, sample=1e-3,
                   alpha=0.025, epochs=int(epochs), workers=int(threads), seed=int(seed))
trained.wv.save_word2vec_format(out, binary=True)
"""
COMPARED = ("skipgram-negative", "skipgram-hierarchical", "cbow-negative", "cbow-hierarchical")


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident memory in MB of a process."""
    start = time.perf_counter()
    environment = os.environ | {"SEQWISE_CACHE_GB": "0"}  # the corpus is read anew by every run
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def quality(path: Path) -> tuple[float, float] | None:
    """Share of right analogies and correlation on MEN; None without the public sets."""
    try:
        scores = evaluate_vectors(WordVectors.load(path), ("google", "men"), restriction=30_000)
    except SeqwiseError:
        return None
    google, men = (scores[name].to_dict() for name in ("google", "men"))
    return google["totals"][-1]["accuracy"], men["spearman"]


def ours(corpus: Path, out: Path, case: str, epochs: int, threads: int, seed: int, min_count: int = 5) -> list[str]:
    model, objective, further = CASES[case]
    command = [sys.executable, "-c", PROGRAM, "embed", str(corpus), "--out", str(out), "--model", model]
    command += ["--objective", objective] if objective else []
    counts = zip(("--epochs", "--threads", "--seed"), map(str, (epochs, threads, seed)), strict=True)
    return [*command, *further, "--min-count", str(min_count), *(word for pair in counts for word in pair)]


def row(name: str, words: int, runs: list[tuple[float, float]], qualities: list[tuple[float, float] | None]) -> float:
    """Print one line and return the words a second."""
    speed = words / statistics.median(seconds for seconds, _ in runs)
    memory = statistics.median(megabytes for _, megabytes in runs)
    shown = ""
    if known := [of for of in qualities if of is not None]:
        for values in zip(*known, strict=True):
            error = statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")
            shown += f" {statistics.mean(values):6.3f} +-{error:.3f}"
    print(f"{name:34} {words / speed:8.1f} {speed:10,.0f} {memory:6.0f}{shown}", flush=True)
    return speed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--peer", default=sys.executable, help="interpreter with gensim")
    parser.add_argument("--scaling", action="store_true")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    options = parser.parse_args()
    total = sum(len(line.split()) for line in options.corpus.open("rb"))
    peer = subprocess.run([options.peer, "-c", "import gensim"], capture_output=True).returncode == 0
    if not peer:
        print("gensim is not installed: its rows are left out")
    print(f"{total:,} words, {options.seeds} seeds, {options.threads} threads, {options.epochs} epochs")
    print(f"{'':34} {'seconds':>8} {'words/s':>10} {'MB':>6} {'analogies':>13} {'MEN':>13}")
    seeds = range(1, options.seeds + 1)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "words.bin"
        if options.repeat > 1:
            long = Path(folder) / "long.txt"
            with long.open("wb") as file:
                for _ in range(options.repeat):
                    file.write(options.corpus.read_bytes())
        for case in options.only:
            epochs, passes = (15, 1) if CASES[case][0] == "glove" else (options.epochs, options.epochs)

            def run(make: Callable[[int], list[str]], name: str, words: int, *, judged: bool = True) -> float:
                runs, qualities = [], []
                for seed in seeds:
                    runs.append(measure(make(seed)))
                    qualities.append(quality(out) if judged else None)
                return row(name, words, runs, qualities)

            def command(corpus: Path, threads: int, min_count: int = 5) -> Callable[[int], list[str]]:
                return lambda seed: ours(corpus, out, case, epochs, threads, seed, min_count)  # noqa: B023

            words = passes * total
            if options.scaling:
                one, two = (
                    run(command(options.corpus, n), f"{case}, {n} threads", words, judged=False) for n in (1, 2)
                )
                print(f"    {two / one:.2f} times as fast")
            elif options.repeat > 1:
                short = run(command(options.corpus, options.threads), f"{case}, once", words, judged=False)
                many = run(
                    command(long, options.threads, 5 * options.repeat),
                    f"{case}, {options.repeat} times",
                    words * options.repeat,
                    judged=False,
                )
                print(f"    {options.repeat * short / many:.2f} times as long")
            else:
                speed = run(command(options.corpus, options.threads), f"seqwise {case}", words)
                for reader in ("lines", "file") if peer and case in COMPARED else ():
                    model, objective, _ = CASES[case]

                    def theirs(seed: int) -> list[str]:
                        counts = map(str, (epochs, options.threads, seed))  # noqa: B023
                        named = [str(options.corpus), str(out), model, str(objective)]  # noqa: B023
                        return [options.peer, "-c", PEER, reader, *named, *counts]  # noqa: B023

                    other = run(theirs, f"gensim {case}, {reader}", words)
                    print(f"    {speed / other:.1f} times as fast")


if __name__ == "__main__":
    main()

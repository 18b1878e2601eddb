"""Word vectors: words a second of the whole command, memory, and quality, beside gensim where it is installed.

    python benchmarks/embeddings.py CORPUS [--epochs 1] [--threads 2] [--seeds 1] [--only skipgram-negative ...]

CORPUS has one sentence a line, words separated by white space. Every run is a process of its own, so that the time holds
everything: start, vocabulary, training, file. Quality is that of the 30,000 most frequent words on the Google analogies, and
of all words on MEN; without the public sets (`$SEQWISE_DATA/embeddings`) it is left out. GloVe reads the corpus once
and goes through its counts 15 times, whatever --epochs says; gensim has none.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seqwise.embeddings import WordVectors
from seqwise.embeddings.evaluation import evaluate_vectors
from seqwise.errors import SeqwiseError

CASES = {  # name -> model, objective, further options
    "skipgram-negative": ("skipgram", "negative", []),
    "skipgram-negative-pair": ("skipgram", "negative", ["--negatives-for", "pair"]),
    "skipgram-hierarchical": ("skipgram", "hierarchical", []),
    "cbow-negative": ("cbow", "negative", ["--rate", "0.025"]),
    "cbow-negative-.05": ("cbow", "negative", []),
    "cbow-hierarchical": ("cbow", "hierarchical", ["--rate", "0.025"]),
    "nplm-negative": ("nplm", "negative", []),
    "nplm-nce": ("nplm", "nce", []),
    "nplm-hierarchical": ("nplm", "hierarchical", []),
    "nplm-negative-around": ("nplm", "negative", ["--context", "around"]),
    "glove": ("glove", None, ["--window", "15", "--x-max", "10"]),  # the program's demonstration
    "glove-paper": ("glove", None, ["--window", "10", "--x-max", "100"]),
    "glove-wide": ("glove", None, ["--window", "40", "--x-max", "2", "--rate", "0.1"]),  # for 20 million words
}
PROGRAM = "from seqwise.cli import main; main()"
PEER = """
import sys
from gensim.models import Word2Vec
corpus, out, model, objective, epochs, threads, seed = sys.argv[1:]
trained = Word2Vec(corpus_file=corpus, sg=int(model == "skipgram"), hs=int(objective == "hierarchical"),
                   negative=5 if objective == "negative" else 0, vector_size=100, window=5, min_count=5, sample=1e-3,
                   alpha=0.025, epochs=int(epochs), workers=int(threads), seed=int(seed))
trained.wv.save_word2vec_format(out, binary=True)
"""


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


def quality(path: Path) -> str:
    try:
        scores = evaluate_vectors(WordVectors.load(path), ("google", "men"), restriction=30_000)
    except SeqwiseError as error:
        return f"not judged: {error}"
    google, men = (scores[name].to_dict() for name in ("google", "men"))
    return f"{google['totals'][-1]['accuracy']:9.3f} {men['spearman']:6.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=list(CASES), default=list(CASES))
    options = parser.parse_args()
    total = sum(len(line.split()) for line in options.corpus.open("rb"))
    peer = importlib.util.find_spec("gensim") is not None
    if not peer:
        print("gensim is not installed: its rows are left out")
    print(f"{'':32} {'seconds':>8} {'words/s':>10} {'MB':>6} {'analogies':>9} {'MEN':>6}")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "words.bin"
        for name in options.only:
            model, objective, further = CASES[name]
            epochs, passes = (15, 1) if model == "glove" else (options.epochs, options.epochs)
            for seed in range(1, options.seeds + 1):
                common = [str(n) for n in (epochs, options.threads, seed)]
                pairs = zip(("--epochs", "--threads", "--seed"), common, strict=True)
                ours = [sys.executable, "-c", PROGRAM, "embed", str(options.corpus), "--out", str(out)]
                ours += ["--model", model, *(["--objective", objective] if objective else [])]
                ours += [*further, *(x for pair in pairs for x in pair)]
                commands = {"seqwise": ours}
                if peer and name in (
                    "skipgram-negative",
                    "skipgram-hierarchical",
                    "cbow-negative",
                    "cbow-hierarchical",
                ):
                    theirs = [sys.executable, "-c", PEER, str(options.corpus), str(out), model, str(objective), *common]
                    commands["gensim"] = theirs
                for who, command in commands.items():
                    seconds, memory = measure(command)
                    row = f"{who} {name}"
                    print(
                        f"{row:32} {seconds:8.1f} {passes * total / seconds:10,.0f} {memory:6.0f} {quality(out)}",
                        flush=True,
                    )


if __name__ == "__main__":
    main()

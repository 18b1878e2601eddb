"""Cleaning and words: megabytes a second of one core, beside spaCy's blank tokenizer, NLTK, a pattern and `tokenizers`.

    python benchmarks/text.py FILE [--column text] [--megabytes 20] [--rounds 5] [--out benchmarks/results]

FILE has one text a line, or is a table (.parquet, .csv, .jsonl) with --column. In every round every tokenizer is made anew,
so that nothing is remembered from the round before, and reads all texts, one after the other, in one process and one thread.
Seconds are those of the processor, so that other programs count little. A megabyte is 10^6 bytes of UTF-8. The tokens of a
text are a list of strings, ours and theirs. Peers that are not installed are left out with a line.
"""

from __future__ import annotations

import argparse
import csv
import os
import platform
import re
import statistics
import subprocess
import time
from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from seqwise import __version__
from seqwise.text import TextSettings, Tokenizer

# Read when the libraries are imported, which is later.
os.environ |= {"TOKENIZERS_PARALLELISM": "false", "RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

Tokenize = Callable[[str], list[str]]
OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "seqwise words": ("Unicode NFKC, lower case", {}),
    "seqwise words, no case folding": ("Unicode NFKC", {"lowercase": False}),
    "seqwise tweets": ("the preset: HTML, URLs, names, hashtags, repeats, spaces", {"preset": "tweets"}),
    "seqwise sentiment": ("the preset: as tweets, stop words dropped", {"preset": "sentiment"}),
    "seqwise every step": (
        "all nine steps",
        {
            "clean": [
                *("html", "urls", "users", "hashtags", "numbers", "repeats", "misspellings", "punctuation", "spaces")
            ]
        },
    ),
    "seqwise stems": ("lower case, Porter's stems", {"stems": "porter"}),
}
PLAIN = re.compile(r"\w+|[^\w\s]")


def ours(settings: dict[str, Any]) -> Tokenize:
    return Tokenizer(TextSettings(unit="words", **settings))


def plain() -> Tokenize:
    return lambda text: PLAIN.findall(text.lower())


def spacy_blank() -> Tokenize:
    tokenizer = import_module("spacy").blank("en").tokenizer
    return lambda text: [token.text for token in tokenizer(text.lower())]


def nltk_regex() -> Tokenize:
    tokenizer = import_module("nltk.tokenize").RegexpTokenizer(r"\w+(?:'\w+)*|[^\w\s]+")
    return lambda text: tokenizer.tokenize(text.lower())


def nltk_treebank() -> Tokenize:
    tokenizer = import_module("nltk.tokenize").TreebankWordTokenizer()
    return lambda text: tokenizer.tokenize(text.lower())


def nltk_tweets() -> Tokenize:
    tokenizer = import_module("nltk.tokenize").TweetTokenizer(preserve_case=False, reduce_len=True)
    return tokenizer.tokenize


def tokenizers_whitespace() -> Tokenize:
    library = import_module("tokenizers")
    steps = [library.normalizers.NFKC(), library.normalizers.Lowercase()]
    normalizer = library.normalizers.Sequence(steps)
    splitter = library.pre_tokenizers.Whitespace()
    return lambda text: [token for token, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))]


PEERS: dict[str, tuple[str, str, Callable[[], Tokenize]]] = {  # name -> library, what it does, how it is made
    "plain pattern": ("", r"lower case, \w+|[^\w\s] by re", plain),
    "spaCy blank": ("spacy", 'lower case, spacy.blank("en")', spacy_blank),
    "NLTK RegexpTokenizer": ("nltk", r"lower case, \w+(?:'\w+)*|[^\w\s]+", nltk_regex),
    "NLTK Treebank": ("nltk", "lower case, TreebankWordTokenizer", nltk_treebank),
    "NLTK TweetTokenizer": ("nltk", "lower case, repeats, URLs, emoticons", nltk_tweets),
    "tokenizers Whitespace": ("tokenizers", "NFKC, Lowercase, Whitespace", tokenizers_whitespace),
}


def read_texts(path: Path, column: str | None, megabytes: float) -> list[str]:
    texts: Iterable[str]
    if column is None:
        from seqwise.data.files import utf8_lines

        texts = (line.rstrip("\r\n") for line in utf8_lines(path))
    else:
        from seqwise.data import open_table

        texts = (text for chunk in open_table(path).iter_chunks(columns=[column]) for text in chunk[column])
    chosen: list[str] = []
    size = 0
    for text in texts:
        chosen.append(text)
        size += len(text.encode())
        if size >= megabytes * 1e6:
            break
    return chosen


def seconds(make: Callable[[], Tokenize], texts: list[str]) -> tuple[float, int]:
    """How long one round takes, and how many tokens there are."""
    tokenize = make()
    tokenize("Warm up, once!")  # what is loaded on first use
    start = time.process_time()
    tokens = sum(map(len, map(tokenize, texts)))
    return time.process_time() - start, tokens


def processor() -> str:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        name = platform.processor() or platform.machine()
    return f"{name}, {cores} cores"


def commit() -> str:
    command = ["git", "describe", "--always", "--dirty=+", "--exclude", "*"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--column")
    parser.add_argument("--megabytes", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder that gets text.md and text.csv")
    options = parser.parse_args()
    texts = read_texts(options.file, options.column, options.megabytes)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    cases: dict[str, tuple[str, Callable[[], Tokenize]]] = {
        name: (what, lambda settings=settings: ours(settings)) for name, (what, settings) in OURS.items()
    }
    versions = [f"Seqwise {__version__}", f"Python {platform.python_version()}", f"commit {commit()}"]
    for name, (library, what, make) in PEERS.items():
        try:
            make()
        except ImportError:
            print(f"{library} is not installed: {name} is left out")
            continue
        if library and (shown := f"{library} {version(library)}") not in versions:
            versions.append(shown)
        cases[name] = what, make
    shape = (
        f"{len(texts):,} texts, {megabytes:.1f} MB, {sum(not text.isascii() for text in texts) / len(texts):.0%} of them "
        f"not ASCII; median of {options.rounds} rounds, one process, one thread, seconds of the processor"
    )
    header = f"{processor()}. {', '.join(versions)}.\n{options.file.name}: {shape}."
    print(header, end="\n\n")
    rounds: dict[str, list[float]] = {name: [] for name in cases}
    tokens = dict.fromkeys(cases, 0)
    for _ in range(options.rounds):  # all of them in every round: what slows the machine down slows all of them
        for name, (_, make) in cases.items():
            taken, tokens[name] = seconds(make, texts)
            rounds[name].append(megabytes / taken)
    columns = ("tokenizer", "what it does", "MB/s", "least", "most", "million tokens/s", "tokens")
    rows = []
    for name, rates in rounds.items():
        median = statistics.median(rates)
        per_second = tokens[name] / megabytes * median / 1e6
        rates_shown = [f"{rate:.1f}" for rate in (median, min(rates), max(rates))]
        rows.append((name, cases[name][0], *rates_shown, f"{per_second:.2f}", str(tokens[name])))
    shown = [[cell.replace("|", r"\|") for cell in row] for row in (columns, ("---",) * len(columns), *rows)]
    lines = [f"| {' | '.join(row)} |" for row in shown]
    print("\n".join(lines))
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "text.md").write_text("\n".join(["# Cleaning and words", "", header, "", *lines, ""]), "utf-8")
        with (options.out / "text.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow((*columns, "shape", "machine", "versions"))
            writer.writerows((*row, shape, processor(), "; ".join(versions)) for row in rows)


if __name__ == "__main__":
    main()

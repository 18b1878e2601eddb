"""`seqwise vectors`: what word vectors know, how good they are, and a map of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seqwise.cli.console import print_json, print_table, say
from seqwise.cli.options import Json

if TYPE_CHECKING:
    from seqwise.embeddings import WordVectors

app = typer.Typer(
    no_args_is_help=True, help="Ask, judge and show word vectors of any common format.", rich_markup_mode=None
)
File = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Vectors: .safetensors, .vec, .txt (GloVe or word2vec), .bin (word2vec); also .gz .xz .zst .zip.",
        show_default=False,
    ),
]
Count = Annotated[int, typer.Option("--count", "-n", metavar="N", min=1, help="How many words to print.")]
Limit = Annotated[int | None, typer.Option(metavar="N", min=1, help="Read only the first N words of the file.")]
Duplicates = Annotated[
    str, typer.Option(metavar="error|first", help="A word that is in the file twice: an error, or keep the first.")
]
Errors = Annotated[
    str, typer.Option(metavar="strict|replace", help="A word that is not UTF-8: an error, or replace its bad bytes.")
]
MANY = 1_000_000  # words from which on a person is told of approximate search
Method = Annotated[str, typer.Option(metavar="add|mul", help="How analogies are ranked: 3CosAdd or 3CosMul.")]


@app.command()
def neighbours(
    file: File,
    words: Annotated[
        list[str], typer.Argument(metavar="WORD...", help="A word, or several: their mean.", show_default=False)
    ],
    count: Count = 10,
    approximate: Annotated[
        bool,
        typer.Option("--approximate", help="Walk a graph of neighbours, kept in FILE.usearch; built the first time."),
    ] = False,
    limit: Limit = None,
    duplicates: Duplicates = "error",
    errors: Errors = "strict",
    json: Json = False,
) -> None:
    """Print the words nearest to a word, by cosine. Of several words, those nearest to their mean.

    A word that is not in the file as it is written is looked for in other case. The search is exact, unless --approximate
    asks for one that is faster on millions of words, and misses a few (extra `search`).

    \b
    Examples:
      seqwise vectors neighbours glove.6B.100d.txt.gz frog
      seqwise vectors neighbours my.safetensors good film -n 20 --json
    """
    vectors = _load(file, limit, duplicates, errors)
    query = vectors.mean_direction(words)
    if approximate:
        graph = None if limit is not None else Path(f"{file}.usearch")
        if graph is None or not graph.exists():
            say(f"building the graph of {len(vectors):,} words" + (f", kept in {graph}" if graph else ""))
        vectors.build_graph(graph)
    elif len(vectors) > MANY:
        say(f"going through {len(vectors):,} words; --approximate answers faster, from a graph that it builds once")
    found = vectors.neighbours(query, count, exclude=words, approximate=approximate)
    _print_ranked({"words": words}, found, f"Nearest to {' + '.join(words)}", "cosine", json)


@app.command()
def analogy(
    file: File,
    a: Annotated[str, typer.Argument(metavar="A", show_default=False, help="A is to B ...")],
    b: Annotated[str, typer.Argument(metavar="B", show_default=False, help="... as C is to the answer.")],
    c: Annotated[str, typer.Argument(metavar="C", show_default=False, help="man king woman: queen.")],
    count: Count = 5,
    method: Method = "add",
    limit: Limit = None,
    duplicates: Duplicates = "error",
    errors: Errors = "strict",
    json: Json = False,
) -> None:
    """Complete an analogy: A is to B as C is to what?

    \b
    Examples:
      seqwise vectors analogy glove.6B.100d.txt.gz man king woman
      seqwise vectors analogy my.safetensors france paris italy --method mul
    """
    vectors = _load(file, limit, duplicates, errors)
    found = vectors.analogy(a, b, c, count, method=_method(method))
    name = "3CosAdd" if method == "add" else "3CosMul"
    _print_ranked({"a": a, "b": b, "c": c, "method": method}, found, f"{a} is to {b} as {c} is to", name, json)


@app.command()
def similarity(
    file: File,
    a: Annotated[str, typer.Argument(metavar="A", help="A word.", show_default=False)],
    b: Annotated[str, typer.Argument(metavar="B", help="Another word.", show_default=False)],
    limit: Limit = None,
    duplicates: Duplicates = "error",
    errors: Errors = "strict",
    json: Json = False,
) -> None:
    """Print the cosine of two words, from -1 to 1.

    \b
    Example:
      seqwise vectors similarity glove.6B.100d.txt.gz coast shore
    """
    cosine = _load(file, limit, duplicates, errors).similarity(a, b)
    if json:
        print_json({"a": a, "b": b, "similarity": cosine})
    else:
        print(f"{cosine:.4f}")


@app.command()
def odd(
    file: File,
    words: Annotated[list[str], typer.Argument(metavar="WORD...", help="Three words or more.", show_default=False)],
    limit: Limit = None,
    duplicates: Duplicates = "error",
    errors: Errors = "strict",
    json: Json = False,
) -> None:
    """Print which of some words fits worst among the others, first.

    \b
    Example:
      seqwise vectors odd glove.6B.100d.txt.gz breakfast cereal dinner lunch
    """
    odd_one, ranked = _load(file, limit, duplicates, errors).odd_one_out(words)
    _print_ranked({"odd": odd_one}, ranked, f"Odd one out: {odd_one}", "cosine with the mean of all", json)


@app.command()
def evaluate(
    file: File,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME|FILE",
            help="google, wordsim353, simlex999, men, rarewords, or a file of analogies or of scored pairs; may be "
            "repeated. By default all five.",
        ),
    ] = None,
    restrict: Annotated[
        int, typer.Option(metavar="N", min=1, help="Ask analogies of the N most frequent words only.")
    ] = 30_000,
    method: Method = "add",
    limit: Limit = None,
    duplicates: Duplicates = "error",
    errors: Errors = "strict",
    json: Json = False,
) -> None:
    """Judge vectors by analogies and similarities, with coverage.

    Of analogies the share of first answers that are right is printed, of similarities Spearman's correlation with people.
    What a set asks of unknown words is left out; the coverage says how much that is.

    \b
    Examples:
      seqwise vectors evaluate glove.6B.100d.txt.gz
      seqwise vectors evaluate my.safetensors --set men --set my-questions.txt
    """
    from seqwise.embeddings.evaluation import SETS, AnalogyResult, evaluate_vectors, find_set

    names = list(dict.fromkeys(sets or SETS))
    for name in names:  # before a large file is read
        find_set(name)
    chosen = _method(method)
    vectors = _load(file, limit, duplicates, errors)
    results = evaluate_vectors(vectors, names, restriction=restrict, method=chosen)
    if json:
        entries = {name: result.to_dict() for name, result in results.items()}
        print_json({"words": len(vectors), "size": vectors.size, "restrict": restrict, "method": method, **entries})
        return
    rows = []
    for name, result in results.items():
        title = SETS[name.lower()].title if name.lower() in SETS else name
        if isinstance(result, AnalogyResult):
            header = ["section", "right", "answered", "questions", "coverage"]
            lines = [
                [one.name, _share(one.accuracy), f"{one.answered:,}", f"{one.questions:,}", _share(one.coverage)]
                for one in [*result.sections, *result.totals]
            ]
            print_table(f"{title}, the {min(restrict, len(vectors)):,} most frequent words", header, lines)
        else:
            rows.append(
                [title, _share(result.spearman), f"{result.known:,}", f"{result.pairs:,}", _share(result.coverage)]
            )
    if rows:
        print_table("Similarities", ["set", "Spearman", "known", "pairs", "coverage"], rows)


@app.command("map")
def map_(
    file: File,
    out: Annotated[Path, typer.Option("--out", metavar="FILE.html", help="The page to write.", show_default=False)],
    count: Annotated[int, typer.Option("--count", "-n", metavar="N", min=1, help="How many words, the first.")] = 1000,
    method: Annotated[
        str, typer.Option(metavar="tsne|pca", help="Keep neighbours together, or show the largest variance.")
    ] = "tsne",
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=2**32 - 1, help="Seed of t-SNE.")] = 0,
    limit: Limit = None,
    duplicates: Duplicates = "error",
    errors: Errors = "strict",
    json: Json = False,
) -> None:
    """Draw a map of the most frequent words for the browser.

    It is one page to pan, zoom and search, and needs no network. A click on a word lists its nearest words.

    \b
    Example:
      seqwise vectors map glove.6B.100d.txt.gz --out map.html
    """
    from seqwise.embeddings.map import write_map

    if method not in ("tsne", "pca"):
        raise typer.BadParameter(f"{method!r} is not tsne or pca.", param_hint="'--method'")
    vectors = _load(file, limit, duplicates, errors)
    shown = write_map(vectors, out, count, method=method, seed=seed, title=Path(file).name)  # type: ignore[arg-type]
    if json:
        print_json({"map": str(out), "words": shown})
    else:
        say(f"{shown:,} words drawn: open {out} in a browser.")


def _load(file: str, limit: int | None, duplicates: str, errors: str) -> WordVectors:
    from seqwise.embeddings import WordVectors

    return WordVectors.load(file, limit=limit, duplicates=duplicates, errors=errors)


def _method(method: str) -> Any:
    if method not in ("add", "mul"):
        raise typer.BadParameter(f"{method!r} is not add or mul.", param_hint="'--method'")
    return method


def _print_ranked(asked: dict[str, Any], found: list[Any], title: str, score: str, json: bool) -> None:
    if json:
        print_json(asked | {"answers": [{"word": one.word, "score": round(one.score, 6)} for one in found]})
    else:
        print_table(title, ["word", score], [[one.word, f"{one.score:.4f}"] for one in found])


def _share(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"

"""The program ``seqwise``: its commands, its exit codes, and what a person reads when something is wrong.

Exit codes: 0 done · 1 training diverged, a check failed, or a bug · 2 wrong input · 130 interrupted.
"""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from seqwise._version import __version__
from seqwise.cli.bench import app as bench
from seqwise.cli.cell import app as cell
from seqwise.cli.compare import compare
from seqwise.cli.console import say
from seqwise.cli.data import app as data
from seqwise.cli.demo import demo
from seqwise.cli.embed import embed
from seqwise.cli.evaluate import evaluate
from seqwise.cli.explain import explain
from seqwise.cli.export import export
from seqwise.cli.generation import generate
from seqwise.cli.gradcheck import gradcheck
from seqwise.cli.language import score
from seqwise.cli.predict import predict
from seqwise.cli.push import pull, push
from seqwise.cli.reproduce import reproduce
from seqwise.cli.serve import serve
from seqwise.cli.text import app as text
from seqwise.cli.train import train
from seqwise.cli.tune import tune
from seqwise.cli.vectors import app as vectors
from seqwise.errors import DivergenceError, SeqwiseError

DONE, FAILED, WRONG_INPUT, INTERRUPTED = 0, 1, 2, 130


class Commands(TyperGroup):
    """The group of all commands; turns exceptions into one sentence and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for.

        Raises:
            typer.Exit: with one of the codes above; a traceback never reaches the person.
        """
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # the reader (`| head`) has what it wanted
            # Whatever is still buffered would raise again when Python closes the stream at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(DONE) from None
        except KeyboardInterrupt:
            say("Interrupted.")
            raise typer.Exit(INTERRUPTED) from None
        except SeqwiseError as error:
            say(f"Error: {error}")
            raise typer.Exit(FAILED if isinstance(error, DivergenceError) else WRONG_INPUT) from None
        except OSError as error:  # disk full, no permission: the machine's answer, not a bug
            say(f"Error: {error.strerror or error}" + (f": {error.filename}" if error.filename else ""))
            raise typer.Exit(WRONG_INPUT) from None
        except Exception as error:
            if _is_control_flow(error):
                raise
            if os.environ.get("SEQWISE_DEBUG"):
                traceback.print_exc()
            if isinstance(error, ModuleNotFoundError) and not (error.name or "seqwise").startswith("seqwise"):
                # It was installed without what only some commands need.
                say(f"Error: this needs {error.name}, which is not installed here: pip install seqwise")
                raise typer.Exit(WRONG_INPUT) from None
            say(
                f"Error: {type(error).__name__}: {error}\nThis is a bug in Seqwise, not a mistake of yours. "
                "SEQWISE_DEBUG=1 shows where it happened; please report it with that."
            )
            raise typer.Exit(FAILED) from None


def _is_control_flow(error: Exception) -> bool:
    """Whether the exception is Typer's own (usage error, exit, abort), which Typer prints itself."""
    # Typer brings its own copy of Click since 0.24 or so; the class names are the same in both.
    return any(base.__name__ in {"ClickException", "Exit", "Abort"} for base in type(error).__mro__)


app = typer.Typer(
    cls=Commands,
    name="seqwise",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        print(f"seqwise {__version__}")
        raise typer.Exit


@app.callback(epilog="Start with `seqwise demo`. Every command has its own --help with an example.")
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Learn from labelled sequences (texts, names, DNA) and get a model, an honest report, and predictions."""


for command in (
    demo,
    train,
    evaluate,
    predict,
    explain,
    compare,
    tune,
    reproduce,
    gradcheck,
    embed,
    score,
    generate,
    serve,
    export,
    push,
    pull,
):
    app.command()(command)
app.add_typer(data, name="data")
app.add_typer(bench, name="bench")
app.add_typer(cell, name="cell")
app.add_typer(text, name="text")
app.add_typer(vectors, name="vectors")


def main() -> None:
    """Entry point of the console script."""
    app(windows_expand_args=False)  # a text to predict may well contain * or ?

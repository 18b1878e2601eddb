"""What is imported when, and what each layer offers."""

import importlib
import subprocess
import sys

import pytest

HEAVY = ("torch", "sklearn", "numba", "matplotlib", "scipy", "pyarrow", "accelerate", "pandas", "sympy")
# `kernels` offers modules, chosen by name in `ops`, and nothing itself.
LAYERS = (
    *("cells", "ops", "layers", "losses", "metrics", "text", "data", "embeddings", "models"),
    *("prediction", "explanation", "training", "estimators", "evaluation", "experiments", "cli"),
)


def imported_by(code):
    """The heavy packages that are loaded after some Python code has run in a new interpreter."""
    report = f"import sys; print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout.rsplit("loaded:", 1)[1].split()


def run(*arguments):
    return (
        "import sys, seqwise.cli\n"
        f"sys.argv[1:] = {list(arguments)!r}\n"
        "try: seqwise.cli.main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("--version",),
        ("train", "--help"),
        ("evaluate", "--help"),
        ("predict", "--help"),
        ("explain", "--help"),
        ("reproduce", "--help"),
        ("demo", "--help"),
        ("data", "--help"),
        ("data", "list", "--help"),
        ("cell", "--help"),
        ("cell", "show", "--help"),
        ("vectors", "neighbours", "--help"),
        ("gradcheck", "--help"),
        ("bench", "--help"),
    ],
)
def test_help_and_version_import_nothing_heavy(arguments):
    assert imported_by(run(*arguments)) == []


def test_import_seqwise_imports_nothing_heavy():
    assert imported_by("import seqwise") == []


@pytest.mark.parametrize("layer", ["text", "metrics", "prediction"])
def test_what_a_server_needs_imports_neither_torch_nor_scikit_learn(layer):
    loaded = imported_by(f"import seqwise.{layer}")
    assert not {"torch", "sklearn", "numba"} & set(loaded)


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_offers_exactly_what_its_all_says(layer):
    module = importlib.import_module(f"seqwise.{layer}")
    names = module.__all__
    assert len(set(names)) == len(names)
    missing = [name for name in names if not hasattr(module, name)]
    assert not missing
    undocumented = [name for name in names if callable(getattr(module, name)) and not getattr(module, name).__doc__]
    assert not undocumented


def test_the_package_offers_the_estimators_and_cells():
    import seqwise

    for name in seqwise.__all__:
        assert getattr(seqwise, name) is not None
    assert {"SequenceClassifier", "VectorClassifier", "cell", "__version__"} <= set(seqwise.__all__)
    with pytest.raises(AttributeError):
        seqwise.nothing  # noqa: B018

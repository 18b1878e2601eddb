"""The page from each concept of the lectures to what embodies it: all of them are there, and what it shows is so."""

import importlib
import importlib.util
import re
from pathlib import Path

import pytest
import typer.main
from pydantic import BaseModel
from typer.testing import CliRunner

from seqwise import models
from seqwise.cli import app
from seqwise.data import DataSettings
from seqwise.experiments.recipes import recipe_names
from seqwise.losses import ImbalanceSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings
from test_documentation import blocks, commands, parse

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "lectures.md"
TEXT = PAGE.read_text(encoding="utf-8")
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\((?!https?://)([^)\s]*)\)")
SETTING = re.compile(r"(?<![\w.])(text|model|training|data|imbalance)\.(\w+)")
NUMBER = re.compile(r"-?\d+\.\d+(?:e[+-]\d+)?")

CONCEPTS = {
    "Sequences and networks": """
        Rows of a data matrix · depends on those before · DNA · EEG · audio · The boy ate a ___ · pieces of d
        different lengths
        h_i = tanh(W_hh^T h_{i-1} + W_dh^T x_i) · y_i = W_hy^T h_i · with biases
        y_t = phi(X_t W_x + y_{t-1} W_y + b)
        L = sum of l_i · backpropagation through time · h_n = (W_hh^T)^n h_0 · explodes · vanishes · above a threshold
        ReLU · identity · biases at zero · Gated
        U = s(w_UA A' + w_UX X + b_U), A~ = tanh(w_AA A' + w_AX X + b_A), A = U * A~ + (1 - U) * A'
        reset gate G = s(...), A~ = tanh(w_AA (G * A') + w_AX X + b_A)
        h~ = tanh(W [r * h', x]), h = (1 - z) h' + z h~
        C = U * C~ + F * C', A = O * tanh(C) · tanh can be used · inputs are concatenated · state c · state h
        fewer parameters
        Bidirectional · I like apple, especially iphone · Deep RNN · dense layers · parallelism over time · attention
        Transformers · y_t = f(x_t, y_{t-1}) · One to one · One to many: captions, music · question answering
        Many to one · Many to many · sentiment · ratings · named entities · video labels
        Speech recognition · Music generation · Captions · Translation · Video activity · Next word · Names
        DNA (L1, L2) · EEG (L0)
        Gradient descent, SGD, momentum, Adam · GPU · Overfitting · regularisation · Cross-validation · Dropout
    """,
    "Language models": """
        P(sentence) · She will bring flowers · flours · <EOS> · <UNK> · punctuation · Cross-entropy summed over time
        Sampling
        draw y1 · Reject and redraw · Agreement · The dog, after playing in the park for a long time, sleeps
    """,
    "Text and vectors": """
        Cleaning of tweets · typos · ooooh · special signs · Tokens · Stop words · Stemming · lemmatisation · spaces
        numbers · case
        10,000 words · curses · binary vector · tf = count of i in j / words in j · idf = log2(N / documents with i)
        w_ij = tf_ij log(N / df_i) · e = E o · Learned with the task · large corpus · pre-trained · royal, edible
        4 words before · 4 left and 4 right · 1 before · 1 nearby · Bengio 2003 · Morin and Bengio 2005
        Gutmann and Hyvarinen 2012 · CBOW and skip-gram · Sub-sampling · GloVe · The quick brown fox
        balanced between common and rare · -log P0 - sum_j log(1 - Pj), J = 5-20 · P(w_i)^(3/4) / sum · J + 1 rows
        min sum f(X_ij) (e_i . w_j + b_i + b_j - log X_ij)^2 · f(0) = 0, f non-decreasing and bounded · (e + w) / 2
        king - man + woman = queen · Paris - France + Italy = Rome · verb tense · Cosine similarity
        word2vec, frozen embedding layer, dropout .5, LSTM(100, dropout .2, recurrent dropout .2), one sigmoid
        last T words, zeros in front · K = 32: 76% · LSTM: 87% · above 95% · 25,000 + 25,000
    """,
    "Rare classes": """
        [9990 10; 90 10] · 10,000 and 100 · class-wise accuracy · Rare pathologies, fraud, sparse objects
        w_j = n / (2 n_j)
        -1/n sum(w1 y ln p + w0 (1 - y) ln(1 - p)) · Weighted cross entropy · modulating factor · Asymmetric · margin
        effective number · Logit adjustment · x_s = lambda x_i + (1 - lambda) x_j
    """,
    "Gradients": """
        squared and absolute error · binary cross entropy by maximum likelihood, threshold .5
        Softmax and categorical cross entropy · chain rule · PyTorch · on a line · Gaussian clouds
    """,
    "Names, evaluation, service": """
        Sex from first names · 26-element · no padding · i2h and i2o · log-softmax, NLL, backward · Predict
        REST API server
        TP 10, FN 4, FP 5, TN 1000 · 1010 / 1019 = 99.12% · Precision: right when it says cancer
        recall: right when there is cancer
    """,
}

SECTIONS = {
    "data": [DataSettings],
    "text": [TextSettings],
    "model": [
        of for name in models.__all__ if isinstance(of := getattr(models, name), type) and issubclass(of, BaseModel)
    ],
    "training": [TrainingSettings],
    "imbalance": [ImbalanceSettings],
}


def tables():
    """(section, cells) of every row under "the lectures say"."""
    section, inside = "", False
    for line in TEXT.splitlines():
        if line.startswith("## "):
            section = line[3:]
        if line.startswith("|"):
            inside = inside or line.startswith("| the lectures say")
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            if inside and not line.startswith(("|---", "| the lectures say")):
                yield section, cells
        else:
            inside = False


ROWS = list(tables())


def slug(heading):
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


@pytest.mark.parametrize("section", CONCEPTS)
def test_every_concept_of_the_lectures_has_a_row(section):
    said = " ".join(cells[0] for of, cells in ROWS if of == section)
    terms = [term.strip() for line in CONCEPTS[section].strip().splitlines() for term in line.split(" · ")]
    assert len(terms) > 5
    assert not [term for term in terms if term not in said]


def test_every_row_leads_somewhere():
    assert len(ROWS) > 80
    for _, cells in ROWS:
        assert len(cells) == 3, cells
        assert LINK.findall(cells[2]), cells


def test_every_anchor_is_a_heading():
    for link in LINK.findall(TEXT):
        path, _, anchor = link.partition("#")
        if anchor:
            target = (PAGE.parent / path if path else PAGE).read_text(encoding="utf-8")
            assert anchor in {slug(heading) for heading in re.findall(r"^#+ (.+)$", target, re.MULTILINE)}, link


def test_what_the_code_prints_and_the_commands_answer_is_what_the_page_shows(tmp_path, monkeypatch, capsys):
    path = ROOT / "docs" / "lectures" / "figures.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    program.run(PAGE, tmp_path)
    printed = capsys.readouterr().out
    shown = [
        block for language, block in re.findall(r"^```(\w*)\n(.*?)^```", TEXT, re.MULTILINE | re.DOTALL) if not language
    ]
    assert len(shown) > 15
    for block in shown:
        assert block in printed
    assert "".join(shown) == printed  # in this order, and nothing else

    monkeypatch.chdir(tmp_path)  # the commands find the model that the code has saved
    answers = list(answered())
    assert len(answers) > 5
    for command, lines in answers:
        check_answer(command, lines)


def answered():
    """(command, what the page shows of its answer) of every console block with one."""
    for _, block in blocks(PAGE, "console"):
        first, *rest = block.splitlines()
        if rest and not any(line.startswith("$ ") for line in rest):
            yield first, rest


def check_answer(command, shown):
    """Every line that is shown is answered, in this order; numbers may differ a little, rounding errors by much."""
    (words,) = commands(command)
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    answer = [" ".join(line.split()) for line in result.stdout.splitlines()]
    place = 0
    for line in shown:
        if line == "...":
            continue
        wanted = " ".join(line.split())
        plain = [NUMBER.sub("#", candidate) for candidate in answer]
        assert NUMBER.sub("#", wanted) in plain[place:], f"{command}: {line}"
        place = plain.index(NUMBER.sub("#", wanted), place)
        if "e-" not in wanted:
            ours, theirs = (list(map(float, NUMBER.findall(of))) for of in (wanted, answer[place]))
            assert ours == pytest.approx(theirs, rel=0.1, abs=0.01), f"{command}: {line}"
        place += 1


@pytest.mark.parametrize("words", sorted({text for text in INLINE.findall(TEXT) if text.startswith("seqwise ")}))
def test_a_command_in_a_table_parses(words):
    (parts,) = commands(f"$ {words}")
    parse(typer.main.get_command(app), parts, words)
    if parts[0] == "reproduce":
        assert parts[1] in recipe_names()


@pytest.mark.parametrize("name", sorted(set(re.findall(r"`(seqwise(?:\.\w+)+)`", TEXT))))
def test_a_name_can_be_imported(name):
    module, _, attribute = name.rpartition(".")
    assert hasattr(importlib.import_module(module), attribute)


def test_settings_and_options_exist():
    texts = INLINE.findall(TEXT)
    keys = {found for text in texts for found in SETTING.findall(text)}
    assert len(keys) > 20
    for section, key in keys:
        known = {name for settings in SECTIONS[section] for name in settings.model_fields}
        assert key in known, f"{section}.{key}"
    root = typer.main.get_command(app)
    known = {option for command in every_command(root) for of in command.params for option in of.opts}
    given = {option for text in texts for option in re.findall(r"(?<!\S)--[a-z][a-z-]+", text)}
    assert not given - known


def every_command(command):
    """The command and all below it."""
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from every_command(below)

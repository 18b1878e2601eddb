"""One sequence in one block of memory: what the modules give for the whole of it."""

import copy
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from seqwise.cells import LIBRARY, cell, sigmoid, tanh
from seqwise.models.batch import Batch
from seqwise.models.classifier import SequenceModel
from seqwise.models.language import LanguageNetwork
from seqwise.models.language_settings import LanguageSettings
from seqwise.models.module_steps import prepare_steps
from seqwise.models.settings import ModelSettings
from tolerances import assert_close

FORWARD = {"architecture": "recurrent", "bidirectional": False}


def at_random(module, seed=2):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*module.parameters(), *(module.buffers())):
            tensor.copy_(torch.randn(tensor.shape, generator=generator, dtype=torch.float64) * 0.5)
    return module.eval()


def classifier(dtype=torch.float64, *, classes=3, frame_size=0, **settings):
    chosen = ModelSettings(**{**FORWARD, "hidden_size": 13, "embedding_size": 7, **settings})
    module = SequenceModel(chosen, vocabulary_size=11, ngrams=0, classes=classes, frame_size=frame_size)
    return at_random(module.to(dtype))


def whole(module, symbols=None, frames=None):
    count = len(symbols if frames is None else frames)
    tokens = None if symbols is None else torch.tensor([symbols])
    given = None if frames is None else torch.from_numpy(frames[None])
    with torch.no_grad():
        return module(Batch(tokens=tokens, lengths=torch.tensor([count]), frames=given, ngrams=None))[0]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("name", ["lstm", "gru", "rnn", "lstm_peephole"])
@pytest.mark.parametrize("pooling", ["last", "mean+max", "max+last+mean"])
def test_every_step_gives_what_the_module_gives_for_the_whole(dtype, name, pooling):
    module = classifier(dtype, cell=name, pooling=pooling, num_layers=2, classes=19)
    steps = prepare_steps(module)
    symbols, sequence = np.random.default_rng(0).integers(0, 11, 40).tolist(), steps.start()
    for count, symbol in enumerate(symbols, 1):
        found = steps.step(symbol, sequence)
        assert_close(torch.from_numpy(found.copy()), whole(module, symbols[:count]))


def test_frames_zoneout_and_places_are_read_as_by_the_module():
    frames = np.random.default_rng(1).normal(size=(9, 5))
    module = classifier(frame_size=5, zoneout=0.3)
    steps = prepare_steps(module)
    sequence = steps.start()
    for count in range(1, 10):
        found = steps.step(frames[count - 1], sequence)
        assert_close(torch.from_numpy(found.copy()), whole(module, frames=frames[:count]))
    module = classifier(position_embedding=4)
    steps, symbols = prepare_steps(module), [1, 5, 2, 9, 9, 3, 4]
    sequence = steps.start()
    for count, symbol in enumerate(symbols, 1):
        found = steps.step(symbol, sequence)
        assert_close(torch.from_numpy(found.copy()), whole(module, symbols[:count]))


def test_partly_frozen_vectors_are_looked_up_as_by_the_module():
    module = classifier(freeze_vectors=True)
    steps = prepare_steps(module)
    sequence = steps.start()
    for count, symbol in enumerate([3, 0, 8], 1):
        assert_close(torch.from_numpy(steps.step(symbol, sequence).copy()), whole(module, [3, 0, 8][:count]))


@pytest.mark.parametrize("tied", [True, False])
def test_a_language_models_scores_are_those_of_its_module(tied):
    sizes = {"embedding_size": 12, "hidden_size": 12 if tied else 15, "num_layers": 2, "tie_weights": tied}
    network = at_random(LanguageNetwork(LanguageSettings(**sizes), 33).double())
    steps = prepare_steps(network)
    symbols, sequence = [5, 1, 32, 7, 7], steps.start()
    with torch.no_grad():
        reading = network.read(torch.tensor([symbols]), network.start(1))
        expected = network.log_probabilities(reading.outputs)[0]
    for symbol, logs in zip(symbols, expected, strict=True):
        found = torch.from_numpy(steps.step(symbol, sequence).copy())
        assert_close(found.log_softmax(-1), logs)


def test_sequences_do_not_touch_each_other_and_a_copy_is_one_of_its_own():
    steps = prepare_steps(classifier(pooling="last+mean+max"))
    rows, sequences = np.random.default_rng(3).integers(0, 11, (3, 12)), [steps.start() for _ in range(3)]
    for column in rows.T.tolist():
        for symbol, sequence in zip(column, sequences, strict=True):
            steps.step(symbol, sequence)
    for row, sequence in zip(rows.tolist(), sequences, strict=True):
        alone, copy = steps.start(), steps.copied(sequence)
        for symbol in row:
            expected = steps.step(symbol, alone)
        np.testing.assert_array_equal(sequence.outputs, expected)
        after = steps.step(4, copy).copy()
        np.testing.assert_array_equal(sequence.outputs, expected)
        np.testing.assert_array_equal(after, steps.step(4, sequence))
        assert steps.count(sequence) == 13


def test_weights_that_changed_are_used_by_the_next_steps():
    module = classifier()
    before = prepare_steps(module)
    assert prepare_steps(module) is before
    at_random(module, seed=8)
    steps = prepare_steps(module)
    assert_close(torch.from_numpy(steps.step(3, steps.start()).copy()), whole(module, [3]))


@pytest.mark.parametrize(
    "settings",
    [
        {"pooling": "attention"},
        {"head_layers": 1},
        {"encoder": "transformer", "hidden_size": 16},
        {"bidirectional": True},
        {"architecture": "wide_deep"},
        {"backend": "reference"},
        {"dtype": torch.bfloat16},
    ],
    ids=str,
)
def test_what_has_other_parts_is_left_to_the_module(settings):
    assert prepare_steps(classifier(**settings)) is None


@cell
def own_step(x, h):
    """An update gate that forgets with the input alone."""
    z = sigmoid(x.z)
    return z * h + (1 - z) * tanh(x.c + h.c)


def test_a_cell_of_ones_own_takes_the_same_steps(monkeypatch):
    monkeypatch.setitem(LIBRARY, "own_step", own_step)
    module = classifier(cell="own_step")
    steps = prepare_steps(module)
    sequence = steps.start()
    for count, symbol in enumerate([1, 2, 3], 1):
        assert_close(torch.from_numpy(steps.step(symbol, sequence).copy()), whole(module, [1, 2, 3][:count]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_with_and_without_kept_products_steps_are_the_same_bits(dtype, monkeypatch):
    module, symbols = classifier(dtype, num_layers=2, embedding_size=17), [3, 1, 3, 3, 10, 1, 0, 7] * 3
    kept = prepare_steps(module)
    monkeypatch.setattr("seqwise.models.symbol_rows.LARGEST", 2 * kept._stacks[0].row_bytes)
    few = prepare_steps(copy.deepcopy(module))
    one, other = kept.start(), few.start()
    for symbol in symbols:
        np.testing.assert_array_equal(kept.step(symbol, one), few.step(symbol, other))
    assert (len(kept._symbols._rows), len(few._symbols._rows)) == (5, 2)


def test_many_threads_may_read_many_sequences(monkeypatch):
    module = classifier(torch.float32, hidden_size=64, classes=2)
    alone, texts = prepare_steps(copy.deepcopy(module)), np.random.default_rng(0).integers(0, 11, (24, 200)).tolist()
    together = prepare_steps(module)

    def read(steps, text):
        sequence = steps.start()
        for symbol in text:
            found = steps.step(symbol, sequence)
        return found.copy()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda text: read(together, text), texts))
    for text, answer in zip(texts, answers, strict=True):
        np.testing.assert_array_equal(answer, read(alone, text))

"""SequenceGenerator: what it learns, draws, finds most probable, saves, and refuses."""

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import chisquare

from seqwise.data.frames import Frames
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import SequenceGenerator
from seqwise.estimators.generator import choose_held
from seqwise.models.frame_settings import FrameSettings
from seqwise.models.generator_features import GeneratorFeatures
from seqwise.models.generator_settings import GeneratorSettings
from seqwise.prediction.generator import GeneratorPredictor
from seqwise.text import TextSettings

QUICK = {"hidden_size": 8, "embedding_size": 6, "dropout": 0.0}
FAST = {"device": "cpu", "batch_size": 32, "learning_rate": 0.02}
CHARACTERS = {"unit": "characters"}
COLOURS = {"warm": ["red", "rose", "amber"], "cold": ["blue", "sky"]}
PIECES = [[[60, 64], [60, 67], [62], []] * 3, [[62, 65], [64, 67], [60, 64, 67]] * 4, [[60], [62], [64]] * 3]


def generator(training=None, model=None, **other):
    return SequenceGenerator(
        **{
            "text": CHARACTERS,
            "model": {**QUICK, **(model or {})},
            "training": {**FAST, "epochs": 2, **(training or {})},
            "validation": 0.0,
            **other,
        }
    )


def colours(copies=8):
    pairs = [(name, word) for name, words in COLOURS.items() for word in words] * copies
    return [name for name, _ in pairs], [word for _, word in pairs]


@pytest.fixture(scope="module")
def writer():
    """Draws colours; knows what they are like without a condition, too."""
    training, model = {"epochs": 60, "batch_size": 4}, {"condition_dropout": 0.2, "hidden_size": 24}
    return generator(training, model).fit(*colours())


@pytest.fixture(scope="module")
def untrained():
    """Small, far from certain of anything, and exact: what it draws can be compared with what it says."""
    made = generator({"epochs": 1, "learning_rate": 1e-6}).fit(["a", "b"] * 4, ["xyx", "zy", "y", "zzz"] * 2)
    with torch.no_grad():
        for parameter in made.predictor_.network.parameters():
            parameter.normal_(std=0.7, generator=torch.Generator().manual_seed(parameter.numel()))
    return made


def musician(head):
    made = generator(
        {"epochs": 1, "learning_rate": 1e-6}, {"head": head, "lowest": 60, "highest": 62, "chain_size": 5}, text=None
    ).fit(None, [[[60], [61, 62], []], [[60, 62]]])
    with torch.no_grad():
        for parameter in made.predictor_.network.parameters():
            parameter.normal_(std=0.7, generator=torch.Generator().manual_seed(parameter.numel()))
    return made


def test_the_perplexity_of_a_known_distribution_is_found():
    # Class a: one letter of {x, y} at 3 : 1, class b: one of {y, z} at 1 : 1; <eos> is then certain.
    draw = np.random.default_rng(0)
    classes = draw.choice(["a", "b"], 4000)
    texts = [draw.choice(["x", "x", "x", "y"]) if name == "a" else draw.choice(["y", "z"]) for name in classes]
    made = generator({"epochs": 8, "batch_size": 64}).fit(classes[:3000], texts[:3000])
    counted = [(name, text) for name, text in zip(classes[3000:], texts[3000:], strict=True)]
    true = {("a", "x"): 0.75, ("a", "y"): 0.25, ("b", "y"): 0.5, ("b", "z"): 0.5}
    entropy = float(np.mean([-math.log(true[pair]) for pair in counted])) / 2  # two steps: the letter and the end
    assert math.exp(-made.score(classes[3000:], texts[3000:])) == pytest.approx(math.exp(entropy), rel=0.02)


def test_drawn_texts_are_as_frequent_as_their_probability_says(untrained):
    texts = untrained.sample("a", 4000, max_tokens=2, seed=3)
    symbols = list(untrained.predictor_.features.pipeline.vocabulary.tokens[3:])
    expected = {}
    for length in (0, 1, 2):
        for word in itertools.product(symbols, repeat=length):
            expected["".join(word)] = word
    # P of a text of fewer than two symbols has its end in it; one of two symbols was cut there. <unk> is never drawn.
    probabilities = {text: _probability(untrained, word, cut=len(word) == 2) for text, word in expected.items()}
    assert sum(probabilities.values()) == pytest.approx(1)
    assert agrees([sum(text == one for text in texts) for one in expected], [probabilities[one] for one in expected])


def agrees(counts, probabilities):
    """Whether chi-square has nothing against counts being drawn with these probabilities."""
    expected = np.array(probabilities) / sum(probabilities) * sum(counts)
    return chisquare(counts, expected).pvalue > 1e-3


def _probability(made, word, cut):
    """P of the symbols of a word after each other, <unk> excluded at every step."""
    predictor, result = made.predictor_, 1.0
    network, vocabulary = predictor.network, predictor.features.pipeline.vocabulary
    state, symbol = network.begin(torch.tensor([1]), 1), 2
    for token in [*word, *([] if cut else ["<eos>"])]:
        outputs, state = network.step(torch.tensor([symbol]), state)
        shares = network.log_probabilities(outputs)[0].exp().double().detach()
        shares[0] = 0.0  # <unk>
        symbol = 2 if token == "<eos>" else int(vocabulary.encode([token])[0])
        result *= float(shares[symbol - 1] / shares.sum())
    return result


@pytest.mark.parametrize("head", ["chain", "independent"])
def test_drawn_chords_are_as_frequent_as_their_probability_says(head):
    made, sets = musician(head), [s for n in range(4) for s in itertools.combinations([60, 61, 62], n)]
    count = 3000
    drawn = [tuple(piece[0]) for piece in made.sample(n=count, max_tokens=1, seed=5)]
    probabilities = [math.exp(-made.predictor_.losses(None, [[list(one)]])[0][0]) for one in sets]
    assert sum(probabilities) == pytest.approx(1)
    assert agrees([drawn.count(one) for one in sets], probabilities)


@pytest.mark.parametrize("head", ["chain", "independent"])
def test_a_continued_piece_is_drawn_given_its_beginning(head):
    made, seed = musician(head), [[60, 61], [62], [60]]
    sets = [s for n in range(4) for s in itertools.combinations([60, 61, 62], n)]
    drawn = [tuple(piece[0]) for piece in made.sample(n=2000, max_tokens=1, seed=5, prompt=seed)]
    probabilities = [math.exp(-made.predictor_.losses(None, [[*seed, list(one)]])[0][-1]) for one in sets]
    assert agrees([drawn.count(one) for one in sets], probabilities)


def test_it_learns_what_belongs_to_a_class(writer):
    for name, words in COLOURS.items():
        drawn = writer.sample(name, 40, seed=1)
        assert np.mean([text in words for text in drawn]) > 0.75
        assert set(drawn) & set(words) == set(words)


def test_a_beginning_is_gone_on_with(writer):
    drawn = writer.sample("warm", 20, prompt="r", seed=2)
    assert {text[0] for text in drawn} == {"r"}
    assert {"red", "rose"} <= set(drawn)


def test_any_class_is_a_mixture_and_guidance_sharpens(writer, untrained):
    mixed = writer.sample(None, 60, seed=4)
    assert all(set(mixed) & set(words) for words in COLOURS.values())
    agree = [np.mean([t in COLOURS["cold"] for t in writer.sample("cold", 60, guidance=w, seed=6)]) for w in (0.0, 2.0)]
    assert agree[1] >= agree[0]
    with pytest.raises(ConfigurationError, match="condition_dropout"):
        untrained.sample("a", guidance=1.0)


def test_a_text_depends_on_the_seed_and_its_number_alone(writer):
    together = writer.sample("warm", 5, seed=9)
    assert together == writer.sample("warm", 5, seed=9)
    assert together[:2] == writer.sample("warm", 2, seed=9)
    assert together != writer.sample("warm", 5, seed=10)


def test_a_beam_of_one_is_greedy_and_a_full_beam_is_exhaustive(untrained):
    greedy = untrained.sample("b", 1, temperature=0, max_tokens=3)
    assert untrained.predict(["b"], beam=1, max_tokens=3) == greedy
    symbols = untrained.predictor_.features.pipeline.vocabulary.tokens[3:]
    words = ["".join(word) for n in range(1, 4) for word in itertools.product(symbols, repeat=n)]
    logs = untrained.log_probabilities(["b"] * len(words), words)
    state = untrained.predictor_.network.begin(torch.tensor([2]), 1)
    outputs, _ = untrained.predictor_.network.step(torch.tensor([2]), state)
    empty = float(untrained.predictor_.network.log_probabilities(outputs)[0, 1].detach())
    best = "" if empty > logs.max() else words[int(logs.argmax())]
    assert untrained.predict(["b"], beam=len(symbols) ** 3 + 1, max_tokens=3) == [best]


def test_a_vector_is_spelled():
    draw = np.random.default_rng(1)
    centres, words = draw.normal(size=(3, 5)), ["one", "two", "three"]
    numbers = draw.integers(3, size=120)
    vectors = centres[numbers] + 0.05 * draw.normal(size=(120, 5))
    made = generator({"epochs": 30}).fit(vectors[:90], [words[i] for i in numbers[:90]])
    assert made.predict(vectors[90:]) == [words[i] for i in numbers[90:]]
    framed = Frames.from_rows([row[None] for row in vectors[90:]])
    assert made.predict(framed) == made.predict(vectors[90:])
    assert made.classes_ == []


@pytest.mark.parametrize("model", [{}, {"head": "independent"}, {"transpose": 3}], ids=str)
def test_music_is_learned(model):
    pieces = PIECES * 4
    before = generator({"epochs": 1, "learning_rate": 1e-6}, model, text=None).fit(None, pieces)
    after = generator({"epochs": 30, "batch_size": 4}, {**model, "hidden_size": 24}, text=None).fit(None, pieces)
    assert after.score(None, PIECES) > before.score(None, PIECES) + 1
    (piece,) = after.sample(prompt=PIECES[0][:4], max_tokens=5)
    assert len(piece) == 5
    assert all(21 <= pitch <= 108 for chord in piece for pitch in chord)


def test_transposition_moves_whole_pieces_as_far_as_they_go():
    features = GeneratorFeatures(TextSettings(), GeneratorSettings(lowest=60, highest=70), FrameSettings())
    examples = features.fit_encode(None, PIECES)
    plain = examples.batch(np.arange(3)).steps
    moved = examples.batch(np.arange(3), np.array([2, -5, 9])).steps
    for row, expected in enumerate([2, 0, 6]):  # 62 to 67 has room for nothing below 60, and 60 to 64 for 6 above
        sounding = plain[row] >= 0
        assert torch.equal(moved[row][sounding], plain[row][sounding] + expected)
        assert (moved[row][~sounding] == -1).all()


def test_a_saved_generator_is_the_same(writer, tmp_path):
    writer.save(tmp_path / "m")
    again = SequenceGenerator.load(tmp_path / "m")
    assert again.sample("warm", 6, seed=2) == writer.sample("warm", 6, seed=2)
    assert again.classes_ == writer.classes_ == ["cold", "warm"]
    assert again.score(*colours(1)) == writer.score(*colours(1))
    assert GeneratorPredictor.load(tmp_path / "m").predict(["cold"]) == writer.predict(["cold"])


def test_saved_music_and_vectors_are_the_same(tmp_path):
    made = generator(text=None, model={"lowest": 50, "highest": 80}).fit(None, PIECES)
    made.save(tmp_path / "chords")
    assert SequenceGenerator.load(tmp_path / "chords").score(None, PIECES) == made.score(None, PIECES)
    vectors = np.arange(12.0).reshape(4, 3)
    spelling = generator().fit(vectors, ["a", "b", "a", "b"])
    spelling.save(tmp_path / "vectors")
    assert SequenceGenerator.load(tmp_path / "vectors").score(vectors, list("abab")) == spelling.score(
        vectors, list("abab")
    )


def test_another_models_folder_is_refused(tmp_path):
    from seqwise.estimators import LanguageModel

    LanguageModel(model={"embedding_size": 4, "hidden_size": 4}, training={"epochs": 1}, validation=0.0).fit(
        ["a b c d"] * 4
    ).save(tmp_path / "lm")
    with pytest.raises(ModelFolderError, match="not a generator"):
        SequenceGenerator.load(tmp_path / "lm")


def test_a_part_is_held_back_class_by_class():
    classes = ["common"] * 90 + ["rare"] * 10
    held = choose_held(classes, 100, 0.1, seed=0)
    assert len(held) == 10
    assert sum(classes[i] == "rare" for i in held) == 1
    made = generator(validation=0.25).fit(*colours())
    assert len(made.held_) == 10
    assert "log_loss" in made.history_[0]["validation"]


def test_an_interrupted_fit_goes_on_as_if_there_had_been_no_interruption(tmp_path):
    from seqwise.training import Callback

    class Stop(Callback):
        def on_epoch(self, run, record):
            if record["epoch"] == 2:
                run.stop = "interrupted"

    whole = generator({"epochs": 4}, {"dropout": 0.2}).fit(*colours(2))
    generator({"epochs": 4}, {"dropout": 0.2}).fit(*colours(2), folder=tmp_path, callbacks=[Stop()])
    again = generator({"epochs": 4}, {"dropout": 0.2}).fit(*colours(2), folder=tmp_path, resume=True)
    assert again.score(*colours(1)) == whole.score(*colours(1))


WRONG = {
    "more classes than texts": (lambda: generator().fit(["a"], ["x", "y"]), "1 classes for 2 sequences"),
    "no sequences": (lambda: generator().fit([], []), "no sequences"),
    "one text": (lambda: generator().fit(["a"], "word"), "put it in a list"),
    "an empty target": (lambda: generator().fit(["a", "b"], ["x", " "]), "sequence 2 is empty"),
    "a number": (lambda: generator().fit(["a"], [3]), "sequence 1 is neither a text nor a list"),
    "no class": (lambda: generator().fit(["a", None], ["x", "y"]), "class of sequence 2"),
    "too long": (
        lambda: generator(text={"unit": "characters", "max_length": 4}).fit(["a"], ["xyzzy"]),
        "more than text.max_length",
    ),
    "no condition": (lambda: generator(model={"condition": "class"}).fit(None, ["x"]), "no conditions are given"),
    "a sequence of vectors": (lambda: generator().fit([np.ones((3, 2))], ["x"]), "3 steps, and one vector"),
    "chords as symbols": (lambda: generator(model={"output": "symbols"}).fit(None, PIECES), "chords"),
    "a pitch out of range": (lambda: generator(model={"highest": 64}).fit(None, PIECES), "outside 21 to 64"),
    "a setting of chords": (
        lambda: generator(model={"transpose": 2}).fit(*colours(1)),
        "model.transpose is for chords",
    ),
    "a setting of vectors": (
        lambda: generator(model={"vector_noise": 2}).fit(*colours(1)),
        "vector_noise is for vector",
    ),
    "another metric": (lambda: generator({"metric": "accuracy"}).fit(*colours(1)), "log_loss"),
}


@pytest.mark.parametrize("case", WRONG, ids=str)
def test_wrong_training_data_are_named(case):
    call, message = WRONG[case]
    with pytest.raises((DataError, ConfigurationError), match=message):
        call()


def test_wrong_questions_are_named(writer):
    with pytest.raises(DataError, match="did you mean warm"):
        writer.sample("warn")
    with pytest.raises(DataError, match="symbol that the model has not learned: 'X'"):
        writer.sample("warm", prompt="rX")
    with pytest.raises(ConfigurationError, match="beam"):
        writer.predict(["warm"], beam=0)
    with pytest.raises(ConfigurationError, match="at least one"):
        writer.sample("warm", 0)
    with pytest.raises(DataError, match="none is given"):
        writer.score(None, ["red"])
    music = musician("independent")
    with pytest.raises(ConfigurationError, match="top-k and top-p"):
        music.sample(top_k=2)
    with pytest.raises(DataError, match="no end of its own"):
        music.predict([None])
    with pytest.raises(DataError, match="outside 60 to 62"):
        music.sample(prompt=[[40]])

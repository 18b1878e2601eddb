"""Step by step every causal model gives exactly what the whole sequence gives."""

import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError, DataError
from seqwise.estimators import SequenceClassifier
from seqwise.estimators.language import LanguageModel
from seqwise.estimators.tagger import SequenceTagger
from seqwise.models.pooling import Pooling
from seqwise.prediction import Predictor
from seqwise.prediction.language import LanguagePredictor
from seqwise.prediction.tagger import TaggerPredictor
from seqwise.text.vocabulary import UNK
from tolerances import assert_close

TEXTS = [f"{mood} {thing} {place}" for mood in ("good", "bad") for thing in ("day", "work") for place in "abcdefgh"]
LABELS = ["yes"] * 16 + ["no"] * 16
STREAM = ["a", "bad", "good", "day", "work", "unheard", "b", "bad", "c", "day"]
FORWARD = {"architecture": "recurrent", "bidirectional": False, "epochs": 2, "device": "cpu", "hidden_size": 8}
ENCODERS = {
    "lstm": {},
    "gru, two layers": {"cell": "gru", "num_layers": 2},
    "rnn, zoneout": {"cell": "rnn", "zoneout": 0.2},
    "transformer": {"encoder": "transformer", "num_layers": 2},
    "transformer that forgets": {"encoder": "transformer", "context": 3},
}
every_encoder = pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)


def in_double(module):
    """Weights of another size than the first ones, exact enough to tell a law from luck."""
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in module.double().parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4)
    return module


def close(found, expected):
    # Probabilities leave a network as float32, whatever it computes in.
    np.testing.assert_allclose(found, expected, rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize("names", ["last", "mean", "max", "attention", "last+max+mean+attention"])
def test_pooling_step_by_step_is_pooling_of_all_so_far(names):
    pooling = in_double(Pooling(names, 6))
    outputs = torch.randn(3, 9, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 3
    kept = pooling.start(3, outputs)
    for step in range(9):
        found, kept = pooling.step(outputs[:, step], kept)
        whole = pooling(outputs[:, : step + 1], outputs[:, step], torch.full((3,), step + 1))
        assert_close(found, whole)


@every_encoder
def test_a_classifiers_network_answers_as_for_the_whole(encoder):
    model = SequenceClassifier(pooling="last+max+mean+attention", **FORWARD, **encoder).fit(TEXTS, LABELS)
    module, features = in_double(model.fitted_.module.eval()), model.fitted_.features
    state = module.start(2)
    symbols = torch.randint(1, features.vocabulary_size, (2, 80), generator=torch.Generator().manual_seed(4))
    for step in range(80):
        found, state = module.step(symbols[:, step], state)
        if step in (0, 1, 2, 30, 79):
            so_far = symbols[:, : step + 1]
            batch = (
                features.encode(TEXTS[:2])
                .batch(np.arange(2))
                ._replace(tokens=so_far, lengths=torch.full((2,), step + 1))
            )
            assert_close(found, module(batch).detach())


@every_encoder
@pytest.mark.parametrize("text", [{}, {"end_mark": True}, {"unit": "characters"}], ids=str)
def test_a_classifier_answers_while_a_text_comes(encoder, text, tmp_path):
    model = SequenceClassifier(**FORWARD, **encoder, **text, prior_correction=0.5).fit(TEXTS, LABELS)
    in_double(model.fitted_.module)
    model.fitted_.module.float()
    model.save(tmp_path)
    predictor = Predictor.load(tmp_path)
    pieces = list("bad day 🙂") if text.get("unit") else [f"{word} " for word in STREAM]
    state = predictor.start()
    for place, piece in enumerate(pieces):
        state, found = predictor.step(state, piece)
        so_far = "".join(pieces[: place + 1])
        if so_far == so_far.strip() or not text.get("unit"):  # of whole texts white space at the end is no symbol
            close(found, predictor.predict_proba([so_far])[0])
    assert state.steps == len(pieces)


def test_before_there_is_a_symbol_the_answer_is_that_of_an_empty_text(tmp_path):
    model = SequenceClassifier(**FORWARD, punctuation=False).fit(TEXTS, LABELS)
    model.save(tmp_path)
    predictor = Predictor.load(tmp_path)
    state, nothing = predictor.step(predictor.start(), " ")
    close(nothing, predictor.predict_proba([""])[0])
    state, first = predictor.step(state, "good")
    close(first, predictor.predict_proba(["good"])[0])
    state, same = predictor.step(state, "...")
    np.testing.assert_array_equal(same, first)


def test_a_classifier_of_frames_answers_while_they_come(tmp_path):
    random = np.random.default_rng(0)
    rows = [(random.normal(size=(random.integers(3, 9), 4)) + i % 2).astype(np.float32) for i in range(40)]
    model = SequenceClassifier(**FORWARD).fit(rows, [i % 2 for i in range(40)])
    model.save(tmp_path)
    predictor = Predictor.load(tmp_path)
    state = predictor.start()
    for step, frame in enumerate(rows[0]):
        state, found = predictor.step(state, frame)
        close(found, predictor.predict_proba([rows[0][: step + 1]])[0])
    with pytest.raises(DataError, match="4 numbers"):
        predictor.step(state, rows[0][0][:3])


@every_encoder
def test_a_language_model_goes_on_from_step_to_step(encoder, tmp_path):
    settings = {"embedding_size": 8, "hidden_size": 8, "num_layers": 1, "bptt": 8, **encoder}
    LanguageModel(model=settings, training={"epochs": 1, "batch_size": 2}).fit(TEXTS * 2).save(tmp_path)
    predictor = LanguagePredictor.load(tmp_path)
    in_double(predictor.network)
    symbols = predictor.pipeline.vocabulary.encode(STREAM)
    reading = predictor.network.read(torch.tensor([[predictor.opening, *symbols.tolist()]]), predictor.network.start(1))
    whole = predictor.network.log_probabilities(reading.outputs)[0]
    state = predictor.start()
    assert_close(torch.from_numpy(state.answer), whole[0])
    for place, token in enumerate(STREAM):
        state, found = predictor.step(state, token)
        assert_close(torch.from_numpy(found), whole[place + 1])


@every_encoder
def test_a_tagger_tags_while_a_sentence_comes(encoder, tmp_path):
    settings = {"head": "softmax", "bidirectional": False, "hidden_size": 8, "embedding_size": 8, **encoder}
    sentences = [text.split() for text in TEXTS]
    tagger = SequenceTagger(model=settings, training={"epochs": 1}).fit(sentences, [["A", "B", "C"]] * len(TEXTS))
    tagger.save(tmp_path)
    predictor = TaggerPredictor.load(tmp_path)
    expected = predictor.marginals([STREAM])[0]
    state = predictor.start()
    for place, token in enumerate(STREAM):
        state, found = predictor.step(state, token)
        close(found, expected[place])
    with pytest.raises(DataError, match="token"):
        predictor.step(state, 3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"bidirectional": True}, "needs the whole sequence"),
        ({"architecture": "wide_deep"}, "linear part needs the whole sequence"),
        ({"architecture": "linear"}, "linear part needs the whole sequence"),
    ],
    ids=str,
)
def test_a_model_that_needs_the_whole_sequence_says_so(settings, said, tmp_path):
    SequenceClassifier(**{**FORWARD, **settings}).fit(TEXTS, LABELS).save(tmp_path)
    with pytest.raises(ConfigurationError, match=said):
        Predictor.load(tmp_path).start()


def test_a_tagger_with_a_conditional_random_field_says_so(tmp_path):
    sentences = [text.split() for text in TEXTS]
    settings = {"bidirectional": False, "hidden_size": 8}
    tagger = SequenceTagger(model=settings, training={"epochs": 1}).fit(sentences, [["A", "B", "C"]] * len(TEXTS))
    tagger.save(tmp_path)
    with pytest.raises(ConfigurationError, match="softmax"):
        TaggerPredictor.load(tmp_path).start()


def test_what_was_read_is_scored_as_by_the_whole_text(tmp_path):
    settings = {"embedding_size": 8, "hidden_size": 8, "num_layers": 1, "bptt": 8}
    LanguageModel(model=settings, training={"epochs": 1, "batch_size": 2}).fit(TEXTS * 2).save(tmp_path)
    predictor = LanguagePredictor.load(tmp_path)
    whole = predictor.score([" ".join(STREAM)])[0]
    state, symbols = predictor.start(), []
    for token in STREAM:
        state, found = predictor.read(state, f"{token} ")
        symbols += found
    assert [symbol for symbol, _ in symbols] == whole.tokens[: len(STREAM)]
    close([said for _, said in symbols], whole.log_probabilities[: len(STREAM)])


def test_padding_in_a_text_is_as_probable_as_what_is_unknown(tmp_path):
    settings = {"embedding_size": 8, "hidden_size": 8, "num_layers": 1, "bptt": 8}
    model = LanguageModel(text={"unit": "whitespace"}, model=settings, training={"epochs": 1, "batch_size": 2})
    model.fit(TEXTS * 2).save(tmp_path)
    predictor = LanguagePredictor.load(tmp_path)
    state = predictor.start()
    before = state.answer.copy()
    _, ((name, said),) = predictor.read(state, "<pad>")
    assert (name, said) == ("<pad>", before[UNK - 1])

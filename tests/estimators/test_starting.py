import json

import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError, ModelFolderError
from seqwise.estimators import SequenceClassifier
from seqwise.estimators.language import LanguageModel
from seqwise.estimators.starting import StartingPoint, layer_groups
from seqwise.models import RecurrentPart
from seqwise.prediction import Predictor
from seqwise.text import TextPipeline
from seqwise.training import Callback
from tolerances import assert_close

WORDS = ["good", "fine", "great"], ["bad", "poor", "awful"]
TEXTS = [
    f"a {word} day in the {place}" for words in WORDS for word in words for place in ("sun", "rain", "snow", "wind")
]
LABELS = ["yes"] * 12 + ["no"] * 12
SMALL = {"embedding_size": 8, "hidden_size": 8, "num_layers": 2, "bptt": 8}
BRIEF = {"epochs": 2, "batch_size": 4, "device": "cpu"}
OF_LM = {"recurrent": {"cell": "gru"}, "transformer": {"encoder": "transformer", "context": 6, "embedding_size": 6}}
CLASSIFIER = {"architecture": "recurrent", "epochs": 2, "device": "cpu"}


def language_model(folder, **settings):
    model = LanguageModel(text={"lowercase": True}, model={**SMALL, **settings}, training=BRIEF).fit(TEXTS * 3)
    model.save(folder)
    return model


@pytest.fixture(scope="module", params=list(OF_LM))
def start(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return language_model(folder, **OF_LM[request.param]), str(folder)


class Watching(Callback):
    """The weights before the first step, and which of the groups learn in each epoch."""

    def __init__(self):
        self.before, self.learned = None, []

    def on_start(self, run):
        self.before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}

    def on_step(self, run):
        if run.step == 1 and isinstance(run.model, RecurrentPart):
            groups = layer_groups(run.model)
            self.learned.append([all(parameter.requires_grad for parameter in group) for group in groups])


def test_a_fit_begins_with_the_vocabulary_the_embedding_and_the_layers_of_the_language_model(start):
    model, folder = start
    watching = Watching()
    classifier = SequenceClassifier(start_from=folder, **CLASSIFIER).fit(TEXTS, LABELS, callbacks=[watching])
    features, network = classifier.fitted_.features, model.predictor_.network
    assert features.pipeline.vocabulary.tokens == model.predictor_.pipeline.vocabulary.tokens
    assert_close(watching.before["embedding.weight"], network.embedding.weight)
    part = classifier.fitted_.module.parts["recurrent"]
    part.load_state_dict(watching.before)
    symbols = torch.from_numpy(features.pipeline.encode(TEXTS[:3]).padded().astype(np.int64))
    lengths = torch.full((3,), symbols.shape[1])
    outputs, _ = part.recurrent.eval()(part.embedding(symbols), lengths)
    expected = network.read(symbols, network.start(3))
    if network.narrow is not None:
        outputs = network.narrow(outputs)
    assert_close(outputs, expected.outputs)


def test_layers_are_learned_one_after_the_other_from_the_top(start):
    _, folder = start
    watching = Watching()
    options = {**CLASSIFIER, "epochs": 5, "validation": 0.0, "select": "last"}
    classifier = SequenceClassifier(start_from=folder, **options).fit(TEXTS, LABELS, callbacks=[watching])
    assert watching.learned == [[number <= epoch for number in range(4)] for epoch in range(5)]
    part = classifier.fitted_.module.parts["recurrent"]
    assert all(parameter.requires_grad for parameter in part.parameters())
    watching = Watching()
    brief = SequenceClassifier(start_from=folder, **{**options, "epochs": 2}).fit(TEXTS, LABELS, callbacks=[watching])
    changed = brief.fitted_.module.parts["recurrent"]
    groups = layer_groups(changed)
    names = {id(parameter): name for name, parameter in changed.named_parameters()}
    for number, group in enumerate(groups):
        for parameter in group:
            same = torch.equal(parameter, watching.before[names[id(parameter)]])
            assert same == (number > 1), names[id(parameter)]


def test_lower_layers_learn_slower(start):
    _, folder = start
    rates = []

    class Rates(Callback):
        def on_step(self, run):
            by_parameter = {id(p): group["lr"] for group in run.optimizer.param_groups for p in group["params"]}
            rates.append([by_parameter[id(group[0])] for group in layer_groups(run.model)])

    options = {**CLASSIFIER, "unfreeze": "all", "rate_divisor": 3.0, "batch_size": 2}
    SequenceClassifier(start_from=folder, **options).fit(TEXTS, LABELS, callbacks=[Rates()])
    for step in rates:
        np.testing.assert_allclose(np.array(step), step[0] / 3.0 ** np.arange(4), rtol=1e-12)
    assert max(of[0] for of in rates) > rates[0][0] > 0, "first up"
    assert rates[-1][0] < max(of[0] for of in rates), "then down"


def test_what_was_started_is_saved_and_needs_the_language_model_no_more(start, tmp_path):
    _, folder = start
    classifier = SequenceClassifier(start_from=folder, **{**CLASSIFIER, "architecture": "wide_deep"}).fit(TEXTS, LABELS)
    classifier.save(tmp_path)
    expected = classifier.predict_proba(TEXTS)
    np.testing.assert_array_equal(Predictor.load(tmp_path).predict_proba(TEXTS), expected)
    saved = json.loads((tmp_path / "config.json").read_text())["settings"]
    assert saved["model"]["start_from"] == folder
    assert not saved["model"]["bidirectional"]
    assert saved["text"]["lowercase"]


def test_a_fit_goes_on_frozen_as_it_was(start, tmp_path):
    _, folder = start
    options = {**CLASSIFIER, "epochs": 4}
    whole = SequenceClassifier(start_from=folder, **options).fit(TEXTS, LABELS)

    class Stop(Callback):
        def on_epoch(self, run, record):
            if run.epoch == 2:
                run.stop = "interrupted"

    half = SequenceClassifier(start_from=folder, **options)
    half.fit(TEXTS, LABELS, folder=tmp_path, callbacks=[Stop()])
    watching = Watching()
    half.fit(TEXTS, LABELS, folder=tmp_path, resume=True, callbacks=[watching])
    assert watching.learned == [[True, True, True, False], [True] * 4]
    np.testing.assert_allclose(half.predict_proba(TEXTS), whole.predict_proba(TEXTS), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"hidden_size": 9}, "hidden_size is 9.*has 8"),
        ({"num_layers": 1}, "num_layers is 1.*has 2"),
        ({"cell": "rnn"}, "cell is rnn"),
        ({"unit": "characters"}, "text.unit is 'characters'"),
        ({"architecture": "linear"}, "no layers to start"),
        ({"embedding": "one_hot"}, "one_hot"),
        ({"pretrain_vectors": True}, "word vectors are given too"),
        ({"position_embedding": 5}, "position_embedding"),
        ({"average": "ema"}, "average"),
    ],
    ids=str,
)
def test_what_contradicts_the_language_model_is_refused_by_name(start, settings, said):
    _, folder = start
    with pytest.raises(ConfigurationError, match=said):
        SequenceClassifier(start_from=folder, **{**CLASSIFIER, **settings}).fit(TEXTS, LABELS)


def test_a_folder_that_holds_no_language_model_is_refused(tmp_path):
    with pytest.raises(ModelFolderError, match="there is no model folder"):
        SequenceClassifier(start_from=str(tmp_path / "no"), **CLASSIFIER).fit(TEXTS, LABELS)
    SequenceClassifier(**CLASSIFIER).fit(TEXTS, LABELS).save(tmp_path / "classifier")
    with pytest.raises(ModelFolderError, match="SequenceClassifier, not a language model"):
        SequenceClassifier(start_from=str(tmp_path / "classifier"), **CLASSIFIER).fit(TEXTS, LABELS)


def test_layers_of_several_sizes_are_refused_with_a_way_out(tmp_path):
    language_model(tmp_path, hidden_size=16)
    with pytest.raises(ConfigurationError, match=r"16 and 8 units.*tie_weights false"):
        SequenceClassifier(start_from=str(tmp_path), **CLASSIFIER).fit(TEXTS, LABELS)


def test_a_learned_pipeline_learns_nothing_more(start):
    _, folder = start
    point = StartingPoint.load(folder)
    pipeline = point.pipeline(point.text)
    before = list(pipeline.vocabulary.tokens)
    encoded = pipeline.fit_encode(["a word of its own", *TEXTS])
    assert pipeline.vocabulary.tokens == before
    np.testing.assert_array_equal(
        encoded.ids, TextPipeline.from_dict(point.learned).encode(["a word of its own", *TEXTS]).ids
    )


def test_a_language_model_goes_on_with_other_texts_where_it_was(start, tmp_path):
    model, folder = start
    others = [f"the {place} of a good day" for place in ("sun", "rain", "snow", "volcano")] * 6
    watching = Watching()
    again = LanguageModel(model={"start_from": folder, "bptt": 5}, training={**BRIEF, "epochs": 8})
    again.fit(others, callbacks=[watching])
    assert again.predictor_.pipeline.vocabulary.tokens == model.predictor_.pipeline.vocabulary.tokens
    for name, tensor in model.predictor_.network.state_dict().items():
        assert torch.equal(watching.before[f"network.{name}"], tensor), name
    assert again.settings_.text.lowercase
    assert again.settings_.model.bptt == 5
    assert again.settings_.model.hidden_size == 8
    assert again.perplexity(others) < model.perplexity(others)
    again.save(tmp_path)
    SequenceClassifier(start_from=str(tmp_path), **CLASSIFIER).fit(TEXTS, LABELS)


def test_a_language_model_that_goes_on_keeps_its_layers(start):
    _, folder = start
    with pytest.raises(ConfigurationError, match=r"num_layers is 3.*has 2"):
        LanguageModel(model={"start_from": folder, "num_layers": 3}, training=BRIEF).fit(TEXTS)
    with pytest.raises(ConfigurationError, match=r"text\.unit"):
        LanguageModel(text={"unit": "characters"}, model={"start_from": folder}, training=BRIEF).fit(TEXTS)

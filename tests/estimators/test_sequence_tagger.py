import numpy as np
import pytest
import torch
from sklearn.base import clone

from seqwise.embeddings import WordVectors
from seqwise.errors import ConfigurationError, DataError, ModelFolderError
from seqwise.estimators import SequenceTagger
from seqwise.estimators.tag_targets import TagCode, fit_temperature
from seqwise.estimators.tagger_fitting import Scored
from seqwise.text.tag_schemes import find_scheme, read_spans
from seqwise.training import Callback
from tolerances import assert_close

NAMES, PLACES = ["Anna", "Ben", "Carla Diaz", "Emil"], ["Bonn", "New York", "Rome"]
SMALL = {
    "embedding_size": 12,
    "character_size": 6,
    "character_hidden_size": 6,
    "hidden_size": 12,
    "dropout": 0.1,
    "backend": "reference",
}
QUICK = {"epochs": 12, "learning_rate": 0.02, "batch_size": 8}


def corpus(seed=0, count=90, scheme="BIO"):
    """Who lives where: a name at the beginning is a person, the same word behind "in" a place."""
    random = np.random.default_rng(seed)
    sentences, tags = [], []
    for _ in range(count):
        who, where = random.choice(NAMES).split(), random.choice(PLACES).split()
        if random.random() < 0.3:
            where = who
        tokens = [*who, "lives", "in", *where, "."]
        kinds = ["PER"] * len(who) + [""] * 2 + ["LOC"] * len(where) + [""]
        row = []
        for i, kind in enumerate(kinds):
            begins = scheme == "BIO" and (i == 0 or kinds[i - 1] != kind)
            row.append(f"{'B' if begins else 'I'}-{kind}" if kind else "O")
        sentences.append(tokens)
        tags.append(row)
    return sentences, tags


def small(model=None, training=None, **others):
    return SequenceTagger(model={**SMALL, **(model or {})}, training={**QUICK, **(training or {})}, **others)


@pytest.fixture(scope="module")
def fitted():
    return small().fit(*corpus(scheme="IOB1"))


def test_it_learns_what_depends_on_the_place_and_answers_in_the_given_scheme(fitted):
    sentences, tags = corpus(seed=1, scheme="IOB1")
    assert fitted.settings_.model.scheme == "IOB1"
    assert fitted.classes_[0] == "O"
    assert {"B-PER", "I-PER", "E-PER", "S-PER"} < set(fitted.classes_)
    assert fitted.score(sentences, tags) > 0.95
    assert find_scheme(fitted.predict(sentences)) == "IOB1"
    assert fitted.history_[-1]["validation"]["micro_f1"] > 0.9


def test_marginals_are_probabilities_and_the_said_tag_has_its_own(fitted):
    sentences = corpus(seed=2, count=5)[0]
    for marginals, tagged in zip(fitted.predict_marginals(sentences), fitted.tag(sentences), strict=True):
        assert marginals.shape == (len(tagged.tokens), len(fitted.classes_))
        np.testing.assert_allclose(marginals.sum(1), 1, rtol=1e-5)
        assert all(np.isclose(row, p, rtol=1e-4).any() for row, p in zip(marginals, tagged.probabilities, strict=True))


def test_entities_stand_where_the_text_says(fitted):
    text = "Anna  lives in\tNew York."
    (tagged,) = fitted.tag([text])
    found = {entity["entity_group"]: entity for entity in tagged.entities}
    assert found["LOC"]["word"] == "New York"
    assert found["PER"]["word"] == "Anna"
    for entity in tagged.entities:
        assert text[entity["start"] : entity["end"]] == entity["word"]
        assert 0 < entity["score"] <= 1
    assert fitted.tag([[]])[0].entities == []
    assert fitted.tag(["  "])[0].tags == []
    (listed,) = fitted.tag([["Anna", "lives", "in", "New", "York", "."]])
    assert [entity["word"] for entity in listed.entities] == ["Anna", "New York"]


def test_the_score_of_a_span_is_the_probability_of_all_its_tags(fitted):
    sentence = ["Carla", "Diaz", "lives", "in", "New", "York", "."]
    (tagged,) = fitted.tag([sentence])
    batch = fitted.predictor_.features.encode([sentence]).batch(np.array([0]))
    network, temperature = fitted.predictor_.network, fitted.predictor_.temperature
    with torch.no_grad():
        emissions = network(batch)
        tags = network.crf.decode(emissions, batch.lengths)
        for span, score in zip(tagged.spans, tagged.scores, strict=True):
            # The same by force: forbid every other tag at these places, and compare what is left of the partition.
            forced = emissions.clone()
            for place in range(span.start, span.end):
                keep = tags[0, place]
                forced[0, place] = -1e4
                forced[0, place, keep] = emissions[0, place, keep]
            logs = [
                (e[0].gather(-1, tags[0][:, None]).sum() / temperature)
                - network.crf.log_probabilities(e, tags, batch.lengths, temperature).sum()
                for e in (emissions, forced)
            ]
            assert score == pytest.approx(float((logs[1] - logs[0]).exp()), rel=1e-3)


def test_a_saved_tagger_answers_as_before(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    loaded = SequenceTagger.load(tmp_path / "m")
    sentences, tags = corpus(seed=3, count=10, scheme="IOB1")
    assert loaded.predict(sentences) == fitted.predict(sentences)
    assert loaded.score(sentences, tags) == fitted.score(sentences, tags)
    for one, other in zip(loaded.predict_marginals(sentences), fitted.predict_marginals(sentences), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.get_params()["model"]["scheme"] == "IOB1"


def test_a_folder_of_something_else_is_refused(tmp_path, fitted):
    fitted.save(tmp_path / "m")
    config = (tmp_path / "m" / "config.json").read_text().replace('"SequenceTagger"', '"LanguageModel"')
    (tmp_path / "m" / "config.json").write_text(config)
    with pytest.raises(ModelFolderError):
        SequenceTagger.load(tmp_path / "m")


def test_the_same_seed_gives_the_same_tagger(fitted):
    again = small().fit(*corpus(scheme="IOB1"))
    for one, other in zip(fitted.predictor_.network.parameters(), again.predictor_.network.parameters(), strict=True):
        assert torch.equal(one, other)


class Stop(Callback):
    """Ctrl-C in the third epoch."""

    def on_step(self, run):
        if run.epoch == 2 and run.step == 2:
            run.stop = "interrupted"


def test_an_interrupted_fit_goes_on_as_if_there_had_been_no_interruption(tmp_path):
    data = corpus(count=40)
    whole = small(training={"epochs": 4}).fit(*data)
    parts = small(training={"epochs": 4}).fit(*data, folder=tmp_path, callbacks=[Stop()])
    assert parts.fit_history_.interrupted
    parts = clone(parts).fit(*data, folder=tmp_path, resume=True)
    for name, value in whole.predictor_.network.state_dict().items():
        assert torch.equal(parts.predictor_.network.state_dict()[name], value), name
    assert parts.temperature_ == whole.temperature_


def test_no_gradient_depends_on_what_else_is_in_the_batch():
    sentences, tags = corpus(count=6)
    model = small(training={"epochs": 1}, validation=0.0).fit(sentences, tags)
    network = model.predictor_.network.double().requires_grad_()
    targets = model.code_.encode(tags)[0]
    scored = Scored(network, model.settings_.imbalance, model.counts_, None, 1.0).eval()
    upstream = torch.randn(6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    def gradients(groups):
        network.zero_grad()
        for rows in groups:
            examples = model.predictor_.features.encode([sentences[i] for i in rows], [targets[i] for i in rows])
            losses = scored(examples.batch(np.arange(len(rows))))
            losses.backward(upstream[rows])
        return [parameter.grad.clone() for parameter in network.parameters()]

    for one, other in zip(gradients([[0, 1, 2, 3, 4, 5]]), gradients([[i] for i in range(6)]), strict=True):
        assert_close(one, other)


def test_parts_of_speech_are_tags_by_themselves_with_any_loss_of_rare_tags():
    sentences, tags = corpus(count=40)
    plain = [[tag[2:] or "ELSE" for tag in row] for row in tags]
    model = small(
        {"head": "softmax"}, {"metric": "macro_f1"}, imbalance={"loss": "focal", "class_weight": "balanced"}
    ).fit(sentences, plain)
    assert model.classes_ == ["ELSE", "LOC", "PER"]
    assert model.settings_.model.scheme == "none"
    assert model.score(sentences, plain) > 0.9
    assert [entity["entity_group"] for entity in model.tag([sentences[0]])[0].entities] == model.predict(sentences)[0]


def test_class_weights_move_a_conditional_random_field_towards_a_rare_tag():
    random = np.random.default_rng(0)
    sentences = [[f"w{random.integers(3)}" for _ in range(4)] for _ in range(60)]
    tags = [["RARE" if random.random() < 0.2 else "ELSE" for _ in row] for row in sentences]
    said = []
    for imbalance in ({}, {"class_weight": {"RARE": 12.0}}):
        model = small(training={"epochs": 3}, imbalance=imbalance, validation=0.0).fit(sentences, tags)
        said.append(sum(tag == "RARE" for row in model.predict(sentences) for tag in row))
    assert said[1] > said[0]


def test_a_weight_of_a_type_is_one_of_all_its_tags():
    imbalance = {"class_weight": {"LOC": 3.0, "O": 0.5}}
    model = small(training={"epochs": 1}, imbalance=imbalance).fit(*corpus(count=20))
    expected = {"B-LOC": 3.0, "I-LOC": 3.0, "E-LOC": 3.0, "S-LOC": 3.0, "O": 0.5}
    assert model.settings_.imbalance.class_weight == expected


def test_tags_that_break_a_rule_are_converted_and_counted():
    sentences, tags = corpus(count=20)
    tags[0] = [tag.replace("B-PER", "I-PER") for tag in tags[0]]
    model = small(training={"epochs": 1}, validation=0.0).fit(sentences, tags)
    assert model.broken_ == 1
    assert model.settings_.model.scheme == "BIO"


def test_given_vectors_are_learned_from_and_words_that_training_lacks_are_known(tmp_path):
    sentences, tags = corpus(count=30)
    vectors = WordVectors(["anna", "lives", "in", "paris", "bonn"], np.random.default_rng(0).normal(size=(5, 12)))
    vectors.save(tmp_path / "v.txt")
    settings = {name: value for name, value in SMALL.items() if name != "embedding_size"}
    settings |= {"freeze_vectors": True, "vectors": str(tmp_path / "v.txt")}
    model = SequenceTagger(model=settings, training={**QUICK, "epochs": 2}).fit(sentences, tags)
    words = model.predictor_.features.words
    assert "paris" in words
    assert model.coverage_.known == 5
    table = model.predictor_.network.embedding
    row = torch.tensor(words.encode(["paris"]), dtype=torch.int64)
    np.testing.assert_allclose(table(row)[0].detach(), vectors["paris"], rtol=1e-5)


def test_the_temperature_makes_marginals_fit_the_validation_tags(fitted):
    sentences, tags = corpus(seed=5, count=40, scheme="IOB1")
    random = np.random.default_rng(1)
    noisy = [["O" if random.random() < 0.4 else tag for tag in row] for row in tags]
    predictor = fitted.predictor_
    examples = predictor.features.encode(sentences, fitted.code_.encode(noisy)[0])
    batches = [batch for _, batch in predictor.batched(examples)]
    assert fit_temperature(predictor.network, batches) > fitted.temperature_


def test_it_is_an_estimator():
    model = small(validation=0.2)
    assert clone(model).get_params() == model.get_params()


def test_a_code_numbers_what_it_knows():
    code = TagCode.of([["B-X", "O"]], "auto", "BIOES")
    assert code.classes == ["O", "B-X", "I-X", "E-X", "S-X"]
    assert code.encode([["O", "B-X", "I-X"], ["B-Y"]]) == ([[0, 1, 3], [-1]], 0)
    assert read_spans(["S-X"], "BIOES")[0] == code.tagging([["B-X"]]).spans[0]


@pytest.mark.parametrize(
    ("arguments", "data", "said"),
    [
        ({}, ([["a"]], [["O", "O"]]), "sentence 1 has 1 tokens and 2 tags"),
        ({}, ([["a"]], []), "there are 1 sentences and 0 lists of tags"),
        ({}, ([[]], [[]]), "sentence 1 has 0 tokens"),
        ({}, ([["a"], ["b"]], [["X"], [""]]), "sentence 2: '' is no token and no tag"),
        ({}, ([["a"], ["b"]], [["X"], ["X"]]), "every token has the tag 'X'"),
        ({"model": {"scheme": "BIO"}}, ([["a"], ["b"]], [["O"], ["Y"]]), "'Y' is no tag of the scheme BIO"),
        ({"model": {"scheme": "BIO"}}, ([["a"], ["b"]], [["O"], ["O"]]), "describe no span"),
        ({"training": {"metric": "log_loss"}}, corpus(count=4), "training.metric of a tagger"),
        ({"training": {"refit": True}}, corpus(count=4), "training.refit"),
        ({"imbalance": {"loss": "focal"}}, corpus(count=4), "model.head to 'softmax'"),
        ({"imbalance": {"sampler": "square_root"}}, corpus(count=4), "a sentence has many tags"),
        ({"imbalance": {"class_weight": {"B-ORG": 2.0}}}, corpus(count=4), "class_weight names 'B-ORG'"),
        ({"model": {"freeze_vectors": True}}, corpus(count=4), "model.vectors names none"),
        ({"model": {"head": "svm"}}, corpus(count=4), "model.head"),
        ({"text": {"stop_words": "en"}}, corpus(count=4), "text.stop_words is not for taggers"),
    ],
)
def test_wrong_input_is_one_sentence(arguments, data, said):
    with pytest.raises((DataError, ConfigurationError), match=said):
        SequenceTagger(**arguments, validation=0.0).fit(*data)


def test_a_single_text_is_no_list_of_texts(fitted):
    with pytest.raises(DataError, match="put it in a list"):
        fitted.tag("Anna")
    with pytest.raises(DataError, match="text 2 is neither"):
        fitted.tag(["Anna", 3])


def test_tags_that_break_a_rule_are_judged_as_the_spans_that_were_meant():
    code = TagCode.of([["B-PER", "I-PER", "O"], ["B-LOC", "O", "O"]], "auto", "BIO")
    judged = code.tagging([["I-PER", "I-PER", "O"], ["O", "I-LOC", "I-PER"]])
    assert judged.tags == [["B-PER", "I-PER", "O"], ["O", "B-LOC", "B-PER"]]

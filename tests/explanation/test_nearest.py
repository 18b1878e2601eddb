import numpy as np
import pytest
from explained_models import FRAMES, SENTENCES, TEXTS, classifier, frame_tagger, language_model, tagger

from seqwise.errors import ConfigurationError
from seqwise.explanation import nearest

MANY = [" ".join(np.random.default_rng(n).choice(["the", "cat", "dog", "no", "yes"], 1 + n % 7)) for n in range(60)]


def test_the_nearest_have_the_largest_cosine_whatever_the_chunks(monkeypatch):
    predictor = classifier()
    part, model = predictor._model.module.parts["recurrent"], predictor._model
    vectors = np.concatenate(
        [part.pooled(model.encode([text]).batch(np.zeros(1, np.int64))).numpy() for text in ["the cat", *MANY]]
    ).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = vectors[1:] @ vectors[0]
    for chunk in (7, 1000):
        monkeypatch.setattr("seqwise.prediction.predictor.CHUNK", chunk)
        found = nearest(predictor, "the cat", iter(MANY), 10)
        np.testing.assert_allclose([of.similarity for of in found], np.sort(cosines)[::-1][:10], atol=1e-5)
        np.testing.assert_allclose(cosines[[of.number for of in found]], [of.similarity for of in found], atol=1e-5)


def test_the_example_itself_comes_first_and_fewer_examples_are_fewer_answers():
    found = nearest(classifier(), TEXTS[1], TEXTS, 10)
    assert found[0].number == 1
    assert found[0].similarity == pytest.approx(1, abs=1e-5)
    assert len(found) == len(TEXTS)
    assert nearest(classifier(), "no", []) == []


def test_taggers_and_frames_too():
    assert nearest(tagger(), SENTENCES[1], SENTENCES)[0].number == 1
    assert nearest(tagger(), "Anna lives in Bonn.", [*SENTENCES, ""], 1)[0].number == 0
    assert nearest(frame_tagger(), FRAMES[2], FRAMES)[0].number == 2
    assert nearest(classifier(frames=FRAMES, architecture="recurrent"), FRAMES[1:2], FRAMES, 1)[0].number == 1


@pytest.mark.parametrize(
    ("predictor", "k", "said"),
    [
        (lambda: classifier(architecture="linear"), 1, "no recurrent part"),
        (language_model, 1, "LanguagePredictor: classifiers"),
        (classifier, 0, "at least one"),
    ],
)
def test_what_has_no_vectors_is_refused(predictor, k, said):
    with pytest.raises(ConfigurationError, match=said):
        nearest(predictor(), "a", ["b"], k)

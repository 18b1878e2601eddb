from itertools import pairwise, product

import numpy as np
import pytest
import torch
from explained_models import FRAMES, SENTENCES, TAGS, frame_tagger, tagger

from seqwise.errors import ConfigurationError, DataError
from seqwise.explanation import METHODS, explain
from seqwise.explanation.gradients import TOLERANCE
from seqwise.explanation.inputs import COVER
from seqwise.explanation.taggers import scores_at
from seqwise.layers import CRF
from tolerances import assert_close

WORDS = SENTENCES[0]
OUTER = {"O": "O", "B-X": "B-X", "I-X": "I-X", "E-X": "I-X", "S-X": "B-X"}  # BIOES inside, BIO outside
VARIANTS = [{}, {"head": "softmax"}, {"character_size": 0}, {"cell": "gru", "num_layers": 2, "casing": False}]


def odds(probabilities):
    return np.log(probabilities) - np.log1p(-probabilities)


@pytest.mark.parametrize("position", [0, 2, 3])
def test_scores_of_a_random_field_sum_over_all_taggings(position):
    torch.manual_seed(1)
    crf = CRF(3, [True, True, False], [[True, False, True], [True, True, True], [False, True, True]], None).double()
    with torch.no_grad():
        for parameter in crf.parameters():
            parameter.normal_()
    emissions = torch.randn(2, 4, 3, dtype=torch.float64)
    sums = torch.zeros(2, 3, dtype=torch.float64)
    for path in product(range(3), repeat=4):
        score = crf.first[path[0]] + crf.forbidden_first[path[0]] + crf.last[path[-1]] + crf.forbidden_last[path[-1]]
        for t in range(4):
            score = score + emissions[:, t, path[t]]
        for a, b in pairwise(path):
            score = score + crf.following[a, b] + crf.forbidden_following[a, b]
        sums[:, path[position]] += score.exp().detach()
    assert_close(scores_at(emissions, crf, position).exp().detach(), sums)
    assert_close(scores_at(emissions, crf, position).softmax(-1).detach(), crf.marginals(emissions)[:, position])
    assert torch.equal(scores_at(emissions, None, position), emissions[:, position])


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
@pytest.mark.parametrize("position", [0, 4])
def test_the_log_odds_of_a_tag_are_explained_completely(settings, position):
    predictor = tagger(**settings)
    explanation = explain(predictor, WORDS, position=position)
    assert explanation.target == OUTER[TAGS[int(predictor.answers([WORDS])[0][0][position])]]
    meant = [number for number, tag in enumerate(TAGS) if OUTER[tag] == explanation.target]
    probability = predictor.marginals([WORDS])[0][position, meant].sum()
    assert explanation.output == pytest.approx(odds(probability), rel=2e-3, abs=1e-3)
    change = explanation.output - explanation.baseline
    assert abs(explanation.values.sum() - change) <= TOLERANCE * max(abs(change), 1) + 1e-6
    assert explanation.text == "Anna lives in Bonn ."
    assert explanation.position == position


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_occlusion_is_a_loop_over_sentences_with_an_unknown_word(settings):
    predictor = tagger(**settings)
    explanation = explain(predictor, WORDS, method="occlusion", target="O", position=3)
    sentences = [WORDS] + [[COVER if j == i else word for j, word in enumerate(WORDS)] for i in range(5)]
    chances = odds(np.array([of[3, 0] for of in predictor.marginals(sentences)]))
    np.testing.assert_allclose(explanation.values, chances[0] - chances[1:], atol=5e-4)


def test_a_tag_of_the_model_itself_can_be_asked_for_too():
    predictor = tagger()
    single = explain(predictor, WORDS, target="S-X", position=3)
    assert single.target == "S-X"
    assert single.output == pytest.approx(odds(predictor.marginals([WORDS])[0][3, TAGS.index("S-X")]), abs=1e-3)
    assert single.output < explain(predictor, WORDS, target="B-X", position=3).output


def test_the_position_is_that_of_the_first_entity_unless_it_is_given():
    predictor = tagger()
    tags = [TAGS[int(i)] for i in predictor.answers([WORDS])[0][0]]
    first = next((i for i, tag in enumerate(tags) if tag != "O"), 0)
    assert explain(predictor, "Anna lives in Bonn .").position == first


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("settings", [{}, {"head": "crf"}, {"encoder": "transformer", "heads": 2}], ids=str)
def test_frames_have_tags_that_can_be_explained(method, settings):
    predictor = frame_tagger({"stride": 2}, **settings)
    explanation = explain(predictor, FRAMES[:1], method=method, position=3)
    assert [token.start for token in explanation.tokens] == [0, 2, 4, 6, 8]
    assert explanation.tokens[1].text == "0.04 s"
    assert np.abs(explanation.values).max() > 1e-3
    if method == "integrated_gradients":
        assert abs(explanation.delta) <= TOLERANCE * max(abs(explanation.output - explanation.baseline), 1) + 1e-6


@pytest.mark.parametrize(
    ("given", "options", "error", "said"),
    [
        (WORDS, {"position": 5}, DataError, "position is from 0 to 4"),
        (WORDS, {"position": -1}, DataError, "position is from 0 to 4"),
        (WORDS, {"target": "B-Z"}, ConfigurationError, "no tag 'B-Z'"),
        ("", {}, DataError, "no token"),
        ([1, 2], {}, DataError, "neither a text nor a list"),
    ],
)
def test_what_is_not_there_is_refused(given, options, error, said):
    with pytest.raises(error, match=said):
        explain(tagger(), given, **options)


def test_frames_are_one_sequence_of_numbers():
    with pytest.raises(DataError, match="one sequence"):
        explain(frame_tagger(), FRAMES)
    with pytest.raises(DataError, match="got a text"):
        explain(frame_tagger(), "words")

import numpy as np
import pytest
import torch

from seqwise.errors import ConfigurationError, DataError
from seqwise.models import TaggerFeatures, TaggerSettings, build_tagger
from seqwise.models.tagger_features import casing_of
from seqwise.text import TextSettings
from seqwise.text.vocabulary import UNK
from tolerances import assert_close

SENTENCES = [["Anna", "lives", "in", "Bonn", "."], ["Yes"], ["In", "1990", "B2B", "ended", "iPads", "..."]]
TAGS = ["O", "B-X", "I-X", "E-X", "S-X"]
SMALL = {
    "embedding_size": 5,
    "character_size": 4,
    "character_hidden_size": 3,
    "hidden_size": 6,
    "backend": "reference",
    "scheme": "BIO",
    "head": "crf",
}
VARIANTS = [{}, {"head": "softmax"}, {"character_size": 0}, {"character_size": 0, "casing": False}, {"cell": "gru"}]


def fitted(**text):
    features = TaggerFeatures(TextSettings(**text))
    features.fit(SENTENCES)
    return features


def network(features, **settings):
    torch.manual_seed(0)
    module = build_tagger(TaggerSettings(**{**SMALL, **settings}), features, TAGS).double().eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.7)
    return module


@pytest.mark.parametrize("settings", VARIANTS, ids=str)
def test_what_else_is_in_the_batch_never_changes_an_answer(settings):
    features = fitted()
    module, examples = network(features, **settings), features.encode(SENTENCES)
    together = module.answers(examples.batch(np.arange(3)))
    for i, tokens in enumerate(SENTENCES):
        alone = module.answers(features.encode([tokens]).batch(np.array([0])))
        for part, other in zip(alone, together, strict=True):
            assert_close(part[0].double(), other[i, : len(tokens)].double())


def test_a_word_is_read_by_its_letters_even_when_it_is_unknown():
    features = fitted(min_count=2)
    module = network(features)
    batch = features.encode([["Bonn"], ["Bonnn"]]).batch(np.arange(2))
    assert batch.words.tolist() == [[UNK], [UNK]]
    scores = module(batch)
    assert float((scores[0] - scores[1]).detach().abs().max()) > 1e-3
    blind = network(features, character_size=0)(batch)
    assert_close(blind[0], blind[1])


def test_every_form_is_spelled_once():
    batch = fitted().encode([["a", "b", "a"], ["b", "b"]]).batch(np.arange(2))
    assert batch.characters.shape[0] == 2
    assert batch.forms.tolist() == [[0, 1, 0], [1, 1, 0]]
    assert batch.live.tolist() == [[True, True, True], [True, True, False]]


def test_words_fall_back_to_small_letters_and_further_words_are_known():
    features = TaggerFeatures(TextSettings(lowercase=False, min_count=2))
    features.fit([["Rome", "is", "is"]], lambda word: word == "Rome", ["bonn", "is"])
    known = features.words.tokens[3:]
    assert known == ["is", "Rome", "bonn"]
    assert features.encode([["Bonn", "IS", "else"]]).words.tolist() == [5, 3, UNK]
    again = TaggerFeatures.from_dict(features.to_dict(), features.text)
    assert again.encode([["Bonn", "IS", "else"]]).words.tolist() == [5, 3, UNK]


def test_casing_is_read():
    forms = ["in", "USA", "Bonn", "iPad", "1990", "B2B", "...", "A"]
    assert [casing_of(form) for form in forms] == [0, 1, 2, 3, 4, 5, 6, 2]


def test_a_very_long_word_is_read_at_both_ends():
    features = fitted()
    one, other = ("In" + "." * middle + "ed" for middle in (100, 200))
    batch = features.encode([[one, other]]).batch(np.array([0]))
    assert batch.characters.shape[1] == 40
    assert batch.characters[0].tolist() == batch.characters[1].tolist()


def test_in_training_words_are_dropped_and_their_letters_stay():
    features = fitted()
    module = network(features, word_dropout=0.99, dropout=0.0).train()
    batch = features.encode(SENTENCES).batch(np.arange(3))
    torch.manual_seed(1)
    dropped = module(batch)
    unknown = module.eval()(batch._replace(words=torch.where(batch.live, UNK, batch.words)))
    assert_close(dropped[batch.live], unknown[batch.live])


def test_settings_that_a_tagger_has_no_use_for_are_refused():
    for wrong in ({"stop_words": "en"}, {"max_length": 10}, {"clean": "tweets"}):
        with pytest.raises(ConfigurationError, match="not for taggers"):
            TaggerFeatures(TextSettings(**wrong))
    with pytest.raises(ConfigurationError, match="unit of a tagger"):
        TaggerFeatures(TextSettings(unit="bpe"))
    with pytest.raises(DataError, match="the vocabulary of a tagger"):
        TaggerFeatures.from_dict({}, TextSettings())
    with pytest.raises(ValueError, match="there is no cell 'lstn'; did you mean lstm"):
        TaggerSettings(cell="lstn")

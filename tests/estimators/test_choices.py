import inspect
from dataclasses import replace

import pytest

from seqwise.estimators import SequenceClassifier
from seqwise.estimators.choices import CHOSEN, Profile, choose
from seqwise.estimators.sections import AUTO, Sections
from seqwise.losses import ImbalanceSettings
from seqwise.models import ModelSettings
from seqwise.text import TextSettings
from seqwise.training import TrainingSettings

SECTIONS = (TextSettings, ModelSettings, ImbalanceSettings, TrainingSettings)
WORDS = Profile(unit="words", rows=5000, classes=3, mean_characters=80.0, fixed_length=None)


def sections(**values):
    return Sections(
        *(section(**{k: v for k, v in values.items() if k in section.model_fields}) for section in SECTIONS)
    )


def test_the_constructor_has_every_field_of_every_section_with_its_default_or_auto():
    parameters = inspect.signature(SequenceClassifier).parameters
    fields = {name: field for section in SECTIONS for name, field in section.model_fields.items()}
    assert set(parameters) == set(fields) | {"frames", "validation", "verbose", "multilabel"}
    for name, field in fields.items():
        assert parameters[name].default == (AUTO if name in CHOSEN else field.default), name


def test_every_choice_is_for_a_parameter_that_says_auto():
    chosen = choose(WORDS, sections())
    for section in (chosen.text, chosen.model, chosen.imbalance, chosen.training):
        assert section.model_fields_set - {"unit"} <= CHOSEN


def test_what_a_person_sets_stays():
    chosen = choose(WORDS, sections(hidden_size=7, epochs=2, label_smoothing=0.0, min_count=9))
    assert (chosen.model.hidden_size, chosen.training.epochs) == (7, 2)
    assert (chosen.imbalance.label_smoothing, chosen.text.min_count) == (0.0, 9)


def test_texts_of_one_length_are_read_by_position():
    sequences = ["ACGT" * 15] * 50
    profile = Profile.of(sequences, 2, TextSettings())
    assert (profile.unit, profile.fixed_length) == ("characters", 60)
    model = choose(profile, sections()).model
    assert model.ngram_positions
    assert model.position_embedding == 60
    assert model.character_ngrams is None


@pytest.mark.parametrize(
    ("texts", "unit"), [(["Anna", "Bert", "Charlotte"], "characters"), (["a b c d", "one two three four"], "words")]
)
def test_the_unit_is_seen_in_the_texts(texts, unit):
    assert Profile.of(texts, 2, TextSettings()).unit == unit


def test_more_data_take_fewer_epochs():
    few, many = (choose(Profile("words", rows, 2, 50.0, None), sections()).training.epochs for rows in (1000, 100_000))
    assert few > many >= 3


def test_the_pure_recurrent_model_stays_pure():
    chosen = choose(WORDS, sections(architecture="recurrent"))
    assert chosen.imbalance.prior_correction == 0
    assert chosen.imbalance.label_smoothing == 0
    assert not chosen.training.refit


def test_a_time_budget_is_not_spent_on_a_second_fit():
    assert choose(WORDS, sections()).training.refit
    assert not choose(WORDS, sections(time_budget="5m")).training.refit


def test_the_asymmetric_loss_of_classes_has_smoothed_labels_and_that_of_several_labels_has_not():
    several = replace(WORDS, multilabel=True)
    for architecture in ("recurrent", "wide_deep"):
        asymmetric = sections(architecture=architecture, loss="asymmetric")
        assert choose(WORDS, asymmetric).imbalance.label_smoothing == 0.1
        assert choose(several, asymmetric).imbalance.label_smoothing == 0

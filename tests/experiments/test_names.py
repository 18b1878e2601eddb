import builtins
from collections import Counter

import pytest

from seqwise.errors import MissingExtraError
from seqwise.experiments import names


@pytest.fixture(scope="module")
def first():
    pytest.importorskip("faker")
    return names.first_names()


@pytest.fixture(scope="module")
def last():
    pytest.importorskip("faker")
    return names.surnames()


def test_there_are_about_twenty_thousand_first_names_in_latin_script(first):
    assert 15_000 < len(first.rows) < 25_000
    assert Counter(first.rows.values()).keys() == {"female", "male"}
    assert first.rows["Maria"] == "female"
    assert all(names._is_latin(name) for name in first.rows)


def test_a_name_of_both_sexes_is_left_out_and_counted(first):
    assert "Robin" not in first.rows
    assert first.ambiguous > 100


def test_surnames_have_a_long_tail_of_twenty_classes_and_more(last):
    counts = Counter(last.rows.values())
    assert len(counts) >= 20
    assert max(counts.values()) > 20 * min(counts.values())
    parts = [Counter(last.part(part).values()) for part in names.PARTS]
    assert all(part.keys() == counts.keys() for part in parts), "a class without examples in a part"


def test_every_name_is_in_one_part_and_eight_in_ten_are_for_training(first):
    parts = [first.part(part) for part in names.PARTS]
    assert sum(map(len, parts)) == len(first.rows)
    assert [round(len(part) / len(first.rows), 1) for part in parts] == [0.8, 0.1, 0.1]


@pytest.mark.parametrize(
    ("name", "part"),
    [("Maria", "test"), ("maria", "test"), ("Anna", "train"), ("Özgür", "train"), ("Aagot", "validation")],
)
def test_the_part_of_a_name_never_changes(name, part):
    # Written down once: a change would mix test names into the training part of older models.
    assert names.part_of(name) == part


def test_without_faker_the_message_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def without_faker(name, *rest, **more):
        if name.startswith("faker"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without_faker)
    with pytest.raises(MissingExtraError, match=r'pip install "seqwise\[demo\]"'):
        names.first_names()

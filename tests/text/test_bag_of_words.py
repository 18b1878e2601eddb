"""Bags of words and one-hot rows: formulas by hand, scikit-learn as the oracle, and its conventions."""

import pickle
from itertools import chain, islice, repeat
from math import log, log2, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from seqwise.errors import ConfigurationError, DataError
from seqwise.text import BagOfWords, HashedBagOfWords, OneHotWords, TextSettings, Tokenizer

TEXTS = ["a cat and a dog", "the dog barks", "the the cat", "fish"]
DRAWN = st.lists(
    st.lists(st.sampled_from(["a", "b", "c", "dd", "e", "ee"]), min_size=1, max_size=9).map(" ".join), min_size=1
)
TRANSFORMERS = [
    BagOfWords(),
    BagOfWords("tfidf-relative", ngrams=(1, 2), text={"preset": "tweets"}),
    HashedBagOfWords(64, text=TextSettings(clean="tweets")),
    OneHotWords({"max_length": 5}),
]


def table(bag, texts=TEXTS):
    """{text: {word: weight}} of what is not zero."""
    rows, names = bag.fit_transform(texts).toarray(), bag.get_feature_names_out()
    return [{name: value for name, value in zip(names, row, strict=True) if value} for row in rows]


def test_counts_and_what_occurs():
    assert table(BagOfWords())[0] == {"a": 2, "cat": 1, "and": 1, "dog": 1}
    assert table(BagOfWords("binary"))[2] == {"the": 1, "cat": 1}
    assert BagOfWords().fit_transform(TEXTS).dtype == np.int64


def test_the_share_of_a_word_times_the_binary_logarithm():
    """N = 4 texts; "a" is in one of them, "cat", "dog", "the" are in two."""
    rows = table(BagOfWords("tfidf-relative"))
    assert rows[0] == pytest.approx({"a": 2 / 5 * 2, "and": 1 / 5 * 2, "cat": 1 / 5, "dog": 1 / 5})
    assert rows[2] == pytest.approx({"the": 2 / 3 * 1, "cat": 1 / 3 * 1})
    assert rows[3] == pytest.approx({"fish": log2(4)})


def test_the_count_times_the_natural_logarithm():
    rows = table(BagOfWords("tfidf-raw"))
    assert rows[0] == pytest.approx({"a": 2 * log(4), "and": log(4), "cat": log(2), "dog": log(2)})
    assert rows[2] == pytest.approx({"the": 2 * log(2), "cat": log(2)})


def test_the_smoothed_form_by_hand():
    rows = table(BagOfWords("tfidf-smooth"))
    the, cat = 2 * (log(5 / 3) + 1), log(5 / 3) + 1
    norm = sqrt(the**2 + cat**2)
    assert rows[2] == pytest.approx({"the": the / norm, "cat": cat / norm})


@given(DRAWN, DRAWN, st.sampled_from([(1, 1), (1, 2), (2, 3)]), st.sampled_from([None, 3]))
def test_counts_and_the_smoothed_form_are_those_of_scikit_learn(texts, others, ngrams, most):
    options = {"token_pattern": r"(?u)\b\w+\b", "ngram_range": ngrams, "max_features": most}
    pairs = [
        (BagOfWords(ngrams=ngrams, max_features=most), CountVectorizer(**options)),
        (BagOfWords("binary", ngrams=ngrams), CountVectorizer(binary=True, **(options | {"max_features": None}))),
        (BagOfWords("tfidf-smooth", ngrams=ngrams, max_features=most), TfidfVectorizer(**options)),
    ]
    if not any(len(text.split()) >= ngrams[0] for text in texts):
        return
    for ours, theirs in pairs:
        expected = theirs.fit_transform(texts)
        np.testing.assert_allclose(ours.fit_transform(texts).toarray(), expected.toarray(), rtol=1e-12)
        assert ours.get_feature_names_out().tolist() == theirs.get_feature_names_out().tolist()
        np.testing.assert_allclose(ours.transform(others).toarray(), theirs.transform(others).toarray(), rtol=1e-12)


@pytest.mark.parametrize("weighting", ["binary", "count", "tfidf-relative", "tfidf-raw", "tfidf-smooth"])
def test_fitting_and_transforming_at_once_gives_the_same(weighting):
    bag = BagOfWords(weighting, ngrams=(1, 2), min_df=1, max_df=0.9)
    at_once = bag.fit_transform(iter(TEXTS))
    assert (at_once != clone(bag).fit(TEXTS).transform(TEXTS)).nnz == 0
    assert sparse.issparse(at_once)
    assert at_once.has_sorted_indices


def test_words_without_a_column_count_in_the_length_of_a_text_alone():
    bag = BagOfWords("tfidf-relative", min_df=2).fit(TEXTS)
    assert bag.get_feature_names_out().tolist() == ["cat", "dog", "the"]
    np.testing.assert_allclose(
        bag.transform(["cat zebra zebra zebra", "", "zebra"]).toarray(), [[0.25, 0, 0], [0] * 3, [0] * 3]
    )
    assert BagOfWords(max_df=1, max_features=1).fit(TEXTS).get_feature_names_out().tolist() == ["a"]


def test_a_word_is_what_the_settings_say():
    bag = BagOfWords(text=TextSettings(stop_words=["the"], clean=["repeats"], punctuation=False)).fit(
        ["The COOOOL cat!"]
    )
    assert bag.get_feature_names_out().tolist() == ["cat", "cool"]
    given_tokens = BagOfWords(ngrams=(2, 2), text={"unit": "tokens"}).fit([["New York", "is", "big"]])
    assert given_tokens.get_feature_names_out().tolist() == ["is big", "new_york is"]
    assert BagOfWords(text={"unit": "characters"}).fit(["ab a"]).vocabulary_ == {" ": 0, "a": 1, "b": 2}


@given(st.lists(st.text(max_size=20), min_size=1, max_size=5))
def test_hashed_counts_are_the_counts_of_the_words_but_for_their_sign(texts):
    rows = HashedBagOfWords(2**20, signed=False).transform(texts)
    counts = [len(Tokenizer(TextSettings(unit="words"))(text)) for text in texts]
    assert rows.shape == (len(texts), 2**20)
    assert rows.sum(axis=1).ravel().tolist()[0] == counts
    signed = HashedBagOfWords(2**20).transform(texts)
    assert (abs(signed) > rows).nnz == 0
    binary = HashedBagOfWords(2**20, weighting="binary").transform(texts)
    assert set(binary.data.tolist()) <= {1.0}


def test_signs_keep_inner_products_right_in_the_mean():
    """Weinberger et al. 2009: E <h(x), h(y)> = <x, y>; without signs what shares a column is counted too much."""
    texts = [" ".join(f"{side}{block}x{i}" for i in range(60)) for block in range(100) for side in "lr"]
    for signed, low, high in ((True, -2, 2), (False, 40, 75)):
        rows = HashedBagOfWords(64, signed=signed).transform(texts)
        products = np.asarray(rows[::2].multiply(rows[1::2]).sum(axis=1)).ravel()  # no word in common: 0
        assert low < products.mean() < high


def test_a_stream_without_end_is_hashed_and_learned_from():
    pairs = chain.from_iterable(repeat([("good film", 1), ("bad film", 0), ("a good one", 1), ("so bad", 0)]))
    endless = (text for text, _ in pairs)
    blocks = HashedBagOfWords(256).stream(endless)
    model = SGDClassifier(random_state=0)
    for rows in islice(blocks, 2):
        assert rows.shape == (8192, 256)
        model.partial_fit(rows, [1, 0] * (rows.shape[0] // 2), classes=[0, 1])
    assert model.predict(HashedBagOfWords(256).transform(["good", "bad"])).tolist() == [1, 0]


def test_a_hashed_column_does_not_depend_on_what_came_before():
    bag = HashedBagOfWords(100)
    whole = bag.fit().transform(TEXTS)
    parts = sparse.vstack([bag.partial_fit([text]).transform([text]) for text in TEXTS])
    assert (whole != parts).nnz == 0
    assert (whole != sparse.vstack(list(bag.stream(TEXTS)))).nnz == 0


def test_one_hot_rows_and_back():
    hot = OneHotWords({"end_mark": True, "unit": "words"}).fit(TEXTS)
    first, unknown, empty = hot.transform(["the dog", "a zebra", ""])
    names = hot.get_feature_names_out().tolist()
    assert names[:3] == ["<pad>", "<unk>", "<eos>"]
    assert first.shape == (3, len(names))
    dense = first.toarray()
    assert dense.sum(axis=1).tolist() == [1, 1, 1]
    assert [names[i] for i in dense.argmax(axis=1)] == ["the", "dog", "<eos>"]
    assert hot.inverse_transform([first, unknown, empty]) == [
        ["the", "dog", "<eos>"],
        ["a", "<unk>", "<eos>"],
        ["<eos>"],
    ]
    table = hot.ids(["the dog", "a zebra and", ""])
    assert table.shape == (3, 4)
    assert table[0, 3] == table[2, 1] == 0
    assert hot.inverse_transform(table)[0] == ["the", "dog", "<eos>"]
    assert np.concatenate([row.indices for row in hot.transform(TEXTS)]).tolist() == [
        i for i in hot.ids(TEXTS).ravel() if i
    ]
    with pytest.raises(DataError, match="columns, not 2"):
        hot.inverse_transform([np.eye(2)])


def test_the_sum_of_one_hot_rows_is_the_bag():
    hot, bag = OneHotWords().fit(TEXTS), BagOfWords().fit(TEXTS)
    names = hot.get_feature_names_out()[3:]
    sums = np.array([row.toarray().sum(axis=0)[3:] for row in hot.transform(TEXTS)])
    order = np.argsort(names.astype(str))
    assert names[order].tolist() == bag.get_feature_names_out().tolist()
    np.testing.assert_array_equal(sums[:, order], bag.transform(TEXTS).toarray())


@pytest.mark.parametrize("transformer", TRANSFORMERS, ids=lambda each: type(each).__name__)
def test_they_keep_the_conventions_of_scikit_learn(transformer):
    copy = clone(transformer)
    assert copy is not transformer
    assert copy.get_params() == transformer.get_params()
    changed = clone(transformer).set_params(text={"unit": "characters"})
    assert changed.get_params()["text"] == {"unit": "characters"}
    assert "text" in repr(changed)
    fitted = copy.fit(TEXTS, [1, 2, 3, 4])
    assert fitted is copy
    assert clone(fitted).__dict__ == clone(transformer).__dict__  # nothing learned is cloned
    restored = pickle.loads(pickle.dumps(fitted))

    def dense(rows):
        return [row.toarray().tolist() for row in rows]

    assert dense(restored.transform(TEXTS)) == dense(fitted.transform(np.array(TEXTS, dtype=object)))
    tags = transformer.__sklearn_tags__()
    assert tags.input_tags.string
    if tags.requires_fit:
        with pytest.raises(NotFittedError):
            clone(transformer).transform(TEXTS)


def test_they_stand_in_a_pipeline_and_are_searched():
    texts, labels = ["good film", "a good one", "bad film", "so bad"] * 6, [1, 1, 0, 0] * 6
    for bag in (BagOfWords("tfidf-raw"), HashedBagOfWords(128)):
        model = make_pipeline(bag, LogisticRegression()).fit(texts, labels)
        assert model.predict(["good", "bad"]).tolist() == [1, 0]
    search = GridSearchCV(
        make_pipeline(BagOfWords(), LogisticRegression()),
        {"bagofwords__weighting": ["binary", "tfidf-smooth"], "bagofwords__text": [None, {"preset": "tweets"}]},
        cv=2,
        error_score="raise",
    ).fit(texts, labels)
    assert search.best_score_ == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: BagOfWords("tf").fit(TEXTS), ConfigurationError, "weighting is one of binary, count, tfidf-relative"),
        (lambda: BagOfWords(ngrams=(2, 1)).fit(TEXTS), ConfigurationError, "1 <= shortest <= longest"),
        (lambda: BagOfWords(text={"units": 1}).fit(TEXTS), ConfigurationError, "units"),
        (lambda: BagOfWords(text={"unit": "bpe"}).fit(TEXTS), ConfigurationError, "sub-words are learned by"),
        (lambda: BagOfWords().fit("a text"), DataError, "an iterable of texts is expected, not str"),
        (lambda: BagOfWords().fit(3), DataError, "an iterable of texts is expected, not int"),
        (lambda: BagOfWords().fit(["a", None]), DataError, "a text is expected, not NoneType"),
        (lambda: BagOfWords().fit(["", " "]), DataError, "empty vocabulary"),
        (lambda: BagOfWords(min_df=5).fit(TEXTS), DataError, "bag of words"),
        (lambda: HashedBagOfWords(0).fit(), ConfigurationError, "n_features is a whole number"),
        (lambda: HashedBagOfWords(weighting="tfidf-raw").fit(), ConfigurationError, '"binary" or "count"'),
        (lambda: HashedBagOfWords().transform("a text"), DataError, "an iterable of texts"),
        (lambda: OneHotWords({"unit": "word"}).fit(TEXTS), ConfigurationError, "unit"),
        (lambda: OneHotWords().fit("abc"), DataError, "an iterable of texts"),
    ],
)
def test_what_cannot_be_is_said(make, error, message):
    with pytest.raises(error, match=message):
        make()

"""The map of words: neighbours stay together, the page is whole and needs nothing from outside."""

import json
import re

import numpy as np
import pytest

from seqwise.embeddings import WordVectors
from seqwise.embeddings.map import project, write_map
from seqwise.errors import InputError


def clusters(words=60):
    random = np.random.default_rng(0)
    centres = random.normal(size=(3, 20)) * 5
    return WordVectors(
        [f"w{i}" for i in range(words)], centres[np.arange(words) % 3] + random.normal(size=(words, 20)) * 0.3
    )


def data_of(page):
    return json.loads(re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.DOTALL)[1])


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_words_of_one_cluster_stand_together(method):
    places = project(clusters(), 60, method=method)
    assert places.shape == (60, 2)
    assert np.abs(places).max() == pytest.approx(1)
    far = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert (far.argmin(1) % 3 == np.arange(60) % 3).all()


def test_the_same_seed_draws_the_same_map():
    np.testing.assert_array_equal(project(clusters(), 30, seed=4), project(clusters(), 30, seed=4))


@pytest.mark.parametrize("words", [1, 2, 4, 5, 7])
@pytest.mark.parametrize("size", [1, 2, 9])
@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_few_words_or_numbers_are_enough(words, size, method):
    vectors = WordVectors([f"w{i}" for i in range(words)], np.random.default_rng(1).normal(size=(words, size)))
    assert np.isfinite(project(vectors, 100, method=method)).all()


def test_words_that_are_all_alike_have_a_map():
    assert np.isfinite(project(WordVectors(list("abcdefgh"), np.ones((8, 3))))).all()


def test_the_page_holds_words_places_counts_and_neighbours(tmp_path):
    source = clusters()
    vectors = WordVectors(source.words, source.vectors, range(60, 0, -1))
    assert write_map(vectors, tmp_path / "map.html", 40, title="mine") == 40
    data = data_of((tmp_path / "map.html").read_text("utf-8"))
    assert data["words"] == vectors.words[:40]
    assert data["counts"] == list(range(60, 20, -1))
    assert data["title"] == "mine"
    expected = vectors.most_frequent(40).neighbours("w3", 8)
    assert [data["words"][i] for i, _ in data["neighbours"][3]] == [one.word for one in expected]


def test_no_word_can_break_out_of_the_page(tmp_path):
    words = ["</script><script>alert(1)</script>", "<!--", "&amp;", '"', "\\", "日本"]
    write_map(WordVectors(words, np.random.default_rng(0).normal(size=(6, 3))), tmp_path / "map.html", title="</title>")
    page = (tmp_path / "map.html").read_text("utf-8")
    assert data_of(page)["words"] == words
    assert page.count("</script>") == 2


def test_the_page_loads_nothing_from_outside(tmp_path):
    write_map(clusters(), tmp_path / "map.html", method="pca")
    page = (tmp_path / "map.html").read_text("utf-8")
    assert "default-src 'none'" in page
    assert not re.search(r"https?://|<link|<img|@import|url\(|\bfetch\(|src=", page)


@pytest.mark.parametrize(
    ("count", "method", "message"),
    [(0, "pca", "1 to 20,000 words, not 0"), (10**6, "pca", "not 1,000,000"), (9, "umap", 'by "tsne" or "pca"')],
)
def test_a_map_that_cannot_be_made_is_refused(tmp_path, count, method, message):
    with pytest.raises(InputError, match=message):
        write_map(clusters(), tmp_path / "map.html", count, method=method)
    with pytest.raises(InputError, match="there is no folder"):
        write_map(clusters(), tmp_path / "none" / "map.html")

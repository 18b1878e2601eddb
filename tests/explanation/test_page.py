import re

import numpy as np
import pytest
from explained_models import FRAMES, classifier, language_model, tagger

from seqwise.explanation import Explanation, Token, explain, explanation_page, trace
from seqwise.explanation.page import picture
from seqwise.explanation.shading import shaded, strongest


def explanation(text, places, values):
    tokens = [Token(text[start:end], start, end) for start, end in places]
    return Explanation(text, tokens, np.array(values, float), "occlusion", "yes", 1.0, 0.0)


def test_the_pieces_are_the_text_with_signs_and_strengths():
    pieces = shaded(explanation("not  so good!", [(0, 3), (5, 7), (8, 12)], [-0.4, 0.01, 0.8]))
    assert [(piece.text, piece.level) for piece in pieces] == [
        ("not", -2),
        ("  ", 0),
        ("so", 0),
        (" ", 0),
        ("good", 4),
        ("!", 0),
    ]


def test_tokens_of_one_place_are_one_piece_and_a_text_may_be_cut():
    made = explanation("ﬁn de", [(0, 1), (0, 1), (1, 2), (3, 5)], [1.0, 2.0, -3.0, 1.0])
    assert [(piece.text, piece.value) for piece in shaded(made)] == [("ﬁ", 3.0), ("n", -3.0), (" ", None), ("de", 1.0)]
    assert "".join(piece.text for piece in shaded(made, 4)) == "ﬁn d"


def test_the_strongest_are_in_the_order_of_the_text():
    assert strongest(explanation("a b c", [(0, 1), (2, 3), (4, 5)], [0.5, 0.1, -0.9]), 2) == [0, 2]


def test_a_page_holds_everything_and_believes_nothing():
    text = "<script>alert(1)</script> the cat & mat"
    predictor = classifier(["<b>", "x"])
    page = explanation_page(
        explain(predictor, text),
        model="<i>",
        states=trace(predictor, text),
        neighbours=[(0.5, "<u>text</u>", "<b>")],
    )
    assert "<script" not in page
    assert not re.search(r"<(b|i|u)>(x|text)", page)
    assert "default-src 'none'" in page
    assert not re.search(r'(?:src|href)="(?!data:image/png)', page)
    plain = re.sub(
        r"<[^>]+>", "", page[page.index('<p class="text') : page.index("</p>", page.index('<p class="text'))]
    )
    assert plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") == text
    assert page.count("<img") == 2 * (2 + 4)  # two directions: h and c, and four gates
    assert all("Heat map of the" in alt for alt in re.findall(r'alt="([^"]*)"', page))


def test_pages_of_frames_taggers_and_language_models():
    framed = classifier(frames=FRAMES, architecture="recurrent")
    assert "0.02 s" in explanation_page(explain(framed, FRAMES[0]), states=trace(framed, FRAMES[0]))
    assert ">cat</bdi>?</h1>" in explanation_page(explain(language_model(), "the cat sat", position=1))
    assert 'at <bdi dir="auto">Bonn</bdi>?</h1>' in explanation_page(explain(tagger(), "in Bonn", position=1))


@pytest.mark.parametrize("values", [np.zeros((3, 2)), np.array([[1.0, -2.0]])])
def test_a_picture_has_a_pixel_for_every_value(values):
    import base64
    import io

    from matplotlib.image import imread

    source = picture(values)
    pixels = imread(io.BytesIO(base64.b64decode(source.split(",")[1])), format="png")
    assert pixels.shape == (*values.T.shape, 4)
    largest = np.abs(values).max() or 1.0
    np.testing.assert_allclose(pixels[..., 3], np.abs(values.T) / largest, atol=1 / 255)

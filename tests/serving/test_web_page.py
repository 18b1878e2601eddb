"""The page's files and the card: headers under which nothing foreign runs, and nothing foreign in the HTML."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fastapi.testclient import TestClient

from seqwise.embeddings import WordVectors
from seqwise.serving.application import create_app
from seqwise.serving.card import render_card
from seqwise.serving.page import FOLDER, KINDS, page_files
from seqwise.serving.settings import ServerSettings


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    file = tmp_path_factory.mktemp("vectors") / "words.vec"
    WordVectors(["one", "two", "three"], np.eye(3)).save(file)
    return file


@pytest.fixture(scope="module")
def client(vectors):
    with TestClient(create_app({"words": vectors}, ServerSettings())) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/docs", "/page/main.js", "/page/style.css", "/page/icon.svg"])
def test_files_come_with_headers_that_let_nothing_foreign_in(client, path):
    answer = client.get(path)

    assert answer.status_code == 200
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/page/main.js"])
def test_a_browser_that_has_a_file_gets_it_no_second_time(client, path):
    first = client.get(path)
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    other = client.get(path, headers={"if-none-match": '"something else"'})

    assert again.status_code == 304
    assert again.content == b""
    assert again.headers["etag"] == first.headers["etag"]
    assert (other.status_code, other.content) == (200, first.content)


@pytest.mark.parametrize(
    "path",
    ["/page/../page.py", "/page/%2e%2e/page.py", "/page/", "/page/none.js", "/page/..%2fcard.py", "/page/index.html"],
)
def test_no_path_reaches_another_file(client, path):
    assert client.get(path).status_code == 404


def test_every_file_of_the_folder_is_known():
    assert {path.name for path in FOLDER.iterdir()} == set(page_files())
    assert {path.suffix for path in FOLDER.iterdir()} == set(KINDS)


@pytest.mark.parametrize("name", sorted(page_files()))
def test_no_file_loads_anything_from_elsewhere(name):
    text = page_files()[name].content.decode()
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"'`]*", text))

    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, which nothing is loaded from
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


@pytest.mark.parametrize("name", [name for name in sorted(page_files()) if name.endswith(".html")])
def test_there_is_no_script_or_style_within_the_html(name):
    text = page_files()[name].content.decode()

    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=", text)


def test_without_the_page_there_is_the_card_still(vectors):
    with TestClient(create_app({"words": vectors}, ServerSettings(no_page=True))) as client:
        assert client.get("/").status_code == 404
        assert client.get("/models/words").json()["card"] == ""
        assert client.get("/models/none").status_code == 404


class Elements(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes


HOSTILE = [
    "<script>alert(1)</script>",
    "text <img src=x onerror=alert(1)> more",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a](data:text/html,<script>alert(1)</script>)",
    "![a](https://elsewhere.example/p.png)",
    "![a](javascript:alert(1))",
    '<https://a.example/"onmouseover="alert(1)>',
    '[a](https://a.example "x\\" onmouseover=alert(1)")',
    "# <svg onload=alert(1)>",
    "| <b>a</b> |\n|---|\n| <iframe src=x> |",
    '```"><script>\n<script>alert(1)</script>\n```',
    "&lt;script&gt; &#60;script&#62;",
    "<!-- --><style>*{display:none}</style>",
]


@pytest.mark.parametrize("card", HOSTILE)
def test_a_card_can_only_be_read(card):
    html = Elements(render_card(card))

    assert not set(html.tags) & {"script", "img", "svg", "iframe", "style", "b", "form", "object"}
    assert not [name for name, _ in html.attributes if name.startswith("on") or name == "style"]
    for name, value in html.attributes:
        if name in ("href", "src"):
            assert value.startswith(("https://", "http://", "mailto:"))


def test_a_card_has_its_tables_lists_and_links():
    html = render_card("# Title\n\n| a | b |\n|---|---:|\n| x | 1.5 |\n\n- one\n\n[here](https://example.org)\n")

    assert "<h2>Title</h2>" in html
    assert '<td class="number">1.5</td>' in html
    assert "<li>one</li>" in html
    assert 'rel="noopener noreferrer nofollow"' in html


def test_front_matter_is_left_out():
    assert "license" not in render_card("---\nlicense: mit\n---\n# Title\n")
    assert "---" not in render_card("---\nlicense: mit\n---\n# Title\n")

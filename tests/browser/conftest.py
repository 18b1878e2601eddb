"""A browser, and servers whose page it looks at. Without playwright or Chromium these tests are skipped."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "serving"))

from live_server import Here
from served_models import build

from seqwise import SequenceClassifier
from seqwise.embeddings import WordVectors

PATIENCE = 30_000  # milliseconds: a machine may have much else to do
FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",  # a microphone that beeps
]
SERVED = ("classifier", "labels", "tagger", "language", "generator", "musician", "sounds", "forecaster", "regressor")
SERVED += ("translator", "transcriber", "frames", "columns")
WORDS = ("king", "queen", "man", "woman", "apple", "pear")
HOSTILE = '<img src=x onerror="window.broken=1">'
CARD = f"""# Cards are read, not run

{HOSTILE} <script>window.broken = 1</script> [here](javascript:window.broken=1) [there](https://example.org)

| figure | value |
|---|---:|
| accuracy | 0.9 |
"""


def chromium() -> str:
    """Where the browser is."""
    named = os.environ.get("SEQWISE_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("there is no Chromium: make test-browser installs it, or SEQWISE_CHROMIUM names it")
    return found


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Models of every task; some have classes and cards that strangers wrote."""
    pytest.importorskip("playwright", reason="there is no playwright: make test-browser installs it")
    chromium()
    home = tmp_path_factory.mktemp("models")
    made = build(home, SERVED)
    texts = [name * (1 + place % 3) for place, name in enumerate(["ab", "ba", "cd", "dc"] * 8)]
    classes = [HOSTILE if set(text) <= {"a", "b"} else "safe & sound" for text in texts]
    settings = {"unit": "characters", "architecture": "recurrent", "bidirectional": False, "pooling": "last"}
    stream = SequenceClassifier(**settings, hidden_size=6, embedding_size=5, dropout=0.0, epochs=2, device="cpu")
    stream.fit(texts, classes).save(home / "stream")
    (home / "stream" / "README.md").write_text(CARD)
    WordVectors(WORDS, np.random.default_rng(3).normal(size=(len(WORDS), 5))).save(home / "words.safetensors")
    return {**made, "stream": home / "stream", "words": home / "words.safetensors"}


@pytest.fixture(scope="session")
def server(folders):
    """A server of all models, which no test stops."""
    here = Here(folders, no_page=False)
    yield here
    here.stop()


@pytest.fixture(scope="module")
def browser(folders):
    # For a module, not for all of them: while it lives no test of the same process can run an event loop of its own.
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        expect.set_options(timeout=PATIENCE)
        opened = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def open_page(browser):
    """Open a page of a server; whatever the browser complains of fails the test at its end."""
    contexts, complaints = [], []

    def complain(message):
        # A request that fails is reported by the browser too, whatever the page makes of it.
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            complaints.append(message.text)

    def opened(url, place="", **options):
        context = browser.new_context(
            **{"viewport": {"width": 1240, "height": 860}, "accept_downloads": True} | options
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("console", complain)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{url}#{place}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


@pytest.fixture
def look(open_page, server):
    """Open a tab of a model: look("tagger/explain")."""

    def at(place, **options):
        page = open_page(server.url, place, **options)
        page.locator("[role=tab][aria-selected=true]").wait_for()
        return page

    return at

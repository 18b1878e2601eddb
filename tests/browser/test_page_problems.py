"""When something is wrong the page says what, and what can be done."""

import httpx
import pytest
from live_server import Here
from looking import panel, press, said, tab_names, text_box

playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright: make test-browser installs it")
expect = playwright.expect

KEY = "a-key-of-sixteen-or-more-signs"


def test_a_server_that_has_stopped_is_said_and_asked_again(open_page, folders):
    here = Here({"classifier": folders["classifier"]}, no_page=False)
    try:
        page = open_page(here.url, "classifier/predict")
        text_box(page).fill("good film")
        expect(said(page)).to_be_visible()
    finally:
        here.stop()
    text_box(page).fill("bad film")

    alert = panel(page).get_by_role("alert")
    expect(alert).to_contain_text("The server cannot be reached.")
    expect(said(page)).to_be_hidden()
    body = {"model": "classifier", "label": "bad", "probability": 0.9, "probabilities": {"bad": 0.9, "good": 0.1}}
    page.route("**/predict", lambda route: route.fulfill(json=body))  # it is back
    press(page, "Try again")
    expect(said(page)).to_have_text("bad")
    expect(alert).to_be_empty()


def test_what_the_server_refuses_is_said_with_the_field(look):
    page = look("classifier/predict")
    text_box(page).fill("x" * 10_001)
    expect(panel(page).get_by_role("alert")).to_contain_text("Too long")
    expect(panel(page).get_by_role("alert")).to_contain_text("10,000")
    text_box(page).fill("good film")
    panel(page).get_by_text("Options").click()
    panel(page).get_by_role("spinbutton", name="good", exact=True).fill("0.9")
    expect(panel(page).get_by_role("alert")).to_contain_text("priors")
    panel(page).get_by_role("spinbutton", name="bad", exact=True).fill("0.1")
    expect(panel(page).get_by_role("alert")).to_be_empty()
    expect(said(page)).to_be_visible()


def test_a_busy_server_is_asked_again_by_itself(look):
    page = look("classifier/predict")
    refused = []

    def busy(route):
        if len(refused) == 2:
            route.continue_()
            return
        refused.append(route)
        route.fulfill(status=429, headers={"retry-after": "1"}, json={"status": 429, "title": "Too Many Requests"})

    page.route("**/predict", busy)
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()
    assert len(refused) == 2


def test_an_error_of_the_server_is_no_riddle(look):
    page = look("classifier/predict")
    page.route("**/predict", lambda route: route.fulfill(status=500, body="<html>nonsense</html>"))
    text_box(page).fill("good film")
    expect(panel(page).get_by_role("alert")).to_contain_text("The server could not answer")
    expect(panel(page).get_by_role("alert")).not_to_contain_text("nonsense")


@pytest.fixture
def locked(folders, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(KEY + "\n")
    keys.chmod(0o600)
    chosen = {name: folders[name] for name in ("classifier", "stream")}
    here = Here(chosen, no_page=False, api_key_file=keys)
    yield here
    here.stop()


def give_key(page, value):
    box = page.get_by_label("Key", exact=True)
    expect(box).to_be_focused()
    box.fill(value)
    box.press("Enter")


def test_a_key_is_asked_for_refused_if_wrong_and_kept_for_this_tab_only(open_page, locked):
    page = open_page(locked.url)
    expect(page.get_by_role("dialog", name="API key")).to_be_visible()
    give_key(page, "wrong")
    expect(page.get_by_role("dialog").get_by_role("alert")).to_contain_text("does not know this key")
    give_key(page, KEY)
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.get_by_role("heading", level=1)).to_have_text("classifier")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()

    assert page.evaluate("JSON.stringify(localStorage)") == "{}"
    assert page.evaluate("Object.values(sessionStorage)") == [KEY]
    assert KEY not in page.url
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("classifier")


def test_streams_work_with_a_key(open_page, locked):
    page = open_page(locked.url, "stream/stream")
    give_key(page, KEY)
    text_box(page, "What comes next").fill("abc")
    press(page, "Feed all")

    expect(panel(page).get_by_text("3 steps", exact=True)).to_be_visible()
    expect(panel(page).get_by_role("status")).to_contain_text("by WebSocket")


def test_examples_show_where_the_key_goes_and_not_the_key(open_page, locked):
    page = open_page(locked.url, "classifier/api")
    give_key(page, KEY)
    expect(panel(page).get_by_role("region", name="An answer", exact=True)).to_contain_text("Bearer $KEY")
    assert KEY not in page.content()


def test_without_websockets_a_stream_goes_on_by_requests(look):
    page = look("stream/none")
    page.route_web_socket("**/stream", lambda socket: socket.close())
    page.get_by_role("tab", name="Stream").click()
    text_box(page, "What comes next").fill("abc")
    press(page, "Feed all")

    expect(panel(page).get_by_text("3 steps", exact=True)).to_be_visible()
    expect(panel(page).get_by_role("status")).to_contain_text("by HTTP")


def test_a_session_that_is_gone_is_said(look, server):
    page = look("stream/stream")
    opened = []
    page.on("websocket", lambda socket: opened.append(socket.url))
    text_box(page, "What comes next").fill("abc")
    press(page, "Feed one step")
    expect(panel(page).get_by_text("1 step", exact=True)).to_be_visible()
    session = opened[0].split("/")[-2]
    assert httpx.delete(f"{server.url}/sessions/{session}").status_code == 204
    press(page, "Feed one step")

    expect(panel(page).get_by_role("alert")).to_contain_text("forgotten this session")
    press(page, "Start over")
    press(page, "Feed one step")
    expect(panel(page).get_by_text("1 step", exact=True)).to_be_visible()


def test_a_place_that_is_not_there_shows_the_first_one(look):
    page = look("no-such-model/no-such-tab")
    expect(page.get_by_role("heading", level=1)).to_have_text("classifier")
    assert tab_names(page)[0] == "Classify"
    expect(page.get_by_role("tab", name="Classify")).to_have_attribute("aria-selected", "true")

"""The page for everybody: axe finds nothing, the keyboard is enough, a phone's width is, and both themes are."""

import pytest
from looking import choose_tab, panel, press, said, tab_names, text_box, until

playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright: make test-browser installs it")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="there is no axe: make test-browser installs it"
)
expect = playwright.expect

MODELS = [
    "classifier",
    "tagger",
    "language",
    "generator",
    "sounds",
    "forecaster",
    "regressor",
    "translator",
    "stream",
    "words",
]
PHONE = {"width": 360, "height": 740}


def violations(page):
    found = axe.Axe().run(page).response["violations"]
    return [f"{of['id']}: {node['target']} {node['failureSummary']}" for of in found for node in of["nodes"]]


def fill(page, model, tab):
    """Something to see on a tab."""
    if tab in ("Classify", "Tag", "Estimate", "Translate", "Explain", "State", "Score"):
        boxes = panel(page).get_by_role("textbox")
        if model in ("sounds", "forecaster"):
            return
        for place in range(boxes.count()):
            boxes.nth(place).fill("Anna sees a good red film")
        expect(panel(page).locator(".answer").first).to_be_visible()
    elif tab == "Generate":
        press(page, "Generate")
        expect(panel(page).get_by_role("status")).to_contain_text("seed")
    elif tab == "Stream" and model == "stream":
        text_box(page, "What comes next").fill("abcd")
        press(page, "Feed all")
        expect(panel(page).get_by_text("4 steps", exact=True)).to_be_visible()
    elif tab == "Batch":
        file = {"name": "a.csv", "mimeType": "text/csv", "buffer": b"text,n\na good film,1\nbad,2\n"}
        panel(page).locator("input[type=file]").set_input_files([file])
        press(page, "Answer all rows")
        expect(panel(page).get_by_role("status").get_by_text("2 rows answered.")).to_be_visible()
    for details in panel(page).locator("details:not([open]) > summary").all():
        if details.is_visible():
            details.click()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("model", MODELS)
def test_axe_finds_nothing_on_any_tab(look, model, theme):
    page = look(f"{model}/none", color_scheme=theme, reduced_motion="reduce")
    for tab in tab_names(page):
        choose_tab(page, tab)
        fill(page, model, tab)
        assert violations(page) == [], tab


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_where_something_is_wrong(look, theme):
    page = look("classifier/predict", color_scheme=theme)
    text_box(page).fill("x" * 10_001)
    expect(panel(page).get_by_role("alert")).to_contain_text("Too long")
    assert violations(page) == []
    page.evaluate("document.dispatchEvent(new CustomEvent('key-wanted'))")
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_on_the_page_of_the_api(open_page, server, theme):
    page = open_page(server.url + "/docs", color_scheme=theme)
    expect(page.get_by_role("heading", name="POST /predict", exact=True)).to_be_visible()
    page.locator("summary").first.click()
    assert violations(page) == []


def test_the_api_can_be_tried_where_it_is_described(open_page, server):
    page = open_page(server.url + "/docs")
    place = page.locator(".operation", has=page.get_by_role("heading", name="POST /predict", exact=True))
    place.get_by_text("Try it").click()
    place.get_by_label("Body").fill('{"model": "classifier", "text": "good film"}')
    place.get_by_role("button", name="Send").click()

    expect(place.get_by_role("status")).to_contain_text("200")
    expect(place.get_by_role("region", name="What came back")).to_contain_text('"label"')


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_wider_than_a_phone(look, model):
    page = look(f"{model}/none", viewport=PHONE, has_touch=True, is_mobile=True)
    for tab in tab_names(page):
        choose_tab(page, tab)
        fill(page, model, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], tab


def test_on_a_phone_what_is_pressed_is_large_enough_and_typing_does_not_zoom(look):
    page = look("classifier/predict", viewport=PHONE, has_touch=True, is_mobile=True)
    for control in page.locator("button:visible, select:visible").all():
        box = control.bounding_box()
        assert min(box["width"], box["height"]) >= 24, control.evaluate("of => of.outerHTML")
    assert float(text_box(page).evaluate("of => parseFloat(getComputedStyle(of).fontSize)")) >= 16


def brightness(page):
    red, green, blue = page.evaluate("getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number)")[
        :3
    ]
    return (red + green + blue) / 3


def test_the_theme_is_that_of_the_system_until_one_chooses(look):
    page = look("classifier/predict", color_scheme="dark")
    assert brightness(page) < 60
    page.emulate_media(color_scheme="light")
    assert brightness(page) > 200

    switch = page.get_by_role("button", name="Theme")
    switch.click()
    expect(switch).to_have_accessible_name("Theme: light")
    switch.click()
    expect(switch).to_have_accessible_name("Theme: dark")
    assert brightness(page) < 60
    page.reload()
    expect(switch).to_have_accessible_name("Theme: dark")
    assert brightness(page) < 60
    switch.click()
    expect(switch).to_have_accessible_name("Theme: as the system")
    assert brightness(page) > 200


def test_the_heat_map_is_drawn_anew_in_another_theme(look):
    page = look("stream/state")
    text_box(page).fill("abcd")
    expect(panel(page).locator(".readout")).to_contain_text("step 1 of 4")
    canvas = panel(page).get_by_role("application")
    before = canvas.evaluate("of => of.toDataURL()")
    page.emulate_media(color_scheme="dark")

    until(page, lambda: canvas.evaluate("of => of.toDataURL()") != before)


def test_who_wants_less_motion_gets_none(look):
    page = look("classifier/predict", reduced_motion="reduce")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()
    moving = "of => getComputedStyle(of, '::before').transitionDuration"

    assert panel(page).locator(".track").first.evaluate(moving) == "0s"


def test_the_keyboard_is_enough(look):
    page = look("classifier/predict")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Model", exact=True)).to_be_focused()
    page.get_by_role("tab", name="Classify").focus()
    page.keyboard.press("Tab")
    expect(text_box(page)).to_be_focused()
    page.keyboard.type("good film")
    expect(said(page)).to_be_visible()

    page.get_by_role("tab", name="Classify").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Explain")).to_be_focused()
    expect(page.get_by_role("tab", name="Explain")).to_have_attribute("aria-selected", "true")
    expect(said(page)).to_be_visible()
    page.keyboard.press("End")
    expect(page.get_by_role("tab", name="Use it")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="Classify")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Home")
    expect(page.get_by_role("tab", name="Classify")).to_be_focused()
    assert page.locator("[role=tab][tabindex='0']").count() == 1


def test_the_way_of_the_tab_key_shows_where_one_is(look):
    page = look("classifier/explain")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()
    page.locator("body").focus()
    seen = set()
    for _ in range(30):
        page.keyboard.press("Tab")
        name, shown = page.evaluate(
            """() => {
              const of = document.activeElement;
              const next = of.nextElementSibling ?? of;
              const lines = [of, next].map((at) => getComputedStyle(at).outlineStyle);
              const shown = of === document.body || lines.some((line) => line !== "none");
              return [of.tagName + of.id + of.textContent.slice(0, 20), shown];
            }"""
        )
        assert shown, name
        seen.add(name)
    assert len(seen) > 10


def test_answers_are_told_to_screen_readers(look):
    page = look("classifier/predict")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()
    status = panel(page).get_by_role("status").first

    expect(status).to_contain_text(said(page).inner_text())

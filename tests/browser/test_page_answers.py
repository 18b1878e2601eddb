"""What somebody gives to a model on the page, and the answer that stands beside it."""

import contextlib
import io
import json
import re
import wave

import httpx
import numpy as np
import pytest
from looking import choose_tab, figure, panel, press, said, tab_names, text_box, until

playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright: make test-browser installs it")
expect = playwright.expect


def of_api(server, **body):
    return httpx.post(f"{server.url}/predict", json=body).json()


def test_the_answer_comes_while_one_types_and_is_the_servers(look, server):
    page = look("classifier/predict")
    box = text_box(page)
    box.press_sequentially("good film")

    answer = of_api(server, model="classifier", text="good film")
    expect(said(page)).to_have_text(answer["label"])
    for name, share in answer["probabilities"].items():
        bar = panel(page).locator(f'.bars li[data-class="{name}"]')
        expect(bar.locator(".value")).to_have_text(f"{100 * share:.1f}%")
    expect(panel(page).locator(".bars .chosen .name")).to_contain_text(answer["label"])


def test_thresholds_are_marked_where_they_are(look, server):
    page = look("classifier/predict")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()

    (model,) = [of for of in httpx.get(f"{server.url}/models").json()["models"] if of["name"] == "classifier"]
    for name, threshold in model["thresholds"].items():
        track = panel(page).locator(f'.bars li[data-class="{name}"] .track')
        expect(track).to_have_class("track marked")
        assert float(track.evaluate("of => of.style.getPropertyValue('--threshold')")) == pytest.approx(threshold)


def test_a_model_that_is_not_sure_enough_gives_no_answer(look):
    page = look("classifier/predict")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()
    panel(page).get_by_text("Options").click()
    panel(page).get_by_role("spinbutton", name="No answer below").fill("0.9999")

    expect(said(page)).to_have_text("No answer")
    expect(panel(page).locator(".bars .chosen")).to_have_count(0)


def test_an_old_answer_never_replaces_a_newer_one(look):
    page = look("classifier/predict")
    held = []

    def slow(route):
        text = json.loads(route.request.post_data)["text"]
        if text == "first":
            held.append(route)  # answered when the second has been
        else:
            body = {
                "model": "classifier",
                "label": text,
                "probability": 0.9,
                "probabilities": {text: 0.9, "other": 0.1},
            }
            route.fulfill(json=body)

    page.route("**/predict", slow)
    box = text_box(page)
    box.fill("first")
    until(page, lambda: held)
    box.fill("second")
    expect(said(page)).to_have_text("second")
    late = {"model": "classifier", "label": "first", "probability": 0.9, "probabilities": {"first": 0.9, "other": 0.1}}
    with contextlib.suppress(playwright.Error):  # the page has given the request up
        held[0].fulfill(json=late)
    expect(said(page)).to_have_text("second")
    box.fill("third")
    expect(said(page)).to_have_text("third")


def test_clearing_the_text_clears_the_answer(look):
    page = look("classifier/predict")
    text_box(page).fill("good film")
    expect(said(page)).to_be_visible()
    press(page, "Clear")

    expect(said(page)).to_be_hidden()
    expect(panel(page).get_by_text("The answer appears here while you type.")).to_be_visible()


def test_each_model_has_the_tabs_of_what_it_can_do(look):
    page = look("classifier/predict")
    expected = {
        "classifier": {"Classify", "Explain", "State", "Batch", "Model card", "Use it"},
        "stream": {"Classify", "Explain", "State", "Stream", "Batch", "Model card", "Use it"},
        "tagger": {"Tag", "Explain", "State", "Batch", "Model card", "Use it"},
        "language": {"Generate", "Score", "Explain", "State", "Stream", "Model card", "Use it"},
        "generator": {"Generate", "Model card", "Use it"},
        "words": {"Embeddings", "Use it"},
    }
    for model, tabs in expected.items():
        page.get_by_label("Model", exact=True).select_option(model)
        expect(page.get_by_role("heading", level=1)).to_have_text(model)
        assert set(tab_names(page)) == tabs, model


def test_a_text_goes_with_one_from_tab_to_tab_and_each_model_keeps_its_own(look):
    page = look("classifier/predict")
    text_box(page).fill("a good plot")
    choose_tab(page, "Explain")
    expect(text_box(page)).to_have_value("a good plot")
    page.get_by_label("Model", exact=True).select_option("tagger")
    expect(text_box(page)).to_have_value("")
    page.get_by_label("Model", exact=True).select_option("classifier")
    expect(text_box(page)).to_have_value("a good plot")


def test_the_address_names_model_and_tab(look, server):
    page = look("tagger/batch")
    expect(page.get_by_role("tab", name="Batch")).to_have_attribute("aria-selected", "true")
    choose_tab(page, "Model card")
    assert page.url == f"{server.url}/#tagger/card"


def test_labels_are_told_that_reach_their_thresholds(look, server):
    page = look("labels/predict")
    text_box(page).fill("what a good and long story")
    answer = of_api(server, model="labels", text="what a good and long story")

    expect(said(page)).to_have_text(", ".join(answer["labels"]) or "No label")
    expect(panel(page).locator(".bars .chosen")).to_have_count(len(answer["labels"]))


def test_entities_are_marked_where_they_stand_behind_signs_of_two_units_too(look, server):
    page = look("tagger/predict")
    text = "🙂 the dog sees Anna in Rome today 🙂 Anna"
    text_box(page).fill(text)
    answer = of_api(server, model="tagger", text=text)

    marked = panel(page).locator("p.marked")
    expect(marked).to_be_visible()
    expect(panel(page).locator("mark")).to_have_count(len(answer["entities"]))
    for place, entity in enumerate(answer["entities"]):
        assert text[entity["start"] : entity["end"]] == entity["word"]
        expect(panel(page).locator("mark").nth(place)).to_have_text(entity["word"] + entity["entity_group"])


def test_names_of_classes_are_shown_and_never_run(look):
    page = look("stream/predict")
    text_box(page).fill("abab")
    expect(said(page)).to_be_visible()
    shown = panel(page).locator(".bars .name").all_text_contents()

    assert any(name.startswith("<img src=x onerror=") for name in shown)
    for tab in ("Explain", "State", "Stream", "Batch", "Model card", "Use it"):
        choose_tab(page, tab)
        expect(panel(page).locator("section").first).to_be_visible()
    assert page.evaluate("window.broken") is None
    assert page.locator("main img").count() == 0


def test_translations_come_with_a_beam(look, server):
    page = look("translator/predict")
    text_box(page).fill("a red dog sleeps")
    expect(panel(page).locator(".said")).to_have_text(
        of_api(server, model="translator", text="a red dog sleeps")["translation"]
    )
    panel(page).get_by_text("Options").click()
    panel(page).get_by_role("spinbutton", name="Beam").fill("4")
    panel(page).get_by_role("spinbutton", name="Answers").fill("3")

    rows = panel(page).get_by_role("region", name="Translations, best first").locator("tbody tr")
    expect(rows).to_have_count(
        len(of_api(server, model="translator", text="a red dog sleeps", beam=4, n_best=3)["answers"])
    )


def test_numbers_are_told(look, server):
    page = look("regressor/predict")
    text_box(page).fill("a good film")
    ((name, value),) = of_api(server, model="regressor", text="a good film")["values"].items()

    expect(panel(page).locator(".scale-head")).to_contain_text(name)
    expect(panel(page).locator(".scale-head strong")).to_have_text(figure(value))


def test_forecasts_are_drawn_and_listed(look):
    page = look("forecaster/predict")
    text_box(page, "Series").fill("\n".join(f"{np.sin(i / 2):.3f}, {5 + np.cos(i / 3):.3f}" for i in range(40)))
    expect(panel(page).get_by_role("img").last).to_be_visible()
    panel(page).get_by_text("The numbers").click()

    expect(panel(page).get_by_role("region", name="Forecast").locator("tbody tr")).to_have_count(4)
    panel(page).get_by_text("Options").click()
    panel(page).get_by_role("spinbutton", name="Steps ahead").fill("9")
    expect(panel(page).get_by_role("region", name="Forecast").locator("tbody tr")).to_have_count(9)


def test_what_is_no_number_is_said(look):
    page = look("frames/predict")
    text_box(page, "Frames").fill("1, 2, three")
    expect(panel(page).get_by_role("alert")).to_contain_text("not all numbers")


def test_several_columns_have_a_box_each(look, server):
    page = look("columns/predict")
    text_box(page, "title").fill("good film")
    text_box(page, "body").fill("a good story")
    answer = of_api(server, model="columns", fields={"title": "good film", "body": "a good story"})

    expect(said(page)).to_have_text(answer["label"])


def a_sound(rate=8000, seconds=0.4):
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        samples = 9000 * np.sin(np.arange(int(rate * seconds)) / 7)
        file.writeframes(samples.astype("<i2").tobytes())
    return content.getvalue()


def test_a_sound_is_opened_and_answered(look):
    page = look("sounds/predict")
    panel(page).locator("input[type=file]").set_input_files(
        [{"name": "tone.wav", "mimeType": "audio/wav", "buffer": a_sound()}]
    )

    expect(panel(page).get_by_text("tone.wav: 0.400 seconds")).to_be_visible()
    expect(said(page)).to_have_text(re.compile("^(on|off)$"))


def test_what_is_no_sound_is_refused_in_words(look):
    page = look("sounds/predict")
    panel(page).locator("input[type=file]").set_input_files(
        [{"name": "tone.wav", "mimeType": "audio/wav", "buffer": b"no sound"}]
    )

    expect(panel(page).get_by_role("alert")).to_contain_text("cannot read this sound")


def test_a_recording_is_answered(look):
    page = look("sounds/predict", permissions=["microphone"])
    press(page, "Record")
    expect(panel(page).get_by_role("button", name="Stop recording")).to_be_visible()
    page.wait_for_function("begun => performance.now() > begun + 500", arg=page.evaluate("performance.now()"))
    press(page, "Stop recording")

    expect(panel(page).get_by_text("recording: ")).to_be_visible()
    expect(said(page)).to_be_visible()

"""The other tabs of the page: explanations, states, scores, generation, streams, vectors, the card, examples."""

import json
import re
import shlex
import subprocess

import httpx
import pytest
from looking import MINUS, choose_tab, figure, panel, press, said, tab_names, text_box, until

playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright: make test-browser installs it")
expect = playwright.expect

TEXT = "a good 🙂 film"


def test_tokens_are_shaded_by_what_they_did_and_signs_tell_it_without_colour(look, server):
    page = look("classifier/explain")
    text_box(page).fill(TEXT)
    answer = httpx.post(f"{server.url}/explain", json={"model": "classifier", "text": TEXT}).json()

    expect(said(page)).to_have_text(answer["target"])
    shaded = panel(page).locator("p.shaded")
    assert shaded.text_content() == TEXT
    most = max(abs(token["value"]) for token in answer["tokens"])
    for token in answer["tokens"]:
        if abs(token["value"]) < 0.05 * most:
            continue
        side = "for" if token["value"] > 0 else "against"
        shown = shaded.locator(f".token.{side}", has_text=TEXT[token["start"] : token["end"]]).first
        sign = "+" if token["value"] > 0 else MINUS
        expect(shown).to_have_attribute("title", f"{shown.text_content()}: {sign}{figure(abs(token['value']))}")
    against = panel(page).locator(".legend .against")
    assert against.evaluate("of => getComputedStyle(of).borderBottomStyle") == "dashed"


def test_the_method_and_what_is_explained_can_be_chosen(look):
    page = look("classifier/explain")
    asked = []
    page.on("request", lambda request: request.url.endswith("/explain") and asked.append(json.loads(request.post_data)))
    text_box(page).fill(TEXT)
    expect(said(page)).to_be_visible()
    panel(page).get_by_text("Occlusion", exact=True).click()
    until(page, lambda: asked[-1]["method"] == "occlusion")
    panel(page).get_by_label("Explain", exact=True).select_option("bad")

    expect(said(page)).to_have_text("bad")
    assert asked[-1] == {"model": "classifier", "text": TEXT, "method": "occlusion", "target": "bad"}


def test_the_state_is_a_map_that_keys_move_over(look, server):
    page = look("stream/state")
    text_box(page).fill("abcd")
    answer = httpx.post(f"{server.url}/trace", json={"model": "stream", "text": "abcd"}).json()
    layer = answer["layers"][0]
    readout = panel(page).locator(".readout")

    expect(readout).to_contain_text("step 1 of 4")
    panel(page).get_by_role("application").focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(readout).to_contain_text(f"step 3 of 4, unit {layer['units'][1]}")
    for kind in ("states", "gates"):
        for name, rows in layer[kind].items():
            row = readout.locator("div", has=page.get_by_text(f"{kind[:-1]} {name}", exact=True)).last
            expect(row.locator("dd")).to_have_text(figure(rows[2][1]))
    page.keyboard.press("End")
    expect(readout).to_contain_text("step 4 of 4")
    page.keyboard.press("Home")
    expect(readout).to_contain_text("step 1 of 4")


def test_the_state_can_be_pointed_at_and_drawn_in_other_quantities(look, server):
    page = look("stream/state")
    text_box(page).fill("abcd")
    canvas = panel(page).get_by_role("application")
    expect(canvas).to_be_visible()
    expect(panel(page).locator(".readout")).to_contain_text("step 1 of 4")
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 0.9 * box["width"], box["y"] + 3)
    expect(panel(page).locator(".readout")).to_contain_text("step 4 of 4")

    picture = "of => of.toDataURL()"
    before = canvas.evaluate(picture)
    panel(page).get_by_label("Show").select_option(label="gate f")
    assert canvas.evaluate(picture) != before
    expect(panel(page).locator(".readout .current dt")).to_have_text("gate f")


def test_the_state_is_a_table_too(look, server):
    page = look("stream/state")
    text_box(page).fill("abcd")
    expect(panel(page).locator(".readout")).to_contain_text("step 1 of 4")
    panel(page).get_by_text("As a table").click()
    layer = httpx.post(f"{server.url}/trace", json={"model": "stream", "text": "abcd"}).json()["layers"][0]

    rows = panel(page).get_by_role("region", name="Activations as a table").locator("tbody tr")
    expect(rows).to_have_count(4)
    first = next(iter(layer["states"].values()))
    assert rows.nth(2).locator("td.number").all_text_contents() == [figure(value) for value in first[2]]


def test_texts_are_scored_and_their_symbols_shaded(look, server):
    page = look("language/score")
    text_box(page).fill("a good film")
    answer = httpx.post(f"{server.url}/score", json={"model": "language", "text": "a good film"}).json()

    expect(said(page)).to_have_text(figure(answer["perplexity"]))
    expect(panel(page).locator("p.shaded .token")).to_have_count(len(answer["tokens"]))


def test_a_text_is_generated_piece_by_piece(look, server):
    page = look("language/generate")
    text_box(page, "Prompt").fill("a good")
    panel(page).get_by_role("slider", name="Temperature").fill("0.5")
    panel(page).get_by_role("spinbutton", name="At most").fill("12")
    panel(page).get_by_role("spinbutton", name="Seed").fill("7")
    press(page, "Generate")

    expect(panel(page).get_by_role("status")).to_contain_text("seed 7")
    body = {"model": "language", "prompt": "a good", "temperature": 0.5, "max_tokens": 12, "seed": 7, "stream": False}
    answer = httpx.post(f"{server.url}/generate", json=body).json()
    assert panel(page).locator(".paper").text_content() == "a good" + answer["text"]


def test_generation_can_be_stopped(look):
    page = look("language/generate")
    page.route("**/generate", lambda route: None)  # an answer that never comes
    press(page, "Generate")
    stop = panel(page).get_by_role("button", name="Stop")
    expect(stop).to_be_enabled()
    stop.click()

    expect(panel(page).get_by_role("status")).to_have_text("Stopped after 0 pieces.")
    expect(stop).to_be_disabled()
    page.unroute("**/generate")
    press(page, "Generate")
    expect(panel(page).locator(".written")).not_to_be_empty()


def test_an_error_in_the_middle_of_a_text_is_said(look):
    page = look("language/generate")
    problem = {"type": "about:blank", "title": "Gateway Timeout", "status": 504, "detail": "time is over"}
    stream = f'data: {{"text": "half"}}\n\nevent: error\ndata: {json.dumps(problem)}\n\n'
    page.route("**/generate", lambda route: route.fulfill(body=stream, content_type="text/event-stream"))
    press(page, "Generate")

    expect(panel(page).get_by_role("alert")).to_contain_text("time is over")
    expect(panel(page).locator(".written")).to_have_text("half")


def test_a_condition_is_chosen_and_the_most_probable_text_asked_for(look, server):
    page = look("generator/generate")
    panel(page).get_by_label("Condition").select_option("cold")
    press(page, "Most probable")
    answer = httpx.post(f"{server.url}/predict", json={"model": "generator", "condition": "cold", "beam": 8}).json()

    expect(panel(page).get_by_role("status")).to_contain_text("most probable")
    assert panel(page).locator(".written").text_content() == answer["text"]


def test_music_is_drawn_as_it_comes(look):
    page = look("musician/generate")
    panel(page).get_by_role("spinbutton", name="At most").fill("20")
    press(page, "Generate")

    expect(panel(page).get_by_role("status")).to_contain_text("20 pieces")
    expect(panel(page).locator(".roll").get_by_text("Step 20")).to_be_visible()
    expect(panel(page).get_by_role("img")).to_have_accessible_name(re.compile(r"^20 steps, from \S+ to \S+$"))


def test_a_stream_is_answered_after_each_step_and_equals_the_whole(look, server):
    page = look("stream/stream")
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(json.loads(frame))))
    text_box(page, "What comes next").fill("abcd")
    press(page, "Feed one step")
    expect(panel(page).get_by_text("1 step", exact=True)).to_be_visible()
    expect(text_box(page, "What comes next")).to_have_value("bcd")
    press(page, "Feed all")
    expect(panel(page).get_by_text("4 steps", exact=True)).to_be_visible()

    assert [of["input"] for of in sent] == list("abcd")
    answer = httpx.post(f"{server.url}/predict", json={"model": "stream", "text": "abcd"}).json()
    expect(said(page)).to_have_text(answer["label"])
    rows = panel(page).locator(".bars li").all()
    shown = {row.get_attribute("data-class"): row.locator(".value").text_content() for row in rows}
    assert shown == {name: f"{100 * share:.1f}%" for name, share in answer["probabilities"].items()}


def test_a_stream_goes_on_from_a_saved_state(look, tmp_path):
    page = look("stream/stream")
    text_box(page, "What comes next").fill("abc")
    press(page, "Feed all")
    expect(panel(page).get_by_text("3 steps", exact=True)).to_be_visible()
    with page.expect_download() as saved:
        press(page, "Save the state")
    saved.value.save_as(tmp_path / "state")
    press(page, "Start over")
    expect(panel(page).get_by_text("0 steps", exact=True)).to_be_visible()
    panel(page).locator("input[type=file]").set_input_files(tmp_path / "state")

    expect(panel(page).get_by_text("3 steps", exact=True)).to_be_visible()
    text_box(page, "What comes next").fill("d")
    press(page, "Feed one step")
    expect(panel(page).get_by_text("4 steps", exact=True)).to_be_visible()


def test_words_lead_to_their_neighbours(look, server):
    page = look("words/embeddings")
    text_box(page, "Word").fill("king")
    answer = httpx.post(f"{server.url}/neighbours", json={"model": "words", "word": "king"}).json()["neighbours"]
    found = panel(page).locator(".words li")

    expect(panel(page).locator('.words li[data-word="king"]')).to_have_count(0)
    assert [of.get_attribute("data-word") for of in found.all()] == [of["word"] for of in answer]
    first = answer[0]["word"]
    found.first.get_by_role("button").click()
    expect(text_box(page, "Word")).to_have_value(first)
    expect(panel(page).locator(f'.words li[data-word="{first}"]')).to_have_count(0)
    expect(panel(page).locator('.words li[data-word="king"]')).to_have_count(1)


def test_an_analogy_is_completed(look, server):
    page = look("words/embeddings")
    for name, word in (("This word", "man"), ("is to", "king"), ("as this one", "woman")):
        text_box(page, name).fill(word)
    body = {"model": "words", "positive": ["king", "woman"], "negative": ["man"]}
    answer = httpx.post(f"{server.url}/analogy", json=body).json()["neighbours"]

    place = panel(page).get_by_role("region", name="Analogy")
    expect(place.locator(".words li")).to_have_count(len(answer))
    assert [of.get_attribute("data-word") for of in place.locator(".words li").all()] == [of["word"] for of in answer]


def test_an_unknown_word_is_named_with_one_like_it(look):
    page = look("words/embeddings")
    text_box(page, "Word").fill("kign")
    expect(panel(page).get_by_role("region", name="Neighbours").get_by_role("alert")).to_contain_text("king")


def test_the_card_is_read_and_not_run(look):
    page = look("stream/card")
    card = panel(page).locator("article")

    expect(card.get_by_role("heading", name="Cards are read, not run")).to_be_visible()
    expect(card).to_contain_text('<img src=x onerror="window.broken=1">')
    expect(card.get_by_role("cell", name="0.9")).to_have_class("number")
    assert card.locator("a").evaluate_all("all => all.map(of => of.getAttribute('href'))") == ["https://example.org"]
    assert card.locator("img, script").count() == 0
    assert page.evaluate("window.broken") is None


def test_the_examples_for_programs_work_as_they_stand(look):
    page = look("classifier/api")
    code = panel(page).get_by_role("region", name="An answer", exact=True).text_content()
    command = shlex.split(code.replace("\\\n", " "))

    assert command[0] == "curl"
    answer = json.loads(subprocess.run([*command, "--silent"], capture_output=True, check=True).stdout)
    assert answer["model"] == "classifier"
    assert "label" in answer


@pytest.mark.parametrize("model", ["classifier", "tagger", "language", "generator", "sounds", "forecaster", "words"])
def test_every_tab_of_a_model_opens_without_a_complaint(look, model):
    page = look(f"{model}/none")
    for name in tab_names(page):
        choose_tab(page, name)
        expect(panel(page).locator("section").first).to_be_visible()
        expect(panel(page).locator(".problem")).to_have_count(0)

"""The batch tab: a file is dropped, answered in parts, and its answers are taken away."""

import csv
import io
import json

import httpx
import pytest
from looking import panel, press, until

playwright = pytest.importorskip("playwright.sync_api", reason="there is no playwright: make test-browser installs it")
expect = playwright.expect

DROP = """(zone, [name, text]) => {
  const data = new DataTransfer();
  data.items.add(new File([text], name, { type: "text/csv" }));
  const options = { dataTransfer: data, bubbles: true, cancelable: true };
  for (const kind of ["dragover", "drop"]) zone.dispatchEvent(new DragEvent(kind, options));
}"""


def drop(page, name, text):
    panel(page).locator(".drop").evaluate(DROP, [name, text])
    expect(panel(page).get_by_text(name)).to_be_visible()
    expect(panel(page).get_by_role("button", name="Answer all rows")).to_be_enabled()


def written(rows, **options):
    file = io.StringIO()
    csv.writer(file, **options).writerows(rows)
    return file.getvalue()


def answers(page, tmp_path):
    """The file that the page gives."""
    with page.expect_download() as saved:
        press(page, "Download the answers")
    saved.value.save_as(tmp_path / "answers.csv")
    with open(tmp_path / "answers.csv", newline="", encoding="utf-8") as file:
        return saved.value.suggested_filename, list(csv.reader(file))


TEXTS = ["a good film", 'quotes "inside"', "a comma, here", "two\nlines", "ünïcödé 🙂", "a bad plot"]


def test_a_dropped_file_is_answered_row_for_row(look, server, tmp_path):
    page = look("classifier/batch")
    rows = [[str(place), TEXTS[place % len(TEXTS)]] for place in range(150)]  # more than one request has
    drop(page, "reviews.csv", written([["id", "review"], *rows]))
    expect(panel(page).get_by_label("Column of the text")).to_have_value("1")
    press(page, "Answer all rows")
    expect(panel(page).get_by_role("status").get_by_text("150 rows answered.")).to_be_visible()

    name, (head, *found) = answers(page, tmp_path)
    assert name == "reviews-answers.csv"
    assert head == ["id", "review", "label", "probability", "p(bad)", "p(good)", "error"]
    assert [row[:2] for row in found] == rows
    body = {"model": "classifier", "inputs": TEXTS}
    expected = httpx.post(f"{server.url}/batch_predict", json=body).json()["predictions"]
    for place, row in enumerate(found):
        answer = expected[place % len(TEXTS)]
        assert row[2] == answer["label"]
        assert float(row[3]) == pytest.approx(answer["probability"], abs=2e-6)
        assert float(row[5]) == pytest.approx(answer["probabilities"]["good"], abs=2e-6)
    assert panel(page).get_by_role("progressbar").get_attribute("value") == "1"


def test_other_separators_and_files_without_a_head_are_read(look, tmp_path):
    page = look("classifier/batch")
    drop(page, "plain.tsv", written([["good film", "1"], ["bad film", "2"]], delimiter="\t"))
    panel(page).get_by_role("checkbox", name="The first line names the columns").uncheck()
    expect(panel(page).get_by_label("Column of the text").locator("option").first).to_have_text("column 1")
    press(page, "Answer all rows")
    expect(panel(page).get_by_role("status").get_by_text("2 rows answered.")).to_be_visible()

    _, (head, *found) = answers(page, tmp_path)
    assert head[:3] == ["column 1", "column 2", "label"]
    assert [row[0] for row in found] == ["good film", "bad film"]


def test_a_row_that_the_server_refuses_costs_only_itself(look, tmp_path):
    page = look("classifier/batch")
    texts = ["good film", "x" * 10_001, "bad film"]
    drop(page, "long.csv", written([["text"], *([text] for text in texts)]))
    press(page, "Answer all rows")
    expect(panel(page).get_by_role("status").get_by_text("1 of them could not be")).to_be_visible()

    _, (head, *found) = answers(page, tmp_path)
    errors = [row[head.index("error")] for row in found]
    assert [bool(error) for error in errors] == [False, True, False]
    assert "10,000" in errors[1]
    assert [bool(row[head.index("label")]) for row in found] == [True, False, True]


def test_a_busy_server_is_waited_for(look, tmp_path):
    page = look("classifier/batch")
    refused = []

    def busy(route):
        if refused:
            route.continue_()
            return
        refused.append(route)
        problem = {"type": "about:blank", "title": "Too Many Requests", "status": 429, "detail": "too much waits"}
        route.fulfill(status=429, headers={"retry-after": "1"}, json=problem)

    page.route("**/batch_predict", busy)
    drop(page, "reviews.csv", written([["text"], ["good film"]]))
    press(page, "Answer all rows")

    expect(panel(page).get_by_role("status").get_by_text("1 rows answered.")).to_be_visible()
    assert refused


def test_it_can_be_cancelled_and_what_was_answered_is_kept(look, tmp_path):
    page = look("classifier/batch")
    held = []

    def first_only(route):
        if json.loads(route.request.post_data)["inputs"][0]["text"] == "row 0":
            route.continue_()
        else:
            held.append(route)

    page.route("**/batch_predict", first_only)
    drop(page, "rows.csv", written([["text"], *([f"row {place}"] for place in range(200))]))
    press(page, "Answer all rows")
    until(page, lambda: held)
    press(page, "Cancel")

    expect(panel(page).get_by_role("status").get_by_text("Cancelled after 64 rows.")).to_be_visible()
    _, (_, *found) = answers(page, tmp_path)
    assert [row[0] for row in found] == [f"row {place}" for place in range(64)]


def test_an_empty_file_is_refused_in_words(look):
    page = look("classifier/batch")
    panel(page).locator(".drop").evaluate(DROP, ["empty.csv", ""])
    expect(panel(page).get_by_role("alert")).to_contain_text("The file is empty.")


def test_columns_of_an_answer_do_not_replace_those_of_the_file(look, tmp_path):
    page = look("tagger/batch")
    drop(page, "sentences.csv", written([["text", "entities"], ["the dog sees Anna", "mine"]]))
    press(page, "Answer all rows")
    expect(panel(page).get_by_role("status").get_by_text("1 rows answered.")).to_be_visible()

    _, (head, row) = answers(page, tmp_path)
    assert head == ["text", "entities", "answer_entities", "error"]
    assert row[1] == "mine"
    assert isinstance(json.loads(row[2]), list)

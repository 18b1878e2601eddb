import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from sample_report import epoch, sample, scored

from seqwise.errors import DataError
from seqwise.evaluation.mistakes import worst_mistakes
from seqwise.evaluation.report import render_report, write_report

HOSTILE = '</text></svg><script>alert("x")</script><img src=http://evil.example/x onerror=alert(1)>'
VOID = {"meta", "br"}


class Page(HTMLParser):
    """Collects tags and texts, and fails on tags that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def assert_needs_nothing_else(page: Page) -> None:
    assert {tag for tag, _ in page.tags} & {
        "script",
        "img",
        "link",
        "iframe",
        "object",
        "image",
        "foreignobject",
    } == set()
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href"}:
                assert (value or "").startswith("#")
            if name in {"style", "clip-path"} and "url(" in (value or ""):
                assert "url(#" in (value or "")


@pytest.mark.parametrize("classes", [2, 5, 18, 52])
def test_a_report_is_one_well_formed_file_that_needs_nothing_else(classes, tmp_path: Path):
    path = tmp_path / "report.html"
    write_report(path, sample([f"class {number}" for number in range(classes)]))
    page = Page(path.read_text("utf-8"))
    assert_needs_nothing_else(page)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert ("20 with the most test examples" in page.text) == (classes > 20)


def test_hostile_texts_are_shown_and_do_nothing():
    content = sample(
        ["ham", HOSTILE],
        title=HOSTILE,
        task=HOSTILE,
        verdict=HOSTILE,
        positive=HOSTILE,
        duplicates=[HOSTILE],
        notes=[HOSTILE],
        baseline_description=HOSTILE,
        parts={HOSTILE: {"accuracy": 0.5, "macro_f1": None, "log_loss": 1.0}},
        mistakes=[{"text": HOSTILE, "true": HOSTILE, "predicted": "ham", "probability": 0.9}],
        configuration={HOSTILE: {HOSTILE: HOSTILE}},
        environment={HOSTILE: HOSTILE},
    )
    page = Page(render_report(content))
    assert_needs_nothing_else(page)
    assert page.text.count('<script>alert("x")</script>') >= 10


def test_names_in_any_script_with_dollars_controls_and_half_surrogates_can_be_drawn(tmp_path: Path):
    names = ["$a_b$", "$unclosed", "日本語の名前", "اللغة العربية", "\x00\x1b\n", "\ud800", "🙂" * 40, ""]
    path = tmp_path / "report.html"
    write_report(
        path, sample(names, mistakes=[{"text": "\udc80 x", "true": "", "predicted": "🙂", "probability": 1.0}])
    )
    page = Page(path.read_text("utf-8"))
    assert ">$a_b$</text>" in path.read_text("utf-8")  # a dollar, no mathematics
    assert "日本語の名前" in page.text


def test_the_same_content_gives_the_same_bytes_and_no_trace_in_matplotlib(tmp_path: Path):
    import matplotlib

    before = dict(matplotlib.rcParams)
    first, second = (render_report(sample(["a", "b", "c"])) for _ in range(2))
    assert first == second
    assert dict(matplotlib.rcParams) == before
    matplotlib.rcParams["lines.linewidth"] = 9  # a user's own style
    try:
        assert render_report(sample(["a", "b", "c"])) == first
    finally:
        matplotlib.rcParams.update(before)


def test_ids_are_unique_on_the_page_and_every_reference_has_its_target():
    page = Page(render_report(sample(["a", "b", "c"])))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = {value[1:] for _, a in page.tags if (value := a.get("href") or "").startswith("#")}
    for _, attributes in page.tags:
        for value in attributes.values():
            wanted |= set(re.findall(r"url\(#([^)]+)\)", value or ""))
    assert len(wanted) > 20
    assert wanted <= set(ids)


def test_headline_figures_stand_beside_the_baseline_with_signed_differences():
    content = sample(["a", "b"])
    block = content.metrics["test"]
    text = Page(render_report(content)).text
    for key in ("accuracy", "macro_f1", "log_loss"):
        ours, theirs = block[key], block["baseline"][key]
        assert f"{ours['value']:.3f} {ours['low']:.3f} to {ours['high']:.3f}" in text
        assert f"baseline {theirs['value']:.3f}" in text
    gap = block["accuracy"]["value"] - block["baseline"]["accuracy"]["value"]
    assert f"+{gap:.3f}" in text
    less = block["log_loss"]["value"] - block["baseline"]["log_loss"]["value"]
    assert f'<td class="better">\N{MINUS SIGN}{abs(less):.3f}' in render_report(content)  # a smaller loss is better


def test_a_worse_class_is_marked_as_worse():
    content = sample(["a", "b"])
    block = content.metrics["test"]
    swapped = {**block["baseline"], "baseline": block}
    html = render_report(sample(["a", "b"], metrics={"test": swapped}))
    assert '<i class="worse"' in html
    assert '<i class="better"' not in html
    assert '<i class="better"' in render_report(content)


def test_without_test_examples_the_validation_part_is_shown_and_its_bias_said():
    text = Page(render_report(sample(["a", "b"], split="validation"))).text
    assert "240 validation examples" in text
    assert "chose the best epoch" in text
    assert "chose the best epoch" not in Page(render_report(sample(["a", "b"]))).text


def test_what_is_missing_is_said():
    content = sample(["a", "b"])
    block = {key: value for key, value in content.metrics["test"].items() if key != "baseline"}
    text = Page(render_report(sample(
        ["a", "b"], history=[], counts={}, targets=None, probabilities=None, baseline_probabilities=None,
        metrics={"test": block},
    ))).text  # fmt: skip
    assert "no epochs to show" in text
    assert "training data were not at hand" in text
    assert "probabilities were not at hand" in text
    assert "Baseline F1" not in text


def test_undefined_figures_and_histories_cut_short_do_not_break_a_report():
    nothing = {"value": None, "low": None, "high": None}
    content = sample(["a", "b"])
    block = content.metrics["test"]
    block["mcc"] = nothing
    block["per_class"]["b"] |= {"f1": nothing, "recall": nothing, "pr_auc": nothing}
    records = [epoch(1) | {"validation": {}, "gradient_norm": None}, epoch(2) | {"loss": float("nan")}]
    text = Page(render_report(sample(["a", "b"], metrics={"test": block}, history=records))).text
    assert "undefined" in text
    assert "nan" not in text.lower().split()


def test_worst_mistakes_come_by_falling_loss_with_shortened_texts():
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.01, 0.99], [0.6, 0.4]])
    found = worst_mistakes(["x" * 900, "b", "c", "d"], np.array([1, 1, 0, 1]), probabilities, ["no", "yes"], limit=2)
    assert [(m["row"], m["true"], m["predicted"]) for m in found] == [(3, "no", "yes"), (1, "yes", "no")]
    assert found[0]["probability"] == 0.99
    assert found[0]["true_probability"] == 0.01
    assert len(found[1]["text"]) == 300


def test_worst_mistakes_follow_moved_decisions_and_given_rows():
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4]])
    found = worst_mistakes(
        ["a", "b"], np.array([0, 0]), probabilities, ["no", "yes"], rows=[11, 12], predictions=np.array([0, 1])
    )
    assert [(m["row"], m["predicted"], m["probability"]) for m in found] == [(12, "yes", 0.4)]


def test_right_to_left_texts_find_their_own_direction():
    html = render_report(
        sample(["a", "b"], mistakes=[{"text": "שלום", "true": "a", "predicted": "b", "probability": 0.9}])
    )
    assert '<p class="text" dir="auto">שלום</p>' in html


def test_content_that_does_not_fit_together_is_refused():
    targets, model, _ = scored(3)
    with pytest.raises(DataError, match="probabilities has the shape"):
        sample(["a", "b"], targets=targets, probabilities=model)
    with pytest.raises(DataError, match="together"):
        sample(["a", "b"], targets=None)
    with pytest.raises(DataError, match="validation"):
        sample(["a", "b"], metrics={})


def test_the_learning_curves_say_that_they_are_those_of_one_part():
    figures = {"accuracy": 0.5, "macro_f1": 0.5, "log_loss": 1.0}
    said = "curves are those of the recurrent part alone"
    joined = dict.fromkeys(("linear", "recurrent", "together"), figures)
    assert said in render_report(sample(["a", "b"], history=[epoch(1)], parts=joined))
    assert said not in render_report(sample(["a", "b"], history=[epoch(1)], parts={"recurrent": figures}))


def test_commands_in_notes_are_set_as_code():
    assert "<code>seqwise compare</code> shows" in render_report(sample(["a", "b"], notes=["`seqwise compare` shows"]))

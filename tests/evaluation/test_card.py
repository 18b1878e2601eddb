import ast
import re
import shlex

from sample_report import sample

from seqwise.evaluation.card import model_card


def blocks(card: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", card, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_the_card_shows_figures_beside_the_baseline():
    content = sample(["ham", "spam"])
    card = model_card(content)
    block = content.metrics["test"]
    for key in ("accuracy", "macro_f1"):
        ours, theirs = (f"{of[key]['value']:.3f} ({of[key]['low']:.3f}" for of in (block, block["baseline"]))
        assert re.search(rf"\| {re.escape(ours)}.*\| {re.escape(theirs)}", card)
    assert content.verdict in card
    assert "240 test examples" in card


def test_commands_and_code_can_be_pasted_whatever_the_folder_is_called():
    folder, text = "my 'models'; rm -rf", 'it\'s "so" `good`'
    card = model_card(sample(["ham", "spam"]), folder=folder, example=text)
    first = blocks(card, "sh").splitlines()[0]
    assert shlex.split(first) == ["seqwise", "predict", folder, text]
    constants = [node.value for node in ast.walk(ast.parse(blocks(card, "python"))) if isinstance(node, ast.Constant)]
    assert folder in constants
    assert text in constants


def test_an_example_that_looks_like_an_option_is_not_put_into_a_command():
    assert "--boom" not in model_card(sample(["ham", "spam"]), example="--boom")


def test_hostile_names_neither_break_the_tables_nor_become_markup():
    hostile = "a|b\n# c <script>x</script> [l](http://e.example) `d`"
    card = model_card(sample(["ham", hostile], notes=[hostile], title=hostile, positive=hostile))
    assert "<script>" not in card
    assert "[l](" not in card.replace("\\[", "")
    rows = [line for line in card.splitlines() if line.startswith("| a")]
    columns = {len(re.findall(r"(?<!\\)\|", row)) for row in rows}
    assert columns == {8}
    assert [line for line in card.splitlines() if line.startswith("# ")] == [card.splitlines()[0]]


def test_the_limits_name_what_the_figures_cannot_carry():
    names = [f"class{number}" for number in range(40)]
    card = model_card(sample(names, split="validation"))
    assert "There were no test data" in card
    assert "fewer than 20 validation examples" in card
    assert "The 10 smaller classes are in `report.html`" in card
    assert "There were no test data" not in model_card(sample(names))


def test_a_card_without_baseline_has_no_empty_columns():
    content = sample(["ham", "spam"])
    block = {key: value for key, value in content.metrics["test"].items() if key != "baseline"}
    card = model_card(sample(["ham", "spam"], metrics={"test": block}, counts={}))
    assert "baseline" not in card.split("## Use")[0].replace(content.verdict, "")
    assert "| class | test | precision | recall | F1 |" in card

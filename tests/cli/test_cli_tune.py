import pytest
from program import QUICK, call

COLUMNS = ("--text", "review", "--label", "sentiment")


def test_the_best_configuration_can_be_trained(data, tmp_path):
    pytest.importorskip("optuna")
    folder = tmp_path / "search"
    answer = call("tune", data, *COLUMNS, *QUICK, "--trials", "2", "--out", folder)
    assert answer.code == 0, answer.err
    for part in ("(default)", "validation macro F1", "default configuration", "best.yaml"):
        assert part in answer.out, answer.out
    trained = call("train", data, "--config", folder / "best.yaml", "--out", tmp_path / "m", "--json")
    assert trained.code == 0, trained.err
    again = call("tune", data, *COLUMNS, *QUICK, "--trials", "2", "--out", folder, "--json")
    assert len(again.document["trials"]) == 2
    assert again.document["sentence"] in answer.out


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["--budget", "soon"], "--budget"),
        (["--metric", "macrof1"], "did you mean macro_f1"),
        (["--seeds", "0"], "--seeds"),
    ],
)
def test_wrong_input_exits_with_2_and_writes_nothing(data, tmp_path, arguments, part):
    answer = call("tune", data, *COLUMNS, "--out", tmp_path / "search", *arguments)
    assert answer.code == 2
    assert part in answer.err
    assert not (tmp_path / "search").exists()

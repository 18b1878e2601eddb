from program import call

from seqwise.experiments.benchmarks import comparisons, sides
from seqwise.experiments.benchmarks.tables import COLUMNS

ONE = ("bench", "recurrent", "--quick", "--only", "gru", "--shapes", "1", "--threads", "1")


def test_one_row_is_measured_printed_and_written(tmp_path):
    answer = call(*ONE, "--out", tmp_path)
    assert answer.code == 0, answer.err
    assert "torch.nn.GRU" in answer.out
    assert "at least 2.5" in answer.out
    assert "GFLOP/s" in answer.out
    assert "[1/1] gru" in answer.err
    assert (tmp_path / "recurrent_cpu.csv").read_text().startswith(",".join(COLUMNS))
    assert (tmp_path / "recurrent_cpu.md").exists()


def test_the_document_has_machine_summary_and_measurements():
    answer = call(*ONE, "--json")
    assert answer.code == 0, answer.err
    document = answer.document
    assert document["threads"] == 1
    assert document["device"]
    assert [line["row"] for line in document["summary"]] == ["gru"]
    assert document["measurements"][0]["figure"] > 0


def test_a_wrong_result_is_refused_with_exit_code_1(monkeypatch):
    def wrong_side(case, backend=None):
        side = sides.our_side(case, backend)
        return side._replace(results=lambda: {name: value + 1 for name, value in side.results().items()})

    monkeypatch.setattr(comparisons, "our_side", wrong_side)
    answer = call(*ONE)
    assert answer.code == 1
    assert "REFUSED" in answer.out
    assert "differs from the oracle" in answer.err


def test_a_wrong_choice_is_one_sentence_and_exit_code_2():
    answer = call("bench", "recurrent", "--only", "nothing")
    assert answer.code == 2
    assert "expected one of lstm" in answer.err

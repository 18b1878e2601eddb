import gzip
import json

import pyarrow
import pyarrow.parquet
import pytest

from seqwise.data.tables import open_table
from seqwise.data.tagged import find_columns, place_spans, read_tagged
from seqwise.errors import DataError
from seqwise.text import TextSettings, Tokenizer
from seqwise.text.tag_schemes import read_spans

SPLIT = Tokenizer(TextSettings(unit="words", lowercase=False)).spans
TOKENS = [["U.N.", "official", "Rolf", "Ekeus"], ["#", "1"]]
TAGS = [["I-ORG", "O", "I-PER", "I-PER"], ["O", "O"]]
CONLL = """-DOCSTART- -X- -X- O

U.N. NNP I-NP I-ORG
official NN I-NP O
Rolf NNP I-NP I-PER
Ekeus NNP I-NP I-PER

# NN I-NP O
1 CD I-NP O
"""
UNIVERSAL = """# sent_id = 1
# text = They don't.
1\tThey\tthey\tPRON\tPRP\t_\t2\tnsubj\t_\t_
2-3\tdon't\t_\t_\t_\t_\t_\t_\t_\t_
2\tdo\tdo\tAUX\tVBP\t_\t0\troot\t_\t_
3\tn't\tnot\tPART\tRB\t_\t2\tadvmod\t_\t_
3.1\tgo\tgo\tVERB\tVB\t_\t_\t_\t_\t_
4\t.\t.\tPUNCT\t.\t_\t2\tpunct\t_\t_

"""


def read(path, text=None, label=None):
    table = open_table(path)
    return read_tagged(table, *find_columns(table, text, label), SPLIT)


def test_conll_files_lists_and_strings_give_the_same_sentences(tmp_path):
    (tmp_path / "a.conll").write_text(CONLL)
    (tmp_path / "b.iob.gz").write_bytes(gzip.compress(CONLL.replace(" ", "\t").encode()))
    rows = [{"tokens": words, "tags": tags} for words, tags in zip(TOKENS, TAGS, strict=True)]
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    lines = [f"{' '.join(words)}\t{' '.join(tags)}" for words, tags in zip(TOKENS, TAGS, strict=True)]
    (tmp_path / "d.tsv").write_text("\n".join(["tokens\ttags", *lines]) + "\n")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "e.parquet")
    for name in ("a.conll", "b.iob.gz", "c.jsonl", "d.tsv", "e.parquet"):
        found = read(tmp_path / name)
        assert (found.tokens, found.tags, found.rows) == (TOKENS, TAGS, [0, 1]), name
    table = open_table(tmp_path / "a.conll")
    assert table.columns == ["tokens", "column2", "column3", "tags"]
    assert table.place(1) == "row 2 (line 8)"
    assert read(tmp_path / "a.conll", label="column2").tags[0] == ["NNP", "NN", "NNP", "NNP"]


def test_of_universal_dependencies_words_are_read_not_tokens_of_several(tmp_path):
    (tmp_path / "a.conllu").write_text(UNIVERSAL)
    found = read(tmp_path / "a.conllu")
    assert found.tokens == [["They", "do", "n't", "."]]
    assert found.tags == [["PRON", "AUX", "PART", "PUNCT"]]


def test_numbers_of_tags_become_their_names(tmp_path):
    features = {"tags": {"feature": {"names": ["O", "B-PER"], "_type": "ClassLabel"}, "_type": "List"}}
    table = pyarrow.table({"tokens": [["a", "b"]], "tags": [[1, 0]]}).replace_schema_metadata(
        {"huggingface": json.dumps({"info": {"features": features}})}
    )
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").tags == [["B-PER", "O"]]


def test_marked_spans_become_tags_and_come_back_at_their_places(tmp_path):
    text = "Mr. Smith went  to New York, in May."
    marks = [{"start": 4, "end": 9, "label": "PER"}, {"start": 19, "end": 27, "label": "LOC"}]
    tokens, tags, moved = place_spans(text, marks, SPLIT)
    placed = SPLIT(text)
    back = [
        {"start": placed[span.start][1], "end": placed[span.end - 1][2], "label": span.type}
        for span in read_spans(tags, "BIO")[0]
    ]
    assert back == marks
    assert moved == 0
    assert "York" in tokens
    studio = [{"value": {"start": 4, "end": 9, "text": "Smith", "labels": ["PER"]}, "type": "labels"}]
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": text, "spans": studio}) + "\n")
    assert [tag for tag in read(tmp_path / "a.jsonl").tags[0] if tag != "O"] == ["B-PER"]


def test_an_export_of_label_studio_is_read(tmp_path):
    mark = {"value": {"start": 4, "end": 9, "text": "Smith", "labels": ["PER"]}, "type": "labels", "from_name": "label"}
    rating = {"value": {"rating": 3}, "type": "rating"}
    row = {"id": 1, "data": {"text": "Mr. Smith slept"}, "annotations": [{"id": 7, "result": [mark, rating]}]}
    nothing = {"id": 2, "data": {"text": "Nobody slept"}, "annotations": [{"id": 8, "result": []}]}
    (tmp_path / "a.jsonl").write_text(json.dumps(row) + "\n" + json.dumps(nothing))
    (tmp_path / "b.json").write_text(json.dumps([row, nothing], indent=2))
    for name in ("a.jsonl", "b.json"):
        found = read(tmp_path / name)
        assert found.tokens[0][-2:] == ["Smith", "slept"]
        assert [tag for tag in found.tags[0] if tag != "O"] == ["B-PER"]
        assert found.tags[1] == ["O", "O"]


def test_a_span_that_ends_within_a_token_is_widened_and_counted():
    tokens, tags, moved = place_spans("the Londoners", [{"start": 4, "end": 10, "label": "LOC"}], SPLIT)
    assert (tokens, tags, moved) == (["the", "Londoners"], ["O", "B-LOC"], 1)


def test_rows_without_a_token_are_left_out_and_counted(tmp_path):
    rows = [{"tokens": [], "tags": []}, {"tokens": ["a"], "tags": ["O"]}, {"tokens": None, "tags": None}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = read(tmp_path / "a.jsonl")
    assert (found.rows, found.empty) == ([1], 2)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"tokens": ["a", "b"], "tags": ["O"]}, "row 2 (line 2): 2 tokens in 'tokens' and 1 tags in 'tags'"),
        ({"tokens": ["a", None], "tags": ["O", "O"]}, "row 2 (line 2): tokens are texts, but number 2 is None"),
        ({"tokens": ["a"], "tags": [3]}, "row 2 (line 2): tags are texts, but number 1 is 3"),
        ({"tokens": 3, "tags": ["O"]}, "row 2 (line 2): tokens are a list or a text, got int"),
        ({"tokens": "a", "tags": [{"start": 0, "end": 2, "label": "X"}]}, "from 0 to 2 is not in the text of 1"),
        ({"tokens": "a  b", "tags": [{"start": 1, "end": 2, "label": "X"}]}, "holds no token"),
        ({"tokens": "a", "tags": [{"start": 0, "end": 1}]}, "a span has start, end and label"),
    ],
)
def test_what_does_not_belong_together_names_the_row(tmp_path, row, said):
    (tmp_path / "a.jsonl").write_text(json.dumps({"tokens": ["x"], "tags": ["O"]}) + "\n" + json.dumps(row))
    with pytest.raises(DataError) as caught:
        read(tmp_path / "a.jsonl")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.conll", "a NN O\nb O\n", "line 2 has 2 columns, not 3"),
        ("a.conll", "\n\n", "no line with a token"),
        ("a.bio", "alone\n", "line 1 has one column"),
        ("a.conllu", "1\ta\n", "line 1 has 2 columns, not 10"),
        ("a.jsonl", '{"words": ["a"], "kind": ["O"]}', "no column of the tags 'tags'"),
        ("a.jsonl", '{"tokens": [], "tags": []}', "no sentence with a token"),
    ],
)
def test_a_malformed_file_says_where(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        read(tmp_path / name)

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seqwise.data import resolve
from seqwise.data.transcribed import find_transcript_columns, read_transcribed
from seqwise.errors import DataError

FRAMES = [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0]]]


def source(tmp_path, **columns):
    pq.write_table(pa.table(columns), tmp_path / "data.parquet")
    found = resolve(str(tmp_path / "data.parquet"))
    return found, found.table("train")


def test_utterances_are_read_with_their_groups(tmp_path):
    found, table = source(tmp_path, frames=FRAMES, transcript=["yes", None], who=["anna", "ben"])
    assert find_transcript_columns(table, None, None) == (("frames",), "transcript")
    read = read_transcribed(found, table, ["frames"], "transcript", "who", rate=100)
    assert read.texts == ["yes", ""]
    assert read.groups == ["anna", "ben"]
    assert read.frames.rate == 100
    assert read.frames.lengths.tolist() == [2, 1]
    other = read.take([1])
    assert (other.texts, other.rows, other.groups, len(other.frames)) == ([""], [1], ["ben"], 1)
    assert read_transcribed(found, table, ["frames"], "transcript").groups is None


def test_wrong_columns_are_named(tmp_path):
    found, table = source(tmp_path, frames=FRAMES, text=[1, 2])
    with pytest.raises(DataError, match=r"row 1.*a text is expected in 'text'"):
        read_transcribed(found, table, ["frames"], "text")
    with pytest.raises(DataError, match="'said'"):
        find_transcript_columns(table, None, "said")
    with pytest.raises(DataError, match="'sound'"):
        find_transcript_columns(table, ["sound"], "text")
    with pytest.raises(DataError, match="'who'"):
        read_transcribed(found, table, ["frames"], "text", "who")

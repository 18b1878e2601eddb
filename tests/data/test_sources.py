import json
import os

import pytest

from seqwise.data import resolve, write_table
from seqwise.errors import DataError, FileError

ROWS = {"text": ["a", "b"], "label": ["x", "y"]}


@pytest.fixture(autouse=True)
def own_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQWISE_DATA", str(tmp_path / "mirror"))
    monkeypatch.setenv("SEQWISE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def make(folder, *names, metadata=None):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        write_table(folder / name, [ROWS])
    if metadata is not None:
        (folder / "dataset.json").write_text(metadata if isinstance(metadata, str) else json.dumps(metadata))
    return folder


def test_a_file_serves_as_any_part(tmp_path):
    make(tmp_path, "mine.csv")
    source = resolve("mine.csv")
    assert source.name == "mine.csv"
    assert source.is_file
    assert source.table("test", "validation") is source.table("train")
    assert source.metadata == {}


def test_a_folder_has_parts_of_any_format(tmp_path):
    folder = make(tmp_path / "mine", "train.parquet", "test.jsonl.gz", "other.csv", metadata={"text": "text"})
    (folder / "train.md").write_text("notes")
    source = resolve(folder)
    assert list(source.splits) == ["train", "test"]
    assert source.metadata == {"text": "text"}
    assert source.table("validation", "test").path.name == "test.jsonl.gz"
    with pytest.raises(DataError, match="no part validation; it has train, test"):
        source.table("validation")


def test_a_name_is_looked_for_in_the_mirror_then_in_the_cache(tmp_path):
    make(tmp_path / "cache/data/trec", "train.parquet", metadata={"note": "cache"})
    assert resolve("trec").metadata["note"] == "cache"
    make(tmp_path / "mirror/trec", "train.parquet", metadata={"note": "mirror"})
    assert resolve("trec").metadata["note"] == "mirror"
    make(tmp_path / "mirror/my-own_set2", "train.csv", metadata={})
    assert resolve("my-own_set2").table("train").columns == ["text", "label"]


def test_a_path_wins_over_a_name(tmp_path):
    make(tmp_path / "mirror/trec", "train.parquet")
    make(tmp_path / "trec", "train.csv")
    assert resolve("trec").table("train").path.suffix == ".csv"


def test_a_set_without_a_public_home_says_where_to_get_it():
    with pytest.raises(
        FileError, match=r"names_gender has no public home .*ssa\.gov.*columns name, label.*SEQWISE_DATA/names_gender"
    ):
        resolve("names_gender")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("imbd", "no file, folder or data set 'imbd'; did you mean imdb"),
        ("zzzzzz", "`seqwise data list`"),
        ("gone.csv", "there is no file gone.csv"),
        ("../trec", "there is no file"),
        ("gone/", "there is no file"),
        ("", "has no part"),
    ],
)
def test_what_is_not_there_is_said(data, reason):
    with pytest.raises(FileError, match=reason):
        resolve(data)


def test_a_folder_without_parts_or_with_two_for_one_is_refused(tmp_path):
    with pytest.raises(FileError, match="has no part to read: train, validation or test"):
        resolve(make(tmp_path / "mine", "other.csv"))
    with pytest.raises(DataError, match=r"two files for train: train\.csv and train\.parquet"):
        resolve(make(tmp_path / "mine", "train.csv", "train.parquet"))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not JSON"),
        ("[]", "an object is expected, not list"),
        ('{"text": 3}', "'text' is 3"),
        ("[" * 99_999, "is not JSON"),
    ],
)
def test_a_damaged_description_is_refused(tmp_path, content, reason):
    with pytest.raises(DataError, match=rf"dataset\.json.*{reason}"):
        resolve(make(tmp_path / "mine", "train.csv", metadata=content))


def test_without_the_variable_only_the_cache_is_searched(tmp_path, monkeypatch):
    monkeypatch.delenv("SEQWISE_DATA")
    make(tmp_path / "cache/data/trec", "train.parquet")
    assert os.fspath(resolve("trec").table("train").path).startswith(str(tmp_path / "cache"))

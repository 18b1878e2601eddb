import pytest

from seqwise.errors import FileError
from seqwise.experiments.folders import check_destination, clear_model, is_model_folder


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text('{"format_version": 1}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "checkpoints" / "step-1").write_bytes(b"state")
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.mark.parametrize("resume", [False, True])
def test_a_new_and_an_empty_folder_may_be_written_to(tmp_path, resume):
    check_destination(tmp_path / "new", resume=resume)
    check_destination(tmp_path, resume=resume)


def test_a_folder_with_a_model_needs_overwrite_or_resume(model):
    with pytest.raises(FileError, match=r"not empty: --overwrite .* --resume"):
        check_destination(model)
    check_destination(model, overwrite=True)
    check_destination(model, resume=True)


def test_overwrite_refuses_a_folder_of_something_else(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(FileError, match="does not look like a model folder"):
        check_destination(tmp_path, overwrite=True)


@pytest.mark.parametrize("content", ["[]", "{", '{"name": "x"}', "\ud800".encode("utf-8", "surrogatepass")])
def test_a_config_of_another_program_is_no_model(tmp_path, content):
    (tmp_path / "config.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    assert not is_model_folder(tmp_path)


def test_resume_needs_checkpoints(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(FileError, match="no checkpoints"):
        check_destination(tmp_path, resume=True)


def test_resume_and_overwrite_exclude_each_other(model):
    with pytest.raises(FileError, match="one of them"):
        check_destination(model, overwrite=True, resume=True)


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="is a file"):
        check_destination(tmp_path / "file", overwrite=True)


def test_clearing_removes_the_model_and_leaves_everything_else(model):
    clear_model(model)
    assert [path.name for path in model.iterdir()] == ["notes.txt"]

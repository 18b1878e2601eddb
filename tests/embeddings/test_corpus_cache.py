"""Encoded corpora that are kept: found again, never out of date, bounded, safe beside other processes."""

import errno
import os
import subprocess
import sys
import time

import numpy as np
import pytest

from seqwise.embeddings import corpus_cache
from seqwise.embeddings.corpus import encode
from seqwise.embeddings.corpus_cache import corpora_folder
from seqwise.errors import ConfigurationError, FileError
from seqwise.kernels.cpu.compiler import cache_folder

TEXT = "the cat sat on the mat\nthe dog sat\n" * 3


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    (folder / "kernels").symlink_to(cache_folder(), target_is_directory=True)
    monkeypatch.setenv("SEQWISE_CACHE", str(folder))
    return folder / "corpora"


def write(path, text=TEXT, age=100):
    """A file that was changed some seconds ago."""
    path.write_text(text)
    os.utime(path, (time.time() - age, time.time() - age))
    return path


def read(source, **options):
    """What is known of a corpus, and whether it was found."""
    with encode(source, **{"min_count": 2, **options}) as encoded:
        known = encoded.words, encoded.counts.tolist(), encoded.tokens.tolist(), encoded.total, encoded.kept
        return (*known, encoded.fingerprint()), encoded.cached


def test_what_is_found_is_what_was_written(tmp_path, own_cache):
    path = write(tmp_path / "a.txt")
    first, found = read(path)
    assert not found
    assert first[0][:3] == ["the", "sat", "cat"]
    assert read(path) == (first, True)
    assert read(str(path)) == (first, True)
    assert len(list(own_cache.iterdir())) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"min_count": 1},
        {"running": True},
        {"errors": "replace"},
        {"clean": str.lower},
        {"phrases": 1},
        {"phrases": 1, "phrase_threshold": 0.5},
    ],
)
def test_another_way_of_reading_is_another_corpus(tmp_path, options):
    path = write(tmp_path / "a.txt")
    read(path)
    assert not read(path, **options)[1]
    assert read(path, **options)[1]
    assert read(path)[1]


def test_a_file_that_changed_is_read_again(tmp_path):
    path, other = write(tmp_path / "a.txt"), write(tmp_path / "b.txt")
    read(path)
    read([path, other])
    assert read([path, other])[1]
    assert not read(other)[1]
    write(path, TEXT.replace("dog", "cow"), age=50)  # as large as before
    changed, found = read(path)
    assert not found
    assert "cow" in changed[0]
    assert not read([path, other])[1]


def test_what_was_just_changed_or_changes_while_it_is_read_is_not_kept(tmp_path, own_cache):
    path = write(tmp_path / "a.txt", age=0)
    read(path)
    assert not read(path)[1]
    write(path)
    read(path, report=lambda *_: write(path, TEXT + "more more\n", age=60))
    assert list(own_cache.iterdir()) == []


def test_iterables_and_unknown_cleaning_are_not_kept(tmp_path, own_cache):
    path = write(tmp_path / "a.txt")
    read(TEXT.split("\n"))
    read(path, clean=lambda text: text.upper())
    assert list(own_cache.iterdir()) == []


def test_damaged_foreign_and_half_written_files_are_as_good_as_none(tmp_path, own_cache):
    path = write(tmp_path / "a.txt")
    whole, _ = read(path)
    (kept,) = own_cache.iterdir()
    sound = kept.read_bytes()
    tokens = np.array(whole[2], np.int32).tobytes()
    assert sound.count(tokens) == 1
    for damaged in (
        sound[:-3],
        sound[:100],
        b"",
        sound.replace(tokens, bytes(len(tokens))),  # as after a crash of the machine
        sound.replace(tokens, np.full(len(whole[2]), 1 << 30, np.int32).tobytes()),
        sound.replace(b'"key"', b'"KEY"'),
    ):
        kept.write_bytes(damaged)
        assert read(path) == (whole, False)
        assert kept.read_bytes() == sound
    kept.chmod(0o666)
    assert read(path) == (whole, False)
    kept.chmod(0o600)
    assert read(path) == (whole, True)


def test_those_that_were_not_used_for_long_go_first(tmp_path, own_cache, monkeypatch):
    paths = [write(tmp_path / f"{name}.txt", TEXT + "more " * 5000) for name in "abc"]
    for path in paths[:2]:
        read(path)
    for age, kept in enumerate(sorted(own_cache.iterdir(), key=lambda path: path.stat().st_mtime_ns)):
        os.utime(kept, (time.time() - 50 + age,) * 2)
    assert read(paths[0])[1]  # now b is the older one
    monkeypatch.setenv("SEQWISE_CACHE_GB", str(60_000 / 1e9))
    assert not read(paths[2])[1]
    assert [read(path)[1] for path in (paths[0], paths[2])] == [True, True]
    assert len(list(own_cache.iterdir())) == 2
    monkeypatch.setenv("SEQWISE_CACHE_GB", str(10_000 / 1e9))  # smaller than one of them
    read(paths[1])
    assert not read(paths[1])[1]
    monkeypatch.setenv("SEQWISE_CACHE_GB", "0")
    assert not read(paths[0])[1]
    for wrong in ("much", "-1", "nan"):
        monkeypatch.setenv("SEQWISE_CACHE_GB", wrong)
        with pytest.raises(ConfigurationError, match="SEQWISE_CACHE_GB is"):
            read(paths[0])


def test_where_the_disk_is_full_kept_corpora_give_way_then_it_is_said(tmp_path, own_cache, monkeypatch):
    old, new = write(tmp_path / "old.txt"), write(tmp_path / "new.txt", TEXT * 2)
    read(old)
    fdopen = os.fdopen

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def write(self, content):
            if self.tell() > 10 and list(own_cache.glob("*.corpus")):
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(content[: max(1, len(content) // 2)])  # as write(2) may

    monkeypatch.setattr(corpus_cache.os, "fdopen", lambda *given, **more: Full(fdopen(*given, **more)))
    first, found = read(new)
    assert not found
    assert read(new) == (first, True)
    assert len(list(own_cache.iterdir())) == 1
    monkeypatch.setattr(corpus_cache, "evict", lambda _: False)
    with pytest.raises(FileError, match="No space left on device; SEQWISE_CACHE names another folder"):
        read(old)
    assert len(list(own_cache.iterdir())) == 1


def test_what_a_killed_process_left_is_deleted_and_nothing_else(tmp_path, own_cache):
    path = write(tmp_path / "a.txt")
    read(path)
    dead, young = own_cache / "dead.tokens", own_cache / "young.tokens"
    for file in (dead, young):
        file.write_bytes(b"0" * 100)
    os.utime(dead, (0, 0))
    with corpus_cache.unfinished() as (used, _):
        os.utime(used, (0, 0))
        read(path, running=True)
        assert used.exists()
        assert young.exists()
        assert not dead.exists()
        used.unlink()


def test_processes_that_read_the_same_corpus_at_once_agree(tmp_path, own_cache):
    path = write(tmp_path / "a.txt", TEXT * 3000)
    program = (
        "import sys; from seqwise.embeddings.corpus import encode\n"
        "for _ in range(5):\n"
        "    with encode(sys.argv[1]) as text: print(text.fingerprint())"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0].split() for process in running]
    with encode(path) as encoded:
        assert said == [[encoded.fingerprint()] * 5] * 3
        assert encoded.cached
    assert len(list(corpora_folder().iterdir())) == 1

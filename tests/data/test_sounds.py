"""Sounds from .wav files; SciPy writes and resamples them too, and is the oracle."""

from __future__ import annotations

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile
from scipy.signal import resample_poly

from seqwise.data import open_table, resolve, write_table
from seqwise.data.frames import read_frames
from seqwise.data.wav import read_sounds, read_wav
from seqwise.errors import DataError, FileError


@pytest.fixture
def tone() -> np.ndarray:
    return (0.8 * np.sin(np.arange(1000) / 7) + 0.1 * np.random.default_rng(3).uniform(-1, 1, 1000)).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "scale", "error"),
    [("int16", 2**15, 2**-15), ("int32", 2**31, 2**-24), ("float32", 1, 0), ("float64", 1, 0), ("uint8", 2**7, 2**-7)],
)
def test_what_scipy_writes_is_read(tmp_path: Path, tone: np.ndarray, kind: str, scale: int, error: float) -> None:
    path = tmp_path / "a.wav"
    values = tone.astype(np.float64) * scale
    wavfile.write(path, 8000, (np.round(values) + 128 if kind == "uint8" else values).astype(kind))
    sound = read_wav(path)
    assert (sound.rate, sound.channels) == (8000, 1)
    np.testing.assert_allclose(sound.samples, tone, rtol=0, atol=error)


def test_samples_of_24_bits_are_read(tmp_path: Path, tone: np.ndarray) -> None:
    whole = np.round(tone * 2**23).astype("<i4")
    with wave.open(str(tmp_path / "a.wav"), "wb") as file:
        file.setparams((1, 3, 16000, len(whole), "NONE", ""))
        file.writeframes(whole.view(np.uint8).reshape(-1, 4)[:, :3].tobytes())
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav").samples, (whole / 2**23).astype(np.float32))


def test_channels_are_averaged_and_rates_made_one(tmp_path: Path, tone: np.ndarray) -> None:
    wavfile.write(tmp_path / "a.wav", 8000, tone)
    wavfile.write(tmp_path / "b.wav", 8000, np.column_stack([tone, 0.5 * tone]))
    wavfile.write(tmp_path / "c.wav", 16000, tone)
    samples, rate, notes = read_sounds([tmp_path / f"{name}.wav" for name in "abc"])
    assert rate == 8000
    np.testing.assert_allclose(samples[1], 0.75 * tone, rtol=1e-6)
    np.testing.assert_allclose(samples[2], resample_poly(tone, 1, 2), rtol=1e-6)
    assert notes[0].startswith("1 of 3 sounds have 16,000 Hz and were resampled to 8,000 Hz")
    assert notes[1].startswith("1 of 3 sounds have several channels, which were averaged")


def test_a_file_of_unknown_size_and_other_chunks_is_read(tmp_path: Path) -> None:
    layout = struct.pack("<HHIIHH", 1, 1, 8000, 16000, 2, 16)
    body = np.array([1, -2, 3], "<i2").tobytes()
    content = b"RIFF\xff\xff\xff\xffWAVE" + b"LIST\x03\x00\x00\x00abc\x00"
    content += b"fmt " + struct.pack("<I", 16) + layout + b"data\xff\xff\xff\xff" + body
    (tmp_path / "a.wav").write_bytes(content)
    np.testing.assert_array_equal(read_wav(tmp_path / "a.wav").samples * 32768, [1, -2, 3])


def test_damage_is_said_in_a_sentence(tmp_path: Path, tone: np.ndarray) -> None:
    path = tmp_path / "a.wav"
    wavfile.write(path, 8000, tone)
    whole = path.read_bytes()
    for content, what in (
        (whole[:-100], "truncated: it should have 4,000 bytes of samples, and has 3,900"),
        (whole[:30], "truncated: it ends before its samples"),
        (b"OggS" + whole, "no .wav file"),
        (b"", "no .wav file"),
    ):
        path.write_bytes(content)
        with pytest.raises(FileError, match=what):
            read_wav(path)
    coded = bytearray(whole)
    coded[20:22] = struct.pack("<H", 2)
    path.write_bytes(bytes(coded))
    with pytest.raises(FileError, match="coding 2"):
        read_wav(path)
    wavfile.write(path, 8000, np.full(10, np.nan, np.float32))
    with pytest.raises(FileError, match="not finite"):
        read_wav(path)
    with pytest.raises(FileError, match="no file"):
        read_wav(tmp_path / "none.wav")


def _folder(root: Path, tone: np.ndarray) -> None:
    for number, label in enumerate(["no", "yes", "yes"]):
        (root / label).mkdir(parents=True, exist_ok=True)
        wavfile.write(root / label / f"{number}.wav", 8000, tone[: 100 + number])


def test_a_folder_of_labels_is_a_data_set(tmp_path: Path, tone: np.ndarray) -> None:
    _folder(tmp_path / "one", tone)
    source = resolve(tmp_path / "one")
    table = source.table("train")
    assert [label for chunk in table.iter_chunks() for label in chunk["label"]] == ["no", "yes", "yes"]
    frames = read_frames(source, table, [source.metadata["sequence"]])
    assert frames.rate == 8000
    assert frames.lengths.tolist() == [100, 101, 102]
    assert source.table("test") is table
    for part in ("train", "test"):
        _folder(tmp_path / "two" / part, tone)
    assert list(resolve(tmp_path / "two").splits) == ["train", "test"]
    with pytest.raises(FileError, match=r"no \.wav files"):
        resolve(tmp_path)


def test_a_table_names_sounds_beside_it(tmp_path: Path, tone: np.ndarray) -> None:
    _folder(tmp_path / "sounds", tone)
    path = tmp_path / "list.csv"
    write_table(path, [{"file": ["sounds/yes/2.wav", "sounds/no/0.wav"], "label": ["yes", "no"]}])
    source = resolve(path)
    assert read_frames(source, source.table("train"), ["file"]).lengths.tolist() == [102, 100]
    write_table(path, [{"file": ["sounds/yes/2.wav", "hello"]}])
    with pytest.raises(DataError, match=r"row 2 .*'hello'"):
        read_frames(source, open_table(path), ["file"])
    write_table(path, [{"file": ["sounds/yes/2.wav", "sounds/yes/7.wav"]}])
    with pytest.raises(FileError, match=r"no file .*7\.wav"):
        read_frames(source, open_table(path), ["file"])

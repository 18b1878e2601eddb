"""What a person may give as data: a file, a folder of parts, or the name of a data set."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from seqwise.data.catalogue import SPLITS, catalogue, data_folders, is_name, local_folder, metadata_of
from seqwise.data.hub import fetch
from seqwise.data.settings import DataSettings
from seqwise.data.tables import Table, is_table, open_table, stem_of
from seqwise.errors import DataError, FileError, nearest


@dataclass(frozen=True)
class DataSource:
    """The parts of a data set.

    Attributes:
        name: the path or the name that was given.
        splits: part -> table; the parts are "train", "validation" and "test", of a single file only "train".
        metadata: what `dataset.json` says, above all the names of the columns "text" and "label"; {} without one.
        is_file: whether it is a single file, whose one part may serve as any.
    """

    name: str
    splits: dict[str, Table]
    metadata: dict[str, Any] = field(default_factory=dict)
    is_file: bool = False

    def table(self, *wanted: str) -> Table:
        """The first of these parts that there is; a single file is whatever is wanted.

        Raises:
            DataError: if there is none of them; names the parts that there are.
        """
        if self.is_file:
            return next(iter(self.splits.values()))
        for part in wanted:
            if part in self.splits:
                return self.splits[part]
        raise DataError(f"{self.name} has no part {' or '.join(wanted)}; it has {', '.join(self.splits)}")


def resolve(data: str | Path, settings: DataSettings | None = None) -> DataSource:
    """Finds the data.

    Args:
        data: the path of a file; of a folder with train, validation and test files; of a folder of sounds
            (LABEL/*.wav, or train/LABEL/*.wav and so on); or the name of a data set, looked for in `$SEQWISE_DATA`, then in
            the user's cache, then fetched from its public home.
        settings: if `id` is set, the tables are in long form, see `LongTable`; a column of texts "title + body" is made of
            those two, see `JoinedTable`.

    Raises:
        FileError: if there is no such file, folder or data set, the kind of file is unknown, or it cannot be fetched.
        DataError: if a header or `dataset.json` is malformed.
    """
    source = _found(data)
    if settings is None:
        return source
    return replace(source, splits={part: arranged(table, settings) for part, table in source.splits.items()})


def arranged(table: Table, settings: DataSettings) -> Table:
    """A table as its settings want it read: in long form, or with a column that is joined of several."""
    from seqwise.data.joined import PLUS, JoinedTable
    from seqwise.data.long_form import LongTable

    if settings.id is not None:
        table = LongTable(table, settings.id, settings.time, settings.every)
    if settings.text is not None and PLUS in settings.text and settings.text not in table.columns:
        table = JoinedTable(table, settings.text)
    return table


def _found(data: str | Path) -> DataSource:
    path = Path(data)
    if path.is_dir():
        return _folder(path, str(data))
    if path.exists() or not is_name(str(data)):
        return DataSource(str(data), {"train": open_table(path)}, is_file=True)
    name = str(data)
    local = local_folder(name)
    if local is not None:
        return _folder(local[1], name)
    if name not in catalogue():
        hint = nearest(name, known_names(), "`seqwise data list` shows the names")
        raise FileError(f"there is no file, folder or data set {name!r}; {hint}")
    return _folder(fetch(name), name)


def known_names() -> list[str]:
    """The names of the catalogue, and of the folders with a `dataset.json` where data sets are looked for."""
    names = dict.fromkeys(catalogue())
    for _, folder in data_folders():
        if folder.is_dir():
            names.update(dict.fromkeys(sorted(path.parent.name for path in folder.glob("*/dataset.json"))))
    return list(filter(is_name, names))  # an unfinished download has a name that is none


def _folder(folder: Path, name: str) -> DataSource:
    found: dict[str, list[Path]] = {split: [] for split in SPLITS}
    for path in sorted(folder.iterdir()):
        if is_table(path) and stem_of(path) in found:
            found[stem_of(path)].append(path)
    for split, paths in found.items():
        if len(paths) > 1:
            raise DataError(f"{folder} has two files for {split}: {paths[0].name} and {paths[1].name}")
    splits = {split: open_table(paths[0]) for split, paths in found.items() if paths}
    if not splits:
        return _sounds(folder, name)
    return DataSource(name, splits, metadata_of(folder))


def _sounds(folder: Path, name: str) -> DataSource:
    """The data set of a folder without tables, whose .wav files are its rows."""
    from seqwise.data.wav import LABEL, SOUND, sounds_of

    parts = {part: sounds_of(folder / part) for part in SPLITS if (folder / part).is_dir()}
    metadata = {"sequence": SOUND, "label": LABEL, **metadata_of(folder)}
    if splits := {part: table for part, table in parts.items() if table is not None}:
        return DataSource(name, dict(splits), metadata)
    whole = sounds_of(folder)
    if whole is None:
        raise FileError(
            f"{folder} has no part to read: train, validation or test, as .parquet, .csv, .tsv or .jsonl, and no .wav "
            "files in folders named by their labels"
        )
    return DataSource(name, {"train": whole}, metadata, is_file=True)

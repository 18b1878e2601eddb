"""Examples: readers for every input format, named data sets, splits, batches by length, duplicates."""

from seqwise.data.batches import EpochBatches, LengthBatches
from seqwise.data.browsing import get_data, list_data, show_data
from seqwise.data.duplicates import Duplicates, find_duplicates
from seqwise.data.examples import Examples, StreamedColumn, load_examples
from seqwise.data.frames import Frames, read_frames
from seqwise.data.labels import find_separator, label_matrix, label_name, label_set
from seqwise.data.resampling import Sampler, make_sampler
from seqwise.data.settings import DataSettings
from seqwise.data.sources import DataSource, resolve
from seqwise.data.splits import grouped_split, stratified_split
from seqwise.data.synthesis import synthesise
from seqwise.data.tables import Table, open_table
from seqwise.data.unlabelled import UnlabelledTexts
from seqwise.data.writing import write_table

__all__ = [
    "DataSettings",
    "DataSource",
    "Duplicates",
    "EpochBatches",
    "Examples",
    "Frames",
    "LengthBatches",
    "Sampler",
    "StreamedColumn",
    "Table",
    "UnlabelledTexts",
    "find_duplicates",
    "find_separator",
    "get_data",
    "grouped_split",
    "label_matrix",
    "label_name",
    "label_set",
    "list_data",
    "load_examples",
    "make_sampler",
    "open_table",
    "read_frames",
    "resolve",
    "show_data",
    "stratified_split",
    "synthesise",
    "write_table",
]

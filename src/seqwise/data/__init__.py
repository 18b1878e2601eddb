"""Examples: readers for every input format, named data sets, splits, batches by length, duplicates."""

from seqwise.data.batches import LengthBatches
from seqwise.data.duplicates import Duplicates, find_duplicates
from seqwise.data.examples import Examples, StreamedColumn, load_examples
from seqwise.data.labels import label_name
from seqwise.data.settings import DataSettings
from seqwise.data.splits import stratified_split
from seqwise.data.tables import Table, open_table
from seqwise.data.writing import write_table

__all__ = [
    "DataSettings",
    "Duplicates",
    "Examples",
    "LengthBatches",
    "StreamedColumn",
    "Table",
    "find_duplicates",
    "label_name",
    "load_examples",
    "open_table",
    "stratified_split",
    "write_table",
]

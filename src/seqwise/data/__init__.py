"""Examples: readers for every input format, named data sets, splits, batches by length, duplicates."""

from seqwise.data.batches import LengthBatches
from seqwise.data.duplicates import Duplicates, find_duplicates
from seqwise.data.settings import DataSettings
from seqwise.data.splits import stratified_split

__all__ = ["DataSettings", "Duplicates", "LengthBatches", "find_duplicates", "stratified_split"]

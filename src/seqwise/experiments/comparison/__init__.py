"""Variants of one configuration on the same splits: runs that are never repeated, intervals, a recommendation, pictures."""

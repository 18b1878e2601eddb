"""Seqwise."""

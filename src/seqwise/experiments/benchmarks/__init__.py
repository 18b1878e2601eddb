"""Benchmarks: what `benchmarks/*.py` and `seqwise bench` run. Sides take turns; what is wrong is never timed."""

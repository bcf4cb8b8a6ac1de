"""Benchmarks of tvface, in one run: ``python -m benchmarks``."""

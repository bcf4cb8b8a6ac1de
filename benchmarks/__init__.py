"""What is timed and judged, against whom, in one run: ``python -m benchmarks``."""

"""The face model: codes, windows, inference, weights files, published weights."""

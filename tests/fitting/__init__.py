"""Tests of the fit, on heads whose codes are known."""

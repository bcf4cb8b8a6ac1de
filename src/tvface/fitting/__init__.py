"""Fit of the head's codes to what was found in the frames of one person: no network, no training."""

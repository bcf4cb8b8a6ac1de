"""Fits of the head's codes to what a track shows."""

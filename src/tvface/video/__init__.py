"""Reconstruction of one video with a trained model."""

"""Painting of the head's texture: skin, brows, beards, lips, eyes, lids, folds."""

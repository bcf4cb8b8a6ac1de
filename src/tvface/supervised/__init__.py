"""Training on synthetic shots, whose truth is known: people, damage, windows, losses."""

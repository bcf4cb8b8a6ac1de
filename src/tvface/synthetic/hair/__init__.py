"""Hair: the painted scalp, and the cards that grow on it."""

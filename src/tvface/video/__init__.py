"""One video through a model."""

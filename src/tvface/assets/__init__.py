"""Weights and licensed files: the registry, where files are, reading them safely; backends by name."""

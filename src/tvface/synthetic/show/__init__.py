"""The embedded show: script, cast, sets, film."""

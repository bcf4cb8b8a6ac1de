"""Meshes beside the head: trunk, clothes, collars, hats."""

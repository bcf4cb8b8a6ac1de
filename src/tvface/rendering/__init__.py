"""Differentiable rendering: rasterisers, shading, UV maps, overlays."""

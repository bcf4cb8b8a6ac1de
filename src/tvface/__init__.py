"""tvface: from TV footage to a trained temporal 3D face reconstruction model."""

__version__ = "0.1.0"

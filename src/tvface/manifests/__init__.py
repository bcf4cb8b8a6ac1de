"""Manifests: one declared schema per stage. ``SCHEMAS`` maps a stage to its schema."""

from tvface.manifests.base import (
    Column,
    Manifest,
    ManifestError,
    Provenance,
    Schema,
    parents,
    read,
    read_all,
    read_provenance,
    write,
)

__all__ = [
    "Column",
    "Manifest",
    "ManifestError",
    "Provenance",
    "Schema",
    "parents",
    "read",
    "read_all",
    "read_provenance",
    "write",
]

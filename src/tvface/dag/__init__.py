"""The workflow: stages, their files, code digests, needs, provenance, environments."""

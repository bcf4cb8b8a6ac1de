"""The workflow's facts: stages, their files, code digests, needs, provenance, environments."""

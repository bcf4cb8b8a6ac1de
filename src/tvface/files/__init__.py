"""Files on disk: atomic writing, digests, relative paths, types by the first bytes."""

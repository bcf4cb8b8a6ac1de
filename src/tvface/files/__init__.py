"""Files on disk: atomic writing, digests, relative paths, what first bytes say."""

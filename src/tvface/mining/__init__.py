"""The rules of mining, as pure functions on tables and arrays: shots, tracks, quality, motion, chains, recaps."""

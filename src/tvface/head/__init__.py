"""The head model: data, forward model, camera, albedo, the generic head and the loader of FLAME."""

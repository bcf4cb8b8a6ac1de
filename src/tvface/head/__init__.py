"""The head model: data, forward model, camera, albedo, the human head and the loader of FLAME."""

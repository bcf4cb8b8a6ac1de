"""The bundled networks: their weight files, and the training that makes them from the project's own renders."""

"""Pictures, videos, sound, tar stores, meshes and npz files."""

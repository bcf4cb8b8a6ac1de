"""Shared conventions: points, classes, boxes, similarity transforms, square crops, pixel coordinates."""

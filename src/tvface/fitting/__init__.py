"""Fitting of the head to tracks: points, contours, photographs."""

"""landmarkers"""

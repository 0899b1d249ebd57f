"""Scores, calibration and slices of outcomes."""

"""Pretrained weights: what the catalogue has, what is already here, and where it lies."""

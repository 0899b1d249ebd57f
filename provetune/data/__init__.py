"""Rows: readers, columns, splits, cleaning, quality, privacy. Never loads a model."""

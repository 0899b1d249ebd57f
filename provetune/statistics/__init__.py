"""The verdict's mathematics, on arrays alone."""

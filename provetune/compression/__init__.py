"""Smaller and faster derivatives of a bundle, each of which must prove again what its parent had proved."""

"""Bundles behind HTTP: batching, access, reloading, and nothing that depends on who else is asking."""

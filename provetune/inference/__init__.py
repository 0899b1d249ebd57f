"""Answers from a bundle: predictor, backends, latency."""

"""What to try next: from a study's own evidence, ranked by what it is expected to gain for what it costs."""

"""The problem file: syntax, claims, reading with line numbers, drafting. No torch."""

"""A study from problem to verdict: resolve, trials, sealed test, report."""

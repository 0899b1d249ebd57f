"""Seeds: one number per run, derived so that adding a candidate or a seed changes no other run."""

from __future__ import annotations

import hashlib


def run_seed(study_seed: int, candidate: str, k: int) -> int:
    """Seed of the k-th run of a candidate: the first 8 bytes of SHA-256, cut to 63 bits.

    Args:
        study_seed: the seed of the study's split section.
        candidate: the candidate's name in the problem file.
        k: number of the run, from 0.
    """
    return derive(study_seed, candidate, str(k))


def derive(seed: int, *labels: str) -> int:
    """An independent seed for one use of a run's randomness, e.g. ``derive(seed, "order")``."""
    text = "\x1f".join([str(seed), *labels]).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1

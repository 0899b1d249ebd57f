"""Seeds are SHA-256 of what they are for: fixed for ever, and independent of everything else."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from provetune.core.seeds import derive, run_seed


def test_a_run_seed_is_the_first_63_bits_of_the_hash():
    digest = hashlib.sha256(b"13\x1ffull\x1f2").hexdigest()

    assert run_seed(13, "full", 2) == int(digest[:16], 16) >> 1


def test_a_run_seed_does_not_change_between_versions():
    # printf '13\x1ffull\x1f0' | sha256sum | cut -c1-16, shifted right by one bit
    assert run_seed(13, "full", 0) == 1546993688894545733


def test_labels_are_kept_apart():
    assert derive(1, "ab", "c") != derive(1, "a", "bc")
    assert derive(1, "1") != derive(11)


@given(st.integers(min_value=0), st.text(), st.integers(0, 99))
def test_seeds_fit_what_numpy_and_torch_take(study, candidate, k):
    assert 0 <= run_seed(study, candidate, k) < 2**63


def test_runs_of_a_study_have_seeds_of_their_own():
    seeds = {run_seed(13, candidate, k) for candidate in ("words", "full", "lora") for k in range(100)}

    assert len(seeds) == 300

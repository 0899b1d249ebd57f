"""What may change bits is told apart from what may not."""

from __future__ import annotations

from provetune.study.machine import code_hash, describe_machine, differences, package_versions


def test_only_what_changes_bits_differs() -> None:
    before = describe_machine(precision={"full": "fp32"}, threads_per_trial=1)
    assert differences(before, {**before, "processor": "another", "cores": 64, "python": "3.99"}) == []
    now = describe_machine(precision={"full": "bf16"}, threads_per_trial=2)
    assert differences(before, now) == [
        "threads a trial: 1 before, 2 now",
        "precision: full fp32 before, full bf16 now",
    ]


def test_threads_that_are_not_settled_differ_from_nothing() -> None:
    assert differences(describe_machine(threads_per_trial=4), describe_machine()) == []


def test_code_and_packages_have_a_name() -> None:
    assert len(code_hash()) == 64
    assert "torch" in package_versions()

"""Golden examples asked again: the same answers here, other answers, none at all; by number format and device."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tiny_bundles import write_tfidf_bundle, write_torch_bundle

from provetune.core.errors import CorruptError, Refused, UsageError
from provetune.inference.agreement import compare_golden, tolerance_of
from provetune.inference.predictor import load
from provetune.models.bundle import Golden, open_bundle
from provetune.models.bundle.golden import write_golden
from provetune.models.bundle.manifest import write_manifest

TEXTS = ["the card was charged twice", "a parcel", "nothing arrived a b c d"]


def with_golden(bundle: Path, inputs: list[object], shift: float = 0.0) -> Path:
    """Give a bundle golden examples with its own answers; those of the second example off by `shift`."""
    answers = np.array(load(bundle).probabilities(inputs))
    answers[1, 0] += shift
    write_golden(bundle, Golden.of(inputs, answers.tolist()))
    write_manifest(bundle)
    return bundle


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return with_golden(write_torch_bundle(tmp_path_factory.mktemp("torch") / "bundle"), TEXTS)


@pytest.fixture
def bundle(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "bundle"))


def test_the_same_machine_agrees(bundle: Path) -> None:
    found = compare_golden(load(bundle, verify="golden"), open_bundle(bundle).golden)
    assert found.same
    assert found.examples == 3
    assert found.largest <= 1e-6


def test_other_answers_are_refused_with_the_largest_difference(bundle: Path) -> None:
    with_golden(bundle, TEXTS, shift=0.25)
    with pytest.raises(Refused, match=r"Golden example 2 of 3 .* off by 0\.25, 0\.0001 is allowed") as caught:
        load(bundle, verify="golden")
    assert caught.value.where == str(bundle)
    assert caught.value.exit_code == 1
    found = compare_golden(load(bundle), open_bundle(bundle).golden)
    assert (found.same, found.example) == (False, 2)
    assert found.largest == pytest.approx(0.25, abs=1e-6)


def test_half_precision_is_allowed_more(bundle: Path) -> None:
    with_golden(bundle, TEXTS, shift=0.002)
    assert compare_golden(load(bundle, precision="bf16"), open_bundle(bundle).golden).same
    assert not compare_golden(load(bundle), open_bundle(bundle).golden).same
    assert (
        tolerance_of("fp32") < tolerance_of("fp32", "cuda:0") < tolerance_of("bf16", "cuda:0") == tolerance_of("bf16")
    )


def test_pairs_are_asked_as_pairs(tmp_path: Path) -> None:
    folder = write_torch_bundle(tmp_path / "pairs", columns=["question", "answer"])
    with_golden(folder, [["a parcel", "a b"], ["card", "c d e"]])
    load(folder, verify="golden")
    golden = open_bundle(folder).golden
    turned = Golden.of([["a parcel", "c d e"], ["card", "a b"]], golden.answers)
    assert compare_golden(load(folder), turned).largest > 1e-3


def test_masks_of_training_do_not_touch_golden_texts(tmp_path: Path) -> None:
    folder = write_torch_bundle(tmp_path / "masked", mask=["email"])
    plain = write_torch_bundle(tmp_path / "plain")
    texts = ["card a@b.example charged", "a parcel"]
    write_golden(folder, Golden.of(texts, load(plain).probabilities(texts).tolist()))
    write_manifest(folder)
    load(folder, verify="golden")


def test_every_kind_can_be_asked(tmp_path: Path) -> None:
    load(with_golden(write_tfidf_bundle(tmp_path / "words"), TEXTS), verify="golden")


def test_a_bundle_without_golden_examples_cannot_be_vouched_for(tmp_path: Path) -> None:
    folder = write_tfidf_bundle(tmp_path / "words")
    with pytest.raises(CorruptError, match="no golden examples"):
        load(folder, verify="golden")
    load(folder)


def test_the_manifest_is_compared_as_well(bundle: Path) -> None:
    golden = json.loads((bundle / "golden.json").read_text())
    golden["examples"][0]["answer"][0] += 0.5
    (bundle / "golden.json").write_text(json.dumps(golden))
    with pytest.raises(CorruptError, match="was changed"):
        load(bundle, verify="golden")


def test_another_word_is_refused(bundle: Path) -> None:
    with pytest.raises(UsageError, match=r"Got 'silver' instead"):
        load(bundle, verify="silver")  # type: ignore[arg-type]

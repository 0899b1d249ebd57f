"""Weights in sixteen bits: what is stored, what is computed, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from encoder_bundles import Sample, write_encoder_bundle, write_made
from safetensors.torch import load_file

from provetune.compression.steps import STEPS
from provetune.core.errors import UsageError
from provetune.inference.predictor import load
from provetune.tasks import TASKS


@pytest.fixture(scope="module")
def sample(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_encoder_bundle(tmp_path_factory.mktemp("half") / "parent", "classification", tiny_backbone)


@pytest.mark.parametrize(("name", "number", "most"), [("fp16", torch.float16, 2**-11), ("bf16", torch.bfloat16, 2**-8)])
def test_weights_are_rounded_and_computed_with_in_fp32(
    name: str, number: torch.dtype, most: float, sample: Sample, tmp_path: Path
) -> None:
    step = STEPS.get(name)
    out = write_made(tmp_path / "out", sample.bundle, step.apply(sample.given(tmp_path), step.settings()))
    before, after = (load_file(one.path / "model.safetensors") for one in (sample.bundle, out))
    assert before.keys() == after.keys()
    for key, value in before.items():
        assert after[key].dtype is number
        # Numbers too small for fp16's exponents lose more than their share.
        assert ((after[key].float() - value).abs() <= value.abs() * most + 1e-7).all()
    size = [(one.path / "model.safetensors").stat().st_size for one in (sample.bundle, out)]
    assert size[1] < 0.55 * size[0]
    found = load(out.path)
    assert found.precision == "fp32"
    plain = _in_fp32(out.path, tmp_path / "plain")
    assert found.answers(sample.asked) == pytest.approx(plain, abs=1e-5)
    assert np.abs(found.answers(sample.asked) - load(sample.bundle.path).answers(sample.asked)).max() < 0.1
    assert step.refuse(out, TASKS.get("classification"), step.settings()) == (
        f"The weights of this bundle are in {name} already."
    )


def _in_fp32(bundle: Path, folder: Path) -> np.ndarray:
    """What transformers says with the stored weights, computed in fp32."""
    import transformers
    from encoder_bundles import LONGEST, rows_of

    model = transformers.AutoModelForSequenceClassification.from_pretrained(bundle, dtype=torch.float32).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(bundle)
    texts = rows_of("classification")[0]["text"].to_pylist()
    with torch.inference_mode():
        logits = [
            model(**tokenizer(text, truncation=True, max_length=LONGEST, return_tensors="pt")).logits for text in texts
        ]
    return torch.cat(logits).softmax(dim=-1).double().numpy()


def test_a_weight_that_fp16_cannot_hold_is_refused(
    sample: Sample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from provetune.compression import half_weights

    def loud_parent(given: object) -> tuple[torch.nn.Module, None]:
        layer = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(layer.weight, 1e6)
        return layer, None

    monkeypatch.setattr(half_weights, "load_parent", loud_parent)
    step = STEPS.get("fp16")
    with pytest.raises(UsageError, match=r"is 1e\+06, more than fp16 can hold") as caught:
        step.apply(sample.given(tmp_path), step.settings())
    assert "bf16" in str(caught.value.hint)
    bf16 = STEPS.get("bf16")
    assert bf16.apply(sample.given(tmp_path), bf16.settings()).notes == {"weights": "bf16"}


def test_the_config_says_how_weights_are_stored(sample: Sample, tmp_path: Path) -> None:
    step = STEPS.get("bf16")
    out = write_made(tmp_path / "out", sample.bundle, step.apply(sample.given(tmp_path), step.settings()))
    config = json.loads((out.path / "config.json").read_text())
    assert config.get("dtype", config.get("torch_dtype")) == "bfloat16"

"""Graphs give what torch gives, for every task of an encoder and for other families; what cannot be one is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from encoder_bundles import ENCODER_TASKS, Sample, write_encoder_bundle, write_frozen_sample, write_made

from provetune.compression.export_bert import takes_bert
from provetune.compression.exporting import export_bundle, refusal
from provetune.compression.steps import STEPS
from provetune.core.errors import UsageError
from provetune.inference.agreement import compare_golden
from provetune.inference.predictor import Predictor, load
from provetune.models.bundle import Golden, open_bundle
from provetune.tasks import TASKS

STEP = STEPS.get("onnx")


@pytest.fixture(scope="module")
def sample(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Sample]:
    made: dict[str, Sample] = {}

    def make(name: str) -> Sample:
        if name not in made:
            folder = tmp_path_factory.mktemp("samples") / name
            write = write_frozen_sample(folder, tiny_backbone) if name == "frozen" else None
            made[name] = write or write_encoder_bundle(folder, name, tiny_backbone)
        return made[name]

    return make


def apart(one: Any, other: Any) -> float:
    """Largest difference of the numbers in two outputs of a predictor."""
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", [*ENCODER_TASKS, "frozen"])
def test_a_graph_gives_what_torch_gives(name: str, sample: Callable[[str], Sample], tmp_path: Path) -> None:
    given = sample(name)
    made = STEP.apply(given.given(tmp_path), STEP.settings())
    assert (made.kind, made.notes["graph"]) == ("onnx", "fused")
    exported = load(write_made(tmp_path / "out", given.bundle, made).path)
    torch_one = load(given.bundle.path)
    assert exported.engine.startswith("onnxruntime")
    assert exported.precision == "fp32"
    found, wanted = exported.outputs(given.asked)[0], torch_one.outputs(given.asked)[0]
    assert apart(found, wanted) < 1e-4
    assert apart(wanted[:1], [np.zeros_like(wanted[0])]) > 0.05, "a model that says nothing shows nothing"
    told = [each.task.predictions(each.answers(given.asked), each.targets) for each in (exported, torch_one)]
    assert _words(told[0]) == _words(told[1])


def _words(told: Any) -> Any:
    return json.loads(json.dumps(told), parse_float=lambda number: round(float(number), 3))


def test_a_bundle_has_what_answering_needs_and_nothing_more(sample: Callable[[str], Sample], tmp_path: Path) -> None:
    given = sample("classification")
    folder = write_made(tmp_path / "out", given.bundle, STEP.apply(given.given(tmp_path), STEP.settings())).path
    names = {path.name for path in folder.iterdir()}
    assert names == {
        *("README.md", "config.json", "golden.json", "manifest.json", "model.onnx", "provetune.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    }


@pytest.mark.parametrize("family", ["distilbert", "electra", "roberta"])
def test_other_families_are_traced(family: str, tiny_backbone: Path, tmp_path: Path) -> None:
    given = _of_family(family, tiny_backbone, tmp_path)
    found = export_bundle(given.given(tmp_path))
    assert found.how == "traced"
    assert found.difference < 1e-4
    made = STEP.apply(given.given(tmp_path), STEP.settings())
    exported = load(write_made(tmp_path / "out", given.bundle, made).path)
    assert apart(exported.outputs(given.asked)[0], load(given.bundle.path).outputs(given.asked)[0]) < 1e-4
    eight = STEPS.get("int8")
    rounded = eight.apply(given.given(tmp_path), eight.settings())
    assert rounded.notes["products"] >= 12
    quantised = load(write_made(tmp_path / "eight", given.bundle, rounded).path)
    assert np.abs(quantised.answers(given.asked) - exported.answers(given.asked)).max() < 0.1


def _of_family(family: str, backbone: Path, folder: Path) -> Sample:
    import torch
    import transformers
    from encoder_bundles import loud, record_of, rows_of

    from provetune.models.bundle import BundleContents, write_bundle
    from provetune.models.loading import load_tokenizer

    rows, columns = rows_of("classification")
    task, tokenizer = TASKS.get("classification"), load_tokenizer(backbone)
    targets = task.targets(rows)
    common = {"vocab_size": len(tokenizer), "pad_token_id": 0, **task.head(targets)}
    wide = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 64}
    config = {
        "distilbert": lambda: transformers.DistilBertConfig(dim=32, n_layers=2, n_heads=4, hidden_dim=64, **common),
        "electra": lambda: transformers.ElectraConfig(embedding_size=16, **wide, **common),
        "roberta": lambda: transformers.RobertaConfig(max_position_embeddings=130, **wide, **common),
    }[family]()
    torch.manual_seed(0)
    model = loud(transformers.AutoModelForSequenceClassification.from_config(config).eval())
    contents = BundleContents(
        *("transformers", "classification", targets, Golden((), ()), record_of(columns, "classification")),
        model=model,
        tokenizer=tokenizer,
    )
    return Sample(open_bundle(write_bundle(folder / family, contents)), rows)


def test_a_model_with_parts_of_its_own_is_no_plain_bert(sample: Callable[[str], Sample]) -> None:
    from safetensors.numpy import load_file

    folder = sample("classification").bundle.path
    config = json.loads((folder / "config.json").read_text())
    weights = load_file(folder / "model.safetensors")
    assert takes_bert(config, weights, "classifier")
    assert not takes_bert(config, {**weights, "bert.extra.weight": np.zeros(1)}, "classifier")
    assert not takes_bert({**config, "hidden_act": "relu"}, weights, "classifier")
    assert not takes_bert({**config, "is_decoder": True}, weights, "classifier")
    assert not takes_bert(config, weights, "mean")
    without = {name: value for name, value in weights.items() if "pooler" not in name}
    assert not takes_bert(config, without, "classifier")


def test_the_graph_has_few_nodes_and_free_axes(sample: Callable[[str], Sample], tmp_path: Path) -> None:
    model = export_bundle(sample("classification").given(tmp_path)).model
    onnx.checker.check_model(_standard_part(model))
    assert len(model.graph.node) < 16 + 2 * 12
    for one in model.graph.input:
        assert [axis.dim_param for axis in one.type.tensor_type.shape.dim] == ["batch", "length"]


def _standard_part(model: onnx.ModelProto) -> onnx.ModelProto:
    """Inputs, outputs and stored arrays alone: the checker does not know ONNX Runtime's own operators."""
    kept = onnx.ModelProto()
    kept.CopyFrom(model)
    del kept.graph.node[:]
    kept.graph.node.extend(
        onnx.helper.make_node("Constant", [], [one.name], value_float=0.0) for one in model.graph.output
    )
    return kept


@pytest.mark.parametrize("name", ["chat", "seq2seq"])
def test_what_writes_texts_is_refused_in_one_line(name: str) -> None:
    for step in ("onnx", "int8", "int8_static"):
        assert "transformers" in STEPS.get(step).takes
    why = refusal(TASKS.get(name), "transformers")
    assert why is not None
    assert "\n" not in why
    assert "token by token" in why
    assert "torch" in why


def test_what_is_no_encoder_is_refused(sample: Callable[[str], Sample], tmp_path: Path) -> None:
    why = refusal(TASKS.get("classification"), "tfidf")
    assert why is not None
    assert "'tfidf'" in why
    assert all(refusal(TASKS.get(name), "transformers") is None for name in ENCODER_TASKS)
    given = sample("classification")
    empty = Sample(given.bundle, given.rows.slice(0, 0))
    with pytest.raises(UsageError, match="no training rows"):
        STEP.apply(empty.given(tmp_path), STEP.settings())


def test_golden_examples_and_doctor(sample: Callable[[str], Sample], tmp_path: Path) -> None:
    from provetune.cli.doctor import ask_golden

    given = sample("pair")
    texts = [
        list(pair) for pair in zip(*(given.asked[name].to_pylist() for name in given.asked.column_names), strict=True)
    ]
    golden = Golden.of(texts, load(given.bundle.path).golden_answers(given.asked))
    made = STEP.apply(given.given(tmp_path), STEP.settings())
    out = write_made(tmp_path / "out", given.bundle, made, golden)
    loaded: Predictor = load(out.path, verify="golden")
    assert compare_golden(loaded, golden).tolerance == 1e-4
    found = ask_golden(str(out.path), None, precision="fp32", device="cpu")
    assert found["same"] is True
    assert found["examples"] == len(texts)
    assert found["engine"].startswith("onnxruntime")

"""Rounding by hand; graphs in int8 against the arithmetic written out; answers that do not depend on neighbours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from encoder_bundles import ENCODER_TASKS, Sample, encoded, write_encoder_bundle, write_frozen_sample, write_made
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import numpy_helper

from provetune.compression.export_graph import OUTPUT, GraphWriter, finish_graph
from provetune.compression.quantise_graph import choose_products, quantise
from provetune.compression.quantise_numbers import balance, fixed_scale, round_columns, round_rows
from provetune.compression.quantise_ways import FixedScales, RowScales
from provetune.compression.steps import STEPS
from provetune.core.errors import UsageError
from provetune.inference.backends._graph import FILE, Graph
from provetune.inference.predictor import load
from provetune.models.bundle import Bundle

MATRICES = arrays(np.float32, (5, 7), elements=st.floats(-100, 100, width=32))


def test_columns_by_hand() -> None:
    numbers, scales = round_columns(np.array([[1.27, -2.0], [0.635, 0.5], [-0.01, 0.0]], dtype=np.float32))
    assert scales == pytest.approx([0.01, 2 / 127])
    # 0.635 is half-way between 63 and 64, where float32 puts it a little below.
    assert numbers[:, 0].tolist() in ([127, 63, -1], [127, 64, -1])
    assert numbers[:, 1].tolist() == [-127, 32, 0]


@given(MATRICES)
def test_a_stored_weight_is_within_half_a_step(weights: np.ndarray) -> None:
    numbers, scales = round_columns(weights)
    assert numbers.dtype == np.int8
    assert (np.abs(numbers * scales - weights) <= scales / 2 * (1 + 1e-5) + 1e-12).all()
    coarse, steps = round_columns(weights, 7)
    assert np.abs(coarse).max(initial=0) <= 63
    assert (np.abs(coarse * steps - weights) <= steps / 2 * (1 + 1e-5) + 1e-12).all()
    by_row, sizes = round_rows(weights)
    assert (np.abs(by_row * sizes - weights) <= sizes / 2 * (1 + 1e-5) + 1e-12).all()


@given(MATRICES, st.floats(0, 1))
def test_balancing_changes_no_product(weights: np.ndarray, power: float) -> None:
    activation = np.array([[1.0, -2.0, 300.0, 0.1, 0.0]])
    factors = balance(np.abs(activation[0]), [weights], power)
    found = (activation / factors) @ (weights * factors[:, None])
    assert found == pytest.approx(activation @ weights, rel=1e-4, abs=1e-2)
    if power == 0.0:
        assert (factors == 1.0).all()


def test_fixed_scales_hold_nought_exactly() -> None:
    assert fixed_scale(-1.0, 1.55) == pytest.approx((0.01, 100))
    assert fixed_scale(0.5, 2.55) == (pytest.approx(0.01), 0)
    assert fixed_scale(-2.55, -1.0) == (pytest.approx(0.01), 255)


def small_graph(first: np.ndarray, second: np.ndarray) -> onnx.ModelProto:
    """The token numbers as values, times one matrix, times an output layer."""
    graph = GraphWriter()
    values = graph.node("Unsqueeze", [graph.node("Cast", ["input_ids"], to=1), graph.number("one", 1)])
    middle = graph.node("MatMul", [values, graph.keep("first", first)])
    graph.node("MatMul", [middle, graph.keep("second", second)], outputs=[OUTPUT])
    return finish_graph(graph, ["input_ids", "attention_mask"], ["batch", 1, second.shape[1]])


def ask(model: onnx.ModelProto, numbers: Any) -> np.ndarray:
    found: np.ndarray = Graph(model.SerializeToString(), 1).ask([{"input_ids": row} for row in numbers], 0)
    return found[:, 0]


@settings(max_examples=20, deadline=None)
@given(arrays(np.int64, (3, 40), elements=st.integers(-500, 500)), st.booleans(), st.integers(0, 99))
def test_the_product_of_a_row_is_the_arithmetic_written_out(numbers: np.ndarray, balanced: bool, seed: int) -> None:
    random = np.random.default_rng(seed)
    first = random.normal(size=(40, 32)).astype(np.float32)
    second = random.normal(size=(32, 3)).astype(np.float32)
    model = small_graph(first, second)
    chosen, kept = choose_products(model)
    assert [one.stored for one in chosen] == ["first"]
    assert [one.stored for one in kept] == ["second"]
    ranges = {chosen[0].taken: (np.full(40, -500.0), np.linspace(1, 500, 40))} if balanced else None
    found = ask(quantise(model, RowScales(ranges, 0.5, 8)).model, numbers)
    factors = balance(np.full(40, 500.0), [first], 0.5) if balanced else np.ones(40, np.float32)
    whole, scales = round_columns(first * factors[:, None])
    values = numbers / factors
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    width = np.maximum(high - low, 1e-12)
    shares = np.rint((values - low) / width * 255)
    middle = (shares * width / 255 + low) @ (whole * scales)
    exact = numbers @ first
    # A share that lies half-way between two steps may be rounded either way.
    either = (width / 255) * np.abs(whole * scales).max() * 2 + 1e-3
    assert np.abs(found - middle @ second).max() <= (either * np.abs(second).sum()).max()
    # At most half a step of each of 40 activations, and half a step of each weight.
    most = (width / 510) @ np.ones((1, 40)) @ np.abs(whole * scales) + np.abs(values) @ np.ones((40, 1)) * scales / 2
    assert (np.abs(found - exact @ second) <= (most @ np.abs(second)) * 1.01 + 1e-2).all()


def test_fixed_scales_cut_off_what_was_never_seen() -> None:
    random = np.random.default_rng(0)
    first, second = random.normal(size=(40, 32)).astype(np.float32), np.eye(32, 3, dtype=np.float32)
    model = small_graph(first, second)
    ranges = {choose_products(model)[0][0].taken: (np.full(40, -12.7), np.full(40, 12.8))}
    made = quantise(model, FixedScales(ranges, 0.0, 8)).model
    # Tenths: no number lies half-way between two steps.
    inside = random.integers(-12, 13, size=(4, 40))
    whole, scales = round_columns(first)
    step, nought = fixed_scale(-12.7, 12.8)
    shares = np.clip(np.rint(inside / step) + nought, 0, 255) - nought
    assert ask(made, inside) == pytest.approx((shares * step) @ (whole * scales) @ second, abs=1e-2)
    beyond = np.where(inside > 0, 12.8, np.where(inside < 0, -12.7, 0.0))
    assert ask(made, inside * 1000) == pytest.approx(beyond @ (whole * scales) @ second, abs=1e-2)


def test_a_graph_without_products_is_refused() -> None:
    model = small_graph(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32))
    with pytest.raises(UsageError, match="no fp32 products"):
        quantise(model, RowScales(None, 0.0, 8))


# -- bundles ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifier(tiny_backbone: Path, tmp_path_factory: pytest.TempPathFactory) -> Sample:
    return write_encoder_bundle(tmp_path_factory.mktemp("made") / "parent", "classification", tiny_backbone)


@pytest.fixture(scope="module")
def made(classifier: Sample, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Bundle]:
    done: dict[str, Bundle] = {}

    def make(name: str) -> Bundle:
        if name not in done:
            folder, step = tmp_path_factory.mktemp(name), STEPS.get(name)
            done[name] = write_made(
                folder / "out", classifier.bundle, step.apply(classifier.given(folder), step.settings())
            )
        return done[name]

    return make


@pytest.mark.parametrize("name", ["int8", "int8_static"])
@pytest.mark.parametrize("kind", ["classification", "span_qa", "retrieval", "frozen"])
def test_answers_in_int8_are_close(name: str, kind: str, tiny_backbone: Path, tmp_path: Path) -> None:
    write = partial_frozen if kind == "frozen" else write_encoder_bundle
    sample = write(tmp_path / "parent", kind, tiny_backbone)
    step = STEPS.get(name)
    out = write_made(tmp_path / "out", sample.bundle, step.apply(sample.given(tmp_path), step.settings()))
    assert out.record["weights"] == "int8"
    quantised, parent = load(out.path), load(sample.bundle.path)
    assert quantised.precision == "int8"
    found, wanted = quantised.outputs(sample.asked)[0], parent.outputs(sample.asked)[0]
    flat, known = (np.concatenate([np.ravel(each) for each in one]) for one in (found, wanted))
    assert np.corrcoef(flat, known)[0, 1] > (0.99 if name == "int8" else 0.95)
    assert np.abs(flat - known).max() > 1e-6


def partial_frozen(folder: Path, kind: str, backbone: Path) -> Sample:
    return write_frozen_sample(folder, backbone)


def test_weights_in_the_file_are_those_of_the_parent_rounded(made: Callable[[str], Bundle], classifier: Sample) -> None:
    from safetensors.numpy import load_file

    stored = {one.name: numpy_helper.to_array(one) for one in onnx.load(made("int8").path / FILE).graph.initializer}
    table = load_file(classifier.bundle.path / "model.safetensors")["bert.embeddings.word_embeddings.weight"]
    numbers, scales = stored["int8/embeddings.words.numbers"], stored["int8/embeddings.words.scales"]
    assert numbers.dtype == np.int8
    assert scales.shape == (len(table), 1)
    assert (np.abs(numbers * scales - table) <= scales / 2 * (1 + 1e-5)).all()
    large = {name: values for name, values in stored.items() if values.ndim == 2 and min(values.shape) > 1}
    floats = {name for name, values in large.items() if values.dtype == np.float32}
    # Places and the output layer: they are small.
    assert floats == {"embeddings.places", "classifier.weight"}


@pytest.mark.parametrize("name", ["onnx", "int8", "int8_static"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_an_answer_does_not_depend_on_neighbours(name: str, data: st.DataObject, made: Any, classifier: Sample) -> None:
    graph = Graph(made(name).path / FILE, 1)
    features = encoded(classifier)
    feature = data.draw(st.sampled_from(features))
    strange = st.lists(st.integers(0, 300), min_size=1, max_size=100)
    beside = [
        {"input_ids": np.asarray(each, np.int32)} for each in data.draw(st.lists(strange, min_size=1, max_size=5))
    ]
    place = data.draw(st.integers(0, len(beside)))
    alone = graph.ask([feature], 0)[0]
    among = graph.ask([*beside[:place], feature, *beside[place:]], 0)[place]
    padded = graph.ask([feature], 0, width=100)[0]
    tolerance = 1e-5 if name == "onnx" else 2e-3
    for other in (among, padded):
        assert other.argmax() == alone.argmax()
        assert np.abs(other - alone).max() <= tolerance * max(1.0, np.abs(alone).max())


def test_one_scale_of_the_whole_batch_would_fail_this(classifier: Sample, tmp_path: Path) -> None:
    """The quantiser that ONNX Runtime brings changes an answer by what stands beside it: hence ours."""
    from onnxruntime.quantization import quantize_dynamic

    onnx_step = STEPS.get("onnx")
    out = write_made(
        tmp_path / "o", classifier.bundle, onnx_step.apply(classifier.given(tmp_path), onnx_step.settings())
    )
    quantize_dynamic(out.path / FILE, tmp_path / "dynamic.onnx", extra_options={"DefaultTensorType": 1})
    graph, feature = Graph(tmp_path / "dynamic.onnx", 1), encoded(classifier)[0]
    beside = {"input_ids": np.full(100, 7, np.int32)}
    assert np.abs(graph.ask([feature], 0)[0] - graph.ask([feature, beside], 0)[0]).max() > 2e-3


def test_an_exported_bundle_can_be_rounded_and_a_rounded_one_cannot(
    made: Callable[[str], Bundle], classifier: Sample, tmp_path: Path
) -> None:
    step, exported = STEPS.get("int8"), made("onnx")
    again = write_made(
        tmp_path / "two", exported, step.apply(Sample(exported, classifier.rows).given(tmp_path), step.settings())
    )
    one = load(again.path).answers(classifier.asked)
    assert one == pytest.approx(load(made("int8").path).answers(classifier.asked), abs=1e-6)
    from provetune.tasks import TASKS

    why = step.refuse(again, TASKS.get("classification"), step.settings())
    assert why == "This bundle is in int8 already; take the one that it was made from."
    assert step.refuse(exported, TASKS.get("classification"), step.settings()) is None


def test_nothing_is_looked_at_without_balance(classifier: Sample, tmp_path: Path) -> None:
    step = STEPS.get("int8")
    found = step.apply(classifier.given(tmp_path), step.settings(balance=0.0, weight_bits=7))
    assert found.notes["rows_looked_at"] == 0
    assert found.notes["balance"] == 0.0
    assert found.notes["kept_in_fp32"]
    assert found.notes["tables"] == 1


@pytest.mark.parametrize("kind", ENCODER_TASKS)
def test_every_task_can_be_rounded(kind: str, tiny_backbone: Path, tmp_path: Path) -> None:
    sample, step = write_encoder_bundle(tmp_path / "parent", kind, tiny_backbone), STEPS.get("int8")
    out = write_made(tmp_path / "out", sample.bundle, step.apply(sample.given(tmp_path), step.settings()))
    told = load(out.path)
    assert len(told.task.predictions(told.answers(sample.asked), told.targets)) == len(sample.rows)

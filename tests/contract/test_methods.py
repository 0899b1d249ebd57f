"""What every method promises, tried on whatever methods there are. A new one is covered as soon as its file exists."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import BaseModel, ValidationError

from provetune.core.combining import CombiningMethod
from provetune.core.little_data import ContrastMethod, LabelMethod
from provetune.core.protocols import (
    AttachesAdapter,
    ExampleMethod,
    FitMethod,
    Method,
    StaysApart,
    Targets,
    WeightMethod,
)
from provetune.inference.backends import BACKENDS
from provetune.models.loading import load_model
from provetune.models.methods import METHODS
from provetune.models.weights import PICKLED_SUFFIXES
from provetune.problem.syntax import Candidate
from provetune.tasks import TASKS

TASK = TASKS.get("classification")
TARGETS = Targets("single_label", ("a", "b", "c"), (20, 20, 20))
SEVERAL = Targets("multi_label", ("a", "b", "c"), (20, 20, 20))

ALL = METHODS.names()
FITTING = [name for name in ALL if METHODS.get(name).learns_from in ("texts", "features")]
EXAMPLES = [name for name in ALL if METHODS.get(name).learns_from == "examples"]
WEIGHTS = [name for name in ALL if isinstance(METHODS.get(name), WeightMethod)]
CONTRASTS = [name for name in ALL if METHODS.get(name).learns_from == "contrasts"]
LABELS = [name for name in ALL if METHODS.get(name).learns_from == "labels"]
MEMBERS = [name for name in ALL if METHODS.get(name).learns_from == "members"]
# The others serve tasks with models of their own, and are tried with those.
LEARNING = [name for name in WEIGHTS if METHODS.get(name).tasks is None]


@pytest.fixture(params=ALL)
def method(request: pytest.FixtureRequest) -> Method:
    return METHODS.get(request.param)


@pytest.fixture(params=FITTING)
def fitting(request: pytest.FixtureRequest) -> Any:
    return METHODS.get(request.param)


@pytest.fixture(params=LEARNING)
def learning(request: pytest.FixtureRequest) -> Any:
    return METHODS.get(request.param)


def test_there_are_methods_of_both_kinds() -> None:
    assert FITTING
    assert LEARNING
    assert sorted(FITTING + WEIGHTS + EXAMPLES + CONTRASTS + LABELS + MEMBERS) == ALL
    assert all(isinstance(METHODS.get(name), FitMethod) for name in FITTING)
    assert all(isinstance(METHODS.get(name), ExampleMethod) for name in EXAMPLES)
    assert all(isinstance(METHODS.get(name), ContrastMethod) for name in CONTRASTS)
    assert all(isinstance(METHODS.get(name), LabelMethod) for name in LABELS)
    assert all(isinstance(METHODS.get(name), CombiningMethod) for name in MEMBERS)


def test_name_is_the_file_and_summary_is_a_sentence(method: Method) -> None:
    assert METHODS.get(method.name) is method
    assert method.summary.endswith(".")
    assert "\n" not in method.summary


def test_way_of_learning_and_kind_of_bundle_are_known(method: Method) -> None:
    assert method.learns_from in ("texts", "features", "weights", "examples", "contrasts", "labels", "members")
    assert (method.learns_from == "weights") == isinstance(method, WeightMethod)
    assert method.bundle_kind in BACKENDS


def test_settings_are_documented_and_refuse_unknown_keys(method: Method) -> None:
    assert issubclass(method.settings, BaseModel)
    for name, field in method.settings.model_fields.items():
        assert field.description, f"{method.name}.{name}"
        assert not field.is_required(), f"{method.name}.{name} must have a default"
        assert name not in Candidate.model_fields, f"{method.name}.{name} hides a common field"
    with pytest.raises(ValidationError):
        method.settings.model_validate({"no_such_setting": 1})
    settings = method.settings()
    assert method.settings.model_validate(settings.model_dump(mode="json")) == settings


def test_defaults_are_common_fields_that_pass_their_checks(method: Method) -> None:
    # The width of the backbone that a learning rate was found at is no field: it scales the learning rate.
    fields = {name: value for name, value in method.defaults.items() if name != "reference_size"}
    Candidate.model_validate({"method": method.name, **fields})
    assert set(fields) <= set(Candidate.model_fields)


# -- methods that fit in one go ---------------------------------------------------------------------------


def inputs_for(method: Method, rows: int = 60) -> tuple[Any, np.ndarray[Any, Any]]:
    """Inputs of three kinds that tell each other apart, and their numbers."""
    draw = np.random.default_rng(3)
    labels = np.arange(rows) % 3
    if method.learns_from == "texts":
        words = ("parcel courier late", "invoice refund charged", "password locked code")
        return [f"{words[label]} {draw.integers(1000)}" for label in labels], labels
    centres = np.eye(3, 8, dtype=np.float32) * 3
    features = centres[labels] + draw.normal(size=(rows, 8)).astype(np.float32) * 0.3
    return features / np.linalg.norm(features, axis=1, keepdims=True), labels


def test_fit_learns_what_is_easy(fitting: Any) -> None:
    inputs, labels = inputs_for(fitting)
    model = fitting.fit(inputs, labels, TARGETS, fitting.settings(), seed=1, validation=(inputs, labels))
    logits = model.logits(inputs)
    assert logits.shape == (60, 3)
    assert (logits.argmax(axis=1) == labels).all()


def test_saved_fit_answers_the_same_and_is_not_pickled(fitting: Any, tmp_path: Path) -> None:
    inputs, labels = inputs_for(fitting)
    model = fitting.fit(inputs, labels, TARGETS, fitting.settings(), seed=1)
    model.save(tmp_path)
    np.testing.assert_array_equal(fitting.load(tmp_path).logits(inputs), model.logits(inputs))
    assert not {path.suffix for path in tmp_path.rglob("*")} & PICKLED_SUFFIXES


def test_scaling_divides_the_logits(fitting: Any) -> None:
    inputs, labels = inputs_for(fitting)
    model = fitting.fit(inputs, labels, TARGETS, fitting.settings(), seed=1)
    np.testing.assert_allclose(model.scaled(2.0).logits(inputs), model.logits(inputs) / 2.0, rtol=1e-4, atol=1e-5)


def test_fit_is_repeatable(fitting: Any) -> None:
    inputs, labels = inputs_for(fitting)
    first, second = (
        fitting.fit(inputs, labels, TARGETS, fitting.settings(), seed=1, validation=(inputs, labels)) for _ in range(2)
    )
    np.testing.assert_array_equal(first.logits(inputs), second.logits(inputs))


def test_fit_takes_several_labels_a_row(fitting: Any) -> None:
    inputs, labels = inputs_for(fitting)
    indicators = np.eye(3, dtype=bool)[labels] | np.eye(3, dtype=bool)[(labels + (np.arange(60) % 2)) % 3]
    model = fitting.fit(inputs, indicators, SEVERAL, fitting.settings(), seed=1)
    assert model.logits(inputs).shape == (60, 3)


def test_fit_takes_label_weights(fitting: Any) -> None:
    """A label that weighs more is given at least as often to inputs that say nothing."""
    inputs, labels = inputs_for(fitting)
    strength = {"C": 0.5} if "C" in fitting.settings.model_fields else {}
    plain, heavy = (
        fitting.fit(inputs, labels, TARGETS, fitting.settings(**strength), seed=1, label_weights=weights)
        for weights in (None, np.array([1.0, 1.0, 50.0]))
    )
    nothing = ["zzz"] if fitting.learns_from == "texts" else np.zeros((1, 8), dtype=np.float32)
    margin = [float(model.logits(nothing)[0, 2] - model.logits(nothing)[0, 0]) for model in (plain, heavy)]
    assert margin[1] > margin[0] + 0.1


# -- methods for little data ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CONTRASTS)
def test_pairs_share_a_label_and_the_head_learns_what_is_easy(name: str, tmp_path: Path) -> None:
    method: Any = METHODS.get(name)
    inputs, labels = inputs_for(method)
    pairs = method.draw_pairs(labels, method.settings(), seed=1)
    assert (labels[pairs[:, 0]] == labels[pairs[:, 1]]).all()
    np.testing.assert_array_equal(pairs, method.draw_pairs(labels, method.settings(), seed=1))
    model = method.fit(inputs, labels, TARGETS, method.settings(), seed=1, validation=(inputs, labels))
    assert (model.logits(inputs).argmax(axis=1) == labels).all()
    model.save(tmp_path)
    np.testing.assert_array_equal(method.load(tmp_path).logits(inputs), model.logits(inputs))


# -- methods that train weights ---------------------------------------------------------------------------


def plain_model(tiny_backbone: Path) -> Any:
    return load_model(tiny_backbone, TASK.auto_class, TASK.head(TARGETS), 5)


def prepare(method: Any, tiny_backbone: Path) -> Any:
    torch.manual_seed(11)
    return method.prepare(plain_model(tiny_backbone), method.settings(), TASK)


def batch() -> dict[str, torch.Tensor]:
    ids = torch.tensor([[2, 20, 30, 40, 3, 0, 0, 0], [2, 25, 35, 45, 55, 65, 75, 3]])
    return {"input_ids": ids, "attention_mask": (ids != 0).long()}


def train_a_little(model: Any) -> None:
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(3):
        loss = torch.nn.functional.cross_entropy(model(**batch()).logits, torch.tensor([0, 2]))
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()


def logits_of(model: Any) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model.eval()(**batch()).logits
    return found


def test_prepared_model_learns_and_its_head_is_part_of_it(learning: Any, tiny_backbone: Path) -> None:
    model = prepare(learning, tiny_backbone)
    names = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert any("classifier" in name for name in names)
    before = logits_of(model).clone()
    train_a_little(model.train())
    assert not torch.equal(logits_of(model), before)


def test_frozen_weights_stay_as_they_were(learning: Any, tiny_backbone: Path) -> None:
    model = prepare(learning, tiny_backbone)
    frozen = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
    train_a_little(model.train())
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], before) for name, before in frozen.items())


def test_merged_model_is_plain_and_answers_the_same(learning: Any, tiny_backbone: Path) -> None:
    model = prepare(learning, tiny_backbone)
    train_a_little(model.train())
    learned = logits_of(model)
    merged = learning.merge(model)
    torch.testing.assert_close(logits_of(merged), learned, rtol=1e-4, atol=1e-5)
    plain = learning.plain(merged) if isinstance(learning, StaysApart) else merged
    assert type(plain) is type(plain_model(tiny_backbone))
    assert set(plain.state_dict()) == set(plain_model(tiny_backbone).state_dict())


def test_what_stays_apart_says_so_and_is_no_part_of_the_plain_model(learning: Any, tiny_backbone: Path) -> None:
    """Kinds of bundles, too: what plain transformers opens must answer as it was learned."""
    assert isinstance(learning, StaysApart) == (learning.bundle_kind == "adapted")
    if not isinstance(learning, StaysApart):
        return
    model = learning.merge(prepare(learning, tiny_backbone))
    train_a_little(model.train())
    answered = logits_of(model).clone()
    plain = learning.plain(model)
    assert not torch.equal(logits_of(plain), answered)
    assert torch.equal(logits_of(model), answered)  # it stayed as it was


def test_adapter_alone_goes_back_onto_the_same_backbone(learning: Any, tiny_backbone: Path, tmp_path: Path) -> None:
    """Head included, and to the last bit."""
    if not isinstance(learning, AttachesAdapter):
        pytest.skip(f"{learning.name} keeps no adapter")
    model = prepare(learning, tiny_backbone)
    train_a_little(model.train())
    kept = learning.merge(model) if isinstance(learning, StaysApart) else model
    answered = logits_of(kept).clone()
    learning.save_adapter(kept, tmp_path)
    fresh = load_model(tiny_backbone, TASK.auto_class, TASK.head(TARGETS), 99)
    assert torch.equal(logits_of(learning.attach(fresh, tmp_path)), answered)


def test_preparing_is_repeatable_from_torch_s_seed(learning: Any, tiny_backbone: Path) -> None:
    first, second = (prepare(learning, tiny_backbone).state_dict() for _ in range(2))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_adapter_is_no_pickle_and_names_no_place_of_this_machine(
    learning: Any, tiny_backbone: Path, tmp_path: Path
) -> None:
    model = prepare(learning, tiny_backbone)
    learning.save_adapter(model, tmp_path)
    for path in (path for path in tmp_path.rglob("*") if path.is_file()):
        assert path.suffix not in PICKLED_SUFFIXES
        assert str(tiny_backbone).encode() not in path.read_bytes()

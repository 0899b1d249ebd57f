"""What a model must compute to be understood as given answers: `answers` and `outputs_of` undo each other."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from provetune.core.combining import WritesOutputs
from provetune.core.protocols import Targets
from provetune.tasks import TASKS

AVERAGED = [name for name in TASKS.names() if isinstance(TASKS.get(name), WritesOutputs)]
ROWS = pa.table({"text": ["a", "b"]})


def test_tasks_with_one_vector_a_text_have_a_mean_of_answers() -> None:
    assert AVERAGED == ["classification", "ordinal", "pair", "regression", "relation", "similarity"]


@given(st.lists(st.lists(st.floats(-30, 30), min_size=3, max_size=3), min_size=2, max_size=2))
@pytest.mark.parametrize("kind", ["single_label", "multi_label", "regression"])
def test_they_undo_each_other(kind: str, logits: list[list[float]]) -> None:
    task = cast(Any, TASKS.get("classification"))
    targets = Targets(kind, ("a", "b", "c"), (5, 5, 5))
    answers = task.answers(np.array(logits), None, ROWS, targets)
    again = task.answers(task.outputs_of(answers, targets), None, ROWS, targets)
    np.testing.assert_allclose(again, answers, rtol=1e-6, atol=1e-12)


def test_certainty_stays_certain() -> None:
    task, targets = cast(Any, TASKS.get("classification")), Targets("single_label", ("a", "b"), (5, 5))
    certain = np.array([[1.0, 0.0], [0.25, 0.75]])
    again = task.answers(task.outputs_of(certain, targets), None, ROWS, targets)
    np.testing.assert_allclose(again, certain, atol=1e-12)

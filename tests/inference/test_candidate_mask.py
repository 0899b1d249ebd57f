"""What the problem masks and what its candidate masks besides, before a bundle answers."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from provetune.data.privacy import mask_text
from provetune.inference.inputs import TextColumns
from provetune.inference.predictor import text_columns

PARTS = ("mail a@b.example", "13812345678", "4111 1111 1111 1111", "order 17", "<EMAIL>", "，电话", "x")
KINDS = ("email", "phone", "bank_card")


def test_record_names_both() -> None:
    record = {
        "columns": {"text": "message"},
        "problem": {"data": {"mask": ["phone"]}},
        "candidate": {"name": "masked", "data": {"share": 0.5, "mask": ["email"]}},
    }
    assert text_columns(record) == TextColumns(("message",), ("phone",), ("email",))
    assert text_columns({**record, "candidate": {"name": "all"}}) == TextColumns(("message",), ("phone",))


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=5).map(" ".join),
    st.lists(st.sampled_from(KINDS), unique=True),
    st.lists(st.sampled_from(KINDS), unique=True),
)
def test_texts_are_masked_as_the_training_rows_were(text: str, problem: list[str], candidate: list[str]) -> None:
    """The rows on the disk are masked as the problem says; the trial masks those once more."""
    columns = TextColumns(("text",), tuple(problem), tuple(candidate))
    trained_on = mask_text(mask_text(text, problem), candidate)
    assert columns.texts_of(text, "here") == (trained_on,)
    # A text that is masked already stays as it is.
    assert columns.texts_of(trained_on, "here") == (trained_on,)

"""What is said of a candidate's own data."""

from __future__ import annotations

import pyarrow as pa

from provetune.problem.syntax import CandidateData
from provetune.study.variant_notes import learned_rows_of


def rows() -> pa.Table:
    texts = ["a@b.example", "A@B.example", "plain", "plain ", "other", "more", "c@d.example", "most"]
    return pa.table({"row_id": [f"r{n}" for n in range(8)], "text": texts, "label": ["x"] * 4 + ["y"] * 4})


def test_rows_and_sentences_by_hand() -> None:
    assert learned_rows_of("all", None, rows()) == (8, [])
    assert learned_rows_of("all", CandidateData(), rows()) == (8, [])
    count, notes = learned_rows_of("some", CandidateData(share=0.5, deduplicate=True, mask=["email"]), rows())
    # Two rows of x are left (one address, one plain) and four of y: 1 + 2 at one half.
    assert count == 3
    assert notes == [
        "'some' masks email: 3 of 8 training texts are changed, and every text that it is asked about is masked alike.",
        "'some' leaves out 2 of 8 training rows, whose text and label stand in another.",
        "'some' learns from 3 of 8 training rows (share 0.5), drawn anew for each seed, label by label: a claim about "
        "it counts the luck of that draw too.",
    ]


def test_sections_without_effect_say_so() -> None:
    _, notes = learned_rows_of("none", CandidateData(deduplicate=True, mask=["id_number"]), rows().slice(4))
    assert notes == [
        "'none' masks id_number, but no training text holds any that data.mask has left.",
        "'none' is to leave out repeated training rows, but none repeats another's text and label.",
    ]


def test_pairs_count_as_changed_when_either_text_is() -> None:
    pairs = rows().append_column("text_pair", pa.array(["x@y.example"] * 2 + ["plain"] * 6))
    _, notes = learned_rows_of("some", CandidateData(mask=["email"]), pairs)
    assert notes[0].startswith("'some' masks email: 3 of 8 training texts are changed")

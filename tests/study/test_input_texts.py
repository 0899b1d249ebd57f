"""What a bundle is asked with when it is timed."""

from __future__ import annotations

import pyarrow as pa

from provetune.study.paired_latency import input_texts


def test_a_query_is_asked_without_its_document() -> None:
    rows = pa.table({"text": ["a", "b"], "text_pair": ["c", "d"]})
    assert input_texts(rows, paired=True) == [("a", "c"), ("b", "d")]
    assert input_texts(rows, paired=False) == ["a", "b"]
    assert input_texts(rows.select(["text"])) == ["a", "b"]

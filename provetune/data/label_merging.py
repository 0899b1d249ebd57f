"""Several labels read as one, where telling them apart is not wanted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa


def merge_labels(labels: pa.ChunkedArray, merge: Mapping[str, Sequence[str]]) -> pa.ChunkedArray:
    """The labels of all rows with each of those that `merge` lists under its common name.

    Args:
        labels: strings, or lists of strings where a row may have several; a row has each name at most once.
        merge: common name → labels that get it.
    """
    names = {label: name for name, parts in merge.items() for label in parts}
    if not names:
        return labels
    if not pa.types.is_list(labels.type):
        return pa.chunked_array([pa.array([names.get(each, each) for each in labels.to_pylist()], labels.type)])
    lists = [
        None if each is None else list(dict.fromkeys(names.get(one, one) for one in each))
        for each in labels.to_pylist()
    ]
    return pa.chunked_array([pa.array(lists, labels.type)])

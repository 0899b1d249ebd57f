"""An ONNX graph that is asked about features: ONNX Runtime on the CPU, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import CorruptError
from provetune.models.length_batches import batches_by_length
from provetune.models.padding import pad_arrays

if TYPE_CHECKING:
    from provetune.core.protocols import Array, FeatureColumns

FILE = "model.onnx"


class Graph:
    """A graph that maps ``input_ids``, ``attention_mask`` and perhaps ``token_type_ids`` to ``output``.

    Args:
        model: its file, or its bytes.
        threads: of one operation.
        where: what errors name, where `model` is bytes.

    Raises:
        CorruptError: it cannot be loaded.
    """

    def __init__(self, model: Path | bytes, threads: int, where: str = "") -> None:
        import onnxruntime
        from onnxruntime.capi import onnxruntime_pybind11_state as faults

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # what goes wrong is raised, and needs not be printed as well
        # A plan of memory for every length that was ever seen would never be given back.
        options.enable_mem_pattern = False
        # Threads that spin while they wait take the core away from whoever else is at work.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        place = where if isinstance(model, bytes) else str(model)
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model), options, providers=["CPUExecutionProvider"]
            )
        except (
            faults.Fail,
            faults.InvalidProtobuf,
            faults.InvalidGraph,
            faults.NoSuchFile,
            faults.NotImplemented,
        ) as error:
            said = str(error).strip().split("\n")[0]
            raise CorruptError(f"The graph cannot be loaded ({said}).", where=place) from error
        self.inputs: tuple[str, ...] = tuple(one.name for one in self._session.get_inputs())
        self.engine = f"onnxruntime {onnxruntime.__version__}"

    def ask(self, features: Sequence[Mapping[str, Any]], pad_id: int, width: int | None = None) -> Array:
        """The output for a batch of features: float32 (B, …).

        Args:
            width: tokens that each is padded to; the longest one's when left out.
        """
        return self.ask_for(None, features, pad_id, width)[0]

    def ask_for(
        self,
        outputs: Sequence[str] | None,
        features: Sequence[Mapping[str, Any]],
        pad_id: int,
        width: int | None = None,
    ) -> list[Array]:
        """Several outputs by name, or all."""
        arrays = pad_arrays(features, pad_id, width)
        fed = {name: arrays[name] if name in arrays else np.zeros_like(arrays["input_ids"]) for name in self.inputs}
        found: list[Array] = self._session.run(outputs, fed)
        return found

    def ask_all(
        self, store: FeatureColumns, pad_id: int, *, each_token: bool, batch_tokens: int, row_limit: int | None = None
    ) -> Any:
        """The output for every feature, in their order; neighbours in length go together.

        Args:
            store: F features.
            each_token: the output has a place for every token, and that of padding is cut off.
            batch_tokens: tokens of a batch at most, padding included.
            row_limit: features of a batch at most.

        Returns:
            float32 array (F, …), or a list of F arrays (T, …).
        """
        lengths = store.lengths
        limit = {} if row_limit is None else {"row_limit": row_limit}
        found: list[Any] = [None] * len(store)
        for indices in batches_by_length(lengths, batch_tokens, **limit):
            numbers = indices.tolist()
            for number, output in zip(numbers, self.ask(store.take(numbers), pad_id), strict=True):
                found[number] = output[: int(lengths[number])].copy() if each_token else output
        if each_token:
            return found
        return np.stack(found) if found else np.empty((0, 0), dtype=np.float32)

"""Bundles that are an ONNX graph: answered by ONNX Runtime, without loading torch or transformers.

A cold start is a fifth of torch's. A graph in int8 whose answers would depend on what else is asked at the same time
says so in its record (``batches``: false) and answers one row at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.protocols import EncodeSettings

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import FeatureColumns, FittedModel, Outputs, Task
    from provetune.inference.answering import Answerer
    from provetune.inference.backends._graph import Graph

BATCH_TOKENS = 2048
FIELD = "onnx"
"""Field of a bundle's record: ``each_token`` and ``head``, see `GraphFacts`."""
WEIGHTS, BATCHES = "weights", "batches"


@dataclass(frozen=True)
class GraphFacts:
    """What a bundle's record says about its graph.

    Attributes:
        each_token: the output has a place for every token.
        head: the output is a feature of each window, and the layer in ``head.safetensors`` makes scores of a row's.
    """

    each_token: bool
    head: bool


class OnnxAnswerer:
    """A graph with its tokenizer.

    Args:
        batched: whether rows may go through the graph together.
        head: the layer on the graph's features, or None.
    """

    def __init__(
        self,
        graph: Graph,
        tokenizer: Any,
        task: Task,
        settings: EncodeSettings,
        facts: GraphFacts,
        *,
        pad_id: int,
        precision: str,
        batched: bool,
        head: FittedModel | None,
    ) -> None:
        self.graph, self.tokenizer, self.task, self.settings, self.facts = graph, tokenizer, task, settings, facts
        self.pad_id, self.precision, self.head = pad_id, precision, head
        self.row_limit = None if batched else 1
        self.engine = graph.engine if batched else f"{graph.engine}, one row at a time"

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        from provetune.models.feature_table import FeatureTable

        features = FeatureTable(self.task.encode(examples, self.tokenizer, self.settings, None))
        found = self.graph.ask_all(
            features,
            self.pad_id,
            each_token=self.facts.each_token,
            batch_tokens=BATCH_TOKENS,
            row_limit=self.row_limit,
        )
        if self.head is None:
            return found, features
        from provetune.models.window_means import average_windows

        return self.head.logits(average_windows(found, features.rows)), None


class OnnxBackend:
    """Opens folders with a graph."""

    name = "onnx"
    summary = "An ONNX graph, computed by ONNX Runtime on the CPU; neither torch nor transformers is loaded."

    def open(self, bundle: Any, task: Task, *, precision: str, device: str) -> Answerer:
        """Load the graph.

        Raises:
            UsageError: another device or number format is asked for than the graph has.
            CorruptError: the graph or the tokenizer cannot be read.
        """
        from provetune.core.files import read_json
        from provetune.inference.backends._graph import FILE, Graph
        from provetune.inference.backends._tokenizer import FolderTokenizer
        from provetune.inference.threads import settled_threads

        folder = Path(bundle.path)
        weights = str(bundle.record.get(WEIGHTS) or "fp32")
        if device != "cpu":
            raise UsageError(
                f"An ONNX bundle is answered on the CPU. Got the device '{device}'.",
                where=str(folder),
                hint="On a GPU, take the bundle that it was exported from.",
            )
        if precision == "bf16":
            raise UsageError(
                f"This ONNX bundle computes in {weights}, as it was exported. Got the precision 'bf16'.",
                where=str(folder),
                hint="Leave the precision out, or take the bundle that it was exported from.",
            )
        facts = GraphFacts(**bundle.record[FIELD])
        head: FittedModel | None = None
        if facts.head:
            from provetune.models.head_model import load_head

            head = load_head(folder)
        config = read_json(folder / "config.json")
        return OnnxAnswerer(
            Graph(folder / FILE, settled_threads()),
            FolderTokenizer(folder, config),
            task,
            EncodeSettings(**bundle.record["encode"]),
            facts,
            pad_id=int(config.get("pad_token_id") or 0),
            precision=weights,
            batched=bundle.record.get(BATCHES) is not False,
            head=head,
        )


BACKEND = OnnxBackend()

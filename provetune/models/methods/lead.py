"""The beginning of the source as it stands: what a summary has to beat, and for translation the source itself.

News and reports say first what matters, which makes their first sentences hard to beat as a summary (Nenkova 2005).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from provetune.core.errors import CorruptError
from provetune.core.files import read_json, write_json
from provetune.core.protocols import LearnsFrom
from provetune.models.generation.records import record_of

if TYPE_CHECKING:
    import pyarrow as pa

    from provetune.core.protocols import FeatureColumns, Outputs, Targets, Task

FILE = "lead.json"
TRIED = (1, 2, 3, 5, None)
_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n+")


class LeadSettings(BaseModel):
    """What `lead` adds to a candidate."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sentences: Annotated[int, Field(ge=1)] | Literal["auto", "all"] = Field(
        "auto",
        description="Sentences that are taken; all copies the source, auto tries 1, 2, 3, 5 and all on validation.",
    )


class LeadModel:
    """Says the first sentences of every source.

    Args:
        sentences: how many; None for all.
    """

    def __init__(self, sentences: int | None) -> None:
        self.sentences = sentences

    def outputs(self, examples: pa.Table) -> tuple[Outputs, FeatureColumns | None]:
        """A record of each row, without a score."""
        texts = examples.column("text").to_pylist()
        return [record_of(first_sentences(text or "", self.sentences)) for text in texts], None

    def save(self, folder: Path) -> None:
        """Write ``lead.json``."""
        write_json(Path(folder) / FILE, {"sentences": self.sentences})


class Lead:
    """`lead`: nothing is learned but how many sentences to take."""

    name = "lead"
    summary = "The first sentences of the source as they stand, or all of it: the baseline without a model."
    learns_from: LearnsFrom = "examples"
    tasks: tuple[str, ...] | None = ("seq2seq",)
    bundle_kind = "examples"
    settings: type[BaseModel] = LeadSettings
    defaults: Mapping[str, Any] = MappingProxyType({})
    deterministic = True

    def fit(
        self, examples: pa.Table, task: Task, targets: Targets, settings: Any, *, seed: int, validation: pa.Table
    ) -> LeadModel:
        """The number of sentences with the best primary score on validation, the fewest among equals."""
        if settings.sentences != "auto":
            return LeadModel(None if settings.sentences == "all" else settings.sentences)
        return max((LeadModel(count) for count in TRIED), key=lambda model: _score(model, task, targets, validation))

    def load(self, folder: Path, task: Task, targets: Targets) -> LeadModel:
        """The model that `LeadModel.save` wrote.

        Raises:
            CorruptError: its file is missing or damaged.
        """
        place = Path(folder) / FILE
        try:
            found = read_json(place)["sentences"]
        except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
            raise CorruptError(f"The number of sentences cannot be read ({error!r}).", where=str(place)) from error
        return LeadModel(None if found is None else int(found))


def first_sentences(text: str, count: int | None) -> str:
    """The first sentences of a text; a line break ends one too. With None the whole text."""
    if count is None:
        return text.strip()
    ends = [match.start() for match in _END.finditer(text.strip())]
    return text.strip() if len(ends) < count else text.strip()[: ends[count - 1]].strip()


def _score(model: LeadModel, task: Task, targets: Targets, rows: pa.Table) -> float:
    outputs, features = model.outputs(rows)
    outcomes = task.outcomes(rows, task.answers(outputs, features, rows, targets), targets)
    metric = task.metrics[0]
    found = task.score(outcomes, targets).get(metric.name, 0.0)
    return found if metric.higher_is_better else -found


METHOD = Lead()

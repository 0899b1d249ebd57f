"""What a task may be able to do besides; re-exported by `provetune.core.protocols`.

Each is small and checked at run time: a task has an ability by having its function.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

from provetune.core.task_records import ReportTable, Targets

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import pyarrow as pa
    import torch

    Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]

Answers: TypeAlias = Any
"""What a model says about N rows, in the task's own form: it has a length of N. Where labels are classes it is an
array of probabilities, float64 (N, C)."""


class FeatureColumns(Protocol):
    """Features of one split in columns, memory-mapped: ``row[i]`` gives the example a feature belongs to."""

    def __len__(self) -> int: ...

    @property
    def lengths(self) -> Array:
        """Tokens of each feature, (F,): what a batch is filled by."""

    @property
    def rows(self) -> Array:
        """Number of the example each feature was cut from, (F,), ascending."""

    def take(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """The features at `indices`, each as a mapping of names to arrays or numbers."""


@runtime_checkable
class ReadsInputs(Protocol):
    """A task that makes its texts of what a caller hands over, where that is more than the cells of text columns."""

    def read_input(self, parts: Sequence[Any], where: str) -> tuple[str, ...] | None:
        """The text (and second text) of one item to predict, as `Task.read` makes it of a row; None where it has none.

        Args:
            parts: the cells of `Task.input_columns`, or the item itself where it has no columns.
            where: its place, for errors.

        Raises:
            DataError: it cannot be read.
        """


@runtime_checkable
class ReadsItems(Protocol):
    """A task whose inputs are more than cells of text: conversations, with what belongs to them."""

    def is_item(self, given: Any) -> bool:
        """Whether what a caller hands over is one input rather than a list of them."""

    def read_item(self, columns: Any, item: Any, names: Sequence[str], where: str) -> str | None:
        """The text of one input, as `Task.read` makes it of a row; None where it has none.

        Args:
            columns: the column of each role, as the bundle was trained.
            item: a text, or whatever else the task takes; a mapping has columns.
            names: what `Task.input_columns` are called in a mapping, in their order.
            where: its place, for errors.

        Raises:
            DataError: it cannot be read.
        """


@runtime_checkable
class CountsTokens(Protocol):
    """A task whose rows are not as long as their texts."""

    def count_tokens(self, examples: pa.Table, tokenizer: Any, most: int) -> Array:
        """Tokens of each row, int64 (N,); a count over `most` need not be exact."""


@runtime_checkable
class CutsTargets(Protocol):
    """A task whose targets are texts, of which a model learns and writes so many tokens at most."""

    def count_target_tokens(self, examples: pa.Table, tokenizer: Any) -> Array:
        """Tokens of each row's target, int64 (N,); `Targets.options` has ``max_target_length``."""


@runtime_checkable
class Calibratable(Protocol):
    """A task whose probabilities can be sharpened or softened by one temperature."""

    def fit_temperature(
        self, logits: Array, features: FeatureColumns | None, outcomes: pa.Table, targets: Targets
    ) -> float:
        """The temperature that makes validation log-loss least (Guo et al. 2017, arXiv:1706.04599)."""


@runtime_checkable
class Guesses(Protocol):
    """A task that knows how a model answers that has learned nothing from the texts."""

    def guess(self, examples: pa.Table, targets: Targets) -> Answers:
        """The most frequent label, or the mean, for every row; what is no better has failed."""


@runtime_checkable
class Tunable(Protocol):
    """A task that fits something to validation rows after training, e.g. the threshold of a decision."""

    def tune(self, answers: Answers, examples: pa.Table, targets: Targets) -> Targets:
        """The targets with `Targets.tuned` filled."""


@runtime_checkable
class Joins(Protocol):
    """Answers of a kind that is no array or list: they can be put behind one another."""

    def joined(self, others: Sequence[Any]) -> Any:
        """Those of these rows and of the others', in order."""


@runtime_checkable
class Forwards(Protocol):
    """A task that asks its models otherwise than ``model(**inputs).logits`` in training."""

    def forward(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """What `Task.loss` takes as outputs; the batch has its labels."""


@runtime_checkable
class LearnsInParts(Protocol):
    """A task whose batches may be learned part by part where memory is the processor's: gradients add up to the same.

    Its loss must be a mean over terms that know nothing of each other, so that rows may be told apart.

    Attributes:
        part_tokens: tokens of a part, of one row at least.
    """

    part_tokens: int

    def terms(self, batch: Mapping[str, torch.Tensor]) -> int:
        """Of how many terms `Task.loss` is the mean, for a batch with its labels."""


@runtime_checkable
class Infers(Protocol):
    """A task that asks its models otherwise than ``model(**inputs).logits`` in prediction."""

    def infer(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Sequence[Array]:
        """An array of each feature of the batch, in order; called without gradients, the batch without labels."""


@runtime_checkable
class Traces(Infers, Protocol):
    """A task whose `infer` computes one tensor and then cuts the padding off it, so that its models can become graphs.

    Attributes:
        each_token: whether the tensor has a place for every token, (B, T, …), else (B, …).
    """

    each_token: bool

    def traced(self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets) -> torch.Tensor:
        """What `infer` gives, its padding still there."""


@runtime_checkable
class Streams(Protocol):
    """A task that can tell its answer while it is being written."""

    def stream(
        self, model: torch.nn.Module, batch: Mapping[str, torch.Tensor], targets: Targets, tokenizer: Any
    ) -> Iterator[str]:
        """Pieces of text of the answer to the one feature of a batch; joined they are the answer."""


@runtime_checkable
class WritesTexts(Protocol):
    """A task whose models write their answers token by token, which takes far longer than a pass.

    What a model wrote is kept by weights, rows and settings; while training goes on it writes in a quicker way.
    """

    def while_training(self, targets: Targets) -> Targets:
        """The targets with options that are quick enough to choose between checkpoints by."""


@runtime_checkable
class PreparesTokenizer(Protocol):
    """A task that needs tokens of its own."""

    def prepare_tokenizer(self, tokenizer: Any, targets: Targets) -> Any:
        """The backbone's tokenizer as this task wants it; called before rows are encoded."""


@runtime_checkable
class PointsIntoText(Protocol):
    """A task whose predictions say where in a text something stands: asked where personal data was masked."""

    def point_into_given(self, told: Mapping[str, Any], texts: Sequence[Any]) -> dict[str, Any]:
        """What `Task.predictions` told of one row, its places and letters those of the text as it was given.

        Args:
            texts: the row's one or two texts, each a `provetune.data.masked_places.MaskedText`.
        """


@runtime_checkable
class PreparesModel(Protocol):
    """A task whose model needs work before it learns: new embeddings, another pooling, another scale."""

    def prepare_model(self, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> torch.nn.Module:
        """The model ready for the method; called once, before `WeightMethod.prepare`."""


@runtime_checkable
class FinishesModel(Protocol):
    """A task whose model must be made plain again before it is kept."""

    def finish_model(self, model: torch.nn.Module, targets: Targets) -> torch.nn.Module:
        """The model as plain transformers has it; called once, before `WeightMethod.merge`; what the method wrapped
        around it is still there."""


@runtime_checkable
class GivesLabelArrays(Protocol):
    """A task whose labels fit an array, as a `FitMethod` takes them."""

    def label_array(self, examples: pa.Table, targets: Targets) -> Array:
        """Label numbers (N,), -1 for an unknown one; or indicators, or numbers, (N, C)."""


@runtime_checkable
class ScoresWords(Protocol):
    """A task whose model says something about every word, so that two models' answers can be compared word by word."""

    def word_scores(self, outputs: Any, features: FeatureColumns | None, examples: pa.Table) -> tuple[Any, Array]:
        """The words of all texts, S of them, a `provetune.models.word_pieces.Places`, and the logits of their tags:
        outside, then beginning and inside of each label (S, 2 C + 1). Arguments are those of `Task.answers`."""


@runtime_checkable
class Reports(Protocol):
    """A task with tables of its own in a report."""

    def tables(self, outcomes: pa.Table, targets: Targets) -> list[ReportTable]:
        """Tables about one run's outcomes."""


@runtime_checkable
class JudgesTogether(Protocol):
    """A task in which what is said about one row depends on the others: documents that a query is to find.

    Attributes:
        together: always true; rows are never judged in parts.
    """

    together: bool


@runtime_checkable
class Searches(Protocol):
    """A task whose queries find documents: those of the rows, and a corpus beside them (``data.corpus``).

    Rows carry what a corpus adds in a column ``corpus`` (lists of strings).
    """

    def read_corpus(self, raw: Any, data: Any, columns: Any) -> list[str]:
        """The different documents of a file that has nothing else (a `provetune.data.table.RawTable`)."""

    def found(
        self, answers: Answers, *, top_k: int | None = None, among: Answers | None = None
    ) -> list[dict[str, Any]]:
        """``{"document", "score"}`` of each row that asks, and the first k under ``"documents"``.

        Args:
            among: earlier answers whose documents are to be found, where `answers` are vectors of queries alone.
        """


@runtime_checkable
class Furnishes(Protocol):
    """A task whose bundles have files of another library's, besides those of transformers."""

    def furnish(self, folder: Path, model: torch.nn.Module, tokenizer: Any, targets: Targets) -> None:
        """Write them into the bundle's folder; the model and the tokenizer lie there already."""


@runtime_checkable
class NeedsReference(Protocol):
    """An objective that compares the model with what it was before it learned.

    Attributes:
        reference: names of the feature columns that tell what the model said before.
        metric: what checkpoints are chosen by; likelihood, say, is not what it is about.
    """

    reference: tuple[str, ...]
    metric: str

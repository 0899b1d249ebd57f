"""The choices that a candidate leaves open: backbone, lengths, precision, and how it is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from provetune.core.errors import ProvetuneError, UsageError
from provetune.core.protocols import BY_STEPS, WITHOUT_BACKBONE, Method, Targets, Task
from provetune.models.devices import settle_device
from provetune.problem.reading import ProblemFile
from provetune.problem.syntax import AUTO, Candidate, Problem
from provetune.study.corrections import read_corrections
from provetune.study.frozen_layers import say_frozen
from provetune.study.lengths import Lengths, counting_tokenizer, measure_lengths
from provetune.study.named_files import hash_named_files
from provetune.study.objectives import objectives_with_settings, settle_objectives
from provetune.study.other_rows import OtherRowsReader
from provetune.study.own_backbones import kind_of_backbone, refuse_unfit_backbone, with_named_backbone
from provetune.study.search.space import ranges_of, refuse_bad_ranges
from provetune.study.start import refuse_unfit_start
from provetune.study.subsets import learned_counts, with_subset
from provetune.study.support import refuse_unfit_parts, refuse_unfit_rows, refuse_unsupported, situation_of
from provetune.study.teachers import refuse_unfit_bundles
from provetune.study.training_choices import FALLBACKS, size_of, training_choices, with_task_defaults
from provetune.study.variant_notes import learned_rows_of

if TYPE_CHECKING:
    import pyarrow as pa
    from pydantic import BaseModel

    from provetune.data.splits import Splits
    from provetune.models.backbones import Backbone
    from provetune.models.download import Listener

__all__ = ["CandidateChooser", "backbone_at", "is_unlike", "size_of", "training_choices", "with_task_defaults"]

IMBALANCE = 10


@dataclass
class CandidateChooser:
    """Makes the choices of one candidate after another, sharing what they have in common.

    Attributes:
        asks_machine: whether device and number format are chosen too, for which torch must be loaded.
        candidates, backbones, settings, precisions: what was chosen so far, by candidate.
        files: hash of what each candidate's settings name, by field.
        other_rows: rows of other files that candidates learn from, by `provetune.study.other_rows.rows_key`.
        notes: gets a sentence for each choice worth telling.
    """

    file: ProblemFile
    problem: Problem
    task: Task
    targets: Targets
    splits: Splits
    wanted_device: str
    progress: Listener | None
    notes: list[str]
    asks_machine: bool = True
    candidates: dict[str, Candidate] = field(default_factory=dict)
    backbones: dict[str, Backbone | None] = field(default_factory=dict)
    settings: dict[str, BaseModel] = field(default_factory=dict)
    precisions: dict[str, str] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    other_rows: dict[str, pa.Table] = field(default_factory=dict)
    _lengths: dict[str, Lengths] = field(default_factory=dict)
    _found: dict[str, Backbone] = field(default_factory=dict)
    _device: str | None = None

    @property
    def device(self) -> str:
        """Where trials compute. torch is asked only when a candidate computes with it."""
        return self._device or "cpu"

    def settle(self, name: str) -> None:
        """Make every choice that candidate `name` leaves open."""
        from provetune.models.methods import METHODS

        candidate = with_task_defaults(self.problem.candidates[name], self.task)
        method = METHODS.get(candidate.method)
        objective_settings = settle_objectives(candidate)
        own = {key: value for key, value in candidate.extra.items() if key not in objective_settings}
        settings = method.settings.model_validate(own)
        candidate = with_subset(with_named_backbone(candidate), self.problem.data.subset, self.task, method.learns_from)
        chosen: dict[str, Any] = {"label_weights": self._label_weights(candidate)}
        data = read_corrections(self.file, name, candidate.data, self.targets)
        if data is not candidate.data:
            # The rows themselves become part of what the study is: a file that is edited makes another one.
            candidate = candidate.model_copy(update={"data": data})
        rows, told = learned_rows_of(name, candidate.data, self.splits.train)
        self.notes += told
        backbone = None
        if method.learns_from not in WITHOUT_BACKBONE:
            backbone = self._backbone(name, candidate)
            chosen |= self._encoding(name, candidate, backbone)
            if self.asks_machine:
                self._device = self._device or settle_device(self.wanted_device)
                chosen |= self._precision(name, candidate)
        if method.learns_from in BY_STEPS and backbone is not None:
            chosen |= training_choices(
                candidate, method, chosen["max_length"], rows=rows, size=size_of(backbone.width, backbone.path)
            )
            self._tell_of_epochs(name, candidate, chosen["epochs"], method)
            if frozen := say_frozen(name, candidate, chosen["epochs"], backbone):
                self.notes.append(frozen)
        added = {**objective_settings, **settings.model_dump()}
        self._refuse_what_cannot_work(name, candidate, {**chosen, **added}, rows, backbone)
        plugins = [(method, settings), *objectives_with_settings(candidate.objective, objective_settings)]
        place = partial(self.file.where, "candidates", name)
        self.files[name] = hash_named_files(plugins, self.file.path.parent, place)
        self._look_elsewhere(candidate, method, backbone, plugins, place)
        refuse_unfit_parts(candidate, settings, backbone, self.task, place)
        self.candidates[name] = Candidate.model_validate({**candidate.model_dump(), **added, **chosen})
        self._refuse_bad_search(name, method, place)
        self.backbones[name] = backbone
        self.settings[name] = settings

    def refuse_without_backbone(self, name: str) -> None:
        """What can be said against candidate `name` while its backbone cannot be had.

        Raises:
            UsageError: its method or objectives cannot work whatever the backbone.
        """
        from provetune.models.methods import METHODS

        candidate = with_task_defaults(self.problem.candidates[name], self.task)
        method = METHODS.get(candidate.method)
        added = settle_objectives(candidate)
        own = {key: value for key, value in candidate.extra.items() if key not in added}
        added |= method.settings.model_validate(own).model_dump()
        candidate = with_subset(candidate, self.problem.data.subset, self.task, method.learns_from)
        self._refuse_what_cannot_work(name, candidate, added, self.splits.train.num_rows, None)

    def _refuse_bad_search(self, name: str, method: Method, place: Callable[[str], str]) -> None:
        """Ranges are looked at before any work is done, those of `search: auto` too."""
        written = self.problem.candidates[name]
        if written.search is None:
            return
        try:
            refuse_bad_ranges(ranges_of(written, self.candidates[name], method), written, method)
        except UsageError as error:
            raise UsageError(error.message, where=place("search"), hint=error.hint) from error

    def _look_elsewhere(
        self,
        candidate: Candidate,
        method: Method,
        backbone: Backbone | None,
        plugins: Sequence[tuple[object, Any]],
        place: Callable[[str], str],
    ) -> None:
        """Read the files and look at the bundles that the candidate learns from besides the training rows."""
        folder = self.file.path.parent
        if candidate.keep_head:
            try:
                refuse_unfit_start(backbone, method, self.task, self.targets)
            except UsageError as error:
                raise UsageError(error.message, where=place("keep_head"), hint=error.hint) from error
        refuse_unfit_rows(plugins, self.splits.train, folder, place)
        refuse_unfit_bundles(plugins, folder, self.task, self.targets, place)
        reader = OtherRowsReader(folder, self.problem.data, self.task, self.targets, self.splits, self.notes)
        self.other_rows |= reader.read_all(plugins, place)

    def _refuse_what_cannot_work(
        self, name: str, candidate: Candidate, settled: Mapping[str, Any], rows: int, backbone: Backbone | None
    ) -> None:
        from provetune.models.backbones import layer_count

        raw = [column.removeprefix("raw.") for column in self.splits.train.column_names if column.startswith("raw.")]
        situation = situation_of(
            candidate,
            self.task,
            replace(self.targets, counts=learned_counts(candidate, self.targets.counts)),
            family=backbone.family if backbone is not None else "",
            layers=layer_count(backbone.path) if backbone is not None else 0,
            settings={**candidate.model_dump(), **settled},
            columns=tuple(raw),
            rows=rows,
            folder=self.file.path.parent,
        )
        refuse_unsupported(situation, lambda *keys: self.file.where("candidates", name, *keys))

    def _backbone(self, name: str, candidate: Candidate) -> Backbone:
        key = f"{kind_of_backbone(candidate, self.task)} {candidate.backbone}"
        if key in self._found:
            refuse_unfit_backbone(candidate, self._found[key], partial(self.file.where, "candidates", name))
            return self._found[key]
        backbone = backbone_at(self.file, name, candidate, self.problem.language, self.progress)
        refuse_unfit_backbone(candidate, backbone, partial(self.file.where, "candidates", name))
        if candidate.backbone == AUTO:
            self.notes.append(f"Backbone '{backbone.name}' is the default for language '{self.problem.language}'.")
        if is_unlike(self.problem.language, backbone):
            spoken = ", ".join(backbone.languages)
            self.notes.append(f"'{backbone.name}' was made for {spoken}; the texts are '{self.problem.language}'.")
        self._found[key] = backbone
        return backbone

    def _encoding(self, name: str, candidate: Candidate, backbone: Backbone) -> dict[str, Any]:
        lengths = self._lengths_of(backbone)
        max_length = lengths.choose_max_length() if candidate.max_length == AUTO else candidate.max_length
        if max_length > backbone.max_positions:
            raise UsageError(
                f"max_length {max_length} is more than '{backbone.name}' takes ({backbone.max_positions}).",
                where=self.file.where("candidates", name, "max_length"),
                hint="Lower it, or set long_texts: windows.",
            )
        long_texts = lengths.choose_long_texts(max_length) if candidate.long_texts == AUTO else candidate.long_texts
        share = lengths.share_longer(max_length)
        if share > 0:
            how = {"head": "keep their head", "head_tail": "keep head and tail", "windows": "are cut into windows"}
            self.notes.append(
                f"{share:.1%} of the texts exceed {max_length} tokens of '{backbone.name}' and {how[long_texts]}."
            )
        return {"backbone": backbone.name, "max_length": max_length, "long_texts": long_texts}

    def _lengths_of(self, backbone: Backbone) -> Lengths:
        if backbone.content_hash not in self._lengths:
            tokenizer = counting_tokenizer(backbone, self.task, self.targets)
            measured = measure_lengths(self.splits.train, tokenizer, backbone.max_positions, self.task)
            self._lengths[backbone.content_hash] = measured
        return self._lengths[backbone.content_hash]

    def _precision(self, name: str, candidate: Candidate) -> dict[str, Any]:
        from provetune.models.precision import choose_precision

        precision = choose_precision(candidate.precision, self.device)
        self.precisions[name] = precision.name
        if candidate.precision == AUTO:
            self.notes.append(f"Precision {precision.name}: {precision.reason}.")
        return {"precision": precision.name}

    def _tell_of_epochs(self, name: str, candidate: Candidate, epochs: float, method: Method) -> None:
        usual = method.defaults.get("epochs", FALLBACKS["epochs"])
        if candidate.epochs == AUTO and epochs > usual:
            self.notes.append(f"'{name}' passes over its rows {epochs:g} times instead of {usual:g}: they are few.")

    def _label_weights(self, candidate: Candidate) -> str:
        counts = [count for count in learned_counts(candidate, self.targets.counts) if count > 0]
        if candidate.label_weights != AUTO or not counts:
            return "none" if candidate.label_weights == AUTO else candidate.label_weights
        if max(counts) <= IMBALANCE * min(counts):
            return "none"
        self.notes.append(
            f"Rare labels weigh more: the largest label has {max(counts)} training rows, the smallest {min(counts)}."
        )
        return "balanced"


def backbone_at(
    file: ProblemFile, name: str, candidate: Candidate, language: str, progress: Listener | None = None
) -> Backbone:
    """The backbone of candidate `name`; what goes wrong says where in the problem file it was asked for."""
    from provetune.models.backbones import find_backbone
    from provetune.tasks import TASKS

    kind = kind_of_backbone(candidate, TASKS.get(file.problem.task))
    try:
        return find_backbone(candidate.backbone, language, base=file.path.parent, progress=progress, kind=kind)
    except ProvetuneError as error:
        if error.where is not None:
            raise
        raise type(error)(error.message, where=file.where("candidates", name, "backbone"), hint=error.hint) from error


def is_unlike(language: str, backbone: Backbone) -> bool:
    """Whether a backbone was made for other languages than the texts'; unknown ones fit each other."""
    known = {each.lower().split("-")[0] for each in backbone.languages}
    code = language.lower().split("-")[0]
    return bool(known) and code not in (*known, "und", AUTO) and "multilingual" not in known

"""One pretraining run: raw texts and a backbone in, a backbone of one's own out, found by its name from then on.

It goes through the training loop that everything goes through. Whatever was acknowledged by a checkpoint survives; the
same call goes on from there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.errors import UsageError
from provetune.core.files import atomic_path, read_json, write_json
from provetune.core.seeds import derive
from provetune.models import own
from provetune.models.backbones import Backbone, find_backbone
from provetune.models.cache import cache_errors, locks_folder
from provetune.training.pretraining.kinds import KINDS
from provetune.training.pretraining.record import notes_of, write_record
from provetune.training.pretraining.settings import PretrainSettings, settle
from provetune.training.pretraining.stages import Hear, Stages
from provetune.training.pretraining.texts import RawTexts, read_texts

if TYPE_CHECKING:
    from provetune.models.download import Listener as Download
    from provetune.training.pretraining.kinds import Pretraining


@dataclass(frozen=True)
class Pretrained:
    """A backbone of one's own.

    Attributes:
        name: what ``backbone:`` calls it.
        path: its folder, in Hugging Face's format.
        record: how it was made, and its figures on held-out texts before and after; JSON-ready.
    """

    name: str
    path: Path
    record: Mapping[str, Any]


def pretrain(
    texts: str | Path | Sequence[str],
    *,
    name: str,
    backbone: str = "auto",
    objective: str = "mlm",
    column: str | None = None,
    language: str = "auto",
    device: str = "auto",
    precision: str = "auto",
    replace: bool = False,
    checkpoint_minutes: float = 5.0,
    listener: Hear | None = None,
    progress: Download | None = None,
    **settings: Any,
) -> Pretrained:
    """Let a backbone learn on from raw text, and keep the result under a name.

    Args:
        texts: a ``.txt`` file (a text a line, or documents between blank lines), a table, or the texts.
        name: of the result; ``backbone: NAME`` in a problem file finds it.
        backbone: what learns: as in a problem file.
        objective: ``"mlm"``, ``"clm"`` or ``"simcse"``.
        column: of a table.
        language: of the texts; ``"zh"`` masks words as jieba tells them.
        replace: make the backbone anew where one of this name was made otherwise.
        checkpoint_minutes: longest time between checkpoints.
        listener: told every event, as JSON.
        progress: told about a backbone's download.
        **settings: fields of `PretrainSettings`; what is left out, or None, is the objective's own choice.

    Returns:
        The backbone; one that was made just so before is not made again.

    Raises:
        UsageError: a name, a setting or the backbone does not fit.
        DataError: the texts cannot be read or are too few.
        EnvironmentFault: the backbone cannot be fetched, a package is missing, or the cache cannot be written.
        Interrupted: it was stopped; the same call goes on.
    """
    from filelock import FileLock

    kind = KINDS.get(objective)
    own.check_name(name)
    _refuse_unknown(settings)
    if not checkpoint_minutes >= 0:
        raise UsageError(f"checkpoint_minutes must be 0 or more. Got {checkpoint_minutes!r} instead.")
    raw = read_texts(texts, column)
    language = _settle_language(language, raw)
    base = find_backbone(backbone, language, kind=kind.architecture, progress=progress)
    settled = settle(settings, kind.defaults, base.max_positions)
    job = _Job(name, objective, base, raw, settled, language, _settle_machine(device, precision), replace)
    if (made := job.made_before()) is not None:
        return made
    with cache_errors():
        locks_folder().mkdir(parents=True, exist_ok=True)
        with FileLock(own.lock_file(name)):
            return job.made_before() or _make(job, checkpoint_minutes, listener or _silent)


@dataclass(frozen=True)
class _Job:
    """What is to be made, nothing of it left open."""

    name: str
    objective: str
    base: Backbone
    raw: RawTexts
    settings: PretrainSettings
    language: str
    machine: tuple[str, str]
    replace: bool

    @property
    def identity(self) -> str:
        """Hash of all that decides the result."""
        settings = self.settings.model_dump()
        if settings["head_warmup"] == 0:
            del settings["head_warmup"]  # as it was before there was one
        facts = [self.objective, self.base.content_hash, self.raw.content_hash, settings]
        return hashlib.sha256(json.dumps([*facts, self.language, *self.machine], sort_keys=True).encode()).hexdigest()

    @property
    def work(self) -> Path:
        """Where it is worked on; other settings work elsewhere."""
        return own.work_folder(self.name, self.identity)

    def made_before(self) -> Pretrained | None:
        """The result, if it is there.

        Raises:
            UsageError: another one has its name.
        """
        if self.name not in own.names():
            return None
        record = own.read_origin(self.name)
        if record["pretraining"].get("identity") == self.identity:
            return Pretrained(self.name, own.own_folder(self.name), record)
        if not self.replace:
            raise UsageError(
                f"There is a backbone '{self.name}' that was made otherwise.",
                where=str(own.own_folder(self.name)),
                hint="Take another --name, or --replace it.",
            )
        return None


def _silent(event: Mapping[str, Any]) -> None:
    pass


def _make(job: _Job, checkpoint_minutes: float, listener: Hear) -> Pretrained:
    """Train and keep; see `pretrain`."""
    from provetune.models.loading import load_tokenizer

    listener({"event": "phase", "message": f"Cutting {len(job.raw.texts):,} texts into tokens"})
    tokenizer = load_tokenizer(job.base)
    device = job.machine[0]
    kind = KINDS.get(job.objective).begin(job.base, tokenizer, job.settings, job.language, device)
    learned, judged = job.raw.hold_out(job.settings.held_out, job.settings.seed)
    score = _scorer(kind, judged, job, tokenizer)
    job.work.mkdir(parents=True, exist_ok=True)
    if not (job.work / "before.json").exists():
        listener({"event": "phase", "message": f"Asking about {len(judged):,} texts held out"})
        write_json(job.work / "before.json", score(kind.model))
    before = read_json(job.work / "before.json")
    began = time.monotonic()
    stages = Stages(
        kind,
        kind.cut(learned),
        job.settings,
        job.machine,
        job.work,
        _pad_id(tokenizer),
        score,
        checkpoint_minutes,
        listener,
    )
    head = stages.learn_head()
    finished = stages.learn_all()
    spent = finished.seconds + (0.0 if head is None else head["seconds"])
    made = {
        "identity": job.identity,
        "objective": job.objective,
        "from": {"name": job.base.name, "content_hash": job.base.content_hash},
        "texts": {"hash": job.raw.content_hash, "learned": len(learned), "held_out": len(judged)},
        "settings": job.settings.model_dump(),
        "language": job.language,
        "device": device,
        "precision": job.machine[1],
        "steps": finished.step,
        "best_step": finished.best_step,
        "seconds": max(spent, time.monotonic() - began),
        "new_head": kind.new_head,
        "head_alone": head,
        "before": before,
        "after": score(kind.model),
        "notes": [*job.raw.notes, *notes_of(kind.new_head, kind.words, head)],
    }
    return _keep(job, kind, tokenizer, made)


def _keep(job: _Job, kind: Pretraining, tokenizer: Any, made: Mapping[str, Any]) -> Pretrained:
    """Put the result in its place, and clear away what it was made with."""
    base = job.base
    model = {
        "name": job.name,
        "kind": KINDS.get(job.objective).architecture,
        "family": base.family,
        "languages": list(base.languages) or ([job.language] if job.language != "und" else []),
        "licence": base.licence,
    }
    target = own.own_folder(job.name)
    with atomic_path(target) as temporary:
        temporary.mkdir()
        kind.save(temporary)
        tokenizer.save_pretrained(str(temporary))
        record = write_record(temporary, model, made)
    shutil.rmtree(job.work, ignore_errors=True)
    return Pretrained(job.name, target, record)


def _scorer(kind: Pretraining, judged: Sequence[str], job: _Job, tokenizer: Any) -> Callable[[Any], dict[str, float]]:
    from provetune.training.pretraining.held_out import Asked

    seed = derive(job.settings.seed, "held out draws")
    asked = Asked(_pad_id(tokenizer), *job.machine, job.settings.batch_tokens, seed)
    pieces = kind.cut(judged)
    return lambda model: kind.score(model, pieces, asked)


def _settle_machine(device: str, precision: str) -> tuple[str, str]:
    from provetune.models.devices import settle_device
    from provetune.models.precision import choose_precision

    place = settle_device(device)
    return place, choose_precision(precision, place).name


def _settle_language(language: str, raw: RawTexts) -> str:
    from provetune.data.language import detect_language

    if language != "auto":
        return language.lower().split("-")[0]
    return detect_language(raw.texts)


def _refuse_unknown(settings: Mapping[str, Any]) -> None:
    from provetune.core.suggest import advice

    known = list(PretrainSettings.model_fields)
    for name in settings:
        if name not in known:
            raise UsageError(f"Pretraining has no setting '{name}'.", hint=advice(name, known))


def _pad_id(tokenizer: Any) -> int:
    """Padding is masked or left out: any token will do where there is none for it."""
    return 0 if tokenizer.pad_token_id is None else int(tokenizer.pad_token_id)

"""The steps that were asked for, in order, each with its settings: ``--to drop_layers --set drop_layers.keep=3``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from provetune.compression.fastest import FASTEST, WAYS
from provetune.compression.step import Refuses, Step
from provetune.compression.steps import STEPS
from provetune.core.errors import UsageError
from provetune.core.suggest import advice
from provetune.problem.document import SyntaxFault, read_document

if TYPE_CHECKING:
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle


NO_STEPS = {
    "merge_adapter": (
        "adapters that can be merged (lora, adalora, ia3) are, when a bundle is written; those that cannot (prefix, "
        "prompt, adapter) become one graph with their model by the step onnx."
    )
}
"""What a user may look for among the steps, and where it is done instead."""


@dataclass(frozen=True)
class Asked:
    """One step with its settings."""

    step: Step
    settings: BaseModel

    @property
    def name(self) -> str:
        """The step's name."""
        return self.step.name

    def identity(self, seed: int) -> dict[str, Any]:
        """What makes two carryings-out of it the same, besides the parent."""
        return {"step": self.name, "settings": self.settings.model_dump(mode="json"), "seed": seed}


def read_plan(to: Sequence[str], overrides: Sequence[str] = ()) -> tuple[list[Asked], list[Asked]]:
    """The steps of a chain, and the ways that `fastest` at its end is to try; none where it is not there.

    Raises:
        UsageError: as `read_asked`; or `fastest` does not come last.
    """
    names = _names(to)
    if FASTEST not in names:
        return read_asked(names, overrides), []
    if names.index(FASTEST) != len(names) - 1:
        raise UsageError(f"'{FASTEST}' comes last: it chooses what computes the bundle.", where="--to")
    chain = names[:-1]
    asked = read_asked([*chain, *(way for way in WAYS if way not in chain)], overrides)
    return asked[: len(chain)], asked[len(chain) :]


def read_asked(to: Sequence[str], overrides: Sequence[str] = ()) -> list[Asked]:
    """The steps that these words name.

    Args:
        to: names of steps, each word one or several parted by commas, in their order.
        overrides: ``STEP.FIELD=VALUE``, the value as a problem file has it.

    Raises:
        UsageError: no steps, an unknown one, one given twice, or a setting that it does not have.
    """
    names = _names(to)
    if not names:
        raise UsageError(
            "No step is named.", hint="For example: --to onnx. `provetune compress --list` shows every step."
        )
    if (done := next((name for name in names if name in NO_STEPS), None)) is not None:
        raise UsageError(f"There is no step '{done}': {NO_STEPS[done]}")
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise UsageError(f"The step '{twice}' is named twice.", hint="Name each once, in the order they are done.")
    steps = {name: STEPS.get(name) for name in names}
    values: dict[str, dict[str, Any]] = {name: {} for name in names}
    for written in overrides:
        name, field, value = _read_override(written, names)
        known = steps[name].settings.model_fields
        if field not in known:
            raise UsageError(
                f"The step '{name}' has no setting '{field}'.", where=f"--set {written}", hint=advice(field, known)
            )
        values[name][field] = value
    return [Asked(step, _settings(step, values[name])) for name, step in steps.items()]


def describe(step: Step) -> dict[str, Any]:
    """One step as a JSON-ready mapping: what it does, what it takes, what can be said about it."""
    return {
        "name": step.name,
        "summary": step.summary,
        "takes": list(step.takes),
        "learns": step.learns,
        "settings": [
            {"name": name, "default": field.get_default(call_default_factory=True), "description": field.description}
            for name, field in step.settings.model_fields.items()
        ],
    }


def refuse_unfit(asked: Asked, bundle: Bundle, task: Task) -> None:
    """Refuse a step that does not take this kind of bundle, or that says it is of no use for it.

    Raises:
        UsageError: in one line that names what would work.
    """
    step = asked.step
    if bundle.kind not in step.takes:
        raise UsageError(
            f"The step '{step.name}' takes bundles of the kind {_listed(step.takes)}; this one is '{bundle.kind}'.",
            where=str(bundle.path),
            hint="`provetune compress --list` shows what takes which.",
        )
    why = step.refuse(bundle, task, asked.settings) if isinstance(step, Refuses) else None
    if why is not None:
        raise UsageError(why, where=str(bundle.path))


def refuse_unfit_chain(asked: Sequence[Asked], bundle: Bundle, task: Task) -> None:
    """Refuse a chain of which a step could not take what the one before it makes, before any work is done.

    Raises:
        UsageError: in one line that names the step.
    """
    if asked:
        refuse_unfit(asked[0], bundle, task)
    kind, before = bundle.kind, ""
    for each in asked:
        if kind not in each.step.takes:
            raise UsageError(
                f"The step '{each.name}' cannot come after '{before}', which makes a bundle of the kind '{kind}'.",
                where=f"--to {','.join(one.name for one in asked)}",
                hint=f"Name '{each.name}' before it.",
            )
        kind, before = each.step.makes or kind, each.name


def _names(to: Sequence[str]) -> list[str]:
    return [name.strip() for word in to for name in word.split(",") if name.strip()]


def _read_override(written: str, names: Sequence[str]) -> tuple[str, str, Any]:
    key, sign, text = written.partition("=")
    name, dot, field = key.strip().partition(".")
    if not sign or not dot:
        raise UsageError(
            f"A setting must be STEP.FIELD=VALUE. Got '{written}' instead.", hint=f"For example: {names[0]}.FIELD=VALUE"
        )
    if name not in names:
        raise UsageError(
            f"The step '{name}' is not among those named with --to.", where=f"--set {written}", hint=advice(name, names)
        )
    try:
        return name, field.strip(), read_document(text).value
    except SyntaxFault as fault:
        raise UsageError(f"{fault.message} Got '{text}'.", where=f"--set {key}", hint=fault.hint) from fault


def _settings(step: Step, values: dict[str, Any]) -> BaseModel:
    try:
        return step.settings.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "settings"
        value = f" Got {first['input']!r} instead." if first["loc"] else ""
        message = str(first["msg"]).removeprefix("Value error, ")
        raise UsageError(f"'{step.name}.{field}': {message}.{value}", where="--set") from error


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return quoted[0] if len(quoted) == 1 else f"{', '.join(quoted[:-1])} or {quoted[-1]}"

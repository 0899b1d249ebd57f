"""Checks of a problem file that need the plug-ins: names, metrics, and what a method adds or does not use.

`provetune.problem` knows the syntax alone; these checks are handed to `read_problem`, so that their faults come
with line numbers, together with all others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from provetune.core.combining import CombiningMethod, WritesOutputs
from provetune.core.protocols import BY_STEPS, WITHOUT_BACKBONE, Method, Metric, Task
from provetune.core.suggest import advice
from provetune.problem.baseline import BASELINE_METHOD, implied_baseline
from provetune.problem.claims import ClaimSyntaxError, Scope, parse_accept_key, parse_claim
from provetune.problem.faults import Check, Fault, Keys, show
from provetune.problem.syntax import AUTO, Candidate, Columns
from provetune.study.fold_checks import check_folds
from provetune.study.members import member_faults
from provetune.study.objectives import objectives_named

DEFAULT_TASK = "classification"
_GRADIENT_FIELDS = (
    "keep_head",
    "objective",
    "epochs",
    "learning_rate",
    "batch_tokens",
    "batch_rows",
    "weight_decay",
    "warmup",
    "schedule",
    "optimiser",
    "layer_decay",
    "unfreeze",
    "ema",
    "gradient_checkpointing",
    "hidden_dropout",
    "attention_dropout",
    "head_dropout",
    "accumulate",
    "clip",
    "patience",
    "evaluations",
    "speedups",
)
_ENCODER_FIELDS = ("backbone", "max_length", "long_texts", "precision")
_MEMBER_FIELDS = ("search", "data", "label_weights")
"""What the members have, and what is made of them has not."""
_NEEDS_OUT_OF_SCOPE = ("in_scope_accuracy", "out_of_scope_recall")


def problem_checks() -> list[Check]:
    """The checks for `provetune.problem.reading.read_problem`: task, candidates, metrics."""
    return [_check_task, _check_options, _check_columns, _check_candidates, _check_members, _check_metrics, check_folds]


def suits(method: Method, task: Task) -> bool:
    """Whether a method can be used for a task."""
    if isinstance(method, CombiningMethod):
        return "weights" in task.learns_from if method.averages == "weights" else isinstance(task, WritesOutputs)
    return method.learns_from in task.learns_from and (method.tasks is None or task.name in method.tasks)


def fields_without_effect(method: Method) -> tuple[str, ...]:
    """Common candidate fields that a method does not use."""
    if method.learns_from in BY_STEPS:
        return ()
    if method.learns_from == "members":
        return (*_ENCODER_FIELDS, *_GRADIENT_FIELDS, *_MEMBER_FIELDS)
    return (*_ENCODER_FIELDS, *_GRADIENT_FIELDS) if method.learns_from in WITHOUT_BACKBONE else _GRADIENT_FIELDS


def _check_task(content: Mapping[str, Any]) -> Iterable[Fault]:
    from provetune.tasks import TASKS

    name = content.get("task", DEFAULT_TASK)
    if isinstance(name, str) and name not in TASKS:
        yield Fault(("task",), f"There is no task '{name}'.", advice(name, TASKS.names()))


def _check_options(content: Mapping[str, Any]) -> Iterable[Fault]:
    """The task's own settings, by the task's own model of them."""
    task, written = _task_of(content), content.get("options", {})
    if task is None or not isinstance(written, Mapping):
        return
    known = list(task.options.model_fields)
    sound = dict(written)
    for key in [key for key in written if key not in known]:
        hint = advice(key, known) if known else f"The task '{task.name}' has no settings of its own."
        yield Fault(("options", key), f"Unknown key '{key}' for the task '{task.name}'.", hint)
        del sound[key]
    yield from _faults_of_settings(("options",), task.options, sound)


def _check_columns(content: Mapping[str, Any]) -> Iterable[Fault]:
    """Parts that columns can play are the task's to name."""
    task, columns = _task_of(content), content.get("data", {}).get("columns", {})
    if task is None or not isinstance(columns, Mapping):
        return
    known = [*(role.name for role in task.roles), "group", "time", "id"]
    for key, value in columns.items():
        keys: Keys = ("data", "columns", key)
        if key not in known and not (key in Columns.model_fields and value is None):
            yield Fault(keys, f"The task '{task.name}' has no part '{key}' for a column.", advice(str(key), known))
        elif key not in Columns.model_fields and not _names_columns(value):
            message = f"'{key}' must be a column's name or a list of them. Got {show(value)} instead."
            yield Fault(keys, message, None)


def _names_columns(value: Any) -> bool:
    return (
        value is None or isinstance(value, str) or (isinstance(value, list) and all(isinstance(x, str) for x in value))
    )


def _check_candidates(content: Mapping[str, Any]) -> Iterable[Fault]:
    folded: dict[str, str] = {}
    for name, candidate in content.get("candidates", {}).items():
        keys: Keys = ("candidates", name)
        first = folded.setdefault(str(name).casefold(), name)
        if first != name:
            yield Fault(
                keys, f"'{name}' and '{first}' differ only in case.", "Some disks keep one of two such folders."
            )
        if isinstance(candidate, Mapping):
            yield from _check_candidate(keys, candidate, content)


def _check_members(content: Mapping[str, Any]) -> Iterable[Fault]:
    """Candidates that are made of others."""
    candidates = content.get("candidates", {})
    added = implied_baseline(candidates, baseline_of(content.get("task")))
    yield from member_faults(candidates, [*candidates, *([] if added is None else [added])])


def _check_candidate(keys: Keys, candidate: Mapping[str, Any], content: Mapping[str, Any]) -> Iterable[Fault]:
    from provetune.models.methods import METHODS
    from provetune.training.objectives import OBJECTIVES

    objective = candidate.get("objective", "plain")
    names = objective if isinstance(objective, list) else [objective]
    for each in names:
        if isinstance(each, str) and each not in OBJECTIVES:
            yield Fault((*keys, "objective"), f"There is no objective '{each}'.", advice(each, OBJECTIVES.names()))
    yield from _check_composition(keys, candidate)
    name = candidate.get("method")
    if not isinstance(name, str):
        return
    if name not in METHODS:
        yield Fault((*keys, "method"), f"There is no method '{name}'.", advice(name, METHODS.names()))
        return
    method = METHODS.get(name)
    task = _task_of(content)
    if task is not None and not suits(method, task):
        fitting = [one for one in METHODS.names() if suits(METHODS.get(one), task)]
        message = f"The method '{name}' does not suit the task '{task.name}'."
        yield Fault((*keys, "method"), message, f"Those that do: {', '.join(fitting)}.")
        return
    yield from _check_unused(keys, candidate, method)
    yield from _check_method_settings(keys, candidate, method)


def _check_composition(keys: Keys, candidate: Mapping[str, Any]) -> Iterable[Fault]:
    """Objectives that cannot stand in one sum."""
    objectives = objectives_named(candidate)
    names = [objective.name for objective in objectives]
    if twice := next((name for name in names if names.count(name) > 1), None):
        yield Fault((*keys, "objective"), f"The objective '{twice}' is named twice.", "Name it once.")
    bases = [objective.name for objective in objectives if objective.stage == "base" and objective.name != "plain"]
    if len(set(bases)) > 1:
        message = f"The objectives {' and '.join(bases)} both are the loss of a batch, of which there is one."
        yield Fault((*keys, "objective"), message, "Keep one of them.")


def _check_unused(keys: Keys, candidate: Mapping[str, Any], method: Method) -> Iterable[Fault]:
    """A setting that would be passed over in silence is refused, unless it says what holds anyway."""
    for field in fields_without_effect(method):
        default = Candidate.model_fields[field].default
        if field in candidate and candidate[field] not in (default, AUTO):
            yield Fault(
                (*keys, field),
                f"The method '{method.name}' does not use '{field}'.",
                "Remove it, or take another method.",
            )


def _check_method_settings(keys: Keys, candidate: Mapping[str, Any], method: Method) -> Iterable[Fault]:
    extra = {key: value for key, value in candidate.items() if key not in Candidate.model_fields}
    own = method.settings.model_fields
    for objective in objectives_named(candidate):
        fields = objective.settings.model_fields
        of_objective = {key: extra.pop(key) for key in list(extra) if key in fields}
        yield from _faults_of_settings(keys, objective.settings, of_objective)
    for key in [key for key in extra if key not in own]:
        yield Fault((*keys, key), f"Unknown key '{key}' for the method '{method.name}'.", _where_known(key, method))
        del extra[key]
    yield from _faults_of_settings(keys, method.settings, extra)


def _faults_of_settings(keys: Keys, settings: type[BaseModel], written: Mapping[str, Any]) -> Iterable[Fault]:
    try:
        settings.model_validate(written)
    except ValidationError as error:
        told: dict[tuple[Any, ...], list[Any]] = {}
        for detail in error.errors(include_url=False):
            told.setdefault(detail["loc"][:1], []).append(detail)
        for place, details in told.items():
            message = ", or ".join(dict.fromkeys(_in_words(detail["msg"]) for detail in details))
            if not place:  # settings that do not go together; what is said names them
                yield Fault(keys, message)
                continue
            value = details[0]["input"]
            yield Fault((*keys, *place), f"'{place[0]}' must be {message}. Got {show(value)} instead.")


def _in_words(message: str) -> str:
    return message.removeprefix("Value error, ").removeprefix("Input should be ")


def _where_known(key: str, method: Method) -> str:
    from provetune.models.methods import METHODS
    from provetune.training.objectives import OBJECTIVES

    own, common = list(method.settings.model_fields), list(Candidate.model_fields)
    for kind, plugins in (("method", METHODS), ("objective", OBJECTIVES)):
        owners = [name for name in plugins.names() if key in plugins.get(name).settings.model_fields]
        if owners:
            return f"'{key}' belongs to the {kind} {' and '.join(owners)}."
    return advice(key, own + common, limit=30)


def _check_metrics(content: Mapping[str, Any]) -> Iterable[Fault]:
    task = _task_of(content)
    if task is None:
        return
    marked = content.get("data", {}).get("out_of_scope") is not None
    for keys, scope in _scopes(content):
        yield from _check_scope(keys, scope, task, marked)


def _check_scope(keys: Keys, scope: Scope, task: Task, out_of_scope_marked: bool) -> Iterable[Fault]:
    metrics: dict[str, Metric] = {metric.name: metric for metric in task.metrics}
    metric = metrics.get(scope.metric)
    if metric is None:
        yield Fault(keys, f"The task '{task.name}' has no metric '{scope.metric}'.", advice(scope.metric, metrics))
    elif metric.per_label and metric.label_needed and scope.value is None:
        yield Fault(keys, f"'{scope.metric}' needs a label.", f"Write {scope.metric}:LABEL.")
    elif scope.value is not None and not metric.per_label:
        having = ", ".join(name for name, each in metrics.items() if each.per_label)
        yield Fault(
            keys, f"'{scope.metric}' has no value per label.", f"Those that have: {having}." if having else None
        )
    elif metric.kind == "system" and scope.conditions:
        yield Fault(keys, f"'{scope.metric}' is of the machine, not of some rows.", "Leave out what stands after @.")
    elif scope.metric in _NEEDS_OUT_OF_SCOPE and not out_of_scope_marked:
        yield Fault(keys, f"'{scope.metric}' needs a label marked as out of scope.", "Name it in data.out_of_scope.")


def _scopes(content: Mapping[str, Any]) -> Iterable[tuple[Keys, Scope]]:
    """Every scope of the file; what does not follow the grammar is told by `read_problem` itself."""
    for key in content.get("accept", {}):
        try:
            yield ("accept", key), parse_accept_key(key)
        except ClaimSyntaxError:
            continue
    for number, text in enumerate(content.get("claims", [])):
        try:
            scope = parse_claim(text).scope if isinstance(text, str) else None
        except ClaimSyntaxError:
            continue
        if scope is not None:
            yield ("claims", number), scope


def _task_of(content: Mapping[str, Any]) -> Task | None:
    from provetune.tasks import TASKS

    name = content.get("task", DEFAULT_TASK)
    return TASKS.get(name) if isinstance(name, str) and name in TASKS else None


def add_baseline(candidates: Mapping[str, Candidate], task: str = DEFAULT_TASK) -> dict[str, Candidate]:
    """The candidates, after the task's baseline where none of them is one."""
    method = baseline_of(task)
    name = implied_baseline(candidates, method)
    if name is None or method is None:
        return dict(candidates)
    return {name: Candidate(method=method, backbone=_baseline_backbone(method, candidates)), **candidates}


def _baseline_backbone(method: str, candidates: Mapping[str, Candidate]) -> str:
    """A baseline with a pretrained model has that of the first candidate that names one."""
    from provetune.models.methods import METHODS

    if METHODS.get(method).learns_from not in ("weights", "features"):
        return AUTO
    return next((one.backbone for one in candidates.values() if one.backbone != AUTO), AUTO)


def baseline_of(task: Any) -> str | None:
    """The method that every study of a task adds; that of the default task where there is none of the name."""
    found = _task_of({} if task is None else {"task": task})
    return BASELINE_METHOD if found is None else found.baseline

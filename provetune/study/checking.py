"""`provetune check`: everything that stands in the way of a problem, in its data and in its candidates, worst first.

It sees test texts and labels, never a prediction, so it is no look at the sealed test. What needs a backbone's
tokenizer is looked at where the backbone can be had; without it that is said, and the rest still holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from provetune.core.errors import CorruptError, EnvironmentFault, UsageError
from provetune.core.protocols import WITHOUT_BACKBONE, CountsTokens, CutsTargets, Finding, Task
from provetune.problem.reading import ProblemFile, read_problem
from provetune.problem.syntax import AUTO, Candidate
from provetune.study.candidate_faults import cannot_run, find_candidate_faults
from provetune.study.choices import backbone_at, is_unlike
from provetune.study.fold_checks import divide_rows
from provetune.study.lengths import COUNTED_ROWS, count_tokens, counting_tokenizer, measure_lengths
from provetune.study.own_backbones import kind_of_backbone, with_named_backbone
from provetune.study.problem_checks import add_baseline, baseline_of, problem_checks
from provetune.study.quick_tokenizer import quick_tokenizer
from provetune.study.resolve import check_scopes, language_of
from provetune.study.set_aside import write_set_aside
from provetune.study.training_choices import with_task_defaults

if TYPE_CHECKING:
    from provetune.data.splits import Splits
    from provetune.models.backbones import Backbone
    from provetune.models.download import Listener


def check_problem(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    progress: Listener | None = None,
    set_aside: Path | None = None,
) -> dict[str, Any]:
    """Look for faults in a problem's data, and for candidates that `provetune run` would refuse.

    Args:
        path: the problem file.
        overrides: ``a.b=value`` texts.
        progress: told about a backbone's download.
        set_aside: file that rows which cannot be used are written to.

    Returns:
        JSON-ready: ``blocking`` (how many findings stop a study), ``findings`` (``kind``, ``severity``, ``count``,
        ``rows``, ``message``; worst first), ``splits`` (rows of each) and ``notes`` (what was detected).

    Raises:
        ProblemFileError: faults of the problem file itself.
        DataError: a data file cannot be read or divided at all, or no row has the out-of-scope label.
        UsageError: a label or column that acceptance or a claim names is not in the data.
    """
    from provetune.data.places import plural
    from provetune.data.quality import find_faults, sort_findings
    from provetune.tasks import TASKS

    file = read_problem(path, overrides=overrides, checks=problem_checks(), baseline_of=baseline_of)
    problem = file.problem
    task = TASKS.get(problem.task)
    splits = divide_rows(file, task, problem.study.seeds)
    notes = list(splits.notes)
    if set_aside is not None and splits.set_aside.num_rows:
        written = write_set_aside(set_aside, splits.set_aside)
        rows = plural(written, "row that cannot be used is", "rows that cannot be used are")
        notes.append(f"{rows} in {set_aside}.")
    findings = [
        *find_faults(splits, out_of_scope=problem.data.out_of_scope, labels=problem.options.get("labels") or ()),
        *task.check(splits.tables),
    ]
    if not any(finding.kind == "one_label_only" for finding in findings):
        targets = task.targets(splits.train, out_of_scope=problem.data.out_of_scope, options=problem.options)
        check_scopes(file, targets, splits)
        findings += find_candidate_faults(file, task, targets, splits, language_of(problem, splits), progress)
    findings += _find_by_backbone(file, splits, progress)
    findings = list({(finding.kind, finding.message): finding for finding in findings}.values())
    return {
        "blocking": sum(finding.severity == "blocking" for finding in findings),
        "findings": [finding.to_json() for finding in sort_findings(findings)],
        "splits": {name: table.num_rows for name, table in splits.tables.items()},
        "notes": notes,
    }


def _find_by_backbone(file: ProblemFile, splits: Splits, progress: Listener | None) -> Iterator[Finding]:
    """Truncation and language, for each backbone and length that candidates ask for."""
    from provetune.models.methods import METHODS
    from provetune.tasks import TASKS

    language = language_of(file.problem, splits)
    asked: dict[tuple[Any, ...], list[str]] = {}
    task = TASKS.get(file.problem.task)
    written = add_baseline(file.problem.candidates, file.problem.task)
    candidates = {name: with_named_backbone(with_task_defaults(one, task)) for name, one in written.items()}
    for name, candidate in candidates.items():
        if METHODS.get(candidate.method).learns_from not in WITHOUT_BACKBONE:
            wanted = kind_of_backbone(candidate, task), candidate.backbone
            asked.setdefault((*wanted, candidate.max_length, candidate.long_texts), []).append(name)
    told: set[str] = set()
    for names in asked.values():
        candidate = candidates[names[0]]
        try:
            backbone = backbone_at(file, names[0], candidate, language, progress)
        except UsageError as error:
            yield cannot_run(error)
            continue
        except (EnvironmentFault, CorruptError) as error:
            if candidate.backbone not in told:
                yield _not_looked_at(candidate, error)
            told.add(candidate.backbone)
            continue
        if is_unlike(language, backbone) and backbone.name not in told:
            yield _unlike(language, backbone, splits)
        told.add(backbone.name)
        if isinstance(task, CountsTokens):
            found = _find_too_long(task, file, candidate, backbone, splits)
        else:
            found = _find_truncated(candidate, backbone, splits)
        if isinstance(task, CutsTargets):
            found = chain(found, _find_cut_targets(task, file, backbone, splits))
        for finding in found:
            yield replace(finding, message=f"{', '.join(names)} ({backbone.name}): {finding.message}")


def _find_too_long(
    task: Task, file: ProblemFile, candidate: Candidate, backbone: Backbone, splits: Splits
) -> Iterator[Finding]:
    """Rows with too many tokens, of a task that counts them itself."""
    from provetune.data.places import Rows
    from provetune.data.text_faults import find_too_long

    targets = task.targets(splits.train, options=file.problem.options)
    tokenizer, most = counting_tokenizer(backbone, task, targets), backbone.max_positions
    max_length = candidate.max_length
    if max_length == AUTO:
        max_length = measure_lengths(splits.train, tokenizer, most, task).choose_max_length()

    def count(sample: Any) -> Any:
        return measure_lengths(sample, tokenizer, most, task).tokens

    yield from find_too_long(Rows(splits), count, min(int(max_length), most), COUNTED_ROWS, "Raise max_length.")


def _find_cut_targets(task: Task, file: ProblemFile, backbone: Backbone, splits: Splits) -> Iterator[Finding]:
    """Rows whose target is longer than what a model learns and writes."""
    from provetune.data.places import Rows
    from provetune.data.text_faults import find_cut_targets

    targets = task.targets(splits.train, options=file.problem.options)
    tokenizer = counting_tokenizer(backbone, task, targets)

    def count(sample: Any) -> Any:
        return cast(CutsTargets, task).count_target_tokens(sample, tokenizer)

    yield from find_cut_targets(Rows(splits), count, int(targets.options["max_target_length"]))


def _find_truncated(candidate: Candidate, backbone: Backbone, splits: Splits) -> Iterator[Finding]:
    from provetune.data.places import Rows
    from provetune.data.text_faults import find_truncated

    if candidate.long_texts == "windows":
        return
    tokenizer = quick_tokenizer(backbone.path, backbone.source)
    max_length = candidate.max_length
    if max_length == AUTO:
        max_length = measure_lengths(splits.train, tokenizer, backbone.max_positions).choose_max_length()
    lengths = partial(_count, tokenizer, backbone.max_positions)
    yield from find_truncated(Rows(splits), lengths, min(int(max_length), backbone.max_positions))


def _count(tokenizer: Any, max_positions: int, texts: Sequence[str], pairs: Sequence[str] | None) -> Any:
    return count_tokens(tokenizer, texts, pairs, max_positions)


def _unlike(language: str, backbone: Backbone, splits: Splits) -> Finding:
    message = (
        f"The texts are in '{language}', but '{backbone.name}' was made for {', '.join(backbone.languages)}. Choose a "
        "backbone for this language with `provetune models list`, or state language in the problem file."
    )
    return Finding("language_unlike_backbone", "warning", splits.train.num_rows, message)


def _not_looked_at(candidate: Candidate, error: Exception) -> Finding:
    message = f"Truncation was not looked at: the backbone '{candidate.backbone}' cannot be had now ({error})"
    return Finding("backbone_not_available", "note", 0, message)

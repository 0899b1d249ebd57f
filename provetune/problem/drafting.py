"""A first problem file, drafted from what was detected in the data, with the alternatives as comments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from provetune.problem.data_section import LEAST_FOLDS, MOST_FOLDS
from provetune.problem.document import quote

_SHOWN_LABELS = 30
_SHOWN_COLUMNS = 30
_LONGEST_COMMENT = 100
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|]')
_MASK = "  # mask: [email, phone, id_number, bank_card]    # replaced by a placeholder in every text\n"
_LONGEST_NAME = 60
_FEW_ROWS = 200
"""Below this, a fifth of the rows is too few to judge anything by."""

_HEADER = """\
# What is to be solved, what may solve it, and how that is tested.
# `provetune check` looks at the data, `provetune run` trains and tests; `provetune schema` has every field.
"""

_ACCEPT = """\
# What "solved" means; judged on the sealed test, and again after every step that changes the model.
# accept:
{levels}
"""

_FULL = """\
  full: {backbone: auto, method: full}    # every weight trained
  lora: {backbone: auto, method: lora}    # a few small matrices trained
  # small_steps: {backbone: auto, method: full, learning_rate: 2e-5, epochs: 5}
  # lora_wide: {backbone: auto, method: lora, rank: 32}
  # mine: {backbone: path/to/folder, method: full}    # or a name from `provetune models list`
"""

_WORDS = "  words: {method: tfidf}                  # words and characters, no language model: the honest baseline\n"
_HEAD = "  head: {backbone: auto, method: head}    # a frozen language model with a trained last layer: fast\n"

_STUDY = """\
study:
  seeds: 5                         # runs of each candidate; claims need at least three
  confidence: 0.95
"""


@dataclass(frozen=True)
class TaskDraft:
    """What a draft says about a task.

    Attributes:
        baseline: the method that is always added; None for none.
        head: whether a trained last layer on a frozen model is possible.
        classes: whether labels are classes.
        metrics: name and direction of the first few, the primary one first.
        options: settings of its own, and what each is.
        backbone: of the candidates; a placeholder where the catalogue has none that suits.
        backbone_note: what to do about the placeholder; a sentence.
        scale: the greatest value of the metrics.
        pretrained_baseline: the baseline has the candidates' backbone too.
    """

    baseline: str | None = "tfidf"
    head: bool = True
    classes: bool = True
    metrics: tuple[tuple[str, bool], ...] = (("accuracy", True), ("macro_f1", True))
    options: Mapping[str, str] = field(default_factory=dict)
    backbone: str = "auto"
    backbone_note: str | None = None
    scale: float = 1.0
    pretrained_baseline: bool = False

    def level(self, value: float) -> str:
        """A share of the metrics' greatest value, as it is written in a claim."""
        return f"{value:.2f}" if self.scale == 1 else f"{value * self.scale:g}"


def draft_problem(
    *,
    train: str,
    text: str | Sequence[str] | None,
    label: str | Sequence[str] | None,
    name: str | None = None,
    task: str = "classification",
    language: str = "auto",
    rows: int | None = None,
    labels: Mapping[str, int] | None = None,
    columns: Sequence[str] = (),
    validation: str | None = None,
    test: str | None = None,
    group: str | None = None,
    time: str | None = None,
    id_column: str | None = None,
    label_separator: str | None = None,
    out_of_scope: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    notes: Sequence[str] = (),
    parts: Mapping[str, str | Sequence[str]] | None = None,
    kind: TaskDraft | None = None,
) -> str:
    """The text of a problem file that `read_problem` reads back without a fault.

    Args:
        train: the data as the file shall name it, relative to the problem file.
        text: the column with the text, or several.
        label: the column with the label, several with 0/1 values, or None for a task without labels.
        name: of the problem; made from `train` when absent, and made fit for a folder's name in any case.
        language: as detected.
        rows, labels, columns: for comments: rows in the data, rows of each label, every column.
        header: whether the files' first line names the columns, where that has to be said.
        notes: what else was detected (encoding, delimiter, left-out rows), one comment each.
        parts: columns of roles that only this task has.
        kind: what to say about the task; classification's when left out.
    """
    kind = kind or TaskDraft()
    named = {"text": text, "label": label, **(parts or {})}
    sections = [
        _HEADER,
        f"name: {quote(fit_name(name or train))}\ntask: {quote(task)}\nlanguage: {quote(language)}\n",
        *_options(kind.options),
        "\n".join(
            [
                "data:",
                *_files(train, validation, test, rows, notes),
                *_reading(encoding, delimiter, label_separator, header),
                *_columns(named, {"group": group, "time": time, "id": id_column}, columns),
                *(_labels(labels, out_of_scope) if kind.classes else []),
                *_split(validation, test, group, time, kind.classes),
                *([] if validation or test or time else _folds(rows, labels if kind.classes else None)),
                _MASK,
            ]
        ),
        _after_data(kind),
    ]
    return "\n".join(sections)


def fit_name(text: str) -> str:
    """A problem's name out of a file's or a hub's: no folder, no ending, nothing a folder cannot be called."""
    last = re.split(r"[\\/]", text.removeprefix("hub:").rstrip("\\/"))[-1]
    stem = re.sub(r"(\.(csv|tsv|txt|jsonl?|parquet|xlsx?|gz))+\Z", "", last, flags=re.IGNORECASE)
    clean = "".join(character if character.isprintable() else "-" for character in _NOT_IN_NAMES.sub("-", stem))
    return clean[:_LONGEST_NAME].strip(" .") or "problem"


def _files(train: str, validation: str | None, test: str | None, rows: int | None, notes: Sequence[str]) -> list[str]:
    lines = [f"  # {comment(note)}" for note in notes]
    lines.append(f"  train: {quote(train)}" + (f"    # {rows:,} rows" if rows is not None else ""))
    lines.append(
        f"  validation: {quote(validation)}" if validation else "  # validation: …    # left out: split off train"
    )
    lines.append(
        f"  test: {quote(test)}" if test else "  # test: held_out.csv    # left out: split off and sealed beforehand"
    )
    return lines


def _reading(
    encoding: str | None, delimiter: str | None, label_separator: str | None, header: bool | None
) -> list[str]:
    given = {"encoding": encoding, "delimiter": delimiter, "label_separator": label_separator}
    lines = [f"  {key}: {quote(value)}" for key, value in given.items() if value]
    return lines if header is None else [*lines, f"  header: {str(header).lower()}"]


def _options(options: Mapping[str, str]) -> list[str]:
    """The task's own settings, each behind a comment sign with what it is."""
    if not options:
        return []
    width = max(map(len, options)) + 8
    lines = [f"#   {f'{name}: …':<{width}}# {comment(what)}" for name, what in options.items()]
    return ["\n".join(["# options:    # the task's own settings; these are some", *lines, ""])]


def _after_data(kind: TaskDraft) -> str:
    """Acceptance, candidates, claims and the study's settings, as they suit a task."""
    levels = [
        (name, kind.level((90 - 5 * number) / 100)) for number, (name, better) in enumerate(kind.metrics) if better
    ]
    shown = [f'#   {name}: ">= {level}"' for name, level in levels]
    shown += [f'#   {name}: "<= {kind.level(0.1)}"' for name, higher in kind.metrics if not higher]
    words = kind.baseline == "tfidf"
    baseline = "words" if words else "baseline"
    own = "backbone: auto, " if kind.pretrained_baseline else ""
    first = _WORDS if words else f"  baseline: {{{own}method: {kind.baseline}}}\n" if kind.baseline else ""
    note = "".join(f"# {line}\n" for line in wrap(kind.backbone_note or "", _LONGEST_COMMENT))
    candidates = f"{note}candidates:\n{first}{_HEAD if kind.head else ''}{_FULL}".replace(
        "backbone: auto", f"backbone: {quote(kind.backbone)}"
    )
    small, tiny = kind.level(0.02), kind.level(0.01)
    more, less = (">", ">=") if kind.metrics[0][1] else ("<", "<=")
    sign, back = ("+", "-") if kind.metrics[0][1] else ("-", "+")
    claims = ["claims:                            # recorded before the first training step"]
    if kind.baseline:
        claims.append(
            f"  - full {more} {baseline} {sign} {small}            # better by more than {small} in the first metric"
        )
    if kind.head:
        claims.append(f"  - head {less} full {back} {tiny}           # not worse by more than {tiny}")
    claims.append(f"  - lora {less} full {back} {tiny}")
    claims.append(f"  # - lora {less} {kind.level(0.9)}                 # reaches a level")
    if len(kind.metrics) > 1 and kind.baseline:
        second, higher = kind.metrics[1]
        claims.append(f"  # - full {'>' if higher else '<'} {baseline} [{second}]      # in another metric")
    return "\n".join([_ACCEPT.format(levels="\n".join(shown)), candidates, "\n".join(claims), "", _STUDY])


def _columns(
    named: Mapping[str, str | Sequence[str] | None],
    others: Mapping[str, str | None],
    known: Sequence[str],
) -> list[str]:
    lines = [f"  columns:    # in the file: {_listed(known)}" if known else "  columns:"]
    lines.extend(f"    {role}: {_one_or_many(columns)}" for role, columns in named.items() if columns)
    lines.extend(f"    {role}: {quote(column)}" for role, column in others.items() if column)
    return lines


def _labels(labels: Mapping[str, int] | None, out_of_scope: str | None) -> list[str]:
    lines = []
    if labels:
        ordered = sorted(labels.items(), key=lambda item: (-item[1], item[0]))
        lines.append(f"  # {len(ordered)} labels and their rows:")
        lines.extend(f"  #   {comment(name)}: {count:,}" for name, count in ordered[:_SHOWN_LABELS])
        if len(ordered) > _SHOWN_LABELS:
            lines.append(f"  #   … and {len(ordered) - _SHOWN_LABELS} more")
    if out_of_scope is not None:
        lines.append(f"  out_of_scope: {quote(out_of_scope)}    # the label that means none of these")
    else:
        lines.append("  # out_of_scope: other    # the label that means none of these")
    return lines


def _split(validation: str | None, test: str | None, group: str | None, time: str | None, classes: bool) -> list[str]:
    if validation and test:
        return []
    lines = ["  split:"]
    if not test:
        lines.append("    test: 0.2")
    if not validation:
        lines.append("    validation: 0.1")
    if classes:
        lines.append("    stratify: true                 # each label's share is equal in all splits")
    lines.append(
        f"    group: {quote(group)}" if group else "    # group: customer_id           # equal values stay in one split"
    )
    lines.append(
        f"    time: {quote(time)}" if time else "    # time: sent_at                # the latest rows become the test"
    )
    lines.append("    seed: 13")
    return lines


def _folds(rows: int | None, labels: Mapping[str, int] | None) -> list[str]:
    """Cross-validation, where rows are few and each label has enough of them."""
    if rows is None or rows >= _FEW_ROWS:
        return []
    count = min([MOST_FOLDS, rows, *(labels or {}).values()])
    if count < LEAST_FOLDS:
        return []
    why = f"{rows:,} rows are few: every row is held out once"
    return [f"    # folds: {count}    # in place of test and validation: {why}"]


def comment(text: str) -> str:
    """A text as it may stand behind '#': one line, nothing that YAML refuses, cut where it is long."""
    shown = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    return f"{shown[:_LONGEST_COMMENT]}…" if len(shown) > _LONGEST_COMMENT else shown


def _listed(names: Sequence[str]) -> str:
    more = f" … and {len(names) - _SHOWN_COLUMNS} more" if len(names) > _SHOWN_COLUMNS else ""
    return comment(", ".join(names[:_SHOWN_COLUMNS])) + more


def _one_or_many(columns: str | Sequence[str]) -> str:
    if isinstance(columns, str):
        return quote(columns)
    return f"[{', '.join(quote(column) for column in columns)}]"

"""Faults of labels: too few, unseen, rare, written in two ways, or signs that there is none."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable

from provetune.core.protocols import Finding
from provetune.data.places import Rows, names_shown, plural

RARE_ROWS = 5
_NONE_SIGNS = frozenset(
    {*"-–—_?？.", "--", "??", "n/a", "n.a.", "#n/a", "null", "<na>", "unlabeled", "unlabelled", "undefined"}
)
_NONE_NUMBER = "-1"
_LEAST_KINDS = 3
_WHOLE = re.compile(r"([+-]?[0-9]{1,15})(?:\.0+)?")


def find_few_labels(rows: Rows) -> Iterable[Finding]:
    """One label for all training rows leaves nothing to learn."""
    labels = rows.labels("train")
    if len(labels) == 1 and not rows.several_labels:
        name = next(iter(labels))
        message = f"All training rows have the label '{name}': there is nothing to learn. Add rows with other labels."
        yield Finding("one_label_only", "blocking", rows.count("train"), message)


def find_unseen_labels(rows: Rows, out_of_scope: str | None, named: Collection[str] = ()) -> Iterable[Finding]:
    """Labels that only some splits have.

    A label of the test or of validation that training lacks can never be predicted, and blocks. One that a
    judging split lacks is merely not judged there.

    Args:
        named: labels that there are besides (``options.labels``): of rows that a model learned from earlier, say.
    """
    known = rows.labels("train")
    for split in ("test", "validation"):
        labels = rows.labels(split)
        unseen = [name for name in labels if name not in known and name not in named]
        if unseen:
            count = sum(labels[name] for name in unseen)
            message = (
                f"{plural(len(unseen), 'label')} of {split} {'has' if len(unseen) == 1 else 'have'} no training row: "
                f"{names_shown(unseen)}. Add training rows, or take {plural(count, 'row')} out of {split}."
            )
            yield Finding("unseen_label", "blocking", count, message, rows.places_with_label(unseen, split))
        lacking = [name for name in known if name not in labels and name != out_of_scope]
        if lacking:
            message = (
                f"{plural(len(lacking), 'label has', 'labels have')} no row in {split}, so nothing is measured for "
                f"{'it' if len(lacking) == 1 else 'them'} there: {names_shown(lacking)}."
            )
            count = sum(known[name] for name in lacking)
            yield Finding(
                "label_missing_from_split", "warning", count, message, rows.places_with_label(lacking, "train")
            )


def find_similar_labels(rows: Rows) -> Iterable[Finding]:
    """Labels that differ only in case, spaces, hyphens or underscores, or are one number (5 and 5.0)."""
    counts: dict[str, int] = defaultdict(int)
    for split in ("train", "validation", "test"):
        for name, count in rows.labels(split).items():
            counts[name] += count
    alike: dict[str, list[str]] = defaultdict(list)
    for name in counts:
        alike[_folded(name)].append(name)
    for names in alike.values():
        if len(names) > 1 and not _signs_apart(names):
            names.sort(key=lambda name: (-counts[name], name))
            minor = sum(counts[name] for name in names[1:])
            listed = " and ".join(f"'{name}' ({counts[name]:,})" for name in names)
            message = (
                f"Labels that differ only in how they are written: {listed}. Write them alike if they mean the same."
            )
            places = rows.places_with_label(names[1:], "train")
            yield Finding("similar_labels", "warning", minor, message, places)


def find_signs_of_none(rows: Rows, out_of_scope: str | None) -> Iterable[Finding]:
    """Labels such as ``-`` or ``n/a``, by which sets say that a row has none (SNLI and OCNLI: annotators disagree)."""
    for split in ("train", "validation", "test"):
        labels = rows.labels(split)
        for name in signs_of_none(labels):
            if name == out_of_scope:
                continue
            have = "has" if labels[name] == 1 else "have"
            message = (
                f"{plural(labels[name], 'row')} of {split} {have} the label '{name}', one of {len(labels)} that are "
                "learned and judged. Where it says that there is no label, take these rows out."
            )
            yield Finding("label_says_none", "warning", labels[name], message, rows.places_with_label([name], split))


def signs_of_none(labels: Collection[str]) -> list[str]:
    """Those of the labels that look like a sign for "no label".

    Of numbers -1 is one beside three or more that count up from 0, as the hub's copy of SNLI has it.
    """
    found = [name for name in labels if name.strip().casefold() in _NONE_SIGNS]
    others = sorted(name for name in labels if name != _NONE_NUMBER)
    counting = sorted(map(str, range(len(others))))
    if _NONE_NUMBER in labels and len(others) >= _LEAST_KINDS and others == counting:
        found.append(_NONE_NUMBER)
    return found if len(labels) > len(found) else []


def find_rare_labels(rows: Rows) -> Iterable[Finding]:
    """Labels with fewer than five training rows."""
    labels = rows.labels("train")
    rare = {name: count for name, count in labels.items() if count < RARE_ROWS}
    if not rare:
        return
    names = sorted(rare, key=lambda name: (rare[name], name))
    single = sum(count == 1 for count in rare.values())
    message = (
        f"{plural(len(rare), 'label has', 'labels have')} fewer than {RARE_ROWS} training rows"
        f"{f', {single} of them a single one' if single else ''}: {names_shown(names)}. Add rows or merge labels."
    )
    yield Finding("rare_labels", "warning", sum(rare.values()), message, rows.places_with_label(names, "train"))


def _signs_apart(names: list[str]) -> bool:
    """Signed numbers such as -1 and 1 differ in more than a hyphen."""
    return (
        all(name.strip().lstrip("-").replace(".", "", 1).isdigit() for name in names)
        and any(name.strip().startswith("-") for name in names)
        and len({name.strip() for name in names}) == len(names)
    )


def _folded(name: str) -> str:
    """What labels that are written in two ways have in common."""
    number = _WHOLE.fullmatch(name.strip())
    if number is not None:
        return str(int(number[1]))
    return "".join(name.casefold().replace("_", " ").replace("-", " ").split())

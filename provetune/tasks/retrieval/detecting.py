"""Which columns of a file are queries, documents and wrong documents, and how well retrieval suits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from provetune.core.protocols import Detected
from provetune.data.column_names import LABEL_NAMES, name_score
from provetune.data.columns import flat_names
from provetune.data.judgements import FORMAT
from provetune.data.profiles import Profile, profile_column
from provetune.data.table import RawTable
from provetune.tasks.retrieval.reading import NO, YES
from provetune.tasks.retrieval.roles import DOCUMENT, QUERY

_QUERIES = ["query", "question", "anchor", "search", "ask", "查询", "问题", "提问", "问句", "问", "搜索"]
_DOCUMENTS = [
    *("document", "positive", "passage", "paragraph", "context", "answer", "response", "doc", "pos", "reply", "title"),
    *("text", "文档", "段落", "答案", "回答", "正例", "上下文", "答复", "文章", "正文"),
]
_NEGATIVES = ["negative", "negatives", "neg", "distractor", "负例", "反例", "干扰"]
_RELEVANT = ["relevant", "relevance", "clicked", "match", "相关", "匹配"]
_LETTERS = 200
_CERTAIN, _CALLED = 0.97, 2
# What comes back so often, in so few letters, is a label whatever the number of its kinds.
_LABEL_REPEATS, _LABEL_LETTERS = 4, 40


def detect(raw: RawTable, named: Mapping[str, str | list[str]]) -> Detected:
    """Columns for the roles that are not named.

    The fit is good where a column of wrong documents is there or both sides are called so; it is poor where a label
    that comes back often stands beside the two texts, as other tasks have it.
    """
    taken = set(flat_names(list(named.values())))
    profiles = {name: profile_column(raw, name) for name in raw.names if name not in taken}
    columns: dict[str, str | list[str]] = {}
    reasons: dict[str, str] = {}
    wrong = [name for name, each in profiles.items() if name_score(name, _NEGATIVES) > 1 and each.filled > 0]
    if "negative" not in named:
        reasons["negative"] = f"Called like wrong documents: {', '.join(wrong)}." if wrong else "None is called so."
        if wrong:
            columns["negative"] = wrong
    texts = {
        name: each
        for name, each in profiles.items()
        if name not in wrong and each.can_be_text and not _looks_like_label(each)
    }
    _find_sides(texts, named, columns, reasons)
    if "relevant" not in named:
        said = _find_relevance(raw, [name for name in profiles if name not in flat_names(list(columns.values()))])
        reasons["relevant"] = f"'{said}' says yes or no." if said else "No column says it: every document answers."
        if said:
            columns["relevant"] = said
    fit, why = _judge({**named, **columns}, profiles)
    if raw.format == FORMAT and not named:
        fit, why = _CERTAIN, "The file judges documents that queries found."
    return Detected(columns, reasons, _samples(raw, columns), fit, why)


def _find_sides(
    texts: Mapping[str, Profile],
    named: Mapping[str, str | list[str]],
    columns: dict[str, str | list[str]],
    reasons: dict[str, str],
) -> None:
    """The columns of query and document that are not named, into `columns`, and why into `reasons`."""
    both = named.get("text")
    if isinstance(both, list) and len(both) == 2 and "document" not in named:
        columns["document"], reasons["document"] = both[1], f"'{both[1]}' is the second of the two that are named."
        return
    for role, names, other in ((QUERY, _QUERIES, _DOCUMENTS), (DOCUMENT, _DOCUMENTS, _QUERIES)):
        if role.name in named:
            continue
        used = flat_names(list(columns.values()))
        found = _best({name: each for name, each in texts.items() if name not in used}, names, other)
        reasons[role.name] = f"'{found}' {_why(found, names)}." if found else f"No column looks like a {role.name}."
        if found:
            columns[role.name] = found


def _find_relevance(raw: RawTable, names: Sequence[str]) -> str | None:
    """A column that is called like a judgement and says nothing but yes and no."""
    for name in names:
        if max(name_score(name, _RELEVANT), name_score(name, LABEL_NAMES)) <= 1:
            continue
        said = {cell.strip().casefold() for cell in raw.table[name].unique().to_pylist() if cell is not None}
        if len(said) == 2 and said <= set(YES + NO):
            return name
    return None


def find_document(raw: RawTable) -> str | None:
    """The column that holds documents in a file of documents alone: called so, else its first text."""
    profiles = {name: profile_column(raw, name) for name in raw.names}
    return _best({name: each for name, each in profiles.items() if each.can_be_text}, _DOCUMENTS, _QUERIES)


def _best(texts: Mapping[str, Profile], names: list[str], other: list[str]) -> str | None:
    """The column whose name speaks for a side; else the first that does not speak for the other one."""
    if not texts:
        return None
    best = max(texts, key=lambda name: name_score(name, names))
    if name_score(best, names) > 0:
        return best
    free = [name for name in texts if name_score(name, other) == 0]
    return free[0] if free else next(iter(texts))


def _looks_like_label(profile: Profile) -> bool:
    """Whether a column holds names that come back rather than texts, unless it is called after a side."""
    if not profile.can_be_label or profile.distinct < 2:
        return False
    # A text that is called a label and comes back is one however long it is.
    if profile.mean_length > _LABEL_LETTERS and name_score(profile.name, LABEL_NAMES) < _CALLED:
        return False
    if max(name_score(profile.name, names) for names in (_QUERIES, _DOCUMENTS)) > 1:
        return False
    return profile.repeat >= _LABEL_REPEATS


def _why(name: str, names: list[str]) -> str:
    return "is called so" if name_score(name, names) > 0 else "is the first text that is left"


def _judge(columns: Mapping[str, str | list[str]], profiles: Mapping[str, Profile]) -> tuple[float, str]:
    if "text" not in columns or "document" not in columns:
        return 0.0, "There are no two columns of texts."
    if "negative" in columns:
        return 0.9, "There are queries, documents and wrong documents."
    used = flat_names(list(columns.values()))
    labels = [
        name for name, each in profiles.items() if name not in used and (each.lists > 0.5 or _looks_like_label(each))
    ]
    sides = (columns["text"], _QUERIES), (columns["document"], _DOCUMENTS)
    called = sum(isinstance(name, str) and name_score(name, names) > 1 for name, names in sides)
    if "relevant" in columns:
        return 0.5 if called == 2 else 0.3, f"There are two texts, and '{columns['relevant']}' says yes or no to them."
    if labels:
        return 0.15, f"There are two texts, but '{labels[0]}' looks like a label on them."
    if called == 2:
        return 0.55, "One column is called like queries, one like documents."
    return 0.4 if called else 0.35, "There are two columns of texts and no label."


def _samples(raw: RawTable, columns: Mapping[str, str | list[str]]) -> tuple[Mapping[str, str | None], ...]:
    names = flat_names(list(columns.values()))
    rows = raw.table.slice(0, 3).select(names).to_pylist()
    return tuple({name: None if cell is None else cell[:_LETTERS] for name, cell in row.items()} for row in rows)

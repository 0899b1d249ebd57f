"""A problem file's text with some of its values changed and everything else, comments above all, left as it is.

Each edit looks up where a value stands in the text, and changes nothing else. Whoever edits compares what the text then
says with what it was to say: YAML has more corners than these edits know.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from provetune.problem.document import FileDumper, FileLoader, quote

_STEP = 2


class CannotEdit(Exception):
    """The text is laid out in a way that these edits do not know."""


def put(text: str, keys: Sequence[str], value: Any) -> str:
    """The text with `value` at `keys`; sections that are missing on the way are made.

    Raises:
        CannotEdit: something else than a section stands on the way.
    """
    node = _root(text)
    for depth, key in enumerate(keys):
        if not isinstance(node, MappingNode):
            raise CannotEdit
        entry = _entry(node, key)
        if entry is None:
            rest = value
            for name in reversed(keys[depth + 1 :]):
                rest = {name: rest}
            return _insert(text, node, key, rest)
        node = entry[1]
    if isinstance(node, MappingNode | SequenceNode) and not node.flow_style:
        raise CannotEdit
    return text[: node.start_mark.index] + write_flow(value) + text[_end(node) :]


def comment_out(text: str, keys: Sequence[str | int]) -> str:
    """The text with the lines of an entry of a block section, or of an item of a block list, made comments.

    Raises:
        CannotEdit: the entry shares its lines with others.
    """
    *above, last = keys
    parent = _node_at(text, above)
    if isinstance(parent, SequenceNode) and not parent.flow_style and isinstance(last, int):
        item = parent.value[last]
        return _comment_lines(text, item.start_mark.line, text.count("\n", 0, _end(item)))
    if isinstance(parent, MappingNode) and not parent.flow_style:
        entry = _entry(parent, str(last))
        if entry is not None:
            return _comment_lines(text, entry[0].start_mark.line, text.count("\n", 0, _end(entry[1])))
    raise CannotEdit


def add_items(text: str, keys: Sequence[str], items: Sequence[str]) -> str:
    """The text with further items behind those of a block list.

    Raises:
        CannotEdit: no block list with an item stands there.
    """
    node = _node_at(text, keys)
    if not isinstance(node, SequenceNode) or node.flow_style or not node.value:
        raise CannotEdit
    first = node.value[0].start_mark
    start = text.rfind("-", 0, first.index)
    indent = " " * (start - (text.rfind("\n", 0, start) + 1))
    lines = "".join(f"\n{indent}- {quote(item)}" for item in items)
    at = _line_end(text, _end(node.value[-1]))
    return text[:at] + lines + text[at:]


def write_flow(value: Any) -> str:
    """A value on one line, as it may stand behind a key."""
    if isinstance(value, str):
        return quote(value)
    written = yaml.dump(
        value, Dumper=FileDumper, allow_unicode=True, default_flow_style=True, sort_keys=False, width=1_000_000
    )
    return written.strip().removesuffix("\n...").strip()


def _insert(text: str, parent: MappingNode, key: str, value: Any) -> str:
    """A further entry at the end of a section, as its other entries are written."""
    if parent.flow_style:
        at = text.rindex("}", 0, parent.end_mark.index)
        comma = ", " if parent.value else ""
        kept = text[:at].rstrip()
        return f"{kept}{comma}{quote(key)}: {write_flow(value)}{text[at:]}"
    if not parent.value:
        raise CannotEdit
    indent = " " * parent.value[0][0].start_mark.column
    at = _line_end(text, _end(parent.value[-1][1]))
    return text[:at] + "\n" + "\n".join(_written(key, value, indent)) + text[at:]


def _written(key: str, value: Any, indent: str) -> Iterator[str]:
    """A list of texts and a section of sections get lines of their own; all else stands on one."""
    inner = indent + " " * _STEP
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        yield f"{indent}{quote(key)}:"
        yield from (f"{inner}- {quote(item)}" for item in value)
    elif isinstance(value, dict) and value and all(isinstance(item, dict) for item in value.values()):
        yield f"{indent}{quote(key)}:"
        yield from (f"{inner}{quote(name)}: {write_flow(item)}" for name, item in value.items())
    else:
        yield f"{indent}{quote(key)}: {write_flow(value)}"


def _root(text: str) -> Node:
    node: Node | None = yaml.compose(text, Loader=FileLoader)
    if node is None:
        raise CannotEdit
    return node


def _node_at(text: str, keys: Sequence[str | int]) -> Node:
    node = _root(text)
    for key in keys:
        entry = _entry(node, str(key)) if isinstance(node, MappingNode) else None
        if entry is None:
            raise CannotEdit
        node = entry[1]
    return node


def _entry(node: MappingNode, key: str) -> tuple[Node, Node] | None:
    return next((pair for pair in node.value if isinstance(pair[0], ScalarNode) and pair[0].value == key), None)


def _end(node: Node) -> int:
    """Where the last character of a value stands, plus one. A block section's own mark lies beyond its comments."""
    if isinstance(node, MappingNode) and not node.flow_style and node.value:
        return _end(node.value[-1][1])
    if isinstance(node, SequenceNode) and not node.flow_style and node.value:
        return _end(node.value[-1])
    if isinstance(node, ScalarNode) and node.style in ("|", ">"):
        raise CannotEdit
    return int(node.end_mark.index)


def _line_end(text: str, at: int) -> int:
    """End of the line that a position is on; what follows there is a comment."""
    found = text.find("\n", at)
    return len(text) if found < 0 else found


def _comment_lines(text: str, first: int, last: int) -> str:
    lines = text.split("\n")
    indent = min(len(line) - len(line.lstrip()) for line in lines[first : last + 1] if line.strip())
    for number in range(first, last + 1):
        lines[number] = f"{lines[number][:indent]}# {lines[number][indent:]}".rstrip()
    return "\n".join(lines)

"""YAML as the problem file uses it: every key's line is known, and nothing is guessed that surprises.

The scalars are those of YAML 1.2's core schema, not 1.1's: ``no`` and ``on`` are texts (a label may be called so),
``1e-5`` is a number, ``2024-01-31`` and ``12:30`` are texts. A key given twice is a fault, not a silent loss.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from provetune.problem.faults import Fault, Keys, show, spell

_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_NULL = re.compile(r"~|null|Null|NULL|")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_PREFIX = "tag:yaml.org,2002:"
_MOST_NODES = 100_000
_LONGEST_NUMBER = 400


class FileLoader(yaml.SafeLoader):
    """A safe loader with YAML 1.2's scalars."""

    yaml_implicit_resolvers: dict[str | None, list[tuple[str, re.Pattern[str]]]] = {  # noqa: RUF012
        None: [
            (_PREFIX + name, re.compile(f"(?:{pattern.pattern})\\Z"))
            for name, pattern in (("bool", _BOOL), ("null", _NULL), ("int", _INT), ("float", _FLOAT))
        ]
    }


class FileDumper(yaml.SafeDumper):
    """A dumper whose output reads the same under YAML 1.1 and 1.2: a text like ``1e-5`` or ``no`` is quoted."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> ScalarNode:
        """Line breaks and control characters are escaped: YAML folds some of them otherwise."""
        style = None if text.isprintable() else '"'
        return self.represent_scalar(_PREFIX + "str", text, style=style)


FileDumper.add_representer(str, FileDumper.represent_text)
FileDumper.yaml_implicit_resolvers = {
    first: list(resolvers) for first, resolvers in yaml.SafeDumper.yaml_implicit_resolvers.items()
}
FileDumper.add_implicit_resolver(
    _PREFIX + "float", re.compile(f"(?:{_INT.pattern}|{_FLOAT.pattern})\\Z"), list("-+.0123456789")
)


class SyntaxFault(Exception):
    """The text is not YAML, and nothing further can be said about it."""

    def __init__(self, line: int, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.message = message
        self.hint = hint


@dataclass
class Document:
    """A YAML text as values, with the line of each.

    Attributes:
        value: mappings, lists, texts, numbers, true, false and None.
        lines: keys → line (from 1) of the key, or of the item of a list; ``()`` is the whole.
        faults: keys given twice and the like, each with its line.
    """

    value: Any = None
    lines: dict[Keys, int] = field(default_factory=dict)
    faults: list[tuple[int, Fault]] = field(default_factory=list)


def read_document(text: str) -> Document:
    """The values of a YAML text and the line of each.

    Raises:
        SyntaxFault: it is not YAML.
    """
    try:
        loader = FileLoader(text)
        node = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        raise _syntax_fault(error, text) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        code = ord(error.character) if isinstance(error.character, str) else error.character
        raise SyntaxFault(line, f"The character U+{code:04X} cannot stand in the file.", "Remove it.") from error
    except RecursionError as error:
        raise SyntaxFault(1, "Brackets or sections are nested too deeply.", "Flatten them.") from error
    document = Document(lines={(): 1})
    if node is not None:
        document.value = _Walk(document).value_of(node, ())
    return document


class _Walk:
    """One pass over the composed nodes, filling a document."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.open: set[int] = set()
        self.count = 0

    def value_of(self, node: Node, keys: Keys) -> Any:
        self.count += 1
        line = node.start_mark.line + 1
        if id(node) in self.open or self.count > _MOST_NODES:
            raise SyntaxFault(line, "An alias (*name) repeats itself without end.", "Write the value out.")
        if isinstance(node, ScalarNode):
            return self._scalar(node, keys)
        self.open.add(id(node))
        try:
            if isinstance(node, SequenceNode):
                return [self._item(item, (*keys, number)) for number, item in enumerate(node.value)]
            if isinstance(node, MappingNode):
                return self._mapping(node, keys)
            raise TypeError(f"unknown YAML node {node!r}")
        finally:
            self.open.remove(id(node))

    def _item(self, node: Node, keys: Keys) -> Any:
        self.document.lines[keys] = node.start_mark.line + 1
        return self.value_of(node, keys)

    def _mapping(self, node: MappingNode, keys: Keys) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._blame(line, keys, "A key must be text.", "Put quotes around it.")
                continue
            key = key_node.value
            here = (*keys, key)
            if key_node.tag != _PREFIX + "str":
                self._blame(line, here, f"The key {key or 'nothing'} must be text.", f'Put quotes around it: "{key}".')
            elif key in values:
                first = self.document.lines[here]
                self._blame(
                    line, here, f"'{spell(here)}' is given twice, first on line {first}.", "Keep one of the two."
                )
                continue
            self.document.lines[here] = line
            values[key] = self.value_of(value_node, here)
        return values

    def _scalar(self, node: ScalarNode, keys: Keys) -> Any:
        kind = node.tag.removeprefix(_PREFIX)
        text: str = node.value
        if kind == "str":
            return text
        if kind == "null" and _NULL.fullmatch(text):
            return None
        if kind == "bool" and _BOOL.fullmatch(text):
            return text.lower() == "true"
        if kind in ("int", "float") and len(text) <= _LONGEST_NUMBER:
            if _INT.fullmatch(text):
                return int(text, 0) if text[:2] in ("0x", "0o") else int(text)
            if _FLOAT.fullmatch(text):
                return float(re.sub(r"\.(?=inf|nan)", "", text.lower()))
        line = node.start_mark.line + 1
        self._blame(line, keys, f"{show(text)} is not a value that the file may hold.", "Put quotes around it.")
        return text

    def _blame(self, line: int, keys: Keys, message: str, hint: str) -> None:
        self.document.faults.append((line, Fault(keys, message, hint)))


def _syntax_fault(error: yaml.MarkedYAMLError, text: str) -> SyntaxFault:
    """PyYAML's error as one line, with a hint for the mistakes that people make in this file."""
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    rows = text.splitlines()
    row = rows[line - 1] if line <= len(rows) else ""
    problem = error.problem or "something unexpected"
    if "\t" in row[: len(row) - len(row.lstrip())] or "'\\t'" in problem:
        return SyntaxFault(line, "A tab cannot be used for indenting.", "Use spaces.")
    if problem.startswith("expected chomping or indentation indicators"):
        return SyntaxFault(line, "A value that begins with > needs quotes.", "Write it as '>= 0.9', quotes included.")
    if problem.startswith("mapping values are not allowed"):
        return SyntaxFault(
            line,
            "A ':' is where no key can be.",
            "Put quotes around a text with ': ' in it, or check the indentation.",
        )
    if problem.startswith("expected a single document") or "but found another document" in problem:
        return SyntaxFault(line, "A second document begins here (---).", "Keep one problem a file.")
    return SyntaxFault(line, f"This is not YAML: {problem}.", "Check quotes, brackets and indentation.")


def dump_document(value: Any) -> str:
    """Values as YAML that `read_document` reads back."""
    return yaml.dump(value, Dumper=FileDumper, allow_unicode=True, sort_keys=False, width=1_000_000)


def quote(text: str) -> str:
    """A text as it must be written in the file, on one line, in quotes where it needs them.

    It may stand as a key, as a value, or inside brackets.
    """
    written = yaml.dump([text], Dumper=FileDumper, allow_unicode=True, default_flow_style=True, width=1_000_000)
    return written.strip()[1:-1]

"""A tokenizer with fewer tokens that cuts the texts it was made for exactly as before, and a model that fits it.

Why cuts stay the same on texts whose tokens are all kept:
- WordPiece takes the longest token that fits. The one it took is still there, and no longer one was.
- BPE applies the earliest merge that fits. Every merge that ever applied made a part of a token that is kept, and such
  merges are kept with their parts; leaving out others changes nothing about which comes first among those that applied.
- Unigram takes the most probable way to cut. It is still there, and no more probable one was.
Single letters of alphabets (of byte-level tokenizers, bytes) are always kept, so that other texts fall into small
pieces instead of being unknown as a whole. Hanzi and their like, of which there are thousands, go where nobody uses
them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from provetune.core.errors import UsageError

KINDS = ("WordPiece", "BPE", "Unigram")
_ENDS = ("##", "</w>", "▁", "Ġ")
_KEPT_BELOW = 16
_FIRST_IDEOGRAPH = 0x2E80


def kept_tokens(document: Mapping[str, Any], used: Iterable[int], *, pad_id: int | None = None) -> list[int]:
    """Numbers of the tokens that stay, ascending: those used, special ones, single letters, and what they are made of.

    Args:
        document: ``tokenizer.json``.
        used: numbers of the tokens of the texts.
        pad_id: a small one keeps its number, because some families reckon positions from it.

    Raises:
        UsageError: a kind of tokenizer that this does not know.
    """
    model = document["model"]
    if model.get("type") not in KINDS:
        raise UsageError(
            f"The tokenizer is of the kind '{model.get('type')}'; vocabularies of {', '.join(KINDS)} can be trimmed.",
            hint="int8 and fp16 make embeddings smaller too.",
        )
    numbers = _numbers(model)
    names = {number: name for name, number in numbers.items()}
    kept = {number for number in used if number in names}
    kept |= {int(each["id"]) for each in document.get("added_tokens") or ()}
    kept |= {number for name, number in numbers.items() if _is_letter(name)}
    kept |= {numbers[name] for name in (model.get("unk_token"),) if name in numbers}
    if model["type"] == "Unigram" and model.get("unk_id") is not None:
        kept.add(int(model["unk_id"]))
    if pad_id is not None and pad_id < _KEPT_BELOW:
        kept |= {number for number in range(pad_id + 1) if number in names}
    if model["type"] == "BPE":
        kept = _with_parts(kept, numbers, names, model["merges"])
    return sorted(kept)


def trimmed(document: Mapping[str, Any], kept: list[int]) -> dict[str, Any]:
    """``tokenizer.json`` with only these tokens, numbered from 0 in their order."""
    found: dict[str, Any] = json.loads(json.dumps(document))
    place = {old: new for new, old in enumerate(kept)}
    model = found["model"]
    if model["type"] == "Unigram":
        old_vocabulary = model["vocab"]
        model["vocab"] = [old_vocabulary[old] for old in kept if old < len(old_vocabulary)]
        if model.get("unk_id") is not None:
            model["unk_id"] = place[int(model["unk_id"])]
    else:
        model["vocab"] = {name: place[number] for name, number in model["vocab"].items() if number in place}
    if model["type"] == "BPE":
        names = set(model["vocab"])
        model["merges"] = [merge for merge in model["merges"] if {*_pair(merge), "".join(_pair(merge))} <= names]
    for each in found.get("added_tokens") or ():
        each["id"] = place[int(each["id"])]
    found["post_processor"] = _renumbered(found.get("post_processor"), place)
    if found.get("padding"):
        found["padding"]["pad_id"] = place.get(int(found["padding"]["pad_id"]), 0)
    return found


def _numbers(model: Mapping[str, Any]) -> dict[str, int]:
    if model["type"] == "Unigram":
        return {str(piece[0]): number for number, piece in enumerate(model["vocab"])}
    return {str(name): int(number) for name, number in model["vocab"].items()}


def _is_letter(name: str) -> bool:
    """Whether a token is one letter of an alphabet, with or without a mark of a word's beginning; or a byte."""
    if len(name) == 6 and name.startswith("<0x") and name.endswith(">"):
        return True
    bare = name
    for mark in _ENDS:
        bare = bare.removeprefix(mark) if bare != mark else bare
        bare = bare.removesuffix(mark) if bare != mark else bare
    return len(bare) == 1 and ord(bare) < _FIRST_IDEOGRAPH


def _with_parts(
    kept: set[int], numbers: Mapping[str, int], names: Mapping[int, str], merges: Iterable[Any]
) -> set[int]:
    """The tokens with all that they can be merged from."""
    made_of: dict[str, list[tuple[str, str]]] = {}
    for merge in merges:
        left, right = _pair(merge)
        made_of.setdefault(left + right, []).append((left, right))
    todo, found = [names[number] for number in kept if number in names], set(kept)
    while todo:
        for pair in made_of.get(todo.pop(), ()):
            for part in pair:
                number = numbers.get(part)
                if number is not None and number not in found:
                    found.add(number)
                    todo.append(part)
    return found


def _pair(merge: Any) -> tuple[str, str]:
    """A merge, as newer files write it (a list of two) and as older ones do (one text)."""
    if isinstance(merge, str):
        left, _, right = merge.partition(" ")
        return left, right
    return str(merge[0]), str(merge[1])


def _renumbered(value: Any, place: Mapping[int, int]) -> Any:
    """What stands around texts, with the new numbers of its tokens."""
    if isinstance(value, list):
        return [_renumbered(each, place) for each in value]
    if not isinstance(value, dict):
        return value
    found = {key: _renumbered(inner, place) for key, inner in value.items()}
    if isinstance(found.get("ids"), list):
        found["ids"] = [place[int(number)] for number in found["ids"]]
    for key in ("sep", "cls"):
        if isinstance(found.get(key), list) and len(found[key]) == 2 and isinstance(found[key][1], int):
            found[key] = [found[key][0], place[found[key][1]]]
    return found

"""What is put before queries and documents. It is kept with the tokenizer, so that a bundle needs no problem file."""

from __future__ import annotations

from typing import Any

from provetune.core.protocols import Targets

QUERY, DOCUMENT = "query_prefix", "document_prefix"


def set_prefixes(tokenizer: Any, targets: Targets) -> Any:
    """The tokenizer with the prefixes that the options name; written into its ``tokenizer_config.json``."""
    for name in (QUERY, DOCUMENT):
        tokenizer.init_kwargs.pop(name, None)
        if targets.options.get(name):
            tokenizer.init_kwargs[name] = str(targets.options[name])
    return tokenizer


def prefix_of(tokenizer: Any, name: str) -> str:
    """The prefix that a tokenizer was given, or nothing."""
    return str(getattr(tokenizer, "init_kwargs", {}).get(name) or "")

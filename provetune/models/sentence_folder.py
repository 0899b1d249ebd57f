"""What makes a plain model folder one that sentence-transformers loads: its modules, pooling, length and prompts.

The form is the one that every version since 2.0 reads: ``modules.json`` names the parts (the transformer in the folder
itself, pooling, scaling to length one), each configured in its own file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeAlias

from provetune.core.files import write_json

Pooling: TypeAlias = Literal["mean", "first"]

_TYPES = "sentence_transformers.models"
_PARTS = (("0", "", "Transformer"), ("1", "1_Pooling", "Pooling"), ("2", "2_Normalize", "Normalize"))


def write_sentence_files(
    folder: Path, *, width: int, pooling: Pooling, max_length: int, query_prefix: str = "", document_prefix: str = ""
) -> None:
    """Write them beside a model and its tokenizer.

    Args:
        width: numbers in a vector, the model's hidden size.
        pooling: how tokens become one vector.
        max_length: most tokens of a text.
        query_prefix, document_prefix: put before the texts of each side; prompts called ``query`` and ``document``.
    """
    parts: list[dict[str, Any]] = [
        {"idx": int(name), "name": name, "path": path, "type": f"{_TYPES}.{kind}"} for name, path, kind in _PARTS
    ]
    write_json(folder / "modules.json", parts)
    modes = {
        "pooling_mode_cls_token": pooling == "first",
        "pooling_mode_mean_tokens": pooling == "mean",
        "pooling_mode_max_tokens": False,
        "pooling_mode_mean_sqrt_len_tokens": False,
    }
    (folder / "1_Pooling").mkdir()
    write_json(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": width, **modes})
    write_json(folder / "sentence_bert_config.json", {"max_seq_length": max_length, "do_lower_case": False})
    prompts = {"query": query_prefix, "document": document_prefix}
    document = {"prompts": prompts, "default_prompt_name": None, "similarity_fn_name": "cosine"}
    write_json(folder / "config_sentence_transformers.json", document)

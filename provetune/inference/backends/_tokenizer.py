"""A bundle's tokenizer without transformers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from provetune.core.errors import CorruptError
from provetune.core.files import read_json


class FolderTokenizer:
    """The folder's ``tokenizer.json``, read without transformers.

    Attributes:
        backend_tokenizer: the `tokenizers.Tokenizer`.
        model_input_names: the inputs that the model was trained with, as the folder says; where it does not,
            token types are among them if the model has more than one.
        init_kwargs: ``tokenizer_config.json``, in which tasks keep what is put before texts.
        cls_token_id: number of the token that stands before every text; None where there is none.
    """

    def __init__(self, folder: Path, config: Mapping[str, Any]) -> None:
        from tokenizers import Tokenizer

        path = folder / "tokenizer.json"
        if not path.is_file():
            raise CorruptError("This bundle has no tokenizer.json.", where=str(folder))
        self.backend_tokenizer = Tokenizer.from_file(str(path))
        typed = int(config.get("type_vocab_size") or 0) > 1
        usual = ["input_ids", "attention_mask", *(["token_type_ids"] if typed else [])]
        settings = folder / "tokenizer_config.json"
        self.init_kwargs: dict[str, Any] = read_json(settings) if settings.is_file() else {}
        self.model_input_names: list[str] = self.init_kwargs.get("model_input_names") or usual
        token = self.init_kwargs.get("cls_token")
        token = token.get("content") if isinstance(token, Mapping) else token
        self.cls_token_id: int | None = None if token is None else self.backend_tokenizer.token_to_id(str(token))

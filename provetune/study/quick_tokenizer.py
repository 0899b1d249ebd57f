"""A backbone's tokenizer without transformers, where that is known to be the same one.

Loading transformers takes longer than counting the tokens of twenty thousand rows. The tokenizer files of the
catalogue were compared with what transformers makes of them (a test does it again); what it makes of any other
folder it may change by settings beside the file, so there it is asked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from provetune.core.files import read_json


def quick_tokenizer(path: Path, source: str) -> Any:
    """The fast tokenizer of a backbone's folder, for counting and encoding; not for writing into a bundle.

    Args:
        source: where the backbone came from, see `provetune.models.backbones.Backbone`.

    Raises:
        CorruptError: the tokenizer files are missing or cannot be read.
    """
    folder = Path(path)
    if source != "catalogue" or not (folder / "tokenizer.json").is_file():
        from provetune.models.loading import load_tokenizer

        return load_tokenizer(folder)
    from provetune.inference.backends._tokenizer import FolderTokenizer

    return FolderTokenizer(folder, read_json(folder / "config.json"))

"""Models of the hub: from its local cache where they are, else fetched, else one sentence at once.

Only safetensors weights are fetched where a model has them; code in a model's repository never is.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from provetune.core.errors import EnvironmentFault, UsageError
from provetune.core.suggest import nearest
from provetune.models import catalogue

HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?\Z", re.ASCII)
_SECONDS = 5.0
_SMALL_FILES = ["*.json", "*.txt", "*.model", "LICENSE*"]
_SAFE_WEIGHTS = ["model.safetensors", "model-*-of-*.safetensors"]
_OLD_WEIGHTS = ["pytorch_model.bin"]


def find_in_hub(name: str) -> Path:
    """The folder with the files of the hub model `name`, fetched where the hub's cache does not hold them.

    The server is ``HF_ENDPOINT`` where that is set; ``HF_HUB_OFFLINE=1`` keeps it to the cache.

    Raises:
        UsageError: the hub has no such model, or it has no usable weights.
        EnvironmentFault: the hub is out of reach; names what the catalogue has instead.
    """
    if not HUB_NAME.match(name):
        raise UsageError(f"'{name}' is neither a folder nor a model's name.", hint=_alternatives(name))
    cached = _cached(name)
    return cached if cached is not None else _fetch(name)


def _cached(name: str) -> Path | None:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, local_files_only=True, allow_patterns=_SMALL_FILES))
    except LocalEntryNotFoundError:
        return None
    weights = [*folder.glob("*.safetensors"), *folder.glob("pytorch_model.bin")]
    return folder if (folder / "config.json").exists() and weights else None


def _fetch(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError
    from huggingface_hub.utils.tqdm import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    # Network errors derive from OSError in some versions of the client, from its HTTP library's base in others.
    network_errors: tuple[type[BaseException], ...] = (OSError, LocalEntryNotFoundError, *HfHubHTTPError.__bases__)
    endpoint = os.environ.get("HF_ENDPOINT") or None
    bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        info = HfApi(endpoint=endpoint).model_info(name, timeout=_SECONDS)
        files = [sibling.rfilename for sibling in info.siblings or []]
        patterns = _SMALL_FILES + _weights_to_fetch(name, files)
        found = snapshot_download(name, allow_patterns=patterns, endpoint=endpoint, etag_timeout=_SECONDS)
    except RepositoryNotFoundError as error:
        raise UsageError(f"The hub has no model '{name}', or it is not public.", hint=_alternatives(name)) from error
    except network_errors as error:
        raise EnvironmentFault(
            f"The hub is out of reach ({type(error).__name__}), so the model '{name}' cannot be fetched.",
            hint=_alternatives(name),
        ) from error
    finally:
        if bars:
            enable_progress_bars()
    return Path(found)


def _weights_to_fetch(name: str, files: list[str]) -> list[str]:
    if any(file.endswith(".safetensors") and "/" not in file for file in files):
        return [*_SAFE_WEIGHTS, "model.safetensors.index.json"]
    if "pytorch_model.bin" in files:
        return _OLD_WEIGHTS
    raise UsageError(
        f"The hub model '{name}' has neither safetensors weights nor a pytorch_model.bin.", hint=_alternatives(name)
    )


def _alternatives(name: str) -> str:
    guess = nearest(name, catalogue.names())
    start = f"Did you mean '{guess}'? " if guess else ""
    listed = ", ".join(f"{entry.name} ({', '.join(entry.languages)})" for entry in catalogue.encoders())
    return f"{start}The catalogue has {listed}; `provetune models get NAME` gets one through pip."

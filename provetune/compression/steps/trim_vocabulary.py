"""A smaller vocabulary: tokens that neither the training rows nor a corpus have go, and their embeddings with them.

In small encoders embeddings are half of the weights, and a team's texts use a fraction of the tokens (Abdaoui et al.
2020, "Load what you need"). Texts whose tokens are all kept are cut and answered as before; nothing is trained. Others
fall into smaller pieces; how many of the tuning rows do is counted and said.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field

from provetune.compression.parent_model import PLAIN, load_parent, parameters_of, shrunken
from provetune.compression.smaller_vocabulary import kept_tokens, trimmed
from provetune.core.errors import DataError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.compression.step import Given, Made
    from provetune.core.protocols import Task
    from provetune.models.bundle import Bundle

_TOKENIZER, _SETTINGS = "tokenizer.json", "tokenizer_config.json"
_IDS = ("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id")


class TrimVocabularySettings(BaseModel):
    """Which tokens stay."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str = Field(
        "", description="A text file whose tokens stay too, a text a line; left out, the training rows alone."
    )
    least: Annotated[int, Field(ge=1)] = Field(1, description="Texts that a token must occur in to stay.")


class TrimVocabulary:
    """`trim_vocabulary`: tokens that nobody uses are taken out."""

    name = "trim_vocabulary"
    summary = "Take out tokens that the training rows (and a corpus) do not have; texts of kept tokens are read alike."
    takes = PLAIN
    makes: str | None = None
    settings: type[BaseModel] = TrimVocabularySettings
    learns = False

    def refuse(self, bundle: Bundle, task: Task, settings: Any) -> str | None:
        """A model that writes texts, which needs the tokens of answers that nobody has seen yet."""
        if task.auto_class in ("AutoModelForCausalLM", "AutoModelForSeq2SeqLM"):
            return (
                f"A model of the task '{task.name}' writes texts and needs all of its tokens for it; take fp16 or bf16."
            )
        if not (bundle.path / _TOKENIZER).is_file():
            return "The bundle has no tokenizer.json that could be trimmed."
        corpus = cast(TrimVocabularySettings, settings).corpus
        return f"There is no file '{corpus}' to read texts from." if corpus and not Path(corpus).is_file() else None

    def apply(self, given: Given, settings: Any) -> Made:
        """Count tokens, take the others out of tokenizer and embeddings."""
        from provetune.compression.step import Made
        from provetune.core.files import read_json, write_json
        from provetune.models.loading import load_tokenizer

        asked = cast(TrimVocabularySettings, settings)
        model, tokenizer = load_parent(given)
        before = parameters_of(model)
        counts = count_tokens(given, tokenizer, asked.corpus)
        document = read_json(given.bundle.path / _TOKENIZER)
        used = [number for number, texts in counts.items() if texts >= asked.least]
        rows = int(cast(Any, model.get_input_embeddings()).weight.shape[0])
        kept = [each for each in kept_tokens(document, used, pad_id=tokenizer.pad_token_id) if each < rows]
        place = {old: new for new, old in enumerate(kept)}
        folder = given.folder / "tokenizer"
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / _TOKENIZER, trimmed(document, kept))
        write_json(folder / _SETTINGS, _renumbered_settings(read_json(given.bundle.path / _SETTINGS), place))
        # The class that a tokenizer is made of can depend on the model's configuration.
        keep_embeddings(model, kept, place)
        model.config.save_pretrained(str(folder))
        smaller = load_tokenizer(folder)
        lost = _rows_with_lost_tokens(given, tokenizer, set(kept))
        notes = shrunken(
            before,
            model,
            tokens_before=rows,
            tokens_after=len(kept),
            tuning_rows=given.tuning.num_rows,
            tuning_rows_with_lost_tokens=lost,
        )
        return Made(kind=given.bundle.kind, model=model, tokenizer=smaller, notes=notes)


def count_tokens(given: Given, tokenizer: Any, corpus: str = "") -> dict[int, int]:
    """In how many training rows, and lines of a corpus, each token occurs.

    Raises:
        DataError: the corpus is not UTF-8.
    """
    counts: dict[int, int] = {}
    for tokens in _tokens_of(given, tokenizer, given.train):
        for number in tokens:
            counts[number] = counts.get(number, 0) + 1
    if corpus:
        try:
            with Path(corpus).open(encoding="utf-8") as lines:
                for line in lines:
                    for number in set(tokenizer(line.strip())["input_ids"]):
                        counts[number] = counts.get(number, 0) + 1
        except UnicodeDecodeError as error:
            raise DataError(
                f"The texts are not UTF-8 (byte {error.start + 1} of a piece).",
                where=corpus,
                hint="Save the file as UTF-8.",
            ) from error
    return counts


def keep_embeddings(model: torch.nn.Module, kept: list[int], place: dict[int, int]) -> None:
    """Leave only these tokens' embeddings in a model; its configuration says so."""
    import torch

    config = cast(Any, model.config)
    old = cast(Any, model).get_input_embeddings()
    if not isinstance(old, torch.nn.Embedding):
        raise UsageError(f"The embeddings of a {type(model).__name__} are no table that could be trimmed.")
    pad = None if old.padding_idx is None else place.get(int(old.padding_idx))
    new = torch.nn.Embedding(len(kept), old.embedding_dim, padding_idx=pad)
    with torch.no_grad():
        new.weight.copy_(old.weight[kept])
    cast(Any, model).set_input_embeddings(new.to(old.weight.device))
    config.vocab_size = len(kept)
    for field in _IDS:
        number = getattr(config, field, None)
        if isinstance(number, int):
            setattr(config, field, place.get(number))


def _rows_with_lost_tokens(given: Given, tokenizer: Any, kept: set[int]) -> int:
    return sum(not tokens <= kept for tokens in _tokens_of(given, tokenizer, given.tuning))


def _tokens_of(given: Given, tokenizer: Any, examples: pa.Table) -> list[set[int]]:
    """The tokens of each row, as the task encodes it."""
    encoded = given.task.encode(examples, tokenizer, cast(Any, given.bundle.encode), None)
    found: list[set[int]] = [set() for _ in range(examples.num_rows)]
    columns = [name for name in encoded.column_names if name.endswith("input_ids")]
    for name in columns:
        for row, tokens in zip(encoded.column("row").to_pylist(), encoded.column(name).to_pylist(), strict=True):
            found[row].update(tokens)
    return found


def _renumbered_settings(settings: dict[str, Any], place: dict[int, int]) -> dict[str, Any]:
    decoder = settings.get("added_tokens_decoder")
    if not isinstance(decoder, dict):
        return settings
    kept = {str(place[int(number)]): token for number, token in decoder.items() if int(number) in place}
    return {**settings, "added_tokens_decoder": kept}


STEP = TrimVocabulary()

"""A language model that is asked for a label in words: how likely are they where the prompt leaves a place for them?

Cloze prompts for masked models are those of pattern-exploiting training (Schick and Schütze 2021, arXiv:2001.07676),
without training; causal models go on with a prompt that ends there. A word of several tokens counts by the mean of
their log-probabilities, or it would be unlikely for its length alone; a masked model fills all of its masks at once.
Of a label with several words the mean probability counts.

What a model prefers to say whatever it is asked is divided out (Zhao et al. 2021, arXiv:2102.09690): labels' shares
for texts without content, averaged, are a prior.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from provetune.core.errors import CorruptError, UsageError
from provetune.core.files import read_json, write_json

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

    from provetune.core.protocols import Array

FILE = "verbaliser.json"
PLACE = "{mask}"
_PARTS = re.compile(r"\{text_pair\}|\{text\}")
_BATCH_TOKENS = 4096


@dataclass(frozen=True)
class Prompt:
    """What is asked, and what is listened for.

    Attributes:
        before, after: the prompt on both sides of the place for a word; ``{text}`` and ``{text_pair}`` stand in it.
        words: words of each label, C tuples.
        most_tokens: of a text; a longer one loses its end.
        per_token: whether a word's log-probability is the mean of its tokens', or their sum.
    """

    before: str
    after: str
    words: tuple[tuple[str, ...], ...]
    most_tokens: int
    per_token: bool = True


@dataclass(frozen=True, eq=False)
class VerbaliserReader:
    """A language model with a prompt; see `provetune.core.little_data.LabelReader`.

    Attributes:
        masked: whether the model fills masks, or goes on with what it reads.
        prior: logarithm of how likely each label is beforehand, (C,); zeros for no calibration.
        scale: what logits are divided by.
    """

    model: torch.nn.Module
    tokenizer: Any
    prompt: Prompt
    masked: bool
    prior: tuple[float, ...]
    device: str = "cpu"
    precision: str = "fp32"
    scale: float = 1.0
    kind: str = "verbaliser"
    _tokens: dict[str, tuple[int, ...]] = field(default_factory=dict)

    def logits(self, examples: pa.Table) -> Array:
        """Scores of N examples, float32 (N, C)."""
        scores = self.scores(_texts_of(examples)) - np.asarray(self.prior)
        return np.asarray(scores / self.scale, dtype=np.float32)

    def scaled(self, temperature: float) -> VerbaliserReader:
        return replace(self, scale=self.scale * temperature)

    def save(self, folder: Path) -> None:
        """Write ``verbaliser.json``."""
        prompt = {name: getattr(self.prompt, name) for name in Prompt.__dataclass_fields__}
        rest = {"masked": self.masked, "prior": list(self.prior), "scale": self.scale}
        write_json(Path(folder) / FILE, {"prompt": prompt, **rest})

    def scores(self, texts: Sequence[tuple[str, str]]) -> Array:
        """Log-probabilities of the labels' words, neither normalised over labels nor calibrated: float64 (N, C)."""
        import torch

        from provetune.models.forward import number_format

        words = list(dict.fromkeys(word for label in self.prompt.words for word in label))
        self.model.eval()
        with torch.inference_mode(), number_format(self.model, self.precision, self.device):
            found = self._masked(texts, words) if self.masked else self._causal(texts, words)
        places = {word: number for number, word in enumerate(words)}
        columns = []
        for label in self.prompt.words:
            own = found[:, [places[word] for word in label]]
            columns.append(np.logaddexp.reduce(own, axis=1) - np.log(len(label)))
        return np.stack(columns, axis=1)

    def tokens_of(self, word: str) -> tuple[int, ...]:
        """Numbers of a word's tokens, as they stand in the prompt.

        Raises:
            UsageError: the tokenizer has none for it.
        """
        if word not in self._tokens:
            ids, first, last = self._encode(("", ""), word)
            self._tokens[word] = tuple(ids[first:last])
        if not self._tokens[word]:
            raise UsageError(f"The label word '{word}' has no token in this model's vocabulary.", hint="Take another.")
        return self._tokens[word]

    def with_prior(self, contentless: Sequence[str]) -> VerbaliserReader:
        """The reader calibrated by texts without content; unchanged where there are none."""
        if not contentless:
            return self
        scores = self.scores([(text, "") for text in contentless])
        shares = np.exp(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True))
        return replace(self, prior=tuple(np.log(shares.mean(axis=0)).tolist()))

    def _masked(self, texts: Sequence[tuple[str, str]], words: Sequence[str]) -> Array:
        """One pass a text for each length of a word; (N, W)."""
        import torch

        from provetune.models.forward import batches_by_length
        from provetune.models.padding import pad_features

        found = np.zeros((len(texts), len(words)))
        tokens = [self.tokens_of(word) for word in words]
        framed = [self._encode(text, words[0]) for text in texts]
        for size in sorted({len(each) for each in tokens}):
            some = [number for number, each in enumerate(tokens) if len(each) == size]
            asked = torch.tensor([tokens[number] for number in some], device=self.device)
            inputs = [
                [*ids[:first], *[self.tokenizer.mask_token_id] * size, *ids[last:]] for ids, first, last in framed
            ]
            for indices in batches_by_length(np.asarray(list(map(len, inputs))), _BATCH_TOKENS):
                batch = pad_features([{"input_ids": inputs[index]} for index in indices], self.tokenizer.pad_token_id)
                logits = self.model(**{name: value.to(self.device) for name, value in batch.items()}).logits
                places = torch.tensor([[framed[index][1] + step for step in range(size)] for index in indices])
                here = logits[torch.arange(len(indices))[:, None], places].float().log_softmax(dim=-1)
                # (B, words, tokens): each token of each word at its own mask.
                each = torch.stack([here[:, step, asked[:, step]] for step in range(size)], dim=-1)
                found[np.asarray(indices)[:, None], some] = self._of_word(each).cpu().numpy()
        return found

    def _causal(self, texts: Sequence[tuple[str, str]], words: Sequence[str]) -> Array:
        """One pass a text, and one for all words of several tokens, which goes on from what was kept of it; (N, W)."""
        import torch

        tokens = [self.tokens_of(word) for word in words]
        longest = max(map(len, tokens))
        padded = torch.tensor([[*each, *[0] * (longest - len(each))] for each in tokens], device=self.device)
        real = torch.tensor([[step < len(each) for step in range(longest)] for each in tokens], device=self.device)
        found = np.zeros((len(texts), len(words)))
        for number, text in enumerate(texts):
            ids, first, _ = self._encode(text, words[0])
            context = torch.tensor([ids[:first]], device=self.device)
            output = self.model(input_ids=context, use_cache=longest > 1)
            each = output.logits[0, -1].float().log_softmax(dim=-1)[padded[:, :1]]
            if longest > 1:
                cache = output.past_key_values
                cache.batch_repeat_interleave(len(words))
                mask = torch.ones((len(words), first + longest - 1), dtype=torch.long, device=self.device)
                more = self.model(input_ids=padded[:, :-1], past_key_values=cache, attention_mask=mask).logits
                rest = more.float().log_softmax(dim=-1).gather(2, padded[:, 1:, None])[:, :, 0]
                each = torch.cat([each, rest], dim=1)
            found[number] = self._of_word(each, real).cpu().numpy()
        return found

    def _of_word(self, each: torch.Tensor, real: torch.Tensor | None = None) -> torch.Tensor:
        """Log-probabilities of tokens (…, T) → of words (…)."""
        if real is None:
            return each.mean(dim=-1) if self.prompt.per_token else each.sum(dim=-1)
        total = (each * real).sum(dim=-1)
        return total / real.sum(dim=-1) if self.prompt.per_token else total

    def _encode(self, text: tuple[str, str], word: str) -> tuple[list[int], int, int]:
        """Tokens of the prompt with a word in its place, and where the word's begin and end."""
        parts = {"{text}": self._shortened(text[0]), "{text_pair}": self._shortened(text[1])}
        before, after = (
            _PARTS.sub(lambda found: parts[found[0]], side) for side in (self.prompt.before, self.prompt.after)
        )
        encoded = self.tokenizer(before + word + after, return_offsets_mapping=True)
        start, end = len(before), len(before) + len(word)
        inside = [k for k, (left, right) in enumerate(encoded["offset_mapping"]) if right > start and left < end]
        ids = list(encoded["input_ids"])
        return (ids, inside[0], inside[-1] + 1) if inside else (ids, 0, 0)

    def _shortened(self, text: str) -> str:
        encoded = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if len(encoded["input_ids"]) <= self.prompt.most_tokens:
            return text
        return text[: encoded["offset_mapping"][self.prompt.most_tokens - 1][1]]


def language_head(folder: Path, name: str) -> bool:
    """Whether the model in a folder fills masks (true) or goes on with a text (false).

    Raises:
        UsageError: it has no head that says words.
    """
    classes = read_json(Path(folder) / "config.json").get("architectures") or []
    said = str(classes[0]) if classes else ""
    if said.endswith(("ForMaskedLM", "ForPreTraining")):
        return True
    if said.endswith(("ForCausalLM", "LMHeadModel")):
        return False
    raise UsageError(
        f"'{name}' has no head that says words (its config.json says {said or 'no architecture'}).",
        hint="A verbaliser takes smollm2-135m-en, or a folder with a masked or causal language model; the catalogue's "
        "encoders have no such head: take method: zero_shot with them.",
    )


def load_language_model(folder: Path, masked: bool, device: str) -> tuple[torch.nn.Module, Any]:
    """The model with its head, and its tokenizer."""
    from provetune.models.loading import load_model, load_tokenizer

    model = load_model(folder, "AutoModelForMaskedLM" if masked else "AutoModelForCausalLM", {}, 0, device=device)
    return model, load_tokenizer(folder)


def load_reader(folder: Path, encoder: Path, *, device: str, precision: str) -> VerbaliserReader:
    """The reader that `VerbaliserReader.save` wrote, and its model.

    Raises:
        CorruptError: the file is missing or is not what it should be.
    """
    place = Path(folder) / FILE
    try:
        document: Mapping[str, Any] = read_json(place)
        words = tuple(tuple(label) for label in document["prompt"]["words"])
        prompt = Prompt(**{**document["prompt"], "words": words})
        masked, prior, scale = bool(document["masked"]), tuple(document["prior"]), float(document["scale"])
    except (FileNotFoundError, json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise CorruptError(f"The prompt cannot be read ({error}).", where=str(place)) from error
    model, tokenizer = load_language_model(encoder, masked, device)
    return VerbaliserReader(model, tokenizer, prompt, masked, prior, device, precision, scale)


def _texts_of(examples: pa.Table) -> list[tuple[str, str]]:
    seconds = examples.column("text_pair").to_pylist() if "text_pair" in examples.column_names else None
    firsts = examples.column("text").to_pylist()
    return [(first or "", (seconds[number] or "") if seconds else "") for number, first in enumerate(firsts)]

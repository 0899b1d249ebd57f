"""(IA)³ (Liu et al. 2022, arXiv:2205.05638), by peft: learned factors for keys, values and the feed-forward block.

Three vectors a layer, all ones at the start: l_k and l_v multiply what the projections of keys and values give, l_ff
what goes into the feed-forward block's last layer. A factor is a row (or column) of a weight made longer or shorter, so
it merges exactly. The paper's recipe (T-Few) has a learning rate of 3e-3, which a model of 768 gets here too, nearly; a
narrower one takes more: on 800 rows of hwu64 minilm-en got .72 right with 1e-2 after 150 steps, .69 with 3e-3 (one run
each). The share of warm-up is the recipe's, 60 of 1,000 steps; of rows a batch it has 8.

Departures: AdamW rather than Adafactor; the head trains too. A projection's bias is scaled with it, as in the paper's
formula. Where queries, keys and values come of one layer (ModernBERT, GPT-2, Phi-3) queries get factors as well, which
adds nothing that the keys' factors could not do. In a decoder that reads an encoder that attention has factors too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from provetune.models.peft_method import PeftMethod

if TYPE_CHECKING:
    import torch

    from provetune.core.minimised import Situation
    from provetune.core.protocols import Task

# Ends of the names of what is multiplied behind it, and of what is multiplied before it.
_BERT = (r"(key|value)", r"layer\.\d+\.output\.dense")
_LLAMA = (r"self_attn\.(k_proj|v_proj)", r"mlp\.down_proj")
_BART = (r"(self_attn|encoder_attn)\.(k_proj|v_proj)", r"fc2")
_T5 = (r"(SelfAttention|EncDecAttention)\.(k|v)", r"DenseReluDense\.wo")
_GPT_NEOX = (r"query_key_value", r"dense_4h_to_h")
_PLACES: Mapping[str, tuple[str, str]] = {
    **dict.fromkeys(("bert", "roberta", "xlm-roberta", "camembert", "electra"), _BERT),
    "albert": (r"(key|value)", r"ffn_output"),
    "deberta-v2": (r"(key_proj|value_proj)", _BERT[1]),
    "mpnet": (r"attn\.(k|v)", _BERT[1]),
    "distilbert": (r"(k_lin|v_lin)", r"ffn\.lin2"),
    "modernbert": (r"attn\.Wqkv", r"mlp\.Wo"),
    **dict.fromkeys(
        ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gemma3_text", "smollm3"), _LLAMA
    ),
    "phi3": (r"self_attn\.qkv_proj", _LLAMA[1]),
    "gpt2": (r"attn\.c_attn", r"mlp\.c_proj"),
    **dict.fromkeys(("gpt_neox", "bloom"), _GPT_NEOX),
    **dict.fromkeys(("t5", "mt5", "umt5"), _T5),
    **dict.fromkeys(("bart", "mbart", "marian", "pegasus", "m2m_100", "opt"), _BART),
}


class Ia3Settings(BaseModel):
    """`ia3` adds nothing to a candidate's common fields."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ia3(PeftMethod):
    """`ia3`: the backbone is frozen, factors of its activations and the head train."""

    name = "ia3"
    peft_type = "IA3"
    summary = "Learned factors on keys, values and feed-forward activations; merged afterwards, few weights to keep."
    settings: type[BaseModel] = Ia3Settings
    defaults: Mapping[str, Any] = MappingProxyType(
        {
            "epochs": 5,
            "learning_rate": 1e-2,
            "reference_size": 2304,
            "batch_rows": 16,
            "weight_decay": 0.0,
            "warmup": 0.06,
        }
    )

    def check(self, situation: Situation) -> None:
        """Refuse a family whose keys, values and feed-forward blocks are not known.

        Raises:
            UsageError: it is such a one.
        """
        from provetune.models.layer_places import refuse_family

        refuse_family(situation.family, _PLACES, "ia3")

    def prepare(self, model: torch.nn.Module, settings: Ia3Settings, task: Task) -> torch.nn.Module:
        """Wrap the model so that only the factors, head and pooler train; it first answers as the plain one.

        Raises:
            UsageError: the layers of this family are not known.
        """
        from peft import IA3Config

        from provetune.models.adapted_layers import are_transposed
        from provetune.models.peft_models import wrap

        behind, before = factor_places(model)
        config = IA3Config(
            target_modules=[*behind, *before],
            feedforward_modules=before,
            fan_in_fan_out=are_transposed(model, [*behind, *before]),
        )
        return wrap(model, config)


def factor_places(model: torch.nn.Module) -> tuple[list[str], list[str]]:
    """Full names of the layers whose outputs are multiplied, and of those whose inputs are.

    Raises:
        UsageError: they are not known for this family.
    """
    from provetune.models.adapted_layers import linear_layers
    from provetune.models.layer_places import refuse_family

    family = str(model.config.model_type)  # type: ignore[union-attr]
    refuse_family(family, _PLACES, "ia3")
    behind, before = (re.compile(rf"(^|\.){pattern}$") for pattern in _PLACES[family])
    names = linear_layers(model)
    return [name for name in names if behind.search(name)], [name for name in names if before.search(name)]


METHOD = Ia3()

"""Settings of retrieval's own, written under ``options`` in a problem file."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class RetrievalOptions(BaseModel):
    """How the two sides are read, and what brings a query near its document."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    loss: Literal["ranking", "margin", "cosine"] = Field(
        "ranking",
        description="ranking: the right document among all of the batch (multiple negatives ranking); margin: the "
        "right one nearer than each wrong one by a margin; cosine: right ones towards 1, wrong ones under the margin.",
    )
    scale: Annotated[float, Field(gt=0)] = Field(
        20.0, description="What cosines are multiplied by before the ranking loss: 20 is a temperature of 0.05."
    )
    margin: Annotated[float, Field(gt=0, lt=2)] = Field(
        0.3, description="Margin of the losses that have one, in cosines."
    )
    pooling: Literal["mean", "first"] = Field(
        "mean", description="A text's vector: the mean over its tokens, or that of its first one."
    )
    hard_negatives: Annotated[int, Field(ge=0, le=16)] = Field(
        1,
        description="Wrong documents of its own that a query learns from at most: first those given, then those mined.",
    )
    mine: str | None = Field(
        None,
        min_length=1,
        description="What finds hard negatives before training: bm25, or a model that is used as it is (a name of the "
        "catalogue, or a folder).",
    )
    query_prefix: str = Field("", description="Put before every query, for models that want it, e.g. 'query: '.")
    document_prefix: str = Field("", description="Put before every document, e.g. 'passage: '.")

"""Several models of one backbone made one: the mean of their weights, which costs no more to ask than one of them.

Wortsman et al. 2022, arXiv:2203.05482. The uniform soup is the mean of all; the greedy one (their recipe 1) takes them
in order of their validation score and keeps each that does not make the soup's score worse. The means are of weights
before calibration; the soup gets a temperature of its own. A departure: theirs differ in their hyperparameters; here
they may, as members of other settings, or differ in their seeds alone.

Which runs are combined, and why so: `provetune.study.members`.
"""

from __future__ import annotations

from pydantic import BaseModel, Field

from provetune.core.combining import Averaged
from provetune.models.of_members import MemberSettings, OfMembers


class SoupSettings(MemberSettings):
    """The fields that `soup` adds to a candidate."""

    greedy: bool = Field(
        False, description="Take models in order of their validation score, and only those that make it no worse."
    )


class Soup(OfMembers):
    """`soup`: the mean of several models' weights."""

    name = "soup"
    summary = "Average the weights of several models that began from the same backbone into one plain model."
    averages: Averaged = "weights"
    bundle_kind = "transformers"
    settings: type[BaseModel] = SoupSettings


METHOD = Soup()

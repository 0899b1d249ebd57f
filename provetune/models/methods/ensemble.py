"""Several models that answer together: the mean of their probabilities, or of their numbers.

Lakshminarayanan, Pritzel and Blundell 2017, arXiv:1612.01474: networks that differ in their seeds alone are averaged as
they are; the mean's one temperature is fitted to validation rows afterwards. A departure: each member was calibrated
before, as it would be alone (Rahaman and Thiery 2021, arXiv:2007.08792, on why the mean needs its own all the same).

Which runs are combined, and why so: `provetune.study.members`.
"""

from __future__ import annotations

from pydantic import BaseModel

from provetune.core.combining import Averaged
from provetune.models.of_members import MemberSettings, OfMembers


class Ensemble(OfMembers):
    """`ensemble`: the mean of what several models say."""

    name = "ensemble"
    summary = "Let several candidates, or several runs of one, answer together: the mean of their probabilities."
    averages: Averaged = "answers"
    bundle_kind = "ensemble"
    settings: type[BaseModel] = MemberSettings


METHOD = Ensemble()

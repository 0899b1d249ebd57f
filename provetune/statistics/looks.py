"""What an error rate may be spent on: looking again at the same test rows, and looking before all seeds have run.

A second look at the same rows is taken by someone who knows what the first one showed. Look j therefore gets
α / 2^(j − 1), at most 2α for the life of the rows. Looks planned within one study share that study's α instead.
"""

from __future__ import annotations

from types import MappingProxyType

from provetune.core.errors import UsageError

MOST_LOOKS = 5
PLANNED_ALPHA = 0.05
INTERIM = MappingProxyType({3: 0.01, 5: 0.015, 10: 0.025})


def spend(alpha: float, look: int) -> float:
    """The level of the `look`-th look (from 1) at the same test rows.

    Raises:
        UsageError: a look before the first, or a level that is none.
    """
    _check_alpha(alpha)
    if look < 1:
        raise UsageError(f"look must be at least 1. Got {look} instead.")
    return float(alpha / 2 ** (look - 1))


def interim_alphas(alpha: float, most_seeds: int) -> dict[int, float]:
    """At how many seeds a study looks, and the level of each; the levels add up to `alpha`.

    The looks are those of `INTERIM` that come before `most_seeds`, but for its last; the last look is always at
    `most_seeds` and takes what is left.

    Raises:
        UsageError: no seeds, or a level that is none.
    """
    _check_alpha(alpha)
    if most_seeds < 1:
        raise UsageError(f"most_seeds must be at least 1. Got {most_seeds} instead.")
    early = {k: share * alpha / PLANNED_ALPHA for k, share in list(INTERIM.items())[:-1] if k < most_seeds}
    return {**early, most_seeds: alpha - sum(early.values())}


def worn_out(looks: int) -> bool:
    """Whether test rows have been looked at so often that fresh ones should be asked for."""
    return looks >= MOST_LOOKS


def _check_alpha(alpha: float) -> None:
    if not 0 < alpha < 0.5:
        raise UsageError(f"alpha must be between 0 and 0.5. Got {alpha} instead.")

"""The models that one run of an ensemble or a soup is made of, and what cannot be combined.

Run k of such a candidate takes run k of each member. With `runs` above 1 it takes further models of each member, which
are trained for this run alone, their seeds derived from the member's run k: ``full-0/more/1``. So no two runs of the
candidate share a model. That is what its claims rest on: the verdict reads the spread of runs as the luck of training,
and runs that share members (every three of five seeds, say) would scatter too little and support too much
(VERDICT: seeds are a random factor). Ensemble and member do share run k. They rise and fall together, which the
verdict, which takes candidates' seeds for independent, counts as more scatter than there is: it errs to the safe side.
Two candidates that name the same member share its further models too, and are so compared with the same luck.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from provetune.core.combining import CombiningMethod
from provetune.core.errors import UsageError
from provetune.core.seeds import derive
from provetune.core.suggest import advice
from provetune.problem.faults import Fault
from provetune.study.repeated import is_deterministic

if TYPE_CHECKING:
    from provetune.models.backbones import Backbone
    from provetune.problem.syntax import Candidate
    from provetune.study.trial_spec import TrialSpec

MORE = "more"
MERGED = "transformers"
BORROWED = ("max_length", "long_texts", "precision")
"""Fields of its first member that a soup is encoded and computed with."""


@dataclass(frozen=True)
class Share:
    """One model of a combined run.

    Attributes:
        member: the candidate that learned it.
        number: 0 for the member's own run, others are trained for the combination alone.
        folder: of its trial.
    """

    member: str
    number: int
    folder: Path


def shares_of(spec: TrialSpec) -> list[Share]:
    """The models of a combined run, member by member."""
    settings = spec.method_settings
    return [
        Share(member, number, _folder(spec.place.with_name(f"{member}-{spec.k}"), number))
        for member in settings["members"]
        for number in range(int(settings["runs"]))
    ]


def share_name(share: Share) -> str:
    """The model as a person is told of it: ``full-0``, or ``full-0.1`` for one trained besides."""
    if share.number == 0:
        return share.folder.name
    return f"{share.folder.parent.parent.name}.{share.number}"


def shared_details(shares: Iterable[Share], results: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """What a combined run's result says of its models."""
    rows = max(int(result["details"].get("training_rows") or 0) for result in results)
    members = [share_name(share) for share in shares]
    return {"steps": 1, "best_step": 1, "examples": 0, "training_rows": rows, "members": members}


def seed_of(run: int, number: int) -> int:
    """Seed of a model: the member's own where it is its own run, else one derived from that.

    Args:
        run: seed of the member's run k.
    """
    return run if number == 0 else derive(run, "more", str(number))


def seed_of_fold(run: int, number: int) -> int:
    """Seed of one round of a cross-validated run.

    Args:
        run: seed of the run.
    """
    return derive(run, "fold", str(number))


def members_of(candidate: Candidate | Mapping[str, Any]) -> tuple[str, ...]:
    """Names of the candidates that one is made of; none for those that learn themselves."""
    method, extra = (
        (candidate.get("method"), candidate) if isinstance(candidate, Mapping) else (candidate.method, candidate.extra)
    )
    found = extra.get("members") if combining(method) is not None else None
    return tuple(name for name in found if isinstance(name, str)) if isinstance(found, list | tuple) else ()


def with_members(names: Iterable[str], candidates: Mapping[str, Candidate]) -> set[str]:
    """These candidates and all that they are made of."""
    found, left = set[str](), list(names)
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += members_of(candidates[name])
    return found


def combined_last(candidates: Mapping[str, Candidate]) -> list[str]:
    """Candidates that are made of others, each after those that it is made of."""
    made = [name for name, candidate in candidates.items() if members_of(candidate)]
    return sorted(made, key=lambda name: len(with_members([name], candidates)))


def combining(method: Any) -> CombiningMethod | None:
    """The method of this name, where it makes one model of several."""
    from provetune.models.methods import METHODS

    found = METHODS.get(method) if isinstance(method, str) and method in METHODS else None
    return found if isinstance(found, CombiningMethod) else None


# -- what cannot be combined ------------------------------------------------------------------------------------------


def member_faults(candidates: Mapping[str, Any], known: Iterable[str]) -> Iterator[Fault]:
    """What is wrong with members as a problem file names them.

    Args:
        candidates: as written.
        known: names of all candidates, an added baseline among them.
    """
    names = set(known)
    for name, candidate in candidates.items():
        method = combining(candidate.get("method")) if isinstance(candidate, Mapping) else None
        if method is None:
            continue
        keys = ("candidates", name, "members")
        members, runs = members_of(candidate), candidate.get("runs", 1)
        if (strange := next((one for one in members if one not in names), None)) is not None:
            yield Fault(keys, f"There is no candidate '{strange}'.", advice(strange, names - {name}))
        elif (twice := next((one for one in members if members.count(one) > 1), None)) is not None:
            yield Fault(keys, f"'{twice}' is named twice.", "Name it once, and set runs: 2 for two models of it.")
        elif name in _reached(members, candidates):
            yield Fault(keys, f"'{name}' would be made of itself.", "Name candidates that learn.")
        elif isinstance(runs, int) and len(members) * runs < 2:
            hint = "Name two candidates, or set runs: 3 for three models of one."
            yield Fault(keys, f"'{name}' would be made of {_models(len(members) * runs)}; it takes two.", hint)
        else:
            yield from _unfit_members(keys, method, members, runs, candidates)


def _unfit_members(
    keys: tuple[str, ...], method: CombiningMethod, members: tuple[str, ...], runs: Any, candidates: Mapping[str, Any]
) -> Iterator[Fault]:
    from provetune.models.methods import METHODS

    for member in members:
        written = (candidates.get(member) or {}).get("method", "tfidf")
        if written not in METHODS:
            continue  # told elsewhere
        if runs != 1 and combining(written) is not None:
            yield Fault(keys, f"'{member}' is itself made of others and cannot be had anew.", "Leave runs at 1.")
        found = METHODS.get(written)
        if method.averages == "weights" and not (found.learns_from == "weights" and found.bundle_kind == MERGED):
            hint = "A soup takes what trains a backbone's weights, e.g. method: full or lora; an ensemble takes any."
            yield Fault(keys, f"'{member}' ({written}) has no weights that could be averaged.", hint)


def refuse_unfit_members(
    candidates: Mapping[str, Candidate], backbones: Mapping[str, Backbone | None], place: Callable[..., str]
) -> None:
    """Refuse what shows only once every choice is made.

    Args:
        candidates: as resolved.
        place: the place of a candidate's field in the problem file.

    Raises:
        UsageError: members that see other texts, that are alike from run to run, or whose weights have no mean.
    """
    for name, candidate in candidates.items():
        method = combining(candidate.method)
        if method is None:
            continue
        where = place(name, "members")
        members = members_of(candidate)
        for member in members:
            data = candidates[member].data
            if data is not None and data.mask:
                hint = "Set data.mask of the problem instead: it is the same for all."
                raise UsageError(f"'{member}' masks texts that other members see.", where=where, hint=hint)
            if int(candidate.extra.get("runs", 1)) > 1 and is_deterministic(candidates[member]):
                hint = "Leave runs at 1, or name other candidates."
                raise UsageError(f"All runs of '{member}' are equal: there is no second model.", where=where, hint=hint)
        if method.averages == "weights":
            _refuse_unlike(members, candidates, backbones, where)


def _refuse_unlike(
    members: tuple[str, ...], candidates: Mapping[str, Candidate], backbones: Mapping[str, Backbone | None], where: str
) -> None:
    first = members[0]
    for other in members[1:]:
        one, two = backbones[first], backbones[other]
        if one is None or two is None or one.content_hash != two.content_hash:
            message = f"'{first}' and '{other}' begin from different backbones, so their weights have no mean."
            raise UsageError(message, where=where, hint="Take method: ensemble, or the same backbone.")
        unlike = [each for each in BORROWED if getattr(candidates[first], each) != getattr(candidates[other], each)]
        if unlike:
            message = f"'{first}' and '{other}' differ in {unlike[0]}, and a soup has one."
            raise UsageError(message, where=where, hint="Set it alike, or take method: ensemble.")


def _reached(members: Iterable[str], candidates: Mapping[str, Any]) -> set[str]:
    """All that members are made of, themselves among them."""
    found, left = set[str](), list(members)
    while left:
        if (name := left.pop()) not in found:
            found.add(name)
            left += members_of(candidates.get(name) or {})
    return found


def _folder(run: Path, number: int) -> Path:
    return run if number == 0 else run / MORE / str(number)


def _models(count: int) -> str:
    return {0: "no model", 1: "one model"}.get(count, f"{count} models")

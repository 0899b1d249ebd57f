"""Making one model of several: an ensemble's answers are averaged, a soup's weights.

Members were trained before, as trials of their own that are kept as they end; what is left to do takes a pass or more
over the validation rows. Cut off, it starts again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from provetune.core.events import to_json
from provetune.study.ensembles import Ensemble
from provetune.study.learned import Learned
from provetune.study.members import Share, combining, share_name, shares_of
from provetune.study.soups import Soup
from provetune.study.tracking import tracking
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    from collections.abc import Generator


def combine_members(spec: TrialSpec) -> Generator[dict[str, Any], None, Learned]:
    """Combine the models of a run's members, and calibrate what they make.

    Yields `Started`, `Evaluated` and `Finished` as JSON; they are also in the trial's ``events.jsonl``.

    Raises:
        RuntimeError: a member's run failed, so this one does.
    """
    shares = shares_of(spec)
    results = [_result_of(share) for share in shares]
    method = combining(spec.settings["method"])
    by_weights = method is not None and method.averages == "weights"
    run = Soup(spec, shares, results) if by_weights else Ensemble(spec, shares, results)
    with tracking(spec) as tell:
        for event in run.events():
            tell(event)
            yield to_json(event)
    return run.learned()


def _result_of(share: Share) -> Mapping[str, Any]:
    from provetune.study.trial import BUNDLE, read_result

    result = read_result(share.folder)
    if result is None or not (share.folder / BUNDLE).is_dir():
        # No fault of the settings: the others go on, and this run counts as failed, as the member's does.
        raise RuntimeError(f"Its member {share_name(share)} has not ended well.")
    return result

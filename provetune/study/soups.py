"""One run of a soup: the mean of its models' weights, all of them or those that validation rows speak for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from provetune.core.events import Evaluated, Event, Finished, Started
from provetune.core.protocols import Task
from provetune.study.calibration import calibrate
from provetune.study.learned import Learned
from provetune.study.members import Share, share_name, shared_details
from provetune.study.trained import primary_metric
from provetune.study.trial_rows import seen_rows
from provetune.study.trial_spec import TrialSpec

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import FeatureColumns, Outputs


class Soup:
    """One run's models, and the mean of the weights of those that are taken."""

    def __init__(self, spec: TrialSpec, shares: Sequence[Share], results: Sequence[Mapping[str, Any]]) -> None:
        from provetune.models.loading import load_tokenizer
        from provetune.study.trial import BUNDLE
        from provetune.tasks import TASKS
        from provetune.training.features import encode_split

        self.spec, self.targets, self.shares, self.results = spec, spec.label_names, shares, results
        self.task: Task = TASKS.get(spec.task)
        self.bundles = [share.folder / BUNDLE for share in shares]
        self.tokenizer = load_tokenizer(self.bundles[0])
        self.validation = seen_rows(spec, "validation")
        self.features: FeatureColumns = encode_split(
            self.task, self.validation, self.tokenizer, spec.encoding, None, Path(spec.cache)
        )
        self.model = self._load(0)

    def events(self) -> Iterator[Event]:
        began = time.monotonic()
        yield Started(1, 0, {"threads": self.spec.threads, "features": 0})
        self.kept = self._greedy() if self.spec.method_settings["greedy"] else self._uniform()
        self._calibrate()
        self.seconds = time.monotonic() - began
        yield Evaluated(1, self.scores, True)
        yield Finished(1, 1, self.scores, self.seconds, 0)

    def learned(self) -> Learned:
        """The soup as it will be kept: one plain model."""
        from provetune.models.methods import METHODS
        from provetune.study.keeping import write_trained

        record = {"temperature": self.temperature, "metrics": {"validation": self.scores}}
        whole = cast(Any, METHODS.get("full"))  # a model all of whose weights are its own, and nothing beside it

        def write(folder: Path) -> None:
            parts = (whole, self.model, self.model, self.tokenizer)
            write_trained(folder, self.spec, self.task, self.targets, *parts, record)

        return Learned(
            outcomes=self.outcomes,
            write=write,
            seconds=self.seconds,
            temperature=self.temperature,
            details={
                **shared_details(self.shares, self.results),
                "kept": [share_name(self.shares[number]) for number in self.kept],
            },
        )

    def _uniform(self) -> list[int]:
        """The mean of all."""
        from provetune.models.weight_mean import WeightMean

        mean = WeightMean.of(self._weights(0))
        for number in range(1, len(self.shares)):
            mean = mean.with_model(self._weights(number))
        self.model.load_state_dict(mean.weights())
        return list(range(len(self.shares)))

    def _greedy(self) -> list[int]:
        """Recipe 1 of Wortsman et al. 2022: the best first, then each that does not make the soup's score worse."""
        from provetune.models.weight_mean import WeightMean

        order = greedy_order([result["scores"] for result in self.results], self.task)
        kept, mean = [order[0]], WeightMean.of(self._weights(order[0]))
        best = self._score(mean.weights())
        for number in order[1:]:
            tried = mean.with_model(self._weights(number))
            score = self._score(tried.weights())
            if score >= best:
                kept, mean, best = [*kept, number], tried, score
        self.model.load_state_dict(mean.weights())
        return kept

    def _score(self, weights: Mapping[str, torch.Tensor]) -> float:
        """The primary metric on validation rows, larger being better."""
        self.model.load_state_dict(weights)
        metric = primary_metric(self.task)
        scores = self.task.score(self._outcomes(self._outputs()), self.targets)
        return float(scores[metric.name]) * (1.0 if metric.higher_is_better else -1.0)

    def _calibrate(self) -> None:
        """One temperature, folded in, and what else the task fits to validation rows."""
        from provetune.models.loading import fold_temperature

        found = calibrate(self.task, self._outputs(), self.features, self.validation, self.targets)
        if found.temperature != 1.0:
            fold_temperature(self.model, found.temperature)
        self.temperature, self.targets = found.temperature, found.targets
        self.outcomes, self.scores = found.outcomes, dict(found.scores)

    def _weights(self, number: int) -> Mapping[str, torch.Tensor]:
        """A member's weights as they were learned: without the temperature that its bundle has folded in."""
        from provetune.models.loading import fold_temperature

        model = self._load(number)
        temperature = float(self.results[number]["temperature"])
        if temperature != 1.0:
            fold_temperature(model, 1.0 / temperature)
        return cast("Mapping[str, torch.Tensor]", model.state_dict())

    def _load(self, number: int) -> Any:
        from provetune.models.loading import load_model

        return load_model(self.bundles[number], self.task.auto_class, {}, seed=0, device=self.spec.device)

    def _outputs(self) -> Outputs:
        from provetune.models.forward import predict_outputs

        return predict_outputs(
            self.model,
            self.task,
            self.features,
            self.tokenizer.pad_token_id,
            targets=self.targets,
            tokenizer=self.tokenizer,
            device=self.spec.device,
            precision=str(self.spec.settings["precision"]),
        )

    def _outcomes(self, outputs: Outputs) -> Any:
        answers = self.task.answers(outputs, self.features, self.validation, self.targets)
        return self.task.outcomes(self.validation, answers, self.targets)


def greedy_order(scores: Sequence[Mapping[str, float]], task: Task) -> list[int]:
    """Numbers of the models from the best validation score to the worst; of equal ones the first named comes first."""
    metric = primary_metric(task)
    sign = -1.0 if metric.higher_is_better else 1.0
    return sorted(range(len(scores)), key=lambda number: (sign * scores[number][metric.name], number))

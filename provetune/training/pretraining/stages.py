"""The stages of a pretraining run: a new head by itself, then the whole model.

A head that was just drawn asks the encoder for nonsense, and the encoder's first steps would follow it. So a new head
learns alone first, on features that stay as they are, and then both go on together (as for classifiers in Kumar et al.
2022, arXiv:2202.10054, who show that what was pretrained is distorted otherwise). What it reaches alone is also the
figure that the whole run can be compared with: how well the backbone as it was guesses the field's words.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from provetune.core.errors import Interrupted
from provetune.core.events import Finished, Stopped, to_json
from provetune.core.files import atomic_path, read_json, write_json
from provetune.core.protocols import Metric, Targets
from provetune.core.seeds import derive

if TYPE_CHECKING:
    import torch

    from provetune.core.protocols import FeatureColumns, Task
    from provetune.training.pretraining.kinds import Pretraining
    from provetune.training.pretraining.settings import PretrainSettings
    from provetune.training.settings import TrainSettings

LOSS = Metric("loss", "Mean loss of held-out texts.", higher_is_better=False, high=float("inf"))
HEAD_RATE = 10.0
"""Learning rate of a new head alone, as a multiple of the run's: nothing that was learned before can be lost by it."""
Hear = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Stages:
    """What both stages share.

    Attributes:
        kind: what is learned, with the model.
        pieces: what it learns from.
        machine: device and number format.
        work: folder of checkpoints and of what a stage leaves to the next.
        score: figures of held-out texts.
        hear: told every event, as JSON.
    """

    kind: Pretraining
    pieces: FeatureColumns
    settings: PretrainSettings
    machine: tuple[str, str]
    work: Path
    pad_id: int
    score: Callable[[Any], dict[str, float]]
    checkpoint_minutes: float
    hear: Hear

    @property
    def head_share(self) -> float:
        """Share of the passes that a new head has for itself."""
        return self.settings.head_warmup if self.kind.new_head else 0.0

    def learn_head(self) -> dict[str, Any] | None:
        """Let a new head learn, and nothing else; where that was done before, take what it became.

        Returns:
            ``steps``, ``seconds`` and the figures on held-out texts; None where no head learns by itself.

        Raises:
            Interrupted: it was stopped.
        """
        from safetensors.torch import load_file, save_file

        if self.head_share == 0:
            return None
        head, file, record = _head_of(self.kind.model), self.work / "head.safetensors", self.work / "head.json"
        if record.exists():
            _copy_into(head, load_file(str(file)))
        else:
            self.hear({"event": "phase", "message": "Training the new head alone, the encoder frozen"})
            with _frozen(self.kind.model.base_model):
                finished = self._train(self._head_settings(), "head", "new head")
            with atomic_path(file) as temporary:
                save_file({name: value.detach().cpu().contiguous() for name, value in head.items()}, str(temporary))
            done = {"steps": finished.step, "seconds": finished.seconds, **self.score(self.kind.model)}
            write_json(record, done)
            self.hear({"event": "phase", "message": "Training the whole model"})
        found: dict[str, Any] = read_json(record)
        return found

    def learn_all(self) -> Finished:
        """Let the whole model learn for the passes that are left.

        Raises:
            Interrupted: it was stopped.
        """
        return self._train(self._settings(), "checkpoint", "pretraining")

    def _train(self, settings: TrainSettings, folder: str, draws: str) -> Finished:
        """Go through the loop, from a checkpoint where there is one."""
        from provetune.training.loop import train
        from provetune.training.minimisation import Minimisation

        with _asked_to_stop() as should_stop:
            for event in train(
                self.kind.model,
                cast("Task", self.kind),
                self.pieces,
                Targets("texts", ()),
                settings,
                minimise=partial(Minimisation, self.kind.objectives()),
                score=self.score,
                primary=LOSS,
                checkpoint=self.work / folder,
                seed=derive(self.settings.seed, draws),
                pad_id=self.pad_id,
                device=self.machine[0],
                should_stop=should_stop,
            ):
                self.hear(to_json(event))
                if isinstance(event, Finished):
                    return event
                if isinstance(event, Stopped):
                    break
        raise Interrupted("Interrupted; what was learned is kept.", hint="The same command goes on where it stopped.")

    def _settings(self) -> TrainSettings:
        from provetune.training.settings import TrainSettings

        given = self.settings
        return TrainSettings(
            epochs=given.epochs * (1 - self.head_share),
            learning_rate=given.learning_rate,
            batch_rows=given.batch_rows,
            batch_tokens=given.batch_tokens,
            precision=self.machine[1],
            evaluations=given.evaluations,
            checkpoint_minutes=self.checkpoint_minutes,
            # Two passes of a text differ by all the dropout that the backbone has.
            attention_dropout=0.1 if self.kind.name == "simcse" else None,
        )

    def _head_settings(self) -> TrainSettings:
        from dataclasses import replace

        usual, given = self._settings(), self.settings
        rate = given.learning_rate * HEAD_RATE
        return replace(
            usual, epochs=given.epochs * self.head_share, learning_rate=rate, schedule="constant", evaluations=1
        )


def _head_of(model: Any) -> dict[str, torch.nn.Parameter]:
    """The parameters outside of the encoder; an output layer tied to its embeddings is inside."""
    encoder = {id(parameter) for parameter in model.base_model.parameters()}
    return {name: each for name, each in model.named_parameters() if id(each) not in encoder}


def _copy_into(parameters: Mapping[str, torch.nn.Parameter], values: Mapping[str, torch.Tensor]) -> None:
    import torch

    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(values[name])


@contextmanager
def _frozen(module: torch.nn.Module) -> Iterator[None]:
    """Within the block nothing in a module learns."""
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Within the block Ctrl-C and SIGTERM only ask: the step ends and is saved. Asked again, they stop at once."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def ask(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    previous = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)

"""What a study shows while it runs: a live table of its trials with the time left, or plain lines.

Only consumes events (see `provetune.study.run`), so leaving it out changes nothing. Give an instance of `Progress` as
`run`'s listener:

    with Progress() as progress:
        run("problem.yaml", listener=progress)
"""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from provetune.study.progress_state import StudyState, TrialState

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

_LINE_SECONDS = 20.0
_BAR_CELLS = 18
_STATES = {"waiting": "dim", "running": "cyan", "done": "green", "stored": "green", "failed": "bold red"}


class Progress:
    """A listener that draws: a live table where the error stream is a terminal, else a line now and then."""

    def __init__(self, console: Console | None = None, *, live: bool | None = None) -> None:
        from rich.console import Console

        self.console = console or Console(stderr=True)
        self.live = self.console.is_terminal if live is None else live
        self.state = StudyState()
        self._screen: Live | None = None
        self._said = 0.0

    def __enter__(self) -> Progress:
        if self.live:
            from rich.live import Live

            self._screen = Live(console=self.console, refresh_per_second=4, get_renderable=self.render)
            self._screen.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._screen is not None:
            self._screen.stop()

    def __call__(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        self.state.take(event, now)
        if self._screen is None:
            self._say(event, now)

    def render(self) -> RenderableType:
        """The table as it stands."""
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        now = time.monotonic()
        table = Table(box=None, padding=(0, 1), show_header=bool(self.state.trials))
        for title in ("trial", "state", "progress"):
            table.add_column(title)
        for title in ("step", "loss", self.state.primary, "left"):
            table.add_column(title, justify="right")
        for trial in self._shown():
            table.add_row(*self._cells(trial, now))
        return Group(Text(self._headline(now), style="bold"), table)

    def _shown(self) -> list[TrialState]:
        """All trials, or those that matter most where the screen is too low for all."""
        trials = list(self.state.trials.values())
        room = max(4, (self.console.height or 24) - 6)
        if len(trials) <= room:
            return trials
        order = {"running": 0, "failed": 1, "waiting": 2, "done": 3, "stored": 3}
        return sorted(trials, key=lambda trial: order.get(trial.state, 4))[:room]

    def _cells(self, trial: TrialState, now: float) -> list[str]:
        filled = round(_BAR_CELLS * trial.done)
        bar = "━" * filled + "─" * (_BAR_CELLS - filled)
        whole = trial.projected(now)
        left = "" if whole is None or trial.state != "running" else duration(whole * (1.0 - trial.done))
        colour = _STATES.get(trial.state, "")
        return [
            trial.id,
            f"[{colour}]{trial.state}[/]" if colour else trial.state,
            trial.message if trial.state == "failed" else bar,
            f"{trial.step}/{trial.steps}" if trial.steps else "",
            "" if trial.loss is None else f"{trial.loss:.4f}",
            "" if trial.score is None else f"{trial.score:.4f}",
            left,
        ]

    def _headline(self, now: float) -> str:
        state = self.state
        ended = sum(trial.state in ("done", "stored", "failed") for trial in state.trials.values())
        counted = f" · {ended} of {len(state.trials)} trials" if state.trials else ""
        if side := state.side_work():
            counted += f" · {side}"
        left = state.seconds_left(now) if ended < len(state.trials) else None
        return f"{state.study} · {state.phase}{counted}" + (f" · {duration(left)} left" if left else "")

    def _say(self, event: dict[str, Any], now: float) -> None:
        """Plain lines: each change of state, and the headline when nothing was said for a while."""
        kind = event["event"]
        if kind in ("phase", "note"):
            self._print(event["message"])
        elif kind == "job" and event["job"] == "train":
            trial = self.state.trials.get(event["id"])
            score = "" if trial is None or trial.score is None else f" · {self.state.primary} {trial.score:.4f}"
            message = f" · {event['message']}" if event.get("message") else ""
            self._print(f"{event['id']}: {event['state']}{score}{message}")
        elif now - self._said > _LINE_SECONDS and self.state.trials:
            self._print(self._headline(now))

    def _print(self, text: str) -> None:
        self._said = time.monotonic()
        self.console.file.write(text + "\n")
        self.console.file.flush()


def duration(seconds: float) -> str:
    """Seconds as a person reads them: ``"8s"``, ``"3m 20s"``, ``"2h 05m"``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m {whole % 60:02d}s"
    return f"{whole // 3600}h {whole % 3600 // 60:02d}m"

"""`provetune serve`: bundles behind HTTP."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from provetune.cli._output import logs_on_stderr, print_json, print_note, print_text

if TYPE_CHECKING:
    from provetune.serving.access import Access
    from provetune.serving.service import Service
    from provetune.serving.settings import Settings


Bundles = Annotated[
    list[str],
    typer.Argument(
        metavar="BUNDLE", help="Bundle folders, or problem files: their studies' best. NAME=BUNDLE names one."
    ),
]
Host = Annotated[str, typer.Option("--host", help="Address to listen at; beyond this machine a key is needed.")]
Port = Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any that is free.")]
Threads = Annotated[int | None, typer.Option("--threads", min=1, help="Threads of a worker.")]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes a bundle.")]
BatchTokens = Annotated[
    int, typer.Option("--max-batch-tokens", min=1, help="Tokens computed together; one item with more is refused.")
]
BatchRows = Annotated[int, typer.Option("--max-batch-rows", min=1, help="Items computed together.")]
Wait = Annotated[
    float, typer.Option("--max-wait-ms", min=0, help="Longest an item waits for others, while others are coming.")
]
Queue = Annotated[int, typer.Option("--queue", min=1, help="Items that may wait for a bundle; then 429.")]
Deadline = Annotated[float, typer.Option("--deadline", help="Seconds after which a request is given up: 504.")]
Backend = Annotated[
    str,
    typer.Option("--backend", help="auto: ONNX Runtime or torch, whichever is quicker here; or onnx, or torch."),
]
Precision = Annotated[str, typer.Option("--precision", help="Of torch: fp32, bf16 or auto.")]
Device = Annotated[str, typer.Option("--device", help="Of torch: cpu, cuda, cuda:1 or mps.")]
Library = Annotated[Path | None, typer.Option("--library", help="Folder whose bundles may be promoted by name later.")]
Workspace = Annotated[
    Path | None, typer.Option("--workspace", help="Where aliases and keys are kept; .provetune here by default.")
]
LedgerUrl = Annotated[str | None, typer.Option("--ledger", metavar="URL", help="Where keys are kept, if elsewhere.")]
NoAuth = Annotated[bool, typer.Option("--no-auth", help="Demand no key; on this machine only.")]
AllowHost = Annotated[
    list[str] | None, typer.Option("--allow-host", metavar="NAME", help="A name others call the server by.")
]
LogFile = Annotated[Path | None, typer.Option("--log-file", help="A line a request goes here instead.")]
LogTexts = Annotated[str, typer.Option("--log-texts", help="off, or masked: texts without personal data.")]


def command(
    bundles: Bundles,
    host: Host = "127.0.0.1",
    port: Port = 8000,
    threads: Threads = None,
    workers: Workers = 1,
    max_batch_tokens: BatchTokens = 4096,
    max_batch_rows: BatchRows = 64,
    max_wait_ms: Wait = 2.0,
    queue: Queue = 1024,
    deadline: Deadline = 30.0,
    backend: Backend = "auto",
    precision: Precision = "fp32",
    device: Device = "cpu",
    library: Library = None,
    workspace: Workspace = None,
    ledger: LedgerUrl = None,
    no_auth: NoAuth = False,
    allow_host: AllowHost = None,
    log_file: LogFile = None,
    log_texts: LogTexts = "off",
    page: Annotated[bool, typer.Option("--page/--no-page", help="The page at / to try the bundles.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document when ready.")] = False,
) -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM; what was accepted by then is answered still.

    The first bundle is production until another is promoted.
    """
    from provetune.serving.settings import Settings

    settings = Settings(
        max_batch_tokens=max_batch_tokens,
        max_batch_rows=max_batch_rows,
        max_wait_ms=max_wait_ms,
        queue=queue,
        deadline_s=deadline,
        threads=threads,
        workers=workers,
        backend=backend,  # type: ignore[arg-type]  # checked there
        precision=precision,
        device=device,
    )
    with logs_on_stderr(json):
        service = _service(bundles, settings, workspace, library)
        door = {"host": host, "no_auth": no_auth, "allow_hosts": allow_host or ()}
        access = _access(workspace, ledger, **door, log_file=log_file, log_texts=log_texts)
    try:
        _answer(service, access, host, port, page=page, tell=partial(_tell, service, access.notice, json=json))
    finally:
        access.close()


def _service(bundles: list[str], settings: Settings, workspace: Path | None, library: Path | None) -> Service:
    from provetune.serving.describing import name_bundles
    from provetune.serving.service import Service
    from provetune.study.workspace import FOLDER

    named = name_bundles([_find(each, workspace) for each in bundles])
    return Service(named, settings, workspace=workspace or Path(FOLDER), library=library)


def _access(workspace: Path | None, ledger: str | None, **asked: Any) -> Access:
    from provetune.cli._key_book import key_ledger
    from provetune.serving.access import open_access
    from provetune.serving.access_gates import find_gate

    return open_access(key_ledger(workspace, ledger), find_gate, say=print_note, **asked)


def _answer(service: Service, access: Access, host: str, port: int, *, page: bool, tell: Callable[[str], None]) -> None:
    """Listen and answer until a signal ends it; `tell` is given the address once requests are taken."""
    from provetune.serving.app import create_app
    from provetune.serving.quick_connections import quick_options
    from provetune.serving.server import bind, run

    with bind(host, port) as listener:
        address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
        app = create_app(service, access, page=page)
        run(service, app, listener, options=quick_options(access.limits), on_ready=lambda: tell(address))


def _tell(service: Service, notice: str, address: str, *, json: bool) -> None:
    """What is served where, once it is."""
    aliases = service.aliases()
    if json:
        models = {
            name: {
                "path": str(lane.description.path),
                "engine": lane.engine,
                "forced": list(lane.description.forced),
            }
            for name, lane in service.lanes.items()
        }
        print_json({"url": address, "models": models, "aliases": aliases, "access": notice})
        return
    for name, lane in service.lanes.items():
        print_note(f"{name}: {lane.description.task}, {lane.engine}")
        if lane.description.forced:
            steps = ", ".join(lane.description.forced)
            print_note(f"{name} was forced ({steps}): acceptance does not hold for it.")
    print_note(f"production is {aliases['production']['model']}. {notice}")
    print_text(f"Listening at {address}")


def _find(given: str, workspace: Path | None) -> tuple[str | None, Path]:
    """The name that was given to a bundle, None for none, and its folder."""
    from provetune.cli._bundles import find_bundle

    name, sign, rest = given.partition("=")
    if sign and name and not Path(given).exists() and "/" not in name:
        return name, Path(find_bundle(rest, workspace))
    return None, Path(find_bundle(given, workspace))

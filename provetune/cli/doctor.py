"""`provetune doctor`: what this machine can do, what is slow and why, and whether a bundle answers as it should."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from provetune.cli._bundles import find_bundle, forced_line
from provetune.cli._output import console, logs_on_stderr, print_json


def command(
    bundle: Annotated[
        str | None,
        typer.Argument(
            metavar="BUNDLE",
            help="Bundle folder, or a problem file whose study has run: ask its golden examples again here.",
        ),
    ] = None,
    precision: Annotated[str, typer.Option("--precision", help="For BUNDLE: fp32, bf16 or auto.")] = "fp32",
    device: Annotated[str, typer.Option("--device", help="For BUNDLE: cpu, cuda, cuda:1 or mps.")] = "cpu",
    workspace: Annotated[Path | None, typer.Option("--workspace", help="Where a problem file's study lies.")] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not try to reach anything.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Show machine, versions, precision, disk and reachable sources, and say what is slow and why.

    With BUNDLE, also whether this machine gives the answers that the bundle gave where it was made; 1 when not.
    """
    with logs_on_stderr(json):
        golden = None if bundle is None else ask_golden(bundle, workspace, precision=precision, device=device)
        document = examine(offline=offline)
    if golden is not None:
        document["golden"] = golden
    if json:
        print_json(document)
    else:
        _show(document)
    if golden is not None and not golden["same"]:
        raise typer.Exit(1)


def ask_golden(named: str, workspace: Path | None, *, precision: str, device: str) -> dict[str, Any]:
    """How a bundle's golden examples are answered on this machine, as JSON-ready facts.

    Raises:
        UsageError: there is no bundle, or no such precision or device.
        CorruptError: a file of the bundle was changed, or it has no golden examples.
    """
    from dataclasses import asdict
    from typing import cast

    from provetune.inference.agreement import compare_golden
    from provetune.inference.predictor import Precision, load
    from provetune.models.bundle import open_bundle

    folder = find_bundle(named, workspace)
    predictor = load(folder, precision=cast(Precision, precision), device=device)
    found = compare_golden(predictor, open_bundle(folder, verify=False).golden, device)
    forced = list(predictor.record.get("forced") or [])
    return {"bundle": str(folder), "same": found.same, "device": device, **asdict(found), "forced": forced}


def examine(*, offline: bool = False) -> dict[str, Any]:
    """Everything the verb shows, as one JSON-ready mapping."""
    from concurrent.futures import ThreadPoolExecutor

    from provetune.cli import _machine
    from provetune.models.cache import cache_folder
    from provetune.models.precision import choose_precision
    from provetune.version import __version__

    with ThreadPoolExecutor(2) as pool:
        probes = [] if offline else [pool.submit(_machine.reach_index), pool.submit(_machine.reach_hub)]
        devices = _machine.describe_devices()
        best = next((device["name"] for device in devices[1:]), "cpu")
        precision = choose_precision("auto", best)
        document: dict[str, Any] = {
            "provetune": __version__,
            "machine": _machine.describe_machine(),
            "devices": devices,
            "precision": {"device": best, "chosen": precision.name, "why": precision.reason},
            "versions": _machine.list_versions(),
            "extras": _machine.list_extras(),
            "disk": [_machine.describe_disk(Path.cwd()), _machine.describe_disk(cache_folder())],
            "sources": [probe.result() for probe in probes],
        }
    document["advice"] = advise(document)
    return document


def advise(document: dict[str, Any]) -> list[str]:
    """What is slow or in the way on this machine, why, and what to do: most important first."""
    machine, found = document["machine"], []
    for disk in document["disk"]:
        if not disk["writable"]:
            found.append(f"{disk['path']} cannot be written. Use --workspace, or PROVETUNE_CACHE for weights.")
        if disk["free_gib"] < 2:
            found.append(f"{disk['path']} has {disk['free_gib']} GiB left; a study of five seeds wants about 2 GiB.")
    missing = [name for name, version in document["versions"].items() if version is None]
    if missing:
        found.append(f"Missing: {', '.join(missing)}. Install again with: pip install provetune")
    if len(document["devices"]) == 1:
        found.append(_slow_cpu(machine, document["precision"]))
    if machine["load"] > machine["cores"] * 0.75:
        found.append(
            f"Other work keeps this machine busy (load {machine['load']} on {machine['cores']} cores): "
            "training will take longer than measured on a quiet one."
        )
    if machine["memory_free_gib"] < 2:
        found.append(f"Only {machine['memory_free_gib']} GiB of memory is free. Lower study.parallel to 1.")
    for source in document["sources"]:
        if not source["reachable"]:
            found.append(_unreachable(source))
    return found


def _slow_cpu(machine: dict[str, Any], precision: dict[str, Any]) -> str:
    start = f"No GPU: training runs on {machine['cores']} cores in {precision['chosen']}: {precision['why']}."
    if "amx_bf16" in machine["flags"]:
        return f"{start} That is as fast as a CPU gets; small models such as minilm-en and m3e-small-zh fit it."
    return f"{start} A CPU with AMX trains several times as fast; `method: head` needs no training steps at all."


def _unreachable(source: dict[str, Any]) -> str:
    if source["source"] == "model hub":
        return (
            f"The model hub is out of reach ({source['why']}): hub names will fail. Take a backbone from "
            "`provetune models list`, or a local folder."
        )
    return (
        f"The package index is out of reach ({source['why']}): `provetune models get` works only for what is in the "
        "cache. Set pip's own configuration (index-url, proxy), or copy a cache folder and set PROVETUNE_CACHE."
    )


def _show(document: dict[str, Any]) -> None:
    from rich.table import Table

    screen = console()
    machine = document["machine"]
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("provetune", f"{document['provetune']} on Python {machine['python']}, {machine['system']}")
    flags = ", ".join(machine["flags"]) or "none that matter"
    table.add_row("processor", f"{machine['processor']}, {machine['cores']} cores ({flags})")
    table.add_row("memory", f"{machine['memory_gib']} GiB, {machine['memory_free_gib']} GiB free")
    table.add_row("devices", ", ".join(f"{d['name']} {d.get('what', '')}".strip() for d in document["devices"]))
    precision = document["precision"]
    table.add_row("precision", f"{precision['chosen']} on {precision['device']}: {precision['why']}")
    table.add_row("packages", ", ".join(f"{name} {number}" for name, number in document["versions"].items()))
    table.add_row("extras", ", ".join(f"{name} {'yes' if on else 'no'}" for name, on in document["extras"].items()))
    for disk in document["disk"]:
        table.add_row("disk", f"{disk['path']}: {disk['free_gib']} GiB free{'' if disk['writable'] else ', READ-ONLY'}")
    for source in document["sources"]:
        table.add_row("source", f"{source['source']}: {'reachable' if source['reachable'] else source['why']}")
    screen.print(table)
    screen.print()
    for line in document["advice"] or ["Nothing stands in the way."]:
        screen.print(f"• {line}", markup=False)
    if "golden" in document:
        screen.print()
        screen.print(
            _spell_golden(document["golden"]), markup=False, style="green" if document["golden"]["same"] else "red"
        )
        if told := forced_line(document["golden"]):
            screen.print(told, markup=False, style="bold red")


def _spell_golden(golden: dict[str, Any]) -> str:
    how = f"{golden['precision']} on {golden['device']}, {golden['engine']}"
    apart = f"{golden['largest']:.2g}"
    if golden["same"]:
        return (
            f"{golden['bundle']}: all {golden['examples']} golden examples are answered as they were where the bundle "
            f"was made (largest difference {apart}, {golden['tolerance']:g} is allowed; {how})."
        )
    return (
        f"{golden['bundle']}: this machine gives other answers. Golden example {golden['example']} of "
        f"{golden['examples']} is off by {apart}, {golden['tolerance']:g} is allowed ({how}). Compare the versions "
        "above with 'packages' in the bundle's provetune.json, and test the bundle again before relying on it."
    )

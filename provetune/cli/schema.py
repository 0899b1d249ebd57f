"""`provetune schema`: the JSON Schema of the problem file, for editors that complete and check YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from provetune.cli._output import print_json, print_note


def command(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write to this file instead of stdout.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The schema is JSON already; accepted for evenness.")] = False,
) -> None:
    """Print the JSON Schema of the problem file."""
    from provetune.core.files import write_json
    from provetune.models.methods import METHODS
    from provetune.problem.json_schema import problem_schema

    document = problem_schema({name: METHODS.get(name).settings for name in METHODS.names()})
    if output is None:
        print_json(document)
        return
    write_json(output, document)
    print_note(f"Wrote {output}.")

"""`provetune models path NAME`: where a model lies on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from provetune.cli._output import print_json, print_text


def command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name in the catalogue, or of one's own.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Print the folder of a model that was fetched; fails when it is not here."""
    from provetune.models import own
    from provetune.models.download import path as find_model

    path = own.own_folder(name) if name in own.names() else find_model(name)
    if json:
        print_json({"name": name, "path": str(path)})
    else:
        print_text(str(path))

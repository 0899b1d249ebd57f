"""The command line: one verb a file, found by listing this folder.

Only the module of the verb that was asked for is imported, and no verb imports anything heavy at its top, so
`provetune --help` answers at once. Every error a user can cause ends here as one line on stderr and an exit code:
0 the work is done, 1 its answer is no, 2 used wrongly or unreadable, 3 a fault of ours, 130 interrupted.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import typer
from typer.exceptions import Abort, TyperException

from provetune.core.errors import ProvetuneError, UsageError
from provetune.core.suggest import advice, nearest
from provetune.version import __version__

_PACKAGE = "provetune.cli"
_THIS = "main"
_FAULT_OF_OURS = 3
_INTERRUPTED = 130
_DESCRIPTION = """Nothing is called solved until it was tested.

The usual way through: init a file, check the problem, run it, read the report, predict with the bundle.

\b
    provetune init messages.csv
    provetune check problem.yaml
    provetune run problem.yaml
    provetune predict BUNDLE "some text"

--debug anywhere on the line shows the traceback of an error."""


def main(args: Sequence[str] | None = None) -> None:
    """Run one command line and leave with its exit code.

    Args:
        args: the words after the program's name; those of the process when left out.
    """
    words, debug = _take_debug(list(sys.argv[1:] if args is None else args))
    sys.exit(answer(words, debug=debug))


def answer(words: Sequence[str], *, debug: bool = False) -> int:
    """Carry out one command line and return its exit code. With `debug`, errors are raised instead."""
    try:
        result = _call(list(words))
    except ProvetuneError as error:
        if debug:
            raise
        return _complain(error.lines(), error.exit_code)
    except TyperException as error:
        if debug:
            raise
        return _complain([_one_line(error)], 2)
    except (IsADirectoryError, NotADirectoryError, FileExistsError, PermissionError) as error:
        if debug:
            raise
        return _complain([_wrong_place(error)], 2)
    except (KeyboardInterrupt, Abort):
        result = _INTERRUPTED
    except Exception as error:  # the process boundary: a bug, too, ends in a line that says what to do
        if debug:
            raise
        return _complain([_bug(error)], _FAULT_OF_OURS)
    if result == _INTERRUPTED:
        return _complain([_how_to_go_on(words)], _INTERRUPTED)
    return result if isinstance(result, int) else 0


def verbs(package: str = _PACKAGE) -> list[str]:
    """Names of the verbs in a folder of the command line, sorted. Imports none of them."""
    folder = importlib.import_module(package).__path__
    found = (module.name for module in pkgutil.iter_modules(list(folder)))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_") and name != _THIS)


def build_app(only: str | None = None) -> typer.Typer:
    """The typer application of every verb, or of one alone, which is quicker."""
    app = typer.Typer(
        name="provetune", help=_DESCRIPTION, add_completion=only is None, rich_markup_mode=None, callback=_options
    )
    for name in [only] if only else verbs():
        _add_verb(app, _PACKAGE, name)
    return app


def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    pass


def _add_verb(app: typer.Typer, package: str, name: str) -> None:
    """Register the file `name`, or each file of the folder `name`, of `package`."""
    module = importlib.import_module(f"{package}.{name.replace('-', '_')}")
    if not hasattr(module, "__path__"):
        command: Callable[..., Any] = module.command
        app.command(name)(command)
        return
    group = typer.Typer(name=name, help=module.__doc__, rich_markup_mode=None, callback=_nothing)
    for inner in verbs(module.__name__):
        _add_verb(group, module.__name__, inner)
    app.add_typer(group, name=name)


def _nothing() -> None:
    """Typer needs a callback to keep a group a group when it holds a single command."""


def _call(words: list[str]) -> Any:
    first = words[0] if words else "--help"
    if first == "--version":
        typer.echo(f"provetune {__version__}")
        return 0
    known = verbs()
    if not first.startswith("-") and first not in known:
        raise UsageError(f"There is no verb '{first}'.", hint=advice(first, known))
    app = build_app(first if first in known else None)
    command = typer.main.get_command(app)
    return command.main(words or ["--help"], prog_name="provetune", standalone_mode=False)


def _take_debug(words: list[str]) -> tuple[list[str], bool]:
    """The words without `--debug`, and whether it was among them. After `--` it is text like any other."""
    end = words.index("--") if "--" in words else len(words)
    kept = [word for word in words[:end] if word != "--debug"]
    return kept + words[end:], len(kept) < end


def _one_line(error: TyperException) -> str:
    """A wrong usage in one line, with the nearest option or sub-verb and where to read on."""
    context = getattr(error, "ctx", None)
    if context is None:
        return " ".join(error.format_message().split())
    text = " ".join(error.message.split()) or " ".join(error.format_message().split())
    if getattr(error, "param", None) is not None:
        text = " ".join(error.format_message().split())
    path = f"provetune {context.command_path.partition(' ')[2]}".strip()
    wrong = getattr(error, "option_name", None)
    if wrong is not None and text.startswith("No such option"):
        known = [name for param in context.command.params for name in param.opts]
        guess = nearest(wrong, known)
        text = f"There is no option '{wrong}'." + (f" Did you mean '{guess}'?" if guess else "")
    elif hasattr(context.command, "commands") and text.startswith(("No such command", "Missing command")):
        text = f"{text.split(' Did you mean')[0]} {advice(_unknown_word(text), context.command.commands)}"
    return f"{path}: {text} See '{path} --help'."


def _unknown_word(text: str) -> str:
    return text.split("'")[1] if text.count("'") >= 2 else ""


def _how_to_go_on(words: Sequence[str]) -> str:
    line = " ".join(["provetune", *words])
    if words and words[0] == "run":
        return f"Interrupted. Finished work is kept; '{line}' goes on where it stopped."
    return f"Interrupted. Nothing half-written was left; '{line}' starts again."


def _wrong_place(error: OSError) -> str:
    """A path that cannot be used, in one line; of two (a rename) the one that was asked for."""
    place = error.filename2 or error.filename
    if isinstance(error, PermissionError):
        return f"{place}: This cannot be read or written here: permission denied."
    return f"{place}: There is a file where a folder is needed, or a folder where a file is. Name another place."


def _bug(error: Exception) -> str:
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"This is a fault of Provetune: {text} Give the line again with --debug to see where, and please report it."


def _complain(lines: Sequence[str], code: int) -> int:
    for line in lines:
        typer.echo(line, err=True)
    return code


if __name__ == "__main__":
    main()

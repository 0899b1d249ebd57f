"""Every example in the documentation runs as it stands; the catalogue's models are tiny ones here.

``console`` blocks are commands and ``python`` blocks are code; those of one page run in their order, in one folder.
``yaml`` blocks are problem files or parts of one; on a page with data of its own, one that begins with a name is
the page's ``problem.yaml`` from there on. ``text`` blocks are only shown.
"""

from __future__ import annotations

import shlex
import shutil
from functools import partial
from pathlib import Path

import public_data
import pytest
import yaml
from page_blocks import Block, read_blocks

import provetune
from provetune.cli.main import answer
from provetune.problem.reading import parse_problem
from provetune.study.problem_checks import baseline_of, problem_checks
from provetune.tasks import TASKS

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/**/*.md"), ROOT / "README.md", ROOT / "README.zh-CN.md"])
SHORTENED = ("candidates.full.epochs=1", "candidates.lora.epochs=1", "study.parallel=1", "study.seeds=1")
SAMPLES = {"messages.csv": "examples/support_intents/messages.csv", "reviews.csv": "examples/reviews_zh/reviews.csv"}
# Files that a page speaks of as the reader's own; a few rows of the samples stand for them.
OWN_FILES = {
    "README.md": "messages.csv",
    "README.zh-CN.md": "reviews.csv",
    "docs/index.md": "reviews.csv",
    "docs/how_to/predict.md": "pairs.csv",
    "docs/how_to/report.md": "messages.csv",
    "docs/how_to/objectives.md": "messages.csv",
    "docs/how_to/search.md": "messages.csv",
    "docs/how_to/ensembles.md": "messages.csv",
}
# Pages with a whole problem file of their own besides those of `public_data`.
OWN_PROBLEMS = ("docs/how_to/ensembles.md", "docs/how_to/search.md")
FEW_ROWS = 300


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def _pages_with(*languages: str) -> list[object]:
    wanted = [page for page in PAGES if any(block.language in languages for block in read_blocks(page))]
    return [pytest.param(page, id=_name(page)) for page in wanted]


@pytest.mark.slow
@pytest.mark.parametrize("page", _pages_with("console", "python"))
def test_commands_and_code_run(
    page: Path, tiny_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PROVETUNE_CACHE", str(tiny_cache))
    monkeypatch.setattr(provetune, "run", partial(provetune.run, overrides=SHORTENED), raising=False)
    if lacking := public_data.lacking(_name(page)):
        pytest.skip(f"not in ../shared/data: {', '.join(lacking)}")
    public_data.write_files(_name(page), tmp_path)
    if own := OWN_FILES.get(_name(page)):
        _write_own_file(tmp_path / own)
    names: dict[str, object] = {}
    own_problems = (*public_data.PAGES, *OWN_PROBLEMS)
    for block in read_blocks(page):
        where = f"{_name(page)}:{block.line}"
        if block.language == "yaml" and block.text.startswith("name:") and _name(page) in own_problems:
            (tmp_path / "problem.yaml").write_text(block.text, encoding="utf-8")
        if block.language == "python":
            exec(compile(block.text, where, "exec"), names)
        if block.language == "console":
            for line in block.commands():
                code = _run(line)
                assert code == 0, f"{where}: '{line}' ended with {code}: {capsys.readouterr().err}"


@pytest.mark.parametrize("page", _pages_with("yaml"))
def test_problem_files_have_no_fault(page: Path) -> None:
    for block in read_blocks(page):
        if block.language == "yaml":
            read = parse_problem(_complete(block), page, checks=problem_checks(), baseline_of=baseline_of)
            assert read.problem.task in TASKS.names()


@pytest.mark.parametrize("page", [pytest.param(page, id=_name(page)) for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    import re

    for target in re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{_name(page)} links to {target}"


def _write_own_file(path: Path) -> None:
    if path.name in SAMPLES:
        lines = (ROOT / SAMPLES[path.name]).read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[: FEW_ROWS + 1]), encoding="utf-8")
        return
    asked = {"return": "in its box", "track": "under orders", "pay": "by card", "cancel": "within an hour"}
    rows = ["question,answer,fits"]
    for number in range(80):
        one, other = list(asked)[number % 4], list(asked)[(number + number // 4 % 2) % 4]
        rows.append(f"how do I {one} order {number}?,{asked[other]} please,{'yes' if one == other else 'no'}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")


def _run(line: str) -> int:
    """A command of a page; ROOT is the repository, and training is cut short."""
    words = [word.replace("ROOT", str(ROOT)) for word in shlex.split(line, comments=True)]
    if words[0] == "cp":
        shutil.copy(words[1], words[2])
        return 0
    assert words[0] == "provetune", f"examples are commands of provetune, not of {words[0]}"
    if words[1] in ("run", "plan"):
        words += [part for override in _shortened(Path(words[2])) for part in ("--set", override)]
    return answer(words[1:])


def _shortened(problem: Path) -> list[str]:
    """Overrides of what the problem has: a page may be about other candidates than `full` and `lora`."""
    written = problem.read_text(encoding="utf-8") if problem.is_file() else ""
    document = yaml.safe_load(written) if problem.suffix in (".yaml", ".yml") else None
    names = None if not isinstance(document, dict) else set(document.get("candidates") or {})
    return [
        each for each in SHORTENED if names is None or not each.startswith("candidates.") or each.split(".")[1] in names
    ]


def _complete(block: Block) -> str:
    """A part of a problem file with what is missing around it."""
    document = yaml.safe_load(block.text)
    document.setdefault("name", "example")
    document.setdefault("data", {}).setdefault("train", "rows.csv")
    return yaml.safe_dump(document, allow_unicode=True)

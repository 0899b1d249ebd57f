"""The model card: ``README.md`` of a bundle, generated from its record and never written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from provetune.models.bundle.card_derived import derived_section
from provetune.models.bundle.card_labels import answer_limit, label_section

CARD = "README.md"
ADAPTED = "adapted"
"""Kind whose folder has the plain model, and in its adapter what must be put back into it to answer."""


def model_card(record: Mapping[str, Any]) -> str:
    """The card of a bundle with this record, as Markdown with the hub's front matter."""
    parts = [
        _front_matter(record),
        f"# {_name(record)}",
        _summary(record),
        label_section(record["targets"], _cell),
        derived_section(record, _cell) if record.get("derived_from") else _acceptance(record),
        _making(record),
        _use(record),
        _limits(record),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(record: Mapping[str, Any]) -> str:
    problem = record.get("problem") or {}
    library = "provetune"
    if _loads_anywhere(record):
        library = "sentence-transformers" if record.get("auto_class") == "AutoModel" else "transformers"
    lines = ["---", f"library_name: {library}"]
    pipeline = _pipeline(record)
    if pipeline:
        lines.append(f"pipeline_tag: {pipeline}")
    language = problem.get("language")
    if language and language not in ("auto", "und"):
        lines.append(f"language: {json.dumps(language, ensure_ascii=False)}")
    lines += ["tags:", "- provetune", "---"]
    return "\n".join(lines)


def _summary(record: Mapping[str, Any]) -> str:
    candidate = record.get("candidate") or {}
    names = record["targets"]["names"]
    several = " one or more of" if record["targets"].get("kind") == "multi_label" else " one of"
    does = f"Takes a text and gives it{several} {len(names)} labels."
    if record.get("task") != "classification" and record.get("summary"):
        does = str(record["summary"])
    method = f" Method: `{candidate['method']}`." if candidate.get("method") else ""
    backbone = record.get("backbone") or {}
    start = f" Backbone: `{backbone['name']}`." if backbone.get("name") else ""
    licence = f"\n\nLicence of the backbone: {backbone['licence']}" if backbone.get("licence") else ""
    return f"{does}{method}{start}{licence}"


def _acceptance(record: Mapping[str, Any]) -> str:
    lines = ["## What was tested"]
    metrics, crossed = record.get("metrics") or {}, record.get("cross_validation")
    for split in ("validation", "test"):
        scores = metrics.get(split) or {}
        if scores:
            listed = ", ".join(
                f"{name} {value:.4f}" for name, value in scores.items() if isinstance(value, int | float)
            )
            rows = split if crossed is None or split != "test" else "held-out"
            lines += ["", f"On the {rows} rows: {listed}."]
    if crossed:
        lines += ["", str(crossed["said"])]
    accepted = record.get("acceptance")
    if accepted:
        lines += ["", "| required | value | bound | met |", "|---|---|---|---|"]
        lines += [_accept_row(item) for item in accepted]
    lines += _verdict(record.get("verdict"))
    if not metrics.get("test") and not accepted:
        lines += ["", "The sealed test has not been opened for this bundle: nothing is proven yet."]
    return "\n".join(lines)


def _verdict(verdict: Any) -> list[str]:
    """The claims of the study that the bundle comes from, each with its sentence."""
    if not verdict:
        return []
    if not isinstance(verdict, Sequence) or isinstance(verdict, str) or not all("words" in each for each in verdict):
        return ["", f"Verdict: {verdict if isinstance(verdict, str) else json.dumps(verdict, ensure_ascii=False)}"]
    lines = ["", "Claims of the study (about the procedure, seeds and rows, where nothing else is said):", ""]
    return lines + [f"- {_cell(each['claim'])}: {_cell(each['words'])}" for each in verdict]


def _accept_row(item: Mapping[str, Any]) -> str:
    met = {True: "yes", False: "no"}.get(item.get("met"), "undecided")  # type: ignore[arg-type]
    numbers = [f"{item[key]:.4f}" if isinstance(item.get(key), int | float) else "" for key in ("value", "bound")]
    return (
        f"| {_cell(item.get('metric', ''))} {_cell(item.get('required', ''))} | {numbers[0]} | {numbers[1]} | {met} |"
    )


def _making(record: Mapping[str, Any]) -> str:
    lines = ["## How it was made", ""]
    candidate = {key: value for key, value in (record.get("candidate") or {}).items() if value not in (None, [], {})}
    if candidate:
        lines += ["```json", json.dumps(candidate, indent=2, ensure_ascii=False, default=str), "```", ""]
    facts = [
        ("seed", record.get("seed")),
        ("precision of training", record.get("precision")),
        ("temperature (folded in)", record.get("temperature")),
        ("backbone's content", (record.get("backbone") or {}).get("content_hash")),
        ("data", json.dumps(record["data"], ensure_ascii=False) if record.get("data") else None),
        ("code", record.get("code_hash")),
        ("packages", ", ".join(f"{name} {number}" for name, number in (record.get("packages") or {}).items())),
    ]
    lines += [f"- {name}: {value}" for name, value in facts if value not in (None, "")]
    return "\n".join(lines)


def _use(record: Mapping[str, Any]) -> str:
    lines = ["## Use", "", "```python", "import provetune as pt", "", 'model = pt.load("this folder")']
    paired = is_paired(record)
    lines += ['model.predict([("one text", "another")])' if paired else 'model.predict(["some text"])', "```"]
    if record["bundle_kind"] == ADAPTED:
        lines += ["", _needs_provetune(record)]
    if _loads_anywhere(record) and _pipeline(record) is None:
        lines += _use_of_class(record)
    elif _loads_anywhere(record):
        asked = '{"text": "one text", "text_pair": "another"}' if paired else '"some text"'
        lines += [
            "",
            "Without Provetune (texts longer than the model takes must be cut, hence `truncation`):",
            "",
            "```python",
            "from transformers import pipeline",
            "",
            f'pipeline("{_pipeline(record)}", model="this folder", truncation=True)({asked})',
            "```",
        ]
    return "\n".join(lines)


def _needs_provetune(record: Mapping[str, Any]) -> str:
    method = (record.get("candidate") or {}).get("method", "adapter")
    return (
        f"Provetune is needed to predict. What `{method}` learned cannot be merged into the model's weights and lies "
        "in the folder `adapter`. Plain transformers opens this folder too, but answers without it: wrongly."
    )


def _use_of_class(record: Mapping[str, Any]) -> list[str]:
    """Without Provetune, where transformers has no pipeline for the task."""
    auto_class = record.get("auto_class")
    if auto_class is None:
        return []
    if auto_class == "AutoModel":
        lines = ["", "Without Provetune:", "", "```python", "from sentence_transformers import SentenceTransformer", ""]
        return [*lines, 'SentenceTransformer("this folder").encode(["some text"], prompt_name="query")', "```"]
    lines = ["", "Without Provetune:", "", "```python", f"from transformers import AutoTokenizer, {auto_class}", ""]
    lines.append('tokenizer = AutoTokenizer.from_pretrained("this folder")')
    lines.append(f'model = {auto_class}.from_pretrained("this folder")')
    if auto_class == "AutoModelForSeq2SeqLM":
        prefix = ((record["targets"].get("options") or {}).get("prefix")) or ""
        lines.append(f'inputs = tokenizer({json.dumps(prefix + "some text", ensure_ascii=False)}, return_tensors="pt")')
        lines.append("tokenizer.decode(model.generate(**inputs)[0], skip_special_tokens=True)")
    return [*lines, "```"]


def _limits(record: Mapping[str, Any]) -> str:
    encode = record.get("encode") or {}
    length = encode.get("max_length")
    cut = {
        "head": f"Of a text longer than {length} tokens, only the beginning is read.",
        "head_tail": f"Of a text longer than {length} tokens, the beginning and the end are read.",
        "windows": f"A text longer than {length} tokens is read in overlapping pieces, and their answers are averaged.",
    }
    lines = ["## Limits", "", "- It was tested on rows like those it was trained on; on others, test it again."]
    if length:
        lines.append(f"- {cut.get(str(encode.get('long_texts', 'head')), cut['head'])}")
    if (limit := answer_limit(record["targets"])) is not None:
        lines.append(f"- {limit}")
    return "\n".join(lines)


def _name(record: Mapping[str, Any]) -> str:
    problem = record.get("problem") or {}
    candidate = record.get("candidate") or {}
    return _cell(": ".join(str(part) for part in (problem.get("name"), candidate.get("name")) if part) or "A bundle")


def _pipeline(record: Mapping[str, Any]) -> str | None:
    """transformers' pipeline for the task; bundles of before it was written down are classifiers."""
    found: str | None = record.get(
        "pipeline", "text-classification" if record.get("task") == "classification" else None
    )
    return found


def is_paired(record: Mapping[str, Any]) -> bool:
    """Whether what is asked are two texts."""
    inputs = record.get("inputs") or (record.get("columns") or {}).get("text")
    return isinstance(inputs, list) and len(inputs) == 2


def _loads_anywhere(record: Mapping[str, Any]) -> bool:
    return bool(record["bundle_kind"] == "transformers")


def _cell(value: Any) -> str:
    """Text that stays in its table cell and starts no markup."""
    return " ".join(str(value).split()).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("`", "'")

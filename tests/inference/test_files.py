"""Files in, files out: order, columns, formats, constant memory, and nothing half-written."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tiny_bundles import write_tfidf_bundle, write_torch_bundle

from provetune.core.errors import DataError, ProvetuneError, UsageError
from provetune.inference.files import predict_file
from provetune.inference.predictor import Predictor, load

TEXTS = ["parcel", "the card was charged twice for the same order", "a b c", "nothing arrived", "e"] * 3


@pytest.fixture(scope="module")
def predictor(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(write_torch_bundle(tmp_path_factory.mktemp("torch") / "bundle"))


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Predictor:
    return load(write_tfidf_bundle(tmp_path_factory.mktemp("tfidf") / "bundle"))


def write_csv(path: Path, rows: list[dict[str, str]], **options: str) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), **options)
        writer.writeheader()
        writer.writerows(rows)
    return path


def read_jsonl(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_keep_order_and_columns(predictor: Predictor, tmp_path: Path) -> None:
    rows = [{"id": str(number), "text": text, "note": 'a,b \n"c"'} for number, text in enumerate(TEXTS)]
    source = write_csv(tmp_path / "in.csv", rows)
    told: list[tuple[int, int | None]] = []
    report = predictor.predict_file(
        source, tmp_path / "out.jsonl", progress=lambda done, total: told.append((done, total))
    )
    found = read_jsonl(tmp_path / "out.jsonl")
    assert [{key: row[key] for key in ("id", "text", "note")} for row in found] == rows
    wanted = predictor.predict(TEXTS)
    assert [row["label"] for row in found] == wanted.labels
    assert [row["score"] for row in found] == pytest.approx([row["score"] for row in wanted], abs=1e-6)
    assert (report.rows, report.missing) == (15, 0)
    assert told == [(15, 15)]


def test_small_windows_give_the_same(predictor: Predictor, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"text": text} for text in TEXTS])
    predict_file(predictor, source, tmp_path / "one.jsonl", proba=True)
    predict_file(predictor, source, tmp_path / "two.jsonl", proba=True, window=4)
    for one, two in zip(read_jsonl(tmp_path / "one.jsonl"), read_jsonl(tmp_path / "two.jsonl"), strict=True):
        assert one["label"] == two["label"]
        assert one["labels"] == pytest.approx(two["labels"], abs=1e-5)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet", ".txt", ".json"])
def test_every_format_is_read(words: Predictor, tmp_path: Path, ending: str) -> None:
    source = tmp_path / f"in{ending}"
    rows = [{"text": text} for text in TEXTS]
    if ending in (".csv", ".tsv"):
        write_csv(source, rows, delimiter="," if ending == ".csv" else "\t")
    elif ending == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), source)
    elif ending == ".txt":
        source.write_text("\n".join(TEXTS))
    else:
        lines = [json.dumps(row) for row in rows]
        source.write_text("\n".join(lines) if ending == ".jsonl" else f"[{','.join(lines)}]")
    words.predict_file(source, tmp_path / "out.jsonl")
    found = read_jsonl(tmp_path / "out.jsonl")
    assert [row["text"] for row in found] == TEXTS
    assert [row["label"] for row in found] == words.predict(TEXTS).labels


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "gb18030"])
def test_encodings_are_found(words: Predictor, tmp_path: Path, encoding: str) -> None:
    source = tmp_path / "in.csv"
    source.write_bytes("text;标签\n包裹还没有到，我想知道它在哪里;物流问题\n".encode(encoding))
    words.predict_file(source, tmp_path / "out.jsonl")
    assert read_jsonl(tmp_path / "out.jsonl")[0]["标签"] == "物流问题"


def test_csv_out_has_the_answer_beside(words: Predictor, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"text": "parcel", "label": "gold"}, {"text": "card", "label": "x"}])
    words.predict_file(source, tmp_path / "out.csv", top_k=1)
    with (tmp_path / "out.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert list(found[0]) == ["text", "label", "predicted_label", "score", "labels"]
    assert [row["label"] for row in found] == ["gold", "x"]
    assert found[0]["predicted_label"] == "delivery"
    assert list(json.loads(found[0]["labels"])) == ["delivery"]


def test_standard_input_and_output(
    words: Predictor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("parcel\ncard\n"))
    words.predict_file("-", "-")
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["text"], row["label"]) for row in found] == [("parcel", "delivery"), ("card", "billing")]
    monkeypatch.setattr("sys.stdin", io.StringIO('{"text": "parcel", "id": 7}\n{"text": "card", "id": 8}\n'))
    words.predict_file("-", "-")
    assert [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()] == [7, 8]


def test_the_text_column_is_found_or_asked_for(words: Predictor, tmp_path: Path) -> None:
    only = write_csv(tmp_path / "only.csv", [{"message": "parcel"}])
    words.predict_file(only, tmp_path / "out.jsonl")
    assert read_jsonl(tmp_path / "out.jsonl")[0]["label"] == "delivery"
    two = write_csv(tmp_path / "two.csv", [{"message": "parcel", "texts": "card"}])
    with pytest.raises(DataError, match=r"There is no column 'text'\. Did you mean 'texts'"):
        words.predict_file(two, tmp_path / "no.jsonl")
    words.predict_file(two, tmp_path / "asked.jsonl", columns=["message"])
    assert read_jsonl(tmp_path / "asked.jsonl")[0]["label"] == "delivery"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("in.csv", "id,text\n1,parcel\n2,\n", r"in\.csv, line 3: There is no text"),
        ("in.csv", "id,text\n1,parcel\n2,a,b\n", r"in\.csv, line 3: This row has 3 cells"),
        ("in.csv", 'id,text\n1,"par,cel\n', "quotes do not match"),
        ("in.csv", "id,text\n", "no rows to answer"),
        ("in.csv", "", "This file is empty"),
        ("in.jsonl", '{"text": "a"}\n{"text": \n', r"line 2: This is not JSON"),
        ("in.jsonl", '{"text": "a"}\n[1]\n', r"line 2: This line is no JSON object"),
        ("in.jsonl", '{"text": "a"}\n{"text": 3}\n', r"line 2: The text must be a string"),
        ("in.jsonl", '{"text": "a"}\n{"other": "b"}\n', r"line 2: There is no column 'text'"),
        ("in.parquet", "PAR1 no", "no parquet file"),
    ],
)
def test_a_fault_names_its_place_and_leaves_nothing(
    words: Predictor, tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=said):
        words.predict_file(tmp_path / name, tmp_path / "out.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_failure_in_the_middle_leaves_what_was_there(words: Predictor, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"text": text} for text in TEXTS])
    (tmp_path / "out.jsonl").write_text("old")

    def stop(done: int, total: int | None) -> None:
        if done >= 8:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_file(words, source, tmp_path / "out.jsonl", window=4, progress=stop)
    assert (tmp_path / "out.jsonl").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", "out.jsonl"]


def test_rows_without_text_can_be_kept(words: Predictor, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"id": "1", "text": ""}, {"id": "2", "text": "parcel"}])
    report = words.predict_file(source, tmp_path / "out.csv", missing="keep", proba=True)
    assert (report.rows, report.missing) == (2, 1)
    with (tmp_path / "out.csv").open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert (found[0]["label"], found[1]["label"]) == ("", "delivery")


@pytest.mark.parametrize(
    ("source", "output", "said"),
    [
        ("in.csv", "out.xlsx", "must end in .csv"),
        ("in.csv", "in.csv", "the input itself"),
        ("im.csv", "out.csv", "Did you mean 'in.csv'"),
        (".", "out.csv", "a folder"),
        ("in.csv", "folder.csv", "The output is a folder"),
    ],
)
def test_wrong_places_are_refused(words: Predictor, tmp_path: Path, source: str, output: str, said: str) -> None:
    write_csv(tmp_path / "in.csv", [{"text": "parcel"}])
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ProvetuneError, match=said):
        words.predict_file(tmp_path / source, tmp_path / output)


def test_not_a_number_is_written_as_null(words: Predictor, tmp_path: Path) -> None:
    (tmp_path / "in.jsonl").write_text('{"text": "parcel", "weight": NaN}\n')
    words.predict_file(tmp_path / "in.jsonl", tmp_path / "out.jsonl")
    assert read_jsonl(tmp_path / "out.jsonl")[0]["weight"] is None


def test_memory_does_not_grow_with_the_file(words: Predictor, tmp_path: Path) -> None:
    import tracemalloc

    peaks = []
    for count in (2_000, 20_000):
        source = tmp_path / f"{count}.csv"
        source.write_text("text\n" + "".join(f"parcel {number}\n" for number in range(count)))
        tracemalloc.start()
        predict_file(words, source, tmp_path / "out.jsonl", window=500)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.3 * peaks[0]


def test_asked_columns_must_fit(words: Predictor, tmp_path: Path) -> None:
    source = write_csv(tmp_path / "in.csv", [{"a": "x", "b": "y"}])
    with pytest.raises(UsageError, match=r"takes 1 text columns\. Got 2"):
        words.predict_file(source, tmp_path / "out.csv", columns=["a", "b"])

"""`trimtab detect`: the detector over a file, and what it says of a file that is none."""

from __future__ import annotations

import csv
import random

import pytest

from trimtab.cli.detect import BadTable, detect


def written(path, rows, header="timestamp,value"):
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def test_a_file_is_judged_row_by_row(tmp_path, trimtab):
    rng = random.Random(1)
    rows = [f"2026-03-01 {i // 60:02}:{i % 60:02}:00,{'' if i == 200 else round(rng.gauss(10, 1), 3)}" for i in range(600)]
    rows[400] = "2026-03-01 06:40:00,60"
    source, output = written(tmp_path / "in.csv", rows), tmp_path / "out.csv"
    answer = trimtab("detect", source, "--output", output, "--json")
    assert answer.code == 0, answer
    assert [found["timestamp"] for found in answer.document["incidents"]] == ["2026-03-01 06:40:00"]
    with open(output, newline="") as file:
        judged = list(csv.DictReader(file))
    assert list(judged[0]) == ["timestamp", "value", "expected", "lower", "upper", "score", "is_anomaly"]
    assert [f"{row['timestamp']},{row['value']}" for row in judged] == rows
    assert [i for i, row in enumerate(judged) if row["is_anomaly"] == "1"] == [400]
    assert [i for i, row in enumerate(judged) if float(row["score"]) >= 0.5] == [400]
    assert float(judged[399]["lower"]) < 10.0 < float(judged[399]["upper"]) < 60.0


@pytest.mark.parametrize(
    ("rows", "header", "message"),
    [
        ([], "time,value", "line 1: expected a header with the columns timestamp,value; found time,value"),
        (["1,2,3"], "timestamp,value", "line 2: 3 fields where the header has 2"),
        (["yesterday,2"], "timestamp,value", "line 2: timestamp 'yesterday' is neither Unix seconds nor ISO 8601"),
        (["inf,2"], "timestamp,value", "line 2: timestamp 'inf' is not a time"),
        (["1,2", "2,high"], "timestamp,value", "line 3: value 'high' is not a number"),
        (["2,2", "1,2"], "timestamp,value", "line 3: 1 is before the row above"),
    ],
    ids=["no-header", "fields", "no-time", "no-end", "no-number", "unsorted"],
)
def test_what_is_wrong_with_a_file_is_said_by_line(tmp_path, rows, header, message):
    with pytest.raises(BadTable) as raised:
        detect(written(tmp_path / "in.csv", rows, header), tmp_path / "out.csv", 2.5, json=True)
    assert message in str(raised.value)


def test_the_file_that_is_read_is_not_written(tmp_path):
    source = written(tmp_path / "in.csv", ["1,2"])
    with pytest.raises(BadTable, match="name another one"):
        detect(source, source, 2.5, json=True)
    with pytest.raises(BadTable, match=r"missing\.csv"):
        detect(tmp_path / "missing.csv", tmp_path / "out.csv", 2.5, json=True)

"""`trimtab detect`: the agent's own detector over a CSV file, sample after sample, as it would have judged them live."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from trimtab.cli import show
from trimtab.domain.errors import TrimtabError

_COLUMNS = ("timestamp", "value")
_RESULT = (*_COLUMNS, "expected", "lower", "upper", "score", "is_anomaly")
_MISSING = ("", "nan", "null", "none", "na")


class BadTable(TrimtabError):
    """The file is not what `trimtab detect` reads; the message tells the line and what to write there."""


def detect(source: Path, output: Path, threshold: float, json: bool) -> int:
    """Read `source`, write `output`, and print what was found."""
    from trimtab.analyze import StreamDetector

    if output.exists() and output.samefile(source):
        raise BadTable(f"{output} is the file that is read: name another one with --output.")
    detector, rows, incidents = StreamDetector(threshold), 0, []
    try:
        with open(source, newline="", encoding="utf-8-sig") as read, open(output, "w", newline="", encoding="utf-8") as written:
            writer = csv.writer(written, lineterminator="\n")
            writer.writerow(_RESULT)
            for stamp, timestamp, text, value in _samples(source, read):
                found = detector.update(timestamp, value)
                bounds = ["" if math.isnan(one) else f"{one:.6g}" for one in (found.expected, found.lower, found.upper)]
                writer.writerow((stamp, text, *bounds, f"{found.score:.4f}", int(found.is_anomaly)))
                rows += 1
                if found.is_anomaly:
                    incidents.append({"timestamp": stamp, "value": value, "score": round(found.score, 4)})
    except UnicodeDecodeError as error:
        raise BadTable(f"{source} is not a text file in UTF-8: {error.reason}.") from None
    except OSError as error:
        raise BadTable(f"{error.filename or source}: {error.strerror or error}.") from None
    if json:
        show.as_json({"rows": rows, "incidents": incidents, "output": str(output)})
    else:
        shown = [(str(one["timestamp"]), f"{one['value']:.6g}", str(one["score"])) for one in incidents]
        show.table("Incidents", ("when", "value", "score"), shown)
        print(f"{rows} samples judged, {len(incidents)} incidents; every sample is in {output}")  # noqa: T201
    return 0


def _samples(source: Path, read: IO[str]) -> Iterator[tuple[str, float, str, float]]:
    """Each row's time and value, as written and as numbers; times rise."""
    reader = csv.reader(read)
    header = [name.strip().lower() for name in next(reader, [])]
    if not set(_COLUMNS) <= set(header):
        found = ",".join(header) or "nothing"
        raise BadTable(f"{source} line 1: expected a header with the columns timestamp,value; found {found}.")
    at, of = (header.index(name) for name in _COLUMNS)
    last = -math.inf
    for row in reader:
        if not row:
            continue
        where = f"{source} line {reader.line_num}"
        if len(row) != len(header):
            raise BadTable(f"{where}: {len(row)} fields where the header has {len(header)}.")
        timestamp, value = _time(row[at].strip(), where), _number(row[of].strip(), where)
        if timestamp < last:
            raise BadTable(f"{where}: {row[at]} is before the row above. Sort the file by timestamp.")
        last = timestamp
        yield row[at], timestamp, row[of], value


def _time(text: str, where: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise BadTable(
                f"{where}: timestamp {text!r} is neither Unix seconds nor ISO 8601, such as 2026-01-31 13:00:00."
            ) from None
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    if not math.isfinite(seconds):
        raise BadTable(f"{where}: timestamp {text!r} is not a time.")
    return seconds


def _number(text: str, where: str) -> float:
    if text.lower() in _MISSING:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise BadTable(f"{where}: value {text!r} is not a number. Leave it empty where it is missing.") from None

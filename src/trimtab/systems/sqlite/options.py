"""What can be said of sensors, levers and jobs of `type: sqlite` in the YAML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from trimtab.config import JobOptions, LeverOptions, Part, SensorOptions
from trimtab.config.parts import Context, MetricName, rule

PATIENCE_SECONDS = 3.0  # below the five seconds that the agent gives one read or one set of a lever


def _locate(path: Path, info: ValidationInfo) -> Path:
    return Context.of(info.context).locate(path)


def _some_sql(statement: str) -> str:
    if not statement.strip():
        raise rule("an empty statement", "write one SQL statement")
    return statement


def _query(statement: str) -> str:
    if not re.match(r"\s*(select|with|values)\b", statement, re.IGNORECASE):
        raise rule("a query starts with SELECT", "e.g. SELECT count(*) FROM orders WHERE state = 'open'")
    return statement


def _write(statement: str) -> str:
    if not re.match(r"\s*update\b", statement, re.IGNORECASE):
        raise rule("write changes a row that is there", "e.g. UPDATE settings SET value = :value WHERE key = 'batch'")
    if not re.search(r":value\b", statement):
        raise rule("write does not say where the value goes", "write :value there, without quotes")
    return statement


def _identifier(name: str) -> str:
    if not name or "\0" in name:
        raise rule("not a name in a database", "name a table or a column as the database has it")
    return name


Database = Annotated[Path, AfterValidator(_locate)]
Sql = Annotated[str, AfterValidator(_some_sql)]
Query = Annotated[str, AfterValidator(_query)]
Write = Annotated[str, AfterValidator(_write)]
Identifier = Annotated[str, AfterValidator(_identifier)]
Patience = Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)]
_DATABASE = "The database file, from the folder of this configuration. It is never created."


class SqliteSensorOptions(SensorOptions):
    """One number for each query, and the size of the database."""

    type: Literal["sqlite"] = "sqlite"
    database: Database = Field(description=_DATABASE)
    queries: dict[MetricName, Query] = Field(default_factory=dict, description="Series name → a SELECT that yields one number.")
    timeout_seconds: Patience = Field(PATIENCE_SECONDS, description="Patience with all queries of one read together.")


class SqliteLeverOptions(LeverOptions):
    """A setting that lives in a row."""

    type: Literal["sqlite"] = "sqlite"
    database: Database = Field(description=_DATABASE)
    read: Query = Field(description="A SELECT that yields the value: one row, one column.")
    write: Write = Field(description="An UPDATE with :value that changes exactly one row.")
    timeout_seconds: Patience = Field(PATIENCE_SECONDS, description="How long to wait for other connections.")


class IndexOptions(Part):
    """The index that a job builds."""

    table: Identifier
    columns: tuple[Identifier, ...] = Field(min_length=1)
    unique: bool = False
    where: Sql | None = Field(None, description="A predicate: only the rows that it holds for are indexed.")


class SqliteJobOptions(JobOptions):
    """An index to build, or statistics for the query planner to gather: one of the two."""

    type: Literal["sqlite"] = "sqlite"
    database: Database = Field(description=_DATABASE)
    index: IndexOptions | None = Field(None, description="Build this index; undo drops it.")
    analyze: bool = Field(False, description="Run ANALYZE; undo restores the statistics that were there before.")

    @model_validator(mode="after")
    def _one_effect(self) -> Self:
        if (self.index is None) != self.analyze:
            raise rule("a job has one effect", "give either index: {table: …, columns: […]}, or analyze: true")
        return self

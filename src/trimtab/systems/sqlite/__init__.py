"""SQLite databases that belong to other programs: numbers by query, settings that live in rows, indexes and statistics as jobs.

Reads: the database, over connections of its own that are opened for one call. Produces: readings; one changed row; one index, or
fresh statistics. May import: domain, config, sqlite3. Never: another system's folder; a database that is not there already, its
journal mode, a statement that was not declared.
"""

from __future__ import annotations

from collections.abc import Mapping

from trimtab.domain.levers import LeverSpec
from trimtab.domain.ports import Job, Lever, Sensor
from trimtab.systems.kinds import JobType, LeverType, SensorType
from trimtab.systems.net import Net
from trimtab.systems.sqlite.options import SqliteJobOptions, SqliteLeverOptions, SqliteSensorOptions


def _build_sensor(options: SqliteSensorOptions, element: str, net: Net) -> Sensor:
    from trimtab.systems.sqlite.sensor import SqliteSensor

    return SqliteSensor(options, element)


def _build_lever(options: SqliteLeverOptions, spec: LeverSpec, net: Net) -> Lever:
    from trimtab.systems.sqlite.lever import SqliteLever

    return SqliteLever(options, spec)


def _build_job(options: SqliteJobOptions, element: str, net: Net) -> Job:
    from trimtab.systems.sqlite.indexes import IndexEffect
    from trimtab.systems.sqlite.job import SqliteJob
    from trimtab.systems.sqlite.shapes import IndexShape
    from trimtab.systems.sqlite.statistics import StatisticsEffect

    index = options.index
    if index is None:
        return SqliteJob(options.database, StatisticsEffect())
    return SqliteJob(options.database, IndexEffect(IndexShape(index.table, index.columns, index.unique, index.where)))


SENSORS: Mapping[str, SensorType] = {"sqlite": SensorType(SqliteSensorOptions, _build_sensor)}
LEVERS: Mapping[str, LeverType] = {"sqlite": LeverType(SqliteLeverOptions, _build_lever)}
JOBS: Mapping[str, JobType] = {"sqlite": JobType(SqliteJobOptions, _build_job)}

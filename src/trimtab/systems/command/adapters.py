"""Sensor, lever and job made of programs. Called by `monitor` and `execute`.

A program that ran out of time, was killed, or says that its trouble passes (exit status 75) leaves the effect in doubt:
`Retryable`. Any other failure is its refusal: `Permanent`; so is an answer that is too long, where nothing was to be done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from trimtab.domain.errors import Permanent, Retryable, SensorError
from trimtab.domain.levers import ABSENT, BROKEN, JOB_STATES, LeverKind, LeverSpec, LeverValue
from trimtab.domain.metrics import Reading, Series
from trimtab.systems.command.arguments import fill
from trimtab.systems.command.options import CommandJobOptions, CommandLeverOptions, CommandSensorOptions, Surroundings
from trimtab.systems.command.run import Runner, TooMuch, Trouble
from trimtab.systems.paths import Absent, as_number, follow, parse_path
from trimtab.systems.spelling import meant
from trimtab.systems.values import as_kind, read_as_kind


class CommandSensor:
    """Runs a program and takes one number, or numbers out of a JSON document, from what it writes."""

    def __init__(self, options: CommandSensorOptions, element: str) -> None:
        self.name = options.name or f"command {options.argv[0]}"
        self.element = element
        self.interval = options.interval_seconds
        self._argv = options.argv
        self._runner = _runner(options)
        source = f"command {options.argv[0]}"
        self._one = Series.named(options.metric, element, source=source) if options.metric else None
        self._several = [(Series.named(name, element, source=source), parse_path(path)) for name, path in options.metrics.items()]

    @property
    def metric_names(self) -> Sequence[str]:
        """The series named in the options."""
        return [self._one.name] if self._one is not None else [series.name for series, _ in self._several]

    async def read(self, now: float) -> Sequence[Reading]:
        """Run once. Raises `SensorError` where it fails, or writes something else than was declared."""
        try:
            text = await self._runner.run(self._argv)
        except Trouble as trouble:
            raise SensorError(f"{self.name}: {trouble.message}", remedy=trouble.remedy) from trouble
        return [self._number(self._one, text, now)] if self._one is not None else list(self._numbers(text, now))

    def _number(self, series: Series, text: str, now: float) -> Reading:
        try:
            return Reading(series, float(text), now)
        except ValueError:
            raise SensorError(
                f"{self.name}: it wrote {self._runner.glimpse(text)} where a number was expected",
                remedy="metric takes one number; for a JSON document give metrics",
            ) from None

    def _numbers(self, text: str, now: float) -> Iterator[Reading]:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SensorError(f"{self.name}: it did not write JSON, but {self._runner.glimpse(text)}") from error
        for series, steps in self._several:
            try:
                yield Reading(series, as_number(follow(document, steps)), now)
            except Absent:
                continue

    async def close(self) -> None:
        """Kill what still runs."""
        self._runner.close()


class CommandLever:
    """A setting that one program writes out and another sets. Only what is declared is ever set."""

    def __init__(self, options: CommandLeverOptions, spec: LeverSpec) -> None:
        self.spec = spec
        self._options = options
        self._runner = _runner(options)

    async def read(self) -> LeverValue:
        """What the program writes. A choice that is not declared is `Permanent`: it could not be put back."""
        program = self._options.read[0]
        text = await _lever_words(self._runner, f"lever {self.spec.lever_id}", self._options.read)
        if not text.strip():
            raise Permanent(f"lever {self.spec.lever_id}: {program} wrote nothing", remedy="It must write the value")
        value = self._as_declared(text.strip())
        if self.spec.kind is LeverKind.CHOICE and not self.spec.allows(value):
            raise Permanent(
                f"lever {self.spec.lever_id} reads {self._runner.glimpse(text)}, and is declared {self.spec.domain_in_words}",
                remedy="Add it to choices, or correct the program",
            )
        return value

    def _as_declared(self, text: str) -> LeverValue:
        try:
            return read_as_kind(self.spec, meant(self.spec.kind, text))
        except Permanent as error:
            raise Permanent(self._options.hide(error.message), remedy=error.remedy) from None

    async def set(self, value: LeverValue) -> None:
        """Run the program that sets. `Permanent`, with nothing run, where the value was not declared."""
        wanted = as_kind(self.spec, value)
        if not self.spec.allows(wanted):
            raise Permanent(
                f"lever {self.spec.lever_id} takes {self.spec.domain_in_words}, not {wanted!r:.80}", remedy="Nothing was set"
            )
        argv = fill(self._options.set, "value", _as_word(wanted))
        await _lever_words(self._runner, f"lever {self.spec.lever_id}", argv, acts=True)

    async def close(self) -> None:
        """Kill what still runs."""
        self._runner.close()


class CommandJob:
    """A run-once effect. Starting looks first, so that a program need not know what it has started already."""

    def __init__(self, options: CommandJobOptions, element: str) -> None:
        self._who = f"job {element}/{options.name}"
        self._options = options
        self._runner = _runner(options)

    async def start(self, key: str) -> None:
        """Run the starting program, unless the effect is there or under way."""
        found = await self.probe(key)
        if found == BROKEN:
            raise Permanent(f"{self._who} is broken half-way", remedy="Undo it first, or mend it by hand")
        if found == ABSENT:
            await _lever_words(self._runner, self._who, fill(self._options.start, "key", key), acts=True)

    async def probe(self, key: str) -> str:
        """What the probing program says."""
        answer = (await _lever_words(self._runner, self._who, fill(self._options.probe, "key", key))).strip()
        if answer not in JOB_STATES:
            raise Permanent(
                f"{self._who}: {self._options.probe[0]} wrote {self._runner.glimpse(answer)}",
                remedy=f"It must write one of {', '.join(JOB_STATES)}",
            )
        return answer

    async def undo(self, key: str) -> None:
        """Run the undoing program, unless there is nothing to undo."""
        if await self.probe(key) == ABSENT:
            return
        if self._options.undo is None:
            raise Permanent(f"{self._who} has no undo", remedy="A person has to take it back")
        await _lever_words(self._runner, self._who, fill(self._options.undo, "key", key), acts=True)

    async def close(self) -> None:
        """Kill what still runs."""
        self._runner.close()


async def _lever_words(runner: Runner, who: str, argv: Sequence[str], *, acts: bool = False) -> str:
    try:
        return await runner.run(argv)
    except Trouble as trouble:
        in_doubt = trouble.passing and (acts or not isinstance(trouble, TooMuch))
        kind = Retryable if in_doubt else Permanent
        raise kind(f"{who}: {trouble.message}", remedy=trouble.remedy) from trouble


def _runner(options: Surroundings) -> Runner:
    return Runner(options.cwd, options.env, options.timeout_seconds, options.hide)


def _as_word(value: LeverValue) -> str:
    """A value as one argument.

    >>> _as_word(True), _as_word(4), _as_word(0.25)
    ('true', '4', '0.25')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)

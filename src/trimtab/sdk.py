"""Let a Python program show its own numbers and settings to trimtab. Runs inside that program, so: standard library only.

    import trimtab

    @trimtab.sensor("queue_length")
    def queue_length() -> float:
        return len(queue)

    @trimtab.lever("workers", bounds=(1, 16))
    def workers() -> int:
        return pool.size

    @workers.setter
    def set_workers(value: int) -> None:
        pool.resize(value)

    trimtab.sdk.expose("./shop.sock")  # or "127.0.0.1:9200"; a daemon thread serves it

and in the agent's YAML: `{type: app, socket: ./shop.sock}`, which `trimtab init` writes by itself where the socket is in its
folder or in `$XDG_RUNTIME_DIR/trimtab`. Levers with a pair of functions at hand need no decorator:
`trimtab.lever("workers", bounds=(1, 16), read=pool.size, set=pool.resize)`.

Your functions run on other threads, one call at a time for each sensor and lever. What they raise is reported to the agent and
never reaches your program. A Unix socket is open to your user alone (mode 0600); a port only takes connections of this machine,
but of every user on it.

Protocol: one JSON object a line each way; a request is at most 64 KiB.
    {"op": "list"}                            → {"ok": true, "sensors": {name: {"unit": …}}, "levers": {name: {"kind": …}}}
    {"op": "read"}, optional "sensors": […]   → {"ok": true, "sensors": {name: {"value": 3.0, "unit": ""}}, "errors": {name: …}}
    {"op": "get", "lever": name}              → {"ok": true, "value": 4}
    {"op": "set", "lever": name, "value": 8}  → {"ok": true}
    whatever fails                            → {"ok": false, "error": why, "refused": true | false}
A value of null is missing; NaN and infinity travel as "nan", "inf", "-inf". `refused`: nothing was changed, and asking again
will not help. A line that is no JSON object ends the connection, so that no web page can get in through a browser.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

if TYPE_CHECKING:
    from trimtab.sdk_server import Exposure

KINDS = ("integer", "float", "choice", "boolean")
Read = TypeVar("Read", bound=Callable[[], Any])
Set = TypeVar("Set", bound=Callable[[Any], Any])


class Refused(ValueError):
    """A value or name that will not be taken. Nothing was changed."""


class ExposedLever(Generic[Read]):
    """A setting that the program exposes. Calling it reads it; its `setter` decorator says how it is set."""

    def __init__(self, name: str, read: Read, kind: str, bounds: tuple[float, float] | None, choices: tuple[str, ...]) -> None:
        self.name, self.kind, self.bounds, self.choices = name, kind, bounds, choices
        self._read: Callable[[], Any] = read
        self._set: Callable[[Any], Any] | None = None
        self._one_at_a_time = threading.RLock()
        self._held: set[Any] = set()  # values beyond the limits that it was found to hold: they may be restored

    def __call__(self) -> Any:
        """What the program's own function says."""
        return self._read()

    def setter(self, function: Set) -> Set:
        """Decorator: `function` sets the lever. Returned as it is, so give it a name of its own."""
        self._set = function
        return function

    def read(self) -> Any:
        """The value, as one of the lever's kind. Raises `Refused` where the program's function yields something else."""
        with self._one_at_a_time:
            value = as_kind(self.kind, self._read())
            if not self._within(value) and len(self._held) < 64:
                self._held.add(value)
            return value

    def write(self, raw: object) -> None:
        """Set it. Raises `Refused` for another kind of value, and beyond the limits unless it once held that value."""
        value = as_kind(self.kind, raw)
        if self._set is None:
            raise Refused(f"lever {self.name!r} has no setter: decorate one with @{self.name}.setter")
        with self._one_at_a_time:
            if not self._within(value) and value not in self._held:
                raise Refused(f"lever {self.name!r}: {value!r} is beyond {list(self.bounds or self.choices)}")
            try:
                self._set(value)
            except ValueError as error:  # Python's own way of refusing a value
                raise Refused(f"lever {self.name!r} refused {value!r}: {error}") from error

    def describe(self) -> dict[str, Any]:
        """What it is, for `list`."""
        return {"kind": self.kind, "bounds": self.bounds, "choices": self.choices, "settable": self._set is not None}

    def _within(self, value: Any) -> bool:
        if self.kind == "choice":
            return not self.choices or value in self.choices
        return self.bounds is None or self.bounds[0] <= value <= self.bounds[1]


class App:
    """The sensors and levers of one program. The module's own `sensor`, `lever` and `expose` are those of the one `default`."""

    def __init__(self) -> None:
        self._sensors: dict[str, tuple[Callable[[], Any], str, threading.RLock]] = {}
        self._levers: dict[str, ExposedLever[Any]] = {}
        self._table = threading.Lock()

    def sensor(self, name: str, *, unit: str = "") -> Callable[[Read], Read]:
        """Decorator: a function without arguments yields a number, or None where there is none now.

        `unit` is seconds, milliseconds, ratio, percent, bytes, megabytes, per_second or count; better to end the name with it.

        >>> app = App()
        >>> @app.sensor("queue_length")
        ... def queue_length():
        ...     return 3
        >>> app.answer({"op": "read"})["sensors"]
        {'queue_length': {'value': 3.0, 'unit': ''}}
        """
        _check_name(name)

        def expose_it(function: Read) -> Read:
            with self._table:
                known = self._sensors.get(name)
                _refuse_a_second("sensor", name, known and known[0], function)
                self._sensors[name] = (function, unit, threading.RLock())
            return function

        return expose_it

    @overload
    def lever(
        self, name: str, *, kind: str | None = ..., bounds: tuple[float, float] | None = ..., choices: Iterable[str] = ...
    ) -> Callable[[Read], ExposedLever[Read]]: ...

    @overload
    def lever(
        self,
        name: str,
        *,
        read: Read,
        set: Callable[[Any], Any],
        kind: str | None = ...,
        bounds: tuple[float, float] | None = ...,
        choices: Iterable[str] = ...,
    ) -> ExposedLever[Read]: ...

    def lever(
        self,
        name: str,
        *,
        read: Any = None,
        set: Callable[[Any], Any] | None = None,
        kind: str | None = None,
        bounds: tuple[float, float] | None = None,
        choices: Iterable[str] = (),
    ) -> Any:
        """Decorator of the function that reads a setting; without decorator, give `read` and `set`.

        `kind` is integer, float, choice or boolean: by default choice where there are `choices`, float where a bound is one, else
        integer. The value found at first may be restored even where it lies beyond the limits.

        >>> app, size = App(), [4]
        >>> workers = app.lever("workers", bounds=(1, 16), read=lambda: size[0], set=lambda value: size.__setitem__(0, value))
        >>> app.answer({"op": "set", "lever": "workers", "value": 8}), size
        ({'ok': True}, [8])
        """
        _check_name(name)
        options = tuple(choices)
        guessed = kind or (
            "choice" if options else "float" if any(isinstance(bound, float) for bound in bounds or ()) else "integer"
        )
        if guessed not in KINDS:
            raise ValueError(f"lever {name!r}: {kind!r} is no kind; it is one of {', '.join(KINDS)}")

        def expose_it(function: Read) -> ExposedLever[Read]:
            exposed = ExposedLever(name, function, guessed, bounds, options)
            with self._table:
                known = self._levers.get(name)
                _refuse_a_second("lever", name, known and known._read, function)
                self._levers[name] = exposed
            return exposed

        if read is None:
            return expose_it
        exposed = expose_it(read)
        if set is not None:
            exposed.setter(set)
        return exposed

    def expose(self, address: str) -> Exposure:
        """Serve on a Unix socket (a path) or on host:port of this machine until `close()` or the program's end.

        Raises `ValueError` for an address that is not local, `OSError` where it is taken.
        """
        from trimtab.sdk_server import Exposure

        return Exposure(self, address)

    def answer(self, request: object) -> dict[str, Any]:
        """The answer to one request of the protocol. Never raises: the program must not notice."""
        try:
            if not isinstance(request, Mapping):
                raise Refused("a request is a JSON object")
            operation = {"list": self._list, "read": self._read, "get": self._get, "set": self._set}.get(str(request.get("op")))
            if operation is None:
                raise Refused(f"no operation {request.get('op')!r}; it is one of list, read, get, set")
            return {"ok": True, **operation(request)}
        except Refused as error:
            return {"ok": False, "error": str(error), "refused": True}
        except BaseException as error:
            return {"ok": False, "error": _words(error), "refused": False}

    def _list(self, request: Mapping[str, Any]) -> dict[str, Any]:
        sensors = {name: {"unit": unit} for name, (_, unit, _) in sorted(self._sensors.copy().items())}
        return {"sensors": sensors, "levers": {name: lever.describe() for name, lever in sorted(self._levers.copy().items())}}

    def _read(self, request: Mapping[str, Any]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        exposed = self._sensors.copy()
        for name in request.get("sensors") or exposed:
            try:
                function, unit, one_at_a_time = exposed[name]
                with one_at_a_time:
                    values[name] = {"value": as_number(function()), "unit": unit}
            except KeyError as error:
                errors[str(name)] = _words(error) if name in exposed else "no such sensor"
            except BaseException as error:
                errors[str(name)] = _words(error)
        return {"sensors": values, "errors": errors}

    def _get(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return {"value": self._find(request).read()}

    def _set(self, request: Mapping[str, Any]) -> dict[str, Any]:
        self._find(request).write(request.get("value"))
        return {}

    def _find(self, request: Mapping[str, Any]) -> ExposedLever[Any]:
        try:
            return self._levers[str(request.get("lever"))]
        except KeyError:
            raise Refused(f"no lever {request.get('lever')!r}; known: {', '.join(sorted(self._levers)) or 'none'}") from None


def as_kind(kind: str, raw: object) -> Any:
    """`raw` as a value of a lever's kind, or `Refused`.

    >>> as_kind("integer", 4.0)
    4
    """
    if kind == "boolean" and isinstance(raw, bool):
        return raw
    if kind == "choice" and isinstance(raw, str):
        return str(raw)
    if kind in ("integer", "float") and isinstance(raw, Real) and not isinstance(raw, bool):
        number = _finite(raw)
        if number is not None and kind == "float":
            return number
        if number is not None and number.is_integer():
            return int(raw) if isinstance(raw, Integral) else int(number)
    raise Refused(f"expected a value of kind {kind}, got {raw!r:.80}")


def _finite(raw: Real) -> float | None:
    try:
        number = float(raw)
    except OverflowError:
        return None
    return number if isfinite(number) else None


def as_number(found: object) -> float | str | None:
    """A sensor's value as it travels: a float, None, or the name of a number that JSON cannot write."""
    if found is None:
        return None
    if isinstance(found, bool | str | bytes):
        raise TypeError(f"expected a number, got {found!r:.80}")
    number = float(found)  # type: ignore[arg-type]  # Decimal, NumPy and other numbers; what is none raises
    return number if isfinite(number) else str(number)


def _check_name(name: str) -> None:
    if not name or any(letter.isspace() or letter in "{}\"'" for letter in name):
        raise ValueError(f"{name!r} is no name: use letters, digits, '_', '.', '-'")


def _refuse_a_second(what: str, name: str, known: Any, function: Any) -> None:
    """Two hands on one name is a mistake; the same function again is a module that was reloaded."""
    if known is None:
        return
    one, other = ((getattr(f, "__module__", None), getattr(f, "__qualname__", repr(f))) for f in (known, function))
    if one != other or "<lambda>" in str(one[1]):
        raise ValueError(f"the {what} {name!r} is exposed already, by {one[1]}")


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


default = App()
sensor = default.sensor
lever = default.lever
expose = default.expose

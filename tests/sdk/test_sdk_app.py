"""The SDK's registry inside a host program: decorators, kinds, and errors that stay where they are."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

import trimtab
from trimtab import sdk
from trimtab.sdk import App


def ask(app: App, op: str, **more: object) -> dict[str, Any]:
    return app.answer({"op": op, **more})


def test_a_pair_of_functions_is_a_lever() -> None:
    app, pool = App(), {"size": 4}

    @app.lever("workers", bounds=(1, 16))
    def workers() -> int:
        return pool["size"]

    @workers.setter
    def set_workers(value: int) -> None:
        pool["size"] = value

    assert ask(app, "get", lever="workers") == {"ok": True, "value": 4}
    assert ask(app, "set", lever="workers", value=8) == {"ok": True}
    assert workers() == 8
    set_workers(2)  # both stay the program's own functions
    assert ask(app, "get", lever="workers")["value"] == 2


def test_the_package_offers_the_default_app() -> None:
    assert trimtab.sensor == sdk.default.sensor and trimtab.lever == sdk.default.lever


def test_what_is_exposed_is_listed() -> None:
    app = App()
    app.sensor("wait", unit="seconds")(lambda: 1.0)
    app.lever("level", choices=["low", "high"], read=lambda: "low", set=lambda value: None)
    app.lever("fixed")(lambda: 3)
    assert ask(app, "list") == {
        "ok": True,
        "sensors": {"wait": {"unit": "seconds"}},
        "levers": {
            "fixed": {"kind": "integer", "bounds": None, "choices": (), "settable": False},
            "level": {"kind": "choice", "bounds": None, "choices": ("low", "high"), "settable": True},
        },
    }


@pytest.mark.parametrize(
    ("options", "kind"),
    [
        pytest.param({}, "integer", id="by default"),
        pytest.param({"bounds": (1, 9)}, "integer", id="whole bounds"),
        pytest.param({"bounds": (0, 1.0)}, "float", id="a bound with a point"),
        pytest.param({"choices": ("a", "b")}, "choice", id="choices"),
        pytest.param({"kind": "boolean"}, "boolean", id="as told"),
    ],
)
def test_the_kind_is_guessed_from_what_is_given(options: dict[str, Any], kind: str) -> None:
    assert App().lever("x", read=lambda: 1, set=lambda value: None, **options).kind == kind


@pytest.mark.parametrize(
    ("found", "seen"),
    [
        pytest.param(3, 3.0, id="int"),
        pytest.param(np.float32(0.5), 0.5, id="NumPy"),
        pytest.param(Decimal("0.25"), 0.25, id="Decimal"),
        pytest.param(None, None, id="None is missing"),
        pytest.param(float("nan"), "nan", id="NaN"),
        pytest.param(float("-inf"), "-inf", id="infinity"),
    ],
)
def test_numbers_travel(found: object, seen: object) -> None:
    app = App()
    app.sensor("x")(lambda: found)
    assert ask(app, "read")["sensors"]["x"]["value"] == seen


@pytest.mark.parametrize("found", ["3", True, [1], object()], ids=["text", "boolean", "list", "object"])
def test_what_is_no_number_is_that_sensors_error_alone(found: object) -> None:
    app = App()
    app.sensor("bad")(lambda: found)
    app.sensor("good")(lambda: 1)
    answer = ask(app, "read")
    assert answer["ok"] and set(answer["sensors"]) == {"good"} and "TypeError" in answer["errors"]["bad"]


@pytest.mark.parametrize(
    ("kind", "raw", "value"),
    [
        pytest.param("integer", 4, 4, id="integer"),
        pytest.param("integer", 4.0, 4, id="whole float"),
        pytest.param("integer", np.int64(4), 4, id="NumPy integer"),
        pytest.param("integer", 2**70, 2**70, id="no precision is lost"),
        pytest.param("integer", 4.5, None, id="fraction"),
        pytest.param("integer", True, None, id="boolean is no integer"),
        pytest.param("integer", "4", None, id="text is no integer"),
        pytest.param("float", 4, 4.0, id="float"),
        pytest.param("float", float("nan"), None, id="NaN"),
        pytest.param("float", 10**400, None, id="beyond floats"),
        pytest.param("boolean", False, False, id="boolean"),
        pytest.param("boolean", 0, None, id="0 is no boolean"),
        pytest.param("choice", "a", "a", id="choice"),
        pytest.param("choice", 1, None, id="number is no choice"),
        pytest.param("integer", None, None, id="nothing"),
    ],
)
def test_kinds(kind: str, raw: object, value: object) -> None:
    if value is None:
        with pytest.raises(sdk.Refused, match=f"expected a value of kind {kind}"):
            sdk.as_kind(kind, raw)
    else:
        found = sdk.as_kind(kind, raw)
        assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("request_", "refused", "words"),
    [
        pytest.param([], True, "JSON object", id="no object"),
        pytest.param({}, True, "no operation None", id="no operation"),
        pytest.param({"op": "drop"}, True, "no operation 'drop'", id="unknown operation"),
        pytest.param({"op": ["get"]}, True, "no operation", id="operation of an odd kind"),
        pytest.param({"op": "get"}, True, "no lever None", id="no lever named"),
        pytest.param({"op": "get", "lever": "x"}, True, "known: knob", id="unknown lever"),
        pytest.param({"op": "set", "lever": "knob"}, True, "got None", id="no value"),
        pytest.param({"op": "set", "lever": "knob", "value": 17}, True, "beyond [1, 16]", id="beyond the bounds"),
        pytest.param({"op": "read", "sensors": 3}, False, "TypeError", id="sensors of an odd kind"),
    ],
)
def test_requests_that_cannot_be_served(request_: object, refused: bool, words: str) -> None:
    app = App()
    app.lever("knob", bounds=(1, 16), read=lambda: 4, set=lambda value: pytest.fail("nothing may be set"))
    answer = app.answer(request_)
    assert answer["ok"] is False and answer["refused"] is refused and words in answer["error"]


def test_a_value_found_beyond_the_bounds_may_be_restored_and_no_other() -> None:
    app, held = App(), [99]
    app.lever("knob", bounds=(1, 16), read=lambda: held[0], set=lambda value: held.__setitem__(0, value))
    assert not ask(app, "set", lever="knob", value=99)["ok"]  # never seen so far
    assert ask(app, "get", lever="knob")["value"] == 99
    assert ask(app, "set", lever="knob", value=5)["ok"]
    assert ask(app, "set", lever="knob", value=99)["ok"]
    assert not ask(app, "set", lever="knob", value=98)["ok"]


def make_sensor() -> Callable[[], int]:
    def reading() -> int:
        return 1

    return reading


def test_one_name_has_one_owner_but_may_be_reloaded() -> None:
    app = App()
    app.sensor("x")(make_sensor())
    app.sensor("x")(make_sensor())  # the same function of the same module: a reload
    with pytest.raises(ValueError, match="exposed already"):
        app.sensor("x")(lambda: 2)
    app.lever("y", read=lambda: 1, set=lambda value: None)
    with pytest.raises(ValueError, match="exposed already"):
        app.lever("y", read=lambda: 2, set=lambda value: None)


@pytest.mark.parametrize("name", ["", "two words", 'quo"te', "br{ace"])
def test_names_that_no_series_can_have(name: str) -> None:
    with pytest.raises(ValueError, match="is no name"):
        App().sensor(name)
    with pytest.raises(ValueError, match="is no name"):
        App().lever(name)


def test_an_unknown_kind_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="one of integer, float, choice, boolean"):
        App().lever("x", kind="text")


def test_a_levers_setter_runs_once_at_a_time() -> None:
    app, inside, most = App(), [0], [0]
    gate = threading.Barrier(4)

    def setter(value: object) -> None:
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        threading.Event().wait(0.005)
        inside[0] -= 1

    app.lever("knob", read=lambda: 1, set=setter)

    def client() -> None:
        gate.wait()
        ask(app, "set", lever="knob", value=1)

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most[0] == 1


def test_a_host_program_loads_nothing_but_the_standard_library() -> None:
    code = """
import sys
before = set(sys.modules)
import trimtab
trimtab.sensor("x")(lambda: 1)
trimtab.sdk.expose("127.0.0.1:0").close()
roots = {name.split(".")[0] for name in set(sys.modules) - before}
print(sorted(roots - set(sys.stdlib_module_names) - {"trimtab"}), sorted(n for n in sys.modules if n.startswith("trimtab.")))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[] ['trimtab.sdk', 'trimtab.sdk_server']"

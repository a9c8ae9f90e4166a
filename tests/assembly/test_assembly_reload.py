"""A reload of a real process, and of a `Service` in this one: what is kept, what is undone, what is said."""

from __future__ import annotations

import asyncio
import os
import pty
import re
import signal
import socket
import sys
import time
from dataclasses import replace as dataclass_replace

import httpx
import pytest

from assembly.child_agent import PLAIN_HTTP, environment, free_port, running, service, trimtab, until, write_config
from trimtab.assembly import service as service_module
from trimtab.assembly.service import Service
from trimtab.domain.actions import ActionState as S
from trimtab.domain.errors import AlreadyRunning, ConfigError, Conflict
from trimtab.plan.storm import Storm
from trimtab.storage.folder import DataFolder
from trimtab.storage.journal import SqliteJournal


def rows(folder, *kinds):
    """The journal's notes of these kinds, oldest first."""

    async def read():
        journal = SqliteJournal(folder / "journal.db")
        try:
            await journal.verify()
            return list(reversed(await journal.notes(kinds, 100))), list(await journal.recent(100))
        finally:
            await journal.close()

    return asyncio.run(read())


def status(port):
    with httpx.Client(trust_env=False, timeout=2.0, verify=PLAIN_HTTP) as client:
        return client.get(f"http://127.0.0.1:{port}/agent/status").json()


def answers(port):
    try:
        return status(port)["state"]
    except httpx.HTTPError:
        return None


def replaced(config, *pairs):
    """Rewrite the configuration; returns what it was."""
    before = text = config.read_text()
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    config.write_text(text)
    return before


def test_a_reload_undoes_what_is_unproven_and_goes_on_with_the_new_settings(tmp_path):
    port = free_port()
    with service(load=6.0) as (shop, url):
        config = write_config(tmp_path, url, settle=60, port=port)
        with running(config) as child:
            until(lambda: shop.puts)  # an action has set its lever and will settle for a minute
            before = status(port)
            replaced(config, ("target_value: 0.2", "target_value: 5"))
            done = trimtab("reload", "--config", config)
            assert (done.returncode, done.stdout.strip()) == (0, "reloaded: goals[0].target_value changed")
            assert shop.levers == {"workers": 2, "cache": 2}
            after = status(port)
            assert child.poll() is None
            assert after["uptime_seconds"] > before["uptime_seconds"]
            until(lambda: [goal["target"] for goal in status(port)["goals"][:1]] == [5.0])
            assert after["config"]["problem"] is None and after["config"]["loaded_at"] > before["config"]["loaded_at"]
            other = trimtab("run", "--config", write_config(tmp_path, url, name="other.yaml"))
            assert other.returncode == 1 and f"process id {child.pid}" in other.stderr  # the lock is still held
    notes, records = rows(tmp_path / "data", "reloaded", "reload_refused")
    assert [(row.kind, row.reason) for row in notes] == [("reloaded", "Configuration reloaded: goals[0].target_value changed")]
    assert notes[0].actor == "local 127.0.0.1"
    undone = [record for record in records if record.executed_at]
    assert [record.state for record in undone] == [S.ROLLED_BACK]
    assert "the configuration is reloaded before the change was proven" in undone[0].reason
    log = (tmp_path / "agent.log").read_text()
    assert log.count("Agent started") == 2 and "Traceback" not in log


def test_with_mistakes_in_the_file_the_old_settings_stay_and_every_mistake_is_told(tmp_path):
    port = free_port()
    with service() as (shop, url):
        config = write_config(tmp_path, url, port=port)
        with running(config) as child:
            good = replaced(config, ("target_value", "targt_value"), ("bounds: [1, 8]", "bounds: [8, 1]"))
            done = trimtab("reload", "--config", config)
            assert (done.returncode, done.stdout) == (1, "")
            places = re.findall(rf"^{re.escape(str(config))}:\d+:\d+: .+$", done.stderr, re.MULTILINE)
            assert len(places) == 3 and "did you mean 'target_value'?" in done.stderr
            assert all(place.split(": ", 1)[1] in status(port)["config"]["problem"] for place in places)
            assert "stay in use" in done.stderr and "Traceback" not in done.stderr
            shown = trimtab("status", "--config", config)  # works with the file as it is
            assert shown.returncode == 0 and "not in use" in shown.stdout
            assert trimtab("pause", "--config", config).returncode == 0  # so does the switch
            assert trimtab("resume", "--config", config).returncode == 0
            seen = shop.reads
            until(lambda: shop.reads > seen + 2)
            config.write_text(good)
            child.send_signal(signal.SIGHUP)
            until(lambda: status(port)["config"]["problem"] is None)
    notes, _ = rows(tmp_path / "data", "reloaded", "reload_refused")
    assert [row.kind for row in notes] == ["reload_refused"]
    assert notes[0].actor == "local 127.0.0.1" and "targt_value" in notes[0].reason
    log = (tmp_path / "agent.log").read_text()
    assert log.count("Agent started") == 1 and "nothing has changed" in log


def test_another_port_is_moved_to_and_the_command_line_finds_it_either_way(tmp_path):
    first, second = free_port(), free_port()
    with service() as (_, url):
        config = write_config(tmp_path, url, port=first)
        with running(config):
            replaced(config, (f"port: {first}", f"port: {second}"))
            assert trimtab("status", "--config", config).returncode == 0  # it is still at the first one
            done = trimtab("reload", "--config", config)
            assert (done.returncode, done.stdout.strip()) == (0, "reloaded: api.port changed")
            assert (answers(first), answers(second)) == (None, "running") or answers(second) == "hold"
            with socket.create_server(("127.0.0.1", 0)) as taken:
                third = taken.getsockname()[1]
                replaced(config, (f"port: {second}", f"port: {third}"))
                done = trimtab("reload", "--config", config)
                assert done.returncode == 1
                assert f"Cannot listen on 127.0.0.1:{third}" in done.stderr and "api.port" in done.stderr
                assert "Cannot listen" in status(second)["config"]["problem"]


def test_sighup_reloads_and_says_so(tmp_path):
    port = free_port()
    with service() as (_, url):
        config = write_config(tmp_path, url, port=port)
        with running(config) as child:
            replaced(config, ("bounds: [1, 8]", "bounds: [1, 9]"))
            child.send_signal(signal.SIGHUP)
            until(lambda: "Configuration reloaded: elements[0].levers[1].bounds changed" in (tmp_path / "agent.log").read_text())
    notes, _ = rows(tmp_path / "data", "reloaded")
    assert [row.actor for row in notes] == ["signal SIGHUP"]


# -- a service in this process


@pytest.fixture
def play(tmp_path):
    """Run a story beside a service, and stop it at the end."""

    def run(story, **about):
        async def both(url, shop):
            config = write_config(tmp_path, url, **{"port": free_port(), **about})
            served = Service(config)
            work = asyncio.ensure_future(served.run())
            try:
                await at_work(served)
                await story(served, config, shop)
            finally:
                served.stop()
                await asyncio.wait_for(work, 10.0)

        with service(load=6.0) as (shop, url):
            asyncio.run(both(url, shop))

    return run


async def soon(condition):
    for _ in range(6000):
        if condition():
            return
        await asyncio.sleep(0.002)
    raise AssertionError("it did not come to that in time")


async def at_work(served, after=None):
    await soon(lambda: served._at_work and served._agent is not after and not served._busy)
    return served._agent


def test_where_no_agent_starts_with_the_new_settings_the_old_ones_are_used_again(play, tmp_path, monkeypatch):
    failing = {"left": 1}
    real = service_module.on_disk

    def once(settings):
        if settings.goals[0].target_value == 0.3 and failing["left"]:
            failing["left"] -= 1
            raise OSError(28, "No space left")
        return real(settings)

    async def told(served, config, shop):
        first = await at_work(served)
        monkeypatch.setattr(service_module, "on_disk", once)
        replaced(config, ("target_value: 0.2", "target_value: 0.3"))
        assert await served.reload("ann") == ("goals[0].target_value",)
        second = await at_work(served, after=first)
        assert "No space left" in second.parts.origin.problem
        assert served.settings.goals[0].target_value == 0.2
        assert await served.reload("ann") == ("goals[0].target_value",)  # and once there is room
        third = await at_work(served, after=second)
        assert (third.parts.origin.problem, served.settings.goals[0].target_value) == (None, 0.3)

    play(told)
    notes, _ = rows(tmp_path / "data", "reloaded", "reload_failed")
    assert [(row.kind, row.actor) for row in notes] == [("reload_failed", "ann"), ("reloaded", "ann")]


def test_a_new_data_folder_is_locked_before_the_old_one_is_left(play, tmp_path):
    def free(folder):
        try:
            with DataFolder(folder).lock():
                return True
        except AlreadyRunning:
            return False

    async def story(served, config, shop):
        first = await at_work(served)
        with DataFolder(tmp_path / "taken").lock():
            replaced(config, ("path: data", "path: taken"))
            with pytest.raises(ConfigError, match="already works on the data folder"):
                await served.reload("ann")
        assert (free(tmp_path / "data"), served._agent) == (False, first)
        replaced(config, ("path: taken", "path: new"))
        assert await served.reload("ann") == ("storage.path",)
        await at_work(served, after=first)
        assert (free(tmp_path / "new"), free(tmp_path / "data")) == (False, True)

    play(story)
    assert free(tmp_path / "new")


def held(folder):
    return DataFolder(folder, create=False).held()


def test_a_refused_reload_lets_go_of_the_other_folder_and_leaves_no_new_one(play, tmp_path):
    async def story(served, config, shop):
        first = await at_work(served)
        (tmp_path / "there").mkdir(mode=0o700)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = f"port: {served.settings.api.port}"
            for folder in ("there", "new/inner"):
                before = replaced(config, ("path: data", f"path: {folder}"), (port, f"port: {taken.getsockname()[1]}"))
                with pytest.raises(ConfigError, match="Cannot listen"):
                    await served.reload("ann")
                config.write_text(before)
        assert not held(tmp_path / "there") and held(tmp_path / "data") and served._agent is first
        assert not (tmp_path / "new").exists()
        await soon(lambda: not served._busy)

    play(story)
    notes, _ = rows(tmp_path / "data", "reload_refused", "reload_failed")
    assert [row.kind for row in notes] == ["reload_refused"] * 2


def test_a_port_that_is_taken_is_found_before_the_agent_ends(play, tmp_path):
    async def story(served, config, shop):
        first = await at_work(served)
        with socket.create_server(("127.0.0.1", 0)) as taken:
            replaced(config, (f"port: {served.settings.api.port}", f"port: {taken.getsockname()[1]}"))
            with pytest.raises(ConfigError, match="Cannot listen"):
                await served.reload("ann")
        assert served._agent is first and not first._stopping and first.gatekeeper.closing is None

    play(story)
    notes, _ = rows(tmp_path / "data", "reload_refused", "reload_failed")
    assert [row.kind for row in notes] == ["reload_refused"]


def _halted(agent):
    agent.gatekeeper.storm = lambda now: Storm(5, now + 60.0, "storm halt: 5 changes did harm.")


def _frozen(agent):
    state = agent.levers.states["shop/workers"]
    agent.levers.states["shop/workers"] = dataclass_replace(state, frozen="its rollback failed")


@pytest.mark.parametrize(
    ("still", "says"),
    [
        (lambda agent: agent.gatekeeper.pause("ann", agent.now()), "paused by ann"),
        (lambda agent: agent.parts.pause_file.touch(), "paused by the file"),
        (_halted, "storm halt"),
        (_frozen, "its rollback failed"),
    ],
    ids=["paused", "PAUSE", "storm", "frozen"],
)
@pytest.mark.parametrize("moves", [True, False])
def test_what_stands_still_does_not_move_to_a_folder_that_knows_nothing_of_it(play, tmp_path, still, says, moves):
    async def story(served, config, shop):
        first = await at_work(served)
        if (work := still(first)) is not None:
            await work
        replaced(config, ("path: data", "path: new") if moves else ("target_value: 0.2", "target_value: 0.3"))
        if moves:
            with pytest.raises(ConfigError, match=says) as refused:
                await served.reload("ann")
            assert "stop the agent and move its folder" in str(refused.value.remedy)
            assert not (tmp_path / "new").exists() and served._agent is first and held(tmp_path / "data")
        else:
            assert await served.reload("ann") == ("goals[0].target_value",)
            await at_work(served, after=first)

    play(story)


def test_a_pause_while_the_agent_makes_way_moves_with_it(play, tmp_path):
    async def story(served, config, shop):
        first = await at_work(served)
        replaced(config, ("path: data", "path: new"))
        assert await served.reload("ann") == ("storage.path",)
        await first.pause("bob")
        second = await at_work(served, after=first)
        assert second.gatekeeper.paused and "paused by bob" in (tmp_path / "new" / "PAUSE").read_text()

    play(story)


def test_a_signal_during_a_reload_is_honoured_after_it(play):
    async def story(served, config, shop):
        first = await at_work(served)
        replaced(config, ("target_value: 0.2", "target_value: 0.3"))
        await served.reload("ann")
        replaced(config, ("target_value: 0.3", "target_value: 0.4"))
        os.kill(os.getpid(), signal.SIGHUP)
        await soon(lambda: served._again)
        await soon(lambda: served.settings.goals[0].target_value == 0.4)
        assert served._agent is not first

    play(story)


def test_one_reload_at_a_time_and_none_without_a_change(play):
    async def story(served, config, shop):
        first = await at_work(served)
        await soon(lambda: first.goal_states() and first.goal_states()[0].current is not None)  # five samples and more
        assert await served.reload("ann") == ()
        assert served._agent is first
        replaced(config, ("target_value: 0.2", "target_value: 0.3"))
        both = await asyncio.gather(served.reload("ann"), served.reload("bob"), return_exceptions=True)
        assert [type(each) for each in both] == [tuple, Conflict]
        second = await at_work(served, after=first)
        assert second.started_at == first.started_at
        await soon(second.goal_states)
        assert second.goal_states()[0].current is not None  # at the first analysis: its windows came from the store

    play(story)


def test_an_error_that_nobody_foresaw_refuses_the_reload_and_not_the_next_one(play, monkeypatch):
    async def story(served, config, shop):
        first = await at_work(served)
        replaced(config, ("target_value: 0.2", "target_value: 0.3"))
        with monkeypatch.context() as broken:
            broken.setattr(service_module, "assemble", lambda *args, **kwargs: 1 / 0)
            with pytest.raises(ConfigError, match="ZeroDivisionError"):
                await served.reload("ann")
        assert served._agent is first
        assert await served.reload("ann") == ("goals[0].target_value",)
        await at_work(served, after=first)

    play(story)


def test_a_secret_is_named_never_shown(play, capfd):
    async def story(served, config, shop):
        first = await at_work(served)
        replaced(config, ("settle_seconds: 1,", 'settle_seconds: 1, headers: {Authorization: "Bearer hunter22"},'))
        changed = await served.reload("ann")
        second = await at_work(served, after=first)
        replaced(config, ("hunter22", "hunter33"))
        again = await served.reload("ann")
        await at_work(served, after=second)
        assert changed == again == ("elements[0].levers[0].headers", "elements[0].levers[1].headers")

    play(story)
    said = capfd.readouterr()
    assert "hunter" not in said.err + said.out and "levers[0].headers" in said.err


def test_stopped_in_the_middle_of_a_reload_it_ends_at_once(play):
    async def story(served, config, shop):
        replaced(config, ("target_value: 0.2", "target_value: 0.3"))
        await served.reload("ann")
        served.stop()
        await soon(lambda: not served._locks)

    play(story)


@pytest.mark.parametrize("nohup", [False, True], ids=["", "nohup"])
def test_a_terminal_that_is_closed_ends_it_in_order_unless_it_was_told_to_outlive_that(tmp_path, nohup):
    with service(load=6.0) as (shop, url):
        config = write_config(tmp_path, url, settle=60)
        child, terminal = pty.fork()
        if child == 0:  # a session of its own, with the terminal as its controlling one
            signal.signal(signal.SIGHUP, signal.SIG_IGN if nohup else signal.SIG_DFL)
            os.execve(sys.executable, [sys.executable, "-m", "trimtab", "run", "--config", str(config)], environment())
        try:
            until(lambda: shop.puts or not os.read(terminal, 65_536))
            os.close(terminal)
            until(lambda: os.waitpid(child, os.WNOHANG)[0] == child or (nohup and _reads_on(shop)))
            assert (shop.levers == {"workers": 2, "cache": 2}) is not nohup
        finally:
            if nohup:
                os.kill(child, signal.SIGTERM)
                os.waitpid(child, 0)


def _reads_on(shop):
    seen = shop.reads
    time.sleep(1.0)
    return shop.reads > seen + 2

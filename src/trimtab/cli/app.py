"""The commands, one function each; what they do is in the modules beside this one, imported when a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from trimtab.domain.access import Role
from trimtab.domain.errors import TrimtabError

USAGE = 64  # sysexits.h: EX_USAGE
UsageError = cast(
    "type[Exception]", typer.BadParameter.__bases__[0]
)  # typer brings its own click or uses the installed one; this names whichever it is

Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="Configuration file. Default: $TRIMTAB_CONFIG or trimtab.yaml")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


def _actions(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from trimtab.cli import completion

    return completion.actions(ctx.info_name or "", ctx.params.get("config"), incomplete)


def _tokens(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    from trimtab.cli import completion

    return completion.tokens(ctx.params.get("config"), incomplete)


ActionId = Annotated[
    str,
    typer.Argument(help="Id of the action, e.g. workers_increase_1763632800, or its beginning.", autocompletion=_actions),
]
PlanHash = Annotated[str | None, typer.Option("--plan-hash", help="Only if the plan still has this hash.")]

app = typer.Typer(
    name="trimtab",
    help="Finds what is off in running software, makes one small change, proves that it helped, and undoes it if not.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
config_app = typer.Typer(help="Check the configuration, or print its schema.", no_args_is_help=True)
token_app = typer.Typer(help="Make, list and revoke tokens for the REST interface.", no_args_is_help=True)
app.add_typer(config_app, name="config")
app.add_typer(token_app, name="token")


def run() -> None:
    """Parse, run, and turn every expected failure into a sentence and an exit code."""
    try:
        result = app(standalone_mode=False)
    except UsageError as error:
        cast("Any", error).message = str(cast("Any", error).message).replace("Value error, ", "")
        cast("Any", error).show()
        if sys.argv[1:2] and sys.argv[1].partition("=")[0] in ("--config", "-c", "--json"):
            name = sys.argv[1].partition("=")[0]
            print(f"Options go after the command, e.g. trimtab status {name}", file=sys.stderr)  # noqa: T201
        sys.exit(USAGE)
    except (typer.Abort, KeyboardInterrupt):
        if sys.stderr.isatty():
            print(file=sys.stderr)  # noqa: T201 - what the terminal shows of Ctrl-C stands on a line of its own
        sys.exit(130)
    except TrimtabError as error:
        from trimtab.cli.stderr import say

        say(f"trimtab: {error}")
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    sys.exit(result if isinstance(result, int) else 0)


def _version(wanted: bool) -> None:
    if wanted:
        from trimtab import __version__

        typer.echo(f"trimtab {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None: ...


@app.command()
def demo(
    seed: Annotated[int | None, typer.Option("--seed", help="Draws the faults: one seed, one draw. Default: any.")] = None,
    faults: Annotated[
        str, typer.Option("--faults", help="drawn, all, none, or names with commas: index, cache, batch, workers.")
    ] = "drawn",
    duration_limit: Annotated[float, typer.Option("--duration-limit", min=10.0, help="Give up after so many seconds.")] = 350.0,
    json: Json = False,
) -> int:
    """See the loop find and cure real faults, and undo harm, on a real service on this machine: one to six minutes."""
    from trimtab.demo.faults import BadChoice
    from trimtab.demo.run import main

    try:
        return main(json=json, seed=seed, faults=faults, duration_limit=duration_limit)
    except BadChoice as error:
        raise typer.BadParameter(str(error), param_hint="--faults") from None


@app.command()
def init(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where to write it.")] = Path("trimtab.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace what is there; it is kept as .bak.")] = False,
    probe: Annotated[
        bool | None,
        typer.Option(
            "--probe/--no-probe", "--yes", help="Ask local ports for GET /metrics unquestioned, or ask none.", show_default=False
        ),
    ] = None,
    json: Json = False,
) -> int:
    """Write a first configuration for this machine. Looks at what runs here; every lever in it asks."""
    from trimtab.cli.init import init as write

    return write(output, force, probe, json)


@app.command()
def doctor(config: Config = None, json: Json = False) -> int:
    """Find what is wrong, and say how to mend it. Changes nothing; exits with 1 where something does not work."""
    from trimtab.cli.doctor import doctor as examine

    return examine(config, json)


@app.command("run")
def run_agent(config: Config = None) -> int:
    """Run the agent until Ctrl-C; what is unproven then is undone."""
    from trimtab.cli.service import serve

    return serve(config)


@app.command()
def status(config: Config = None, json: Json = False) -> int:
    """Show how the agent and its goals stand."""
    from trimtab.cli import reading

    return reading.status(config, json)


@app.command()
def goals(config: Config = None, json: Json = False) -> int:
    """Show each goal with its target and where it stands."""
    from trimtab.cli import reading

    return reading.goals(config, json)


@app.command()
def forecast(
    metric: Annotated[str | None, typer.Argument(help="A metric's name. Default: goals, guards, load, cost.")] = None,
    hours: Annotated[float, typer.Option("--hours", min=0.1, max=336.0, help="How far ahead.")] = 24.0,
    config: Config = None,
    json: Json = False,
) -> int:
    """Show what is expected to come, and how sure that is."""
    from trimtab.cli import ahead

    return ahead.forecast(config, metric, hours, json)


@app.command()
def actions(config: Config = None, json: Json = False) -> int:
    """Show what is under way or awaits an answer."""
    from trimtab.cli import reading

    return reading.actions(config, json)


@app.command()
def history(
    config: Config = None, count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many.")] = 20, json: Json = False
) -> int:
    """Show the latest actions and how they ended, newest first."""
    from trimtab.cli import reading

    return reading.history(config, count, json)


@app.command()
def explain(action_id: ActionId, config: Config = None, json: Json = False) -> int:
    """Tell the whole life of an action. Why it was decided, every step, its verdict, and what was learned."""
    from trimtab.cli import reading

    return reading.explain(config, action_id, json)


@app.command()
def plan(config: Config = None, json: Json = False) -> int:
    """Show what would be done now, and why not more. Exits with 0 for nothing, 2 for changes proposed, 1 for an error."""
    from trimtab.cli import planning

    return planning.plan(config, json)


@app.command()
def simulate(
    plant: Annotated[
        str | None, typer.Option("--plant", help="A shipped plant (web_cluster, cache, …), or one of yours: module:Class")
    ] = None,
    recording: Annotated[
        Path | None, typer.Option("--recording", help="Replay what was recorded instead: a data folder, or a CSV file.")
    ] = None,
    config: Config = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", min=1.0, help="Seconds of virtual time. Default: an hour, or all that is recorded."),
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="Replay from here: 2026-11-20T08:00 or Unix seconds.")] = None,
    lever: Annotated[
        list[str] | None,
        typer.Option("--lever", help="What a lever held, if that was not recorded: shop/workers=4. Repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed tells the same story.")] = 0,
    json: Json = False,
) -> int:
    """Let the very same agent run a simulated system, or the recorded past, in virtual time; nothing real is touched."""
    from trimtab.cli import simulate as simulation

    if plant is not None and recording is None:
        return simulation.simulate(config, plant, duration or 3600.0, seed, json)
    if recording is not None and plant is None:
        return simulation.replay(config, recording, start, duration, lever or [], json)
    raise typer.BadParameter("give --plant or --recording, and not both", param_hint="--plant")


@app.command()
def detect(
    source: Annotated[Path, typer.Argument(metavar="IN.csv", help="Columns timestamp (Unix seconds or ISO 8601) and value.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Each row, with expected,lower,upper,score,is_anomaly.")],
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.01, max=100.0, help="anomaly_threshold_stddev: higher finds less.")
    ] = 2.5,
    json: Json = False,
) -> int:
    """Find the anomalies in a file, sample after sample, as the agent would have live; needs no configuration."""
    from trimtab.cli import detect as detecting

    return detecting.detect(source, output, threshold, json)


@app.command()
def approve(action_id: ActionId, config: Config = None, plan_hash: PlanHash = None, json: Json = False) -> int:
    """Let an action run that awaits approval."""
    return _ask(config, "/agent/action/approve", {"action_id": action_id, "approved": True, "plan_hash": plan_hash}, json)


@app.command()
def reject(action_id: ActionId, config: Config = None, plan_hash: PlanHash = None, json: Json = False) -> int:
    """Decline an action that awaits approval."""
    return _ask(config, "/agent/action/reject", {"action_id": action_id, "plan_hash": plan_hash}, json)


@app.command()
def rollback(action_id: ActionId, config: Config = None, json: Json = False) -> int:
    """Take an action back, whether it is under way or was kept."""
    return _ask(config, "/agent/action/rollback", {"action_id": action_id}, json)


@app.command()
def pause(
    undo: Annotated[bool, typer.Option("--undo", help="Also take back, at once, everything that is under way.")] = False,
    config: Config = None,
    json: Json = False,
) -> int:
    """Start nothing new; what is under way is finished or undone. If it hangs: by a file in its data folder."""
    from trimtab.cli import switching

    return switching.pause(config, undo, json)


@app.command()
def resume(config: Config = None, json: Json = False) -> int:
    """Start again after a pause or a storm halt."""
    from trimtab.cli import switching

    return switching.resume(config, json)


@app.command()
def reload(config: Config = None, json: Json = False) -> int:
    """Have the running agent go on with the configuration as it is now; with mistakes in it, it keeps the old one."""
    from trimtab.cli import switching

    return switching.reload(config, json)


def _ask(config: Path | None, path: str, body: dict[str, Any], json: bool) -> int:
    from trimtab.cli import asking

    return asking.ask(config, path, body, json)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE.tar.gz|FOLDER", help="Where to; in a folder the name tells the time.")],
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    json: Json = False,
) -> int:
    """Copy all that the agent keeps into one file, while it runs or not, and prove that it can be read."""
    from trimtab.cli import backup as backing

    return backing.backup(config, target, force, json)


@app.command()
def restore(
    archive: Annotated[Path, typer.Argument(metavar="FILE.tar.gz", help="What `trimtab backup` made.")],
    config: Config = None,
    force: Annotated[bool, typer.Option("--force", help="Also where there are data; they are moved aside, not deleted.")] = False,
    json: Json = False,
) -> int:
    """Put a backup in the place of the data folder. The agent has to be stopped."""
    from trimtab.cli import backup as backing

    return backing.restore(config, archive, force, json)


@config_app.command("validate")
def config_validate(config: Config = None, json: Json = False) -> int:
    """Check the configuration; every mistake is shown with its line."""
    from trimtab.cli import configuration

    return configuration.validate(config, json)


@config_app.command("schema")
def config_schema() -> int:
    """Print the JSON schema of the configuration."""
    from trimtab.cli import configuration

    return configuration.schema()


@token_app.command("create")
def token_create(
    name: Annotated[str, typer.Argument(help="Whom it is for; recorded as the actor of what is done with it.")],
    role: Annotated[Role, typer.Option("--role", help="viewer (reads), operator (reads and acts) or admin.")] = Role.OPERATOR,
    days: Annotated[float | None, typer.Option("--days", min=0.001, help="Valid for this long. Default: until revoked.")] = None,
    config: Config = None,
    json: Json = False,
) -> int:
    """Make a token and print it, once: only its hash is kept."""
    from trimtab.cli import tokens

    return tokens.create(config, name, role.value, days, json)


@token_app.command("list")
def token_list(config: Config = None, json: Json = False) -> int:
    """List the tokens, without their secrets."""
    from trimtab.cli import tokens

    return tokens.show_all(config, json)


@token_app.command("revoke")
def token_revoke(
    name: Annotated[str, typer.Argument(help="Whose token.", autocompletion=_tokens)], config: Config = None, json: Json = False
) -> int:
    """Revoke a token, at once."""
    from trimtab.cli import tokens

    return tokens.revoke(config, name, json)

"""Run the commands of a README: every fenced `console` block that stands under an `<!-- ci -->` line, in order, in one shell.

    python tests/packaging/readme_commands.py README.md [--limit SECONDS] [--list] [--offline]

A line that begins with `$ ` is a command, `> ` continues it, anything else is output and is not compared. A command fails the run
by any exit status but 0, or those that its comment names: `# exits with 0 or 2: …`. All blocks share a shell, so that `cd`,
`export` and jobs in the background carry on; whatever is left running at the end, or at the limit, is ended.

With `--offline`, `make install` is run first, then everything in a network namespace of its own that has a loopback and nothing
else: what was installed must be all that is needed. That fails where the system does not let a user make one.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import re
import shlex
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

BLOCK = re.compile(r"^<!-- ci -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXITS = re.compile(r"\s#\s*exits with (\d+(?: or \d+)*)\b")
PATIENCE = 6.0  # seconds: an agent undoes what is unproven within five
PRELUDE = """set -uo pipefail
checked() {  # the status that a command ended with, those that it may end with, and the command
  case " $2 " in *" $1 "*) ;; *) echo "FAILED with exit status $1: $3" >&2; exit 1;; esac
}
"""


def commands(text: str) -> list[str]:
    """Every command of the marked blocks, in order. Raises `ValueError` where a marked block has none."""
    found: list[str] = []
    for number, block in enumerate(BLOCK.findall(text), 1):
        before = len(found)
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            elif line.startswith("> ") and len(found) > before:
                found[-1] += "\n" + line[2:]
        if len(found) == before:
            raise ValueError(f"the marked block {number} has no command: a command begins with '$ '")
    return found


def script(wanted: list[str]) -> str:
    """One bash script that shows each command, runs it, and ends at the first that fails."""
    lines = [PRELUDE]
    for command in wanted:
        named = EXITS.search(command)
        allowed = named[1].replace(" or ", " ") if named else "0"
        told = shlex.quote(command)
        lines.append(f"printf '\\n$ %s\\n' {told}\n{command}\nchecked $? {shlex.quote(allowed)} {told}\n")
    return "".join(lines)


CUT_OFF = ["unshare", "--map-root-user", "--net", sys.executable, __file__, "--loopback"]


def run(wanted: list[str], folder: Path, limit: float, *, offline: bool = False) -> int:
    """Exit status 0 where every command did what it should within `limit` seconds."""
    if offline:
        subprocess.run(["make", "install"], cwd=folder, stdin=subprocess.DEVNULL, check=True)
    shell_script = ["bash", "-c", script(wanted)]
    command = [*CUT_OFF, *shell_script] if offline else shell_script
    shell = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        return shell.wait(timeout=limit)
    except subprocess.TimeoutExpired:
        print(f"FAILED: not done after {limit:g} s", file=sys.stderr)
        return 1
    finally:
        _end(shell)


def _end(shell: subprocess.Popen[bytes]) -> None:
    """End what the commands left behind, the shell's whole process group: asked first, and killed `PATIENCE` seconds later."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(shell.pid, signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            shell.poll()  # a shell that has ended must be fetched, or its group stays
            os.killpg(shell.pid, 0)
            time.sleep(0.05)
        os.killpg(shell.pid, signal.SIGKILL)
    shell.wait()


def _on_loopback_alone(command: list[str]) -> NoReturn:
    """Become `command`, in this fresh network namespace, with its loopback up. Fails where anything else can be reached."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        request = struct.pack("16sh", b"lo", 0x1 | 0x40)  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
        fcntl.ioctl(asked, 0x8914, request)
    interfaces = {name for _, name in socket.if_nameindex()}
    if interfaces != {"lo"}:
        sys.exit(f"FAILED: the network is not cut: {', '.join(sorted(interfaces))}")
    print("the network is cut: there is a loopback and nothing else", flush=True)
    os.execvp(command[0], command)


def main() -> int:
    """Parse, run, answer with the exit status."""
    if sys.argv[1:2] == ["--loopback"]:
        _on_loopback_alone(sys.argv[2:])
    parser = argparse.ArgumentParser(description="Run the commands of a README.")
    parser.add_argument("readme", type=Path)
    parser.add_argument("--limit", type=float, default=600.0, help="seconds for all of it")
    parser.add_argument("--list", action="store_true", help="show the commands only")
    parser.add_argument("--offline", action="store_true", help="install first, then run them with the network cut")
    options = parser.parse_args()
    wanted = commands(options.readme.read_text(encoding="utf-8"))
    if not wanted:
        print(f"FAILED: {options.readme} has no marked command", file=sys.stderr)
        return 1
    if options.list:
        print("\n".join(wanted))
        return 0
    return run(wanted, options.readme.resolve().parent, options.limit, offline=options.offline)


if __name__ == "__main__":
    sys.exit(main())

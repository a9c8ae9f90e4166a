"""Which agent stands behind a data folder or a port of this machine, asked of the system: for when no agent says so itself."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from trimtab.storage.layout import LOCK


def agent_on_port_of(url: str) -> str:
    """ " (process id 4711 on /var/lib/trimtab)" where an agent of this user listens there; "" where that cannot be told."""
    import psutil

    with suppress(psutil.Error, OSError, ValueError):
        port = urlsplit(url).port
        listening = (each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN and each.pid)
        for pid in {each.pid for each in listening if each.laddr and each.laddr[1] == port}:
            for file in psutil.Process(pid).open_files():
                if (path := Path(file.path)).name == LOCK:
                    return f" (process id {pid} on {path.parent})"
    return ""

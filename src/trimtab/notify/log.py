"""The notifier that is always there: a line in the log."""

from __future__ import annotations

import structlog


class LogNotifier:
    """Writes each event as one log line."""

    def __init__(self) -> None:
        self._log = structlog.get_logger("trimtab.notify")

    async def notify(self, event: str, title: str, body: str) -> None:
        """`event` is approval, rollback, failed, foreign_write, storm, …"""
        self._log.warning("Notification", notify=event, title=title, body=body)

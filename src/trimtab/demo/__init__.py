"""The demonstration: a real HTTP service under real load, with too few workers, and the agent that puts it right.

Reads: nothing of yours; it makes a folder and processes of its own, and removes them. Produces: a table of what was measured
before and after each change. May import: everything below `cli`. Never: another code path than `trimtab run` takes, a number
that was not measured, anything left behind.
"""

from __future__ import annotations

DEFAULT_LIMIT_SECONDS = 180.0  # the whole story, start and clean-up included


def main(*, json: bool = False, duration_limit: float = DEFAULT_LIMIT_SECONDS) -> int:
    """Tell the story once; the exit status is 0 only where every step of it succeeded.

    `json` prints one document instead of the table, `duration_limit` (seconds) gives up when exceeded.
    """
    from trimtab.demo.story import perform

    return perform(json_output=json, limit_seconds=duration_limit)


__all__ = ["DEFAULT_LIMIT_SECONDS", "main"]

"""The lever behind a URL: GET yields {"value": …}, PUT takes the same. Called by `execute` alone.

PUT carries an absolute value, so that sending it twice is the same as once. An answer that never came leaves the effect in doubt
and is `Retryable`: the caller reads the lever before anything else. A refusal (4xx) is `Permanent`, unless it is one that passes.
"""

from __future__ import annotations

from trimtab.domain.errors import LeverError, Permanent, Retryable
from trimtab.domain.levers import LeverSpec, LeverValue
from trimtab.systems.http.options import HttpLeverOptions
from trimtab.systems.net import Answer, Net, NoAnswer
from trimtab.systems.values import as_kind, read_json_as_kind

# 408 request timed out, 409 conflict, 423 locked, 425 too early, 429 too many requests: each passes by itself
PASSING_STATUSES = frozenset({408, 409, 423, 425, 429})
MAX_VALUE_BYTES = 64 * 1024


class HttpLever:
    """A setting read by GET and set by PUT."""

    def __init__(self, options: HttpLeverOptions, spec: LeverSpec, net: Net) -> None:
        self.spec = spec
        self._options = options
        self._net = net

    async def read(self) -> LeverValue:
        """The value that the target holds. `Permanent` where what it sends is no value of the lever's kind."""
        answer = await self._ask("GET")
        try:
            document = answer.json()
        except NoAnswer as error:
            raise Permanent(f"lever {self.spec.lever_id}: {error.message}", remedy='GET must answer {"value": …}') from error
        if not isinstance(document, dict) or "value" not in document:
            raise Permanent(
                f"lever {self.spec.lever_id}: {answer.url} sent no value: {answer.glimpse()}",
                remedy='GET must answer {"value": …}',
            )
        return read_json_as_kind(self.spec, document["value"])

    async def set(self, value: LeverValue) -> None:
        """PUT `value`. Bounds are the planner's affair: a value to restore may lie outside of them."""
        await self._ask("PUT", {"value": as_kind(self.spec, value)})

    async def _ask(self, method: str, payload: object = None) -> Answer:
        options = self._options
        try:
            answer = await self._net.fetch(
                options.url,
                method=method,
                headers={"Accept": "application/json"} | options.headers,
                payload=payload,
                timeout_seconds=options.timeout_seconds,
                max_bytes=MAX_VALUE_BYTES,
            )
        except NoAnswer as error:
            raise Retryable(f"lever {self.spec.lever_id}: {error.message}", remedy=error.remedy) from error
        if not answer.ok:
            raise self._refusal(method, answer)
        return answer

    def _refusal(self, method: str, answer: Answer) -> LeverError:
        words = f"lever {self.spec.lever_id}: {method} {answer.url} answered HTTP {answer.status}: {answer.glimpse()}"
        if answer.status >= 500 or answer.status in PASSING_STATUSES:
            return Retryable(words)
        if 300 <= answer.status < 400:
            return Permanent(words, remedy="Redirects are not followed: name the final URL")
        return Permanent(words)

    async def close(self) -> None:
        """Nothing is held: connections belong to `Net`."""

"""Who may do what: the roles that a token carries, and how an agent proves which data folder is its own.

Tokens are kept by `storage`, and asked for by `api` at every request. The proof is given by the agent and checked by the command
line before it sends a token anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a token is good for.

    `sender` only sends metrics, `viewer` looks, `operator` does both and approves, rejects, rolls back, pauses, `admin` also
    manages tokens and settings.
    """

    SENDER = "sender"
    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, other: Role) -> bool:
        """Whether this role may do what `other` may.

        >>> Role.ADMIN.may(Role.OPERATOR), Role.VIEWER.may(Role.OPERATOR), Role.VIEWER.may(Role.SENDER)
        (True, False, False)
        """
        if self is Role.VIEWER and other is Role.SENDER:
            return False
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid token stands for: who is asking, and how far they may go."""

    name: str
    role: Role


def proof(secret: str, challenge: str, host: str, port: int) -> str:
    """What only who knows the data folder's secret can answer to `challenge`, as 64 hexadecimal digits (HMAC-SHA256).

    `host` and `port` are the two ends' common knowledge of the connection: the address that the agent was reached at. So whoever
    passes the challenge on to the real agent, which answers elsewhere, gets nothing that is good at his own address.

    >>> proof("secret", "nonce", "127.0.0.1", 8642) == proof("secret", "nonce", "::ffff:127.0.0.1", 8642)
    True
    >>> proof("secret", "nonce", "127.0.0.1", 8642) == proof("secret", "nonce", "127.0.0.1", 8643)
    False
    """
    import hmac  # 5 ms with its digests, and only who asks or answers needs it
    from ipaddress import IPv6Address, ip_address

    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        where = host
    else:
        where = str(address.ipv4_mapped or address) if isinstance(address, IPv6Address) else str(address)
    return hmac.new(secret.encode(), f"{challenge}\n{where}\n{port}".encode(), "sha256").hexdigest()

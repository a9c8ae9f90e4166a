"""Who may do what: the roles that a token carries. Tokens are kept by `storage`, and asked for by `api` at every request."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """`viewer` looks, `operator` also approves, rejects, rolls back, pauses, `admin` also manages tokens and settings."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def may(self, other: Role) -> bool:
        """Whether this role may do what `other` may.

        >>> Role.ADMIN.may(Role.OPERATOR), Role.VIEWER.may(Role.OPERATOR)
        (True, False)
        """
        order = list(Role)
        return order.index(self) >= order.index(other)


@dataclass(frozen=True, slots=True)
class Grant:
    """What a valid token stands for: who is asking, and how far they may go."""

    name: str
    role: Role

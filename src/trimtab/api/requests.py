"""The shapes that may come in: strict, so that a misspelt field or a `"false"` is an error and never a default."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, JsonValue

_Id = Annotated[str, Field(min_length=1, max_length=200, description="The action's id.")]
_Hash = Annotated[
    str | None,
    Field(
        min_length=1,
        max_length=128,
        description="The plan that was looked at. Where it is another by now, the answer is 409 and nothing happens.",
    ),
]
_EXAMPLE: dict[str, JsonValue] = {"action_id": "workers_increase_1699200000"}
_HASHED: dict[str, JsonValue] = {**_EXAMPLE, "plan_hash": "9f2c41d07be3a856"}


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class ApproveIn(_Strict):
    """Approve an action that waits for a person, or reject it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{**_HASHED, "approved": True}]})
    action_id: _Id
    approved: bool = Field(description="false rejects.")
    plan_hash: _Hash = None


class RejectIn(_Strict):
    """Reject an action that waits for a person."""

    model_config = ConfigDict(json_schema_extra={"examples": [_HASHED]})
    action_id: _Id
    plan_hash: _Hash = None


class RollbackIn(_Strict):
    """Take a change back."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})
    action_id: _Id


class PauseIn(_Strict):
    """Start nothing new."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}, {"undo": True}]})
    undo: bool = Field(False, description="true also takes back, at once, everything that is under way.")


class EmptyIn(_Strict):
    """Nothing: `{}`."""

    model_config = ConfigDict(json_schema_extra={"examples": [{}]})

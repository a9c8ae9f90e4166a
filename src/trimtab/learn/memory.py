"""Beliefs as plain JSON values and back: what the journal keeps of them. Called by the loop; pure.

The outcomes are kept, not what was made of them: a newer version with a better idea of learning loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from trimtab.domain.actions import Outcome
from trimtab.domain.contexts import FACTS, Context
from trimtab.domain.verdicts import VerdictStatus
from trimtab.learn.beliefs import Beliefs, Story, story_of

FORMAT = 1


def outcome_to(outcome: Outcome) -> dict[str, object]:
    """An outcome as a JSON object; facts that are unknown are left out."""
    context = {name: label for name, label in asdict(outcome.context).items() if label}
    return {
        "id": outcome.action_id, "type": outcome.action_type, "element": outcome.element, "status": outcome.status.value,
        "effect": outcome.effect, "harmed": outcome.harmed, "at": outcome.at, "context": context,
    }  # fmt: skip


def outcome_from(found: Any) -> Outcome | None:
    """The outcome that `outcome_to` made; None where this version cannot read it. Facts unknown to it are left out."""
    try:
        context = Context(**{name: str(label) for name, label in dict(found["context"]).items() if name in FACTS})
        effect = None if found["effect"] is None else float(found["effect"])
        return Outcome(
            str(found["id"]), str(found["type"]), str(found["element"]), VerdictStatus(found["status"]), effect,
            bool(found["harmed"]), float(found["at"]), context,
        )  # fmt: skip
    except (KeyError, TypeError, ValueError):
        return None


def remember(beliefs: Beliefs) -> dict[str, object]:
    """All that `beliefs` rest on.

    >>> recall(remember(Beliefs())) == Beliefs()
    True
    """
    stories = [
        {"trials": story.trials, "successes": story.successes, "told": [outcome_to(outcome) for outcome in story.told]}
        for _, story in sorted(beliefs.stories.items())
    ]
    return {"format": FORMAT, "stories": stories}


def recall(data: Mapping[str, object]) -> Beliefs:
    """The beliefs that `remember` wrote down. What this version cannot read is left out: less is believed, nothing is guessed."""
    found = data.get("stories")
    stories = [story for raw in found if (story := _story(raw)) is not None] if isinstance(found, list) else []
    return Beliefs({(story.told[-1].action_type, story.told[-1].element): story for story in stories})


def _story(raw: Any) -> Story | None:
    try:
        told = [outcome for each in raw["told"] if (outcome := outcome_from(each)) is not None]
        return story_of(told, int(raw["trials"]), int(raw["successes"])) if told else None
    except (KeyError, TypeError, ValueError):
        return None

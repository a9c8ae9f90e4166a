"""Tell people what needs them.

Reads: events that `execute` hands over. Produces: messages. May import: domain. Never: decide anything; a message that cannot be
delivered is logged and never stops the loop.
"""

from trimtab.notify.log import LogNotifier

__all__ = ["LogNotifier"]

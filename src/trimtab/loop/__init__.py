"""What the agent turns by: clocks, the schedule of the five stages, bounded background work, its view of itself.

Reads: the time, the agent's own process. Produces: when to turn, evidence for `execute`, the status that people see.
May import: execute and below. Never: systems, storage, notify, api.
"""

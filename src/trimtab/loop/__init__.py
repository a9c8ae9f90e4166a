"""What the agent turns by: clocks, the schedule of the five stages, bounded background work, its memory, its view of itself.

Reads: the time, the agent's own process, the last analysis, the book of actions, the stores. Produces: when to turn, evidence for
`execute`, who may act now, beliefs that outlive a restart, what is pushed on its way to the store, and what people see and ask.
May import: execute and below. Never: systems, storage, notify, api.
"""

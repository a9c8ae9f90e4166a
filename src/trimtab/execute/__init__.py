"""From a decided action to a proven or undone one: the state table, the book that journals it, and the hands that move levers.

Reads: decided actions, lever values, goal and guard states, samples. Produces: action records, journal rows, lever settings.
May import: plan, verify, stats, config, domain. Never: a sensor, a store or a lever by name; it meets them at `domain.ports`.
"""

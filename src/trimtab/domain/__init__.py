"""The words of trimtab as frozen values, and the ports where two rooms meet.

Reads: nothing. Produces: the types that every other room speaks in. May import: the standard library. Never: a clock, the
environment, the network, a random source, another room.
"""

"""Conformance suites: what every lever, sensor, job and store must keep, as classes that a test module of yours subclasses.

Reads: your adapter, made by your `make()`. Produces: tests that pytest collects. May import: domain. Never: imported by the
rest of trimtab, so that none of it is loaded in production.
"""

"""The demonstration: a real HTTP service under real load, with too few workers, and the agent that puts it right.

Reads: nothing of yours; it makes a folder and processes of its own, and removes them. Produces: a table of what was measured
before and after each change. May import: everything below `cli`. Never: another code path than `trimtab run` takes, a number
that was not measured, anything left behind.

`story` tells it and is what `trimtab demo` calls; `scene` is what it stands on: `workload`, the service, with its `pool` of
workers, and `load`, its clients; `report` is what was found.
"""

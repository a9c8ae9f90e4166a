"""The demonstration: a real HTTP service of four parts, under real load, that outgrows its settings, and the agent that finds it.

Reads: nothing of yours; it makes a folder and processes of its own, and removes them. Produces: a table of what was measured
before and after each fault was cured. May import: everything below `cli`. Never: another code path than `trimtab run` takes, a
number that was not measured, a word to the agent about what is going to happen, anything left behind.

`run` is what `trimtab demo` calls, and `story` what it tells. `faults` draws what goes wrong, and `scene` is what it all stands
on: `workload`, the service, made of `parts`, and `load`, its clients. `setup` is what the agent is told of the service,
`counters` what the demo itself reads off it, `report` what was found, `screen` how it looks on a terminal.
"""

"""What must outlive the process: the journal, the metrics, the tokens, and the folder that holds them.

Reads: records, notes and readings handed over by the loop. Produces: the same again after a crash, through `Journal`,
`MetricStore` and `TokenChecker` of `domain.ports`. May import: `domain`, `config`, database clients. Never: another adapter room,
a decision, a lever.

`journal` and `metrics` keep them in SQLite, `memory` for the length of a simulation; `chain` is the hash chain that both journals
share, `codec` the JSON of a record, `database` what every SQLite file here has in common.
`pruning` is how a journal forgets, `mending` how samples outlive their file; `backup` and `restore` write and read an `archive`.
"""

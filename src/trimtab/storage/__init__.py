"""What must outlive the process: the journal, the metrics, the tokens, and the folder that holds them.

Reads: records, notes and readings handed over by the loop. Produces: the same again after a crash, through `Journal`,
`MetricStore` and `TokenChecker` of `domain.ports`. May import: `domain`, `config`, database clients. Never: another adapter room,
a decision, a lever.

`journal` and `metrics` keep them in SQLite, `memory` for the length of a simulation; `chain` is the hash chain that both journals
share, `codec` the JSON of a record, `database` what every SQLite file here has in common.
The metric store is a `catalogue` of series, `shelves` of rows and sealed blocks (of `section`s), the steps that bring samples
to rest (`sealing`, `takeover`, `forgetting`; `merging` and `rollups` are their arithmetic), and `ranges` that answer.
`pruning` is how a journal forgets, `mending` how samples outlive their file; `backup` and `restore` write and read an `archive`.
"""

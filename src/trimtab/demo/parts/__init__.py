"""The four parts of the demo's service. They know neither HTTP nor trimtab; each does real work, and one setting matters to it.

`orders` an SQLite database, `pages` a cache, `scoring` a numeric model that takes requests in batches, `items` a worker pool.
"""

"""What `trimtab doctor` finds, and how to mend it.

Reads: the configuration, the data folder, every sensor and lever once, the running agent's answers. Produces: findings, each with
its remedy. May import: discovery, assembly and all below. Never: set a lever, take a lock, write a file.
"""

"""One folder for each managed system: its sensors and levers together. Others add theirs by the entry points `trimtab.systems`.

Reads: managed elements. Produces: readings; effects at levers, nowhere else. May import: domain, config, sdk, and whatever client
its own system needs, inside the function that needs it. Never: another system's folder, storage, notify, a room above.
"""

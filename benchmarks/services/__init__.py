"""Helper programs of the benchmarks: services that the agent is let loose on, and an agent that can be made to die."""

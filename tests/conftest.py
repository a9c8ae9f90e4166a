"""Settings for every test: generated cases are the same on every run, and no deadline makes a busy machine fail."""

from hypothesis import HealthCheck, settings

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

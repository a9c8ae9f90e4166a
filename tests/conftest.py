"""Settings for every test: generated cases are the same on every run, and no deadline makes a busy machine fail."""

import pytest
import structlog
from hypothesis import HealthCheck, settings

settings.register_profile("steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """No test logs as another set it; a failure that it provokes is not drawn with all locals, which takes half a second."""
    structlog.reset_defaults()
    structlog.get_config()["processors"][-1] = PLAIN

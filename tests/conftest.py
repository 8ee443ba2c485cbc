"""What all tests stand on."""

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

# Nothing times anything: on a busy machine an example takes as long as it takes. CI tries the same examples
# each time, so that it fails for what was changed; every other run tries new ones.
settings.register_profile(
    "untimed",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
)
settings.load_profile("untimed")


def pytest_configure(config: pytest.Config) -> None:
    # In the background of a shell it is inherited as ignored; tests of Ctrl-C and children need it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

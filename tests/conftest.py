"""What all tests stand on."""

import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # In the background of a shell it is inherited as ignored; tests of Ctrl-C and children need it.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

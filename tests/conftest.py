"""What all tests stand on."""

import signal

import pytest


def pytest_configure(config: pytest.Config) -> None:
    # A run in the background of a shell inherits "ignored": Ctrl-C tests, and every child, would never see one.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)

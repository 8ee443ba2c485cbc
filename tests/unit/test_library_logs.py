"""What reaches our logs from the libraries."""

import asyncio
import logging
import sys

import pytest
from aiohttp.http_exceptions import LineTooLong

from snowcave.runtime.logging import is_worth_telling


def a_record(error: BaseException) -> logging.LogRecord:
    try:
        raise error
    except type(error):
        return logging.LogRecord("aiohttp.server", 40, "", 0, "failed", None, sys.exc_info())


def test_a_request_that_cannot_be_parsed_is_not_told():
    assert not is_worth_telling(a_record(LineTooLong(b"GET /" + b"a" * 100)))


@pytest.mark.parametrize("error", [ValueError("a bug"), ConnectionResetError()])
def test_a_failure_of_ours_is_told(error: Exception):
    assert is_worth_telling(a_record(error))


def test_a_stream_that_its_server_cancelled_is_not_told():
    assert not is_worth_telling(a_record(asyncio.CancelledError()))

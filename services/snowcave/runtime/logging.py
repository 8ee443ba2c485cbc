"""structlog for every daemon: constant event names, fields, JSON in deployments, a console here."""

import asyncio
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

# Values of fields with such names never reach a log, whoever passes them.
_SECRET = re.compile(r"password|secret|token|authorization|credential|private_key", re.IGNORECASE)


def configure(daemon: str, *, style: str, level: str) -> None:
    """`style` is console or json; `level` a standard level name."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The richer one shows local variables, and passwords are among them.
            exception_formatter=structlog.dev.plain_traceback,
        )
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer]
        if style == "json"
        else [*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(daemon=daemon)
    # Libraries log through the standard library; only their warnings interest anyone.
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    for library in ("aiohttp.server", "grpc._cython.cygrpc"):
        logging.getLogger(library).addFilter(is_worth_telling)


def is_worth_telling(record: logging.LogRecord) -> bool:
    """A request that cannot be parsed is its sender's fault and has been answered with 400; a stream
    that its server cancels on its way out has ended as it should.
    """
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, asyncio.CancelledError):
        return False
    # By name: programs that serve nothing do without aiohttp.
    return type(error).__module__ != "aiohttp.http_exceptions"


def _redact(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    for name in event:
        if _SECRET.search(name):
            event[name] = "***"
    return event

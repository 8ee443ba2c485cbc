"""A ClickHouse server over HTTP: one connection pool, every wait with an end, errors in our own words.

What a server says of an error may quote rows, so no more than its number and name goes on.
"""

import asyncio
import io
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pyarrow as pa
import structlog

from snowcave.events.clickhouse.schema import Query
from snowcave.events.settings import ClickHouseSettings
from snowcave.model.errors import Unavailable
from snowcave.runtime.settings import SettingsInvalid

try:
    from clickhouse_connect import driver
    from clickhouse_connect.driver import exceptions
except ImportError as error:
    raise SettingsInvalid(
        'events.store: "clickhouse" needs the package clickhouse-connect: install snowcave[clickhouse]'
    ) from error

log = structlog.get_logger()


class Refused(Unavailable):
    """ClickHouse answered, and did nothing."""

    def __init__(self, number: int | None, name: str | None) -> None:
        super().__init__(f"ClickHouse refuses: {name or 'error'} ({number or 'no number'}).")
        self.number = number


class Server:
    """Made by `open_server`. All methods raise Unavailable."""

    def __init__(self, settings: ClickHouseSettings, address: dict[str, Any]) -> None:
        self._settings = settings
        self._address = address
        self._connecting = asyncio.Lock()
        self._client: Any = None

    async def command(self, query: Query) -> None:
        client = await self._connected()
        with _translated():
            async with asyncio.timeout(self._settings.read):
                await client.command(query.text, query.parameters, settings=query.settings)

    async def rows(self, query: Query) -> list[tuple[Any, ...]]:
        client = await self._connected()
        with _translated():
            async with asyncio.timeout(self._settings.read):
                found = await client.query(query.text, query.parameters, settings=query.settings)
                return list(found.result_rows)

    async def insert(self, query: Query, body: bytes, deadline: float) -> int:
        """Returns how many rows the server says it has written; whoever gets no answer knows nothing."""
        client = await self._connected()
        # As a file, since the client would send plain bytes again by itself where a connection broke.
        content = io.BytesIO(query.text.encode() + body)
        with _translated():
            async with asyncio.timeout(deadline):
                told = await client.raw_insert(insert_block=content, settings=query.settings)
                return int(told.written_rows)

    async def stream(self, query: Query) -> AsyncIterator[pa.RecordBatch]:
        client = await self._connected()
        with _translated():
            async with asyncio.timeout(self._settings.read):
                answer = await client.query_arrow_stream(
                    query.text, query.parameters, settings=query.settings, use_strings=True
                )
            async with answer as batches:
                while (batch := await self._next(batches)) is not None:
                    yield batch

    async def _next(self, batches: Any) -> pa.RecordBatch | None:
        async with asyncio.timeout(self._settings.read):
            return await anext(batches, None)

    async def _connected(self) -> Any:
        async with self._connecting:
            if self._client is None:
                with _translated():
                    async with asyncio.timeout(self._settings.connect + self._settings.read):
                        self._client = await driver.create_async_client(**self._address)
                log.info("clickhouse_connected", version=self._client.server_version)
            return self._client

    async def close(self) -> None:
        if self._client is not None:
            await self._client.close()


@contextmanager
def _translated() -> Generator[None]:
    try:
        yield
    except TimeoutError as error:
        raise Unavailable("ClickHouse does not answer in time.") from error
    except exceptions.Error as error:
        if error.code is not None:
            raise Refused(error.code, error.name) from error
        raise Unavailable("ClickHouse cannot be reached.") from error
    except (aiohttp.ClientError, OSError) as error:
        raise Unavailable("ClickHouse cannot be reached.") from error
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise Unavailable("ClickHouse gives an answer that cannot be read.") from error


def address(settings: ClickHouseSettings) -> dict[str, Any]:
    """What the client is made with. Blocking. Raises SettingsInvalid."""
    parts = urlsplit(settings.url)
    wanted = SettingsInvalid(
        "events.clickhouse.url: want http://host:port or https://host:port of its HTTP interface"
    )
    try:
        port = parts.port
    except ValueError:
        raise wanted from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise wanted
    if parts.username or parts.password or parts.query:
        raise SettingsInvalid(
            "events.clickhouse.url: user and password stand in user and password or password_file"
        )
    made: dict[str, Any] = {
        "interface": parts.scheme,
        "host": parts.hostname,
        "port": port or (8443 if parts.scheme == "https" else 8123),
        "username": settings.user,
        "password": _password(settings),
        "database": settings.database,
        "connect_timeout": settings.connect,
        "send_receive_timeout": settings.read,
        # Statements run beside each other.
        "autogenerate_session_id": False,
        "client_name": "snowcave",
    }
    if settings.ca_file:
        made["ca_cert"] = settings.ca_file
    return made


def _password(settings: ClickHouseSettings) -> str:
    if not settings.password_file:
        return settings.password
    try:
        return (Path(settings.password_file).read_text().splitlines() or [""])[0]
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsInvalid(
            f"events.clickhouse.password_file: cannot be read: {type(error).__name__}"
        ) from error


@asynccontextmanager
async def open_server(settings: ClickHouseSettings) -> AsyncGenerator[Server]:
    """The server need not answer yet: it is called when it is needed. Raises SettingsInvalid."""
    server = Server(settings, await asyncio.to_thread(address, settings))
    try:
        yield server
    finally:
        await server.close()

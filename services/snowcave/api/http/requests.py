"""What a request of the session protocol says. Reads nothing but the request."""

import asyncio
import zlib
from collections.abc import Mapping
from typing import Any, cast

import orjson
from aiohttp import web

from snowcave.api.sessions.callers import session_token
from snowcave.model.errors import SnowcaveError, ValueInvalid
from snowcave.v1 import warehouse_pb2 as warehouse

_GZIP = b"\x1f\x8b"
_MAX_BINDINGS = 100_000
_MAX_DIGITS = 15


class RequestInvalid(SnowcaveError):
    """A body that is not what the protocol wants. 390400 as the clients' `bad request`."""

    kind = ValueInvalid.kind
    code = 390400
    sqlstate = "08001"


class RequestTooLarge(RequestInvalid):
    def __init__(self, limit: int) -> None:
        super().__init__(f"The request is larger than {limit} bytes.")


async def body(request: web.Request, *, limit: int, within: float) -> dict[str, Any]:
    """The JSON object of the body; an empty body is an empty object."""
    parsed = await anything(request, limit=limit, within=within)
    if parsed is None:
        return {}
    if not isinstance(parsed, dict):
        raise RequestInvalid("The request's body is not a JSON object.")
    return cast("dict[str, Any]", parsed)


async def anything(request: web.Request, *, limit: int, within: float) -> Any:
    """The JSON of the body, whatever it is; None where there is no body."""
    try:
        async with asyncio.timeout(within):
            data = await request.read()
    except TimeoutError:
        raise RequestInvalid("The request's body did not arrive in time.") from None
    except web.HTTPRequestEntityTooLarge:
        raise RequestTooLarge(limit) from None
    except (web.HTTPBadRequest, ValueError) as error:
        raise RequestInvalid("The request's body cannot be read.") from error
    # The header says gzip even where the server has unpacked the body already.
    if data.startswith(_GZIP):
        data = _unpacked(data, limit)
    if not data.strip():
        return None
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        raise RequestInvalid("The request's body is not JSON.") from None


def _unpacked(data: bytes, limit: int) -> bytes:
    unpacking = zlib.decompressobj(31)
    try:
        unpacked = unpacking.decompress(data, limit + 1)
    except zlib.error:
        raise RequestInvalid("The request's body is not valid gzip.") from None
    if len(unpacked) > limit:
        raise RequestTooLarge(limit)
    return unpacked


def token(request: web.Request) -> str:
    """Of `Authorization: Snowflake Token="…"`. Raises SessionGone where there is none."""
    return session_token(request.headers.get("Authorization", ""))


def text(values: Mapping[str, Any], name: str, *, most: int = 1 << 24) -> str:
    """A text of a body; empty where it is missing or null."""
    value = values.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > most:
        raise RequestInvalid(f"{name} is not a text of at most {most} characters.")
    return value


def number(written: str) -> int | None:
    """A whole number that is not negative; None where it is no such number, or an absurd one."""
    sound = written.isascii() and written.isdecimal() and len(written) <= _MAX_DIGITS
    return int(written) if sound else None


def table(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise RequestInvalid(f"{name} is not an object.")
    return cast("dict[str, Any]", value)


def bindings(values: Mapping[str, Any]) -> tuple[warehouse.Binding, ...]:
    """`{"1": {"type", "value"}, …}` in the order of the numbers."""
    given = table(values, "bindings")
    try:
        numbered = sorted((int(number), one) for number, one in given.items())
        if [number for number, _ in numbered] != list(range(1, len(numbered) + 1)):
            raise ValueError
        if len(numbered) > _MAX_BINDINGS:
            raise ValueError
        return tuple(_binding(one) for _, one in numbered)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise RequestInvalid(
            "The bindings are not numbered 1, 2, … with type and value."
        ) from None


def _binding(one: dict[str, Any]) -> warehouse.Binding:
    value = one["value"]
    listed = isinstance(value, list)
    values = cast("list[Any]", value) if listed else [value]
    return warehouse.Binding(
        type=str(one["type"]).upper(), values=[_bound(v) for v in values], is_array=listed
    )


def _bound(value: Any) -> warehouse.BoundValue:
    if value is None:
        return warehouse.BoundValue(is_null=True)
    if isinstance(value, bool):
        return warehouse.BoundValue(value="true" if value else "false")
    if isinstance(value, (str, int, float)):
        return warehouse.BoundValue(value=str(value))
    return warehouse.BoundValue(value=orjson.dumps(value).decode())

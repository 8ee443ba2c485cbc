"""The heads of requests: the documented headers, made once for each call but for the batch's own. Pure."""

import base64
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from snowcave.functions.routing import Instance

_ILLEGAL = re.compile(r"[^\x21-\x7e]+")
# What a path may hold as it is, besides letters and digits.
_OF_PATHS = "/?&=%~:@!$'()*+,;-._"


class Head:
    """Of all requests of one call."""

    def __init__(self, path: str, sent: Mapping[str, str]) -> None:
        self._path = quote(path, safe=_OF_PATHS)
        self._common = "".join(f"{key}: {value}\r\n" for key, value in sent.items())

    def of(self, method: str, instance: Instance, batch_id: str, length: int) -> bytes:
        extent = f"Content-Length: {length}\r\n" if method == "POST" else ""
        return (
            f"{method} {self._path} HTTP/1.1\r\nHost: {instance.address}:{instance.port}\r\n"
            f"{self._common}sf-external-function-query-batch-id: {batch_id}\r\n{extent}\r\n"
        ).encode("latin-1")


def headers(
    *,
    query_id: str,
    name: str,
    signature: str,
    returns: str,
    context: Mapping[str, str],
    context_headers: Sequence[str],
) -> dict[str, str]:
    """Those that all batches of a call have, each with its base64 twin where its text is a user's."""
    sent = {
        "Accept": "*/*",
        "User-Agent": "snowflake/1.0",
        "Content-Type": "application/json",
        "sf-external-function-format": "json",
        "sf-external-function-format-version": "1.0",
        "sf-external-function-current-query-id": legal(query_id),
    }
    for key, value in (("name", name), ("signature", signature), ("return-type", returns)):
        _with_twin(sent, f"sf-external-function-{key}", value)
    for function in context_headers:
        key = "sf-context-" + function.lower().replace("_", "-")
        _with_twin(sent, key, context.get(function.upper(), ""))
    return sent


def _with_twin(sent: dict[str, str], key: str, value: str) -> None:
    sent[key] = legal(value)
    sent[key + "-base64"] = base64.b64encode(value.encode()).decode()


def legal(value: str) -> str:
    """Each run of characters that a header cannot hold becomes one space."""
    return _ILLEGAL.sub(" ", value)

"""Names of the event table's Parquet files: which of them hold the rows, once each. Pure.

A file `<first>-<last>.parquet` of an hour's folder holds that hour's rows of the log's segments from the
first to the last number. Compaction writes one file for several; the names alone say which others it
replaces, so a file counts from the moment it has its name, and those that it replaces no longer do.

A file's rows name their RESOURCE_ATTRIBUTES by number; the texts stand once in the file's own metadata.
"""

import hashlib
import json
import zlib
from collections.abc import Iterable, Mapping
from typing import NamedTuple, cast

SUFFIX = ".parquet"
# Key of a file's metadata: number → RESOURCE_ATTRIBUTES, as `pack_resources` writes it.
RESOURCES = b"snowcave.resources"


class Span(NamedTuple):
    """Numbers of segments, both included."""

    first: int
    last: int

    def covers(self, other: "Span") -> bool:
        return self != other and self.first <= other.first and other.last <= self.last


def name_of(span: Span) -> str:
    return f"{span.first:012d}-{span.last:012d}{SUFFIX}"


def span_of(name: str) -> Span | None:
    """None for what is no such file."""
    first, dash, last = name.removesuffix(SUFFIX).partition("-")
    if not (name.endswith(SUFFIX) and dash and first.isdigit() and last.isdigit()):
        return None
    return Span(int(first), int(last))


def current(names: Iterable[str]) -> list[Span]:
    """Of one hour's files those that count, in the order in which their rows came."""
    spans = sorted(span for name in names if (span := span_of(name)) is not None)
    found: list[Span] = []
    for span in sorted(spans, key=lambda one: (one.first, -one.last)):
        # Spans either nest or stand side by side, so the widest one that began last tells.
        if not (found and found[-1].covers(span)):
            found.append(span)
    return found


def replaced(names: Iterable[str]) -> dict[Span, Span]:
    """Files that no longer count → the one that holds their rows."""
    listed = list(names)
    kept = current(listed)
    return {
        span: wider
        for name in listed
        if (span := span_of(name)) is not None
        for wider in kept
        if wider.covers(span)
    }


def resource_number(attributes: str) -> int:
    """The same for the same text, in every file."""
    digest = hashlib.blake2b(attributes.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def pack_resources(attributes: Iterable[str]) -> bytes:
    texts = {str(resource_number(text)): text for text in attributes}
    return zlib.compress(json.dumps(texts).encode())


def unpack_resources(metadata: Mapping[bytes, bytes] | None) -> dict[int, str]:
    packed = (metadata or {}).get(RESOURCES)
    if packed is None:
        return {}
    found = cast(dict[str, str], json.loads(zlib.decompress(packed)))
    return {int(number): text for number, text in found.items()}

"""Which files of an hour are merged next. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from snowcave.model.event_files import Span


@dataclass(frozen=True, slots=True)
class Found:
    """A file that counts."""

    span: Span
    size: int


@dataclass(frozen=True, slots=True)
class Policy:
    """Up to `largest` bytes into one file; at least `files` of them, or two in an hour that is over."""

    largest: int
    files: int


def plan(files: Sequence[Found], policy: Policy, *, is_over: bool) -> list[list[Span]]:
    """Groups of neighbours to be merged, in order; none where the hour is fine as it is."""
    fewest = 2 if is_over else policy.files
    return [group for group in _groups(files, policy.largest) if len(group) >= fewest]


def _groups(files: Sequence[Found], largest: int) -> list[list[Span]]:
    groups: list[list[Span]] = []
    size = largest
    for file in files:
        if size + file.size > largest:
            groups.append([])
            size = 0
        groups[-1].append(file.span)
        size += file.size
    return groups


def merged(group: Sequence[Span]) -> Span:
    return Span(group[0].first, group[-1].last)

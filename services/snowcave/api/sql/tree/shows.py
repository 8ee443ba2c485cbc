"""SHOW, and the containers it looks in."""

from dataclasses import dataclass

from snowcave.model.names import ObjectName


@dataclass(frozen=True, slots=True)
class Scope:
    """IN …: `domain` is account, database, schema or another domain; no name: the session's."""

    domain: str
    name: ObjectName | None = None


@dataclass(frozen=True, slots=True)
class Show:
    """`kind` in words: SERVICES, COMPUTE POOLS, SERVICE CONTAINERS, …"""

    kind: str
    terse: bool = False
    like: str | None = None
    scope: Scope | None = None
    starts_with: str | None = None
    limit: int | None = None
    from_name: str | None = None
    # JOB SERVICES, EXCLUDE JOBS.
    flags: frozenset[str] = frozenset()
    # OF TYPE …; none: all.
    types: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ShowParameters:
    like: str | None = None
    scope: Scope | None = None

"""The tables on ClickHouse, and the statements on them. Pure.

How far a source is stored stands in its rows, so that both are stored by one insert or neither is: each row
has the mark that its append reached. A projection keeps the highest of each source within every part, so to
ask for it reads no rows.

One insert is one block, hence one part, hence all or nothing. It checks, where it runs, that no later writer
has registered. So a writer that has registered, and seen the inserts end that began before, knows for good
what is stored, whatever became of requests that nobody heard the end of.
"""

from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from snowcave.events.rows import STORED
from snowcave.events.store import Scan
from snowcave.runtime.settings import SettingsInvalid

# What `throwIf` raises.
SUPERSEDED = 395

_SHARED = "LowCardinality(Nullable(String))"
# Moments are microseconds since 1970: any that an append may have, and no time zone.
_TYPES = {
    "timestamp": "Int64",
    "service": "Int64",
    "instance_id": "Int32",
    "start_timestamp": "Nullable(Int64)",
    "observed_timestamp": "Nullable(Int64)",
}
_COLUMNS = {
    name: _TYPES.get(
        name, _SHARED if pa.types.is_dictionary(STORED.field(name).type) else "Nullable(String)"
    )
    for name in STORED.names
} | {
    "source": "LowCardinality(String)",
    "generation": "Int64",
    "offset": "Int64",
    "position": "UInt64",
}
# In the order in which inserts bring them.
INSERTED = tuple(_COLUMNS)

_ONE_BLOCK: dict[str, object] = {
    "max_threads": 1,
    "max_insert_threads": 1,
    "async_insert": 0,
    # No row count that an insert reaches, and no size.
    "min_insert_block_size_rows": 1 << 40,
    "min_insert_block_size_bytes": 0,
    # Answered when it is over, not when it begins.
    "wait_end_of_query": 1,
}


@dataclass(frozen=True, slots=True)
class Query:
    text: str
    parameters: dict[str, object] = field(default_factory=dict[str, object])
    settings: dict[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True, slots=True)
class Tables:
    """Of one mesh. Raises SettingsInvalid on names that ClickHouse would not take."""

    database: str
    prefix: str

    def __post_init__(self) -> None:
        for name, value in (("database", self.database), ("prefix", self.prefix)):
            if not value or not value.isascii() or not value.replace("_", "a").isalnum():
                raise SettingsInvalid(
                    f"events.clickhouse.{name}: want letters, digits and underscores"
                )

    @property
    def events(self) -> str:
        return f"`{self.database}`.`{self.prefix}events`"

    @property
    def writers(self) -> str:
        return f"`{self.database}`.`{self.prefix}writers`"

    # ------------------------------------------------------------ definitions

    def create(self, retention: float) -> list[Query]:
        columns = ", ".join(f"`{name}` {kind}{_codec(name)}" for name, kind in _COLUMNS.items())
        return [
            Query(
                f"CREATE TABLE IF NOT EXISTS {self.events} ({columns}, `stored` DateTime('UTC'), "
                "`time` DateTime64(6, 'UTC') ALIAS fromUnixTimestamp64Micro(`timestamp`, 'UTC'), "
                "INDEX times `timestamp` TYPE minmax GRANULARITY 1, "
                "PROJECTION marks (SELECT `source`, max((`generation`, `offset`)) GROUP BY `source`)"
                ") ENGINE = MergeTree PARTITION BY toDate(`stored`) "
                "ORDER BY (`service`, `timestamp`, `position`) "
                f"TTL {_ttl(retention)} SETTINGS ttl_only_drop_parts = 1, "
                "fsync_after_insert = 1, fsync_part_directory = 1, "
                "non_replicated_deduplication_window = 100"
            ),
            Query(
                f"CREATE TABLE IF NOT EXISTS {self.writers} (`epoch` UInt64, `writer` String, "
                "`since` DateTime('UTC') DEFAULT now()) "
                "ENGINE = MergeTree ORDER BY (`epoch`, `writer`) "
                "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
            ),
        ]

    def described(self) -> Query:
        return Query(
            "SELECT create_table_query FROM system.tables "
            "WHERE database = {database:String} AND name = {name:String}",
            {"database": self.database, "name": f"{self.prefix}events"},
        )

    def keep_for(self, retention: float, described: str) -> Query | None:
        """None where the table is kept for as long already."""
        if f"toIntervalSecond({int(retention)})" in described:
            return None
        return Query(
            f"ALTER TABLE {self.events} MODIFY TTL {_ttl(retention)}",
            settings={"materialize_ttl_after_modify": 0},
        )

    # ------------------------------------------------------------ writing

    def register(self, writer: str) -> Query:
        return Query(
            f"INSERT INTO {self.writers} (epoch, writer) SELECT max(epoch) + 1, {{writer:String}} "
            f"FROM {self.writers}",
            {"writer": writer},
        )

    def epoch(self, writer: str) -> Query:
        return Query(
            f"SELECT max(epoch) FROM {self.writers} WHERE writer = {{writer:String}}",
            {"writer": writer},
        )

    def running_inserts(self) -> Query:
        return Query(
            "SELECT count() FROM system.processes WHERE startsWith(query, {begin:String})",
            {"begin": f"INSERT INTO {self.events}"},
        )

    def marks(self, sources: list[str]) -> Query:
        return Query(
            "SELECT source, max((`generation`, `offset`)) AS mark "
            f"FROM {self.events} WHERE source IN {{sources:Array(String)}} GROUP BY source",
            {"sources": sources},
        )

    def insert(self, writer: str, token: str, deadline: float) -> Query:
        """The head of an insert, Arrow follows; `writer` and `token` are our own texts."""
        names = ", ".join(f"`{name}`" for name in INSERTED)
        structure = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        latest = f"(SELECT argMax(writer, (epoch, writer)) FROM {self.writers})"
        return Query(
            f"INSERT INTO {self.events} ({names}, `stored`) SELECT {names}, now() "
            f"FROM input('{structure}') "
            f"WHERE throwIf({latest} != '{writer}', 'another writer has registered') = 0 "
            "FORMAT ArrowStream\n",
            settings=_ONE_BLOCK
            | {
                "insert_deduplicate": 1,
                "insert_deduplication_token": token,
                "max_execution_time": int(deadline),
            },
        )

    # ------------------------------------------------------------ reading

    def scan(self, wish: Scan, oldest: datetime, deadline: float) -> Query:
        conditions = ["`timestamp` >= {since:Int64}"]
        since = max(wish.since, oldest) if wish.since else oldest
        given: dict[str, object] = {"since": micros(since)}
        if wish.until:
            conditions.append("`timestamp` < {until:Int64}")
            given["until"] = micros(wish.until)
        if wish.service:
            conditions.append("`service` = {service:Int64}")
            given["service"] = wish.service
        if wish.record_type:
            conditions.append("`record_type` = {record_type:String}")
            given["record_type"] = wish.record_type
        for at, (name, text) in enumerate(wish.attributes.items()):
            named = f"ifNull(`resource_attributes`, ''), {{name{at}:String}}"
            conditions.append(
                f"(JSONExtractString({named}) = {{text{at}:String}} "
                f"OR JSONType({named}) NOT IN ('String', 'Null'))"
            )
            given |= {f"name{at}": name, f"text{at}": text}
        order = (
            "`timestamp` DESC, `position` DESC"
            if wish.newest_first
            else "`service`, `timestamp`, `position`"
        )
        limit = f" LIMIT {int(wish.limit)}" if wish.limit else ""
        names = ", ".join(f"`{name}`" for name in STORED.names)
        return Query(
            f"SELECT {names} FROM {self.events} WHERE {' AND '.join(conditions)} "
            f"ORDER BY {order}{limit}",
            given,
            {
                "output_format_arrow_low_cardinality_as_dictionary": 1,
                "max_block_size": 8192,
                "max_execution_time": int(deadline),
            },
        )


def micros(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond


def _ttl(retention: float) -> str:
    return f"`stored` + toIntervalSecond({int(retention)})"


def _codec(name: str) -> str:
    if name in ("timestamp", "position"):
        return " CODEC(Delta, ZSTD)"
    return " CODEC(ZSTD)" if name in ("value", "resource_attributes") else ""

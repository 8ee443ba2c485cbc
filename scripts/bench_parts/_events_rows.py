"""Ten million log lines of 24 hours and 150 containers, as the events daemon leaves them on disk."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa

from snowcave.events import rows, sorting
from snowcave.events.attributes import attributes
from snowcave.events.parquet import ParquetFiles
from snowcave.events.rows import STORED
from snowcave.model.event_files import Span
from snowcave.v1 import events_pb2 as v1

SERVICES = 50
CONTAINERS = 3  # of each service
HOURS = 24
_WORDS = 4096


def resources() -> list[v1.Resource]:
    return [
        v1.Resource(
            account_name="SNOWCAVE",
            compute_pool=17,
            compute_pool_name="BENCH_POOL",
            node=f"node-{service % 4}",
            instance_family="CPU_X64_M",
            database=3,
            database_name="BENCH_DB",
            schema=4,
            schema_name="DATA_SCHEMA",
            service=1000 + service,
            service_name=f"SERVICE_{service}",
            service_type="Service",
            container_name=f"container-{container}",
            container_run_id=f"{service:032x}{container:032x}",
        )
        for service in range(SERVICES)
        for container in range(CONTAINERS)
    ]


def texts(count: int, seed: int) -> list[str]:
    """JSON texts of about 157 bytes: a level, a path, a duration, a request id, some words."""
    rng = random.Random(seed)
    return [
        orjson.dumps(
            f"[{rng.choice(('INFO', 'INFO', 'INFO', 'DEBUG', 'WARNING'))}] GET "
            f"/v1/orders/{rng.randrange(10**7)} 200 {rng.random() * 90:.3f} ms request="
            f"{rng.getrandbits(64):016x} user={rng.randrange(5000)} " + "shipped to the depot " * 3
        ).decode()
        for _ in range(count)
    ]


def hours_until(now: datetime) -> list[datetime]:
    """The hours of the last 24, the present one included."""
    present = now.replace(minute=0, second=0, microsecond=0)
    return [present - timedelta(hours=back) for back in range(HOURS - 1, -1, -1)]


def fill(folder: Path, total: int, now: datetime) -> None:
    """Blocking, a minute for ten million."""
    files = ParquetFiles(folder / "parquet")
    known = [attributes(one) for one in resources()]
    services = [one.service for one in resources()]
    words = pa.array(texts(_WORDS, 7))
    rng = np.random.default_rng(7)
    hours = hours_until(now)
    for number, hour in enumerate(hours, 1):
        end = min(hour + timedelta(hours=1), now)
        count = total // len(hours)
        table = _hour(rng, hour, end, count, known, services, words)
        files.write(hour.strftime("%Y-%m-%dT%H"), Span(number, number), sorting.in_order(table))


def _hour(
    rng: np.random.Generator,
    start: datetime,
    end: datetime,
    count: int,
    known: list[str],
    services: list[int],
    words: pa.Array,
) -> pa.Table:
    first, last = (int(moment.astimezone(UTC).timestamp() * 1e6) for moment in (start, end))
    stamps = np.sort(rng.integers(first, last, count))
    resource = rng.integers(0, len(known), count, dtype=np.int32)
    streams = pa.array(['{"log.iostream":"stdout"}', '{"log.iostream":"stderr"}'])
    zeros = pa.array(np.zeros(count, np.int32))
    # Each line is another one: a text of a few thousand, with a number of its own.
    numbered = pa.array([f"{n:012d}" for n in range(count)])
    drawn = words.take(pa.array(rng.integers(0, len(words), count)))
    values = rows.compute.binary_join_element_wise(
        rows.compute.utf8_slice_codeunits(drawn, 0, -1), numbered, '"', " "
    )
    values = rows.compute.replace_substring_regex(values, ' "$', '"')
    made = {
        "timestamp": pa.array(stamps, pa.timestamp("us")),
        "service": pa.array(services, pa.int64()).take(pa.array(resource)),
        "instance_id": zeros,
        "record_type": pa.DictionaryArray.from_arrays(zeros, ["LOG"]),
        "record": pa.DictionaryArray.from_arrays(zeros, ["{}"]),
        "record_attributes": pa.DictionaryArray.from_arrays(
            pa.array(rng.integers(0, 2, count, dtype=np.int32)), streams
        ),
        "value": values,
        "resource_attributes": pa.DictionaryArray.from_arrays(pa.array(resource), known),
    }
    return pa.table([made.get(f.name, pa.nulls(count, f.type)) for f in STORED], schema=STORED)


def sample(count: int) -> Iterator[str]:
    """Plain lines, for the peers on disk."""
    yield from (orjson.loads(text) for text in texts(count, 11))

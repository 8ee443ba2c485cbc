"""Metrics that a service tells of itself, for its autoscaling policies: Prometheus text at /metrics.

Only instances whose policies name a metric of their own are asked, on each HTTP endpoint, and only those
metrics are taken. A name is found with dots or with underscores in their place. What does not answer in
time, or with too much, or with what is no metrics, has no data points.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Collection, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice

import aiohttp
import structlog
from prometheus_client.parser import text_string_to_metric_families

from snowcave.v1 import nodes_pb2 as v1
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

ENDPOINT_LABEL = "snow.endpoint.name"
CONTAINER_LABEL = "snow.service.container.name"
_PLATFORM = ("container.", "network.", "volume.")
_AT_ONCE = 8
# Data points of one endpoint.
_MOST_POINTS = 1000


@dataclass(frozen=True, slots=True)
class ScrapeSettings:
    # Seconds for one endpoint's answer.
    timeout: float = 2.0
    # A longer answer is not read.
    most_bytes: int = 1 << 20


def own_metrics(spec: state.ServiceSpec) -> set[str]:
    """What the policies name and the platform does not measure."""
    policies = spec.auto_scaling
    conditions = (*policies.scale_up, *policies.scale_down, *policies.suspend)
    return {
        condition.metric_name
        for condition in conditions
        if not condition.metric_name.startswith(_PLATFORM)
    }


def samples(text: str, wanted: Collection[str]) -> Iterator[tuple[str, float, dict[str, str]]]:
    """Of the wanted metrics: name as wanted, value, labels. Raises ValueError on what is no metrics."""
    spelled = {name.replace(".", "_"): name for name in wanted} | {name: name for name in wanted}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name in spelled and math.isfinite(sample.value):
                    yield spelled[sample.name], sample.value, dict(sample.labels)
    except IndexError as error:
        # So the parser says of some texts that break off where it looks for a label.
        raise ValueError("no metrics") from error


def _first_samples(text: str, wanted: Collection[str]) -> list[tuple[str, float, dict[str, str]]]:
    return list(islice(samples(text, wanted), _MOST_POINTS))


class Scraper:
    """Made by `open_scraper`."""

    def __init__(self, session: aiohttp.ClientSession, settings: ScrapeSettings) -> None:
        self._session = session
        self._settings = settings

    async def scrape(self, instances: Iterable[state.Assignment]) -> list[v1.DataPoint]:
        turns = asyncio.Semaphore(_AT_ONCE)
        parts = await asyncio.gather(
            *(
                self._ask(one, endpoint, wanted, turns)
                for one in instances
                if one.address and (wanted := own_metrics(one.spec))
                for endpoint in one.spec.endpoints
                if endpoint.protocol == "HTTP" and not endpoint.port_last
            )
        )
        return [point for part in parts for point in part]

    async def _ask(
        self,
        one: state.Assignment,
        endpoint: state.EndpointSpec,
        wanted: Collection[str],
        turns: asyncio.Semaphore,
    ) -> Sequence[v1.DataPoint]:
        platform = {ENDPOINT_LABEL: endpoint.name}
        if len(one.spec.containers) == 1:
            platform[CONTAINER_LABEL] = one.spec.containers[0].name
        try:
            async with turns:
                text = await self._read(f"http://{one.address}:{endpoint.port}/metrics")
                # A megabyte takes half a second, and who wrote it is nobody that we know.
                found = await asyncio.to_thread(_first_samples, text, wanted)
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            log.debug("metrics_not_scraped", instance=one.instance, error=str(error))
            return []
        return [
            v1.DataPoint(instance=one.instance, metric=name, value=value, labels=labels | platform)
            for name, value, labels in found
        ]

    async def _read(self, url: str) -> str:
        """Raises ValueError where the answer is no 200, or too long."""
        most = self._settings.most_bytes
        async with (
            asyncio.timeout(self._settings.timeout),
            self._session.get(url, allow_redirects=False) as answer,
        ):
            if answer.status != 200:
                raise ValueError(f"status {answer.status}")
            body = bytearray()
            async for part in answer.content.iter_chunked(1 << 16):
                body += part
                if len(body) > most:
                    raise ValueError(f"more than {most} bytes")
        return body.decode(errors="replace")


@asynccontextmanager
async def open_scraper(settings: ScrapeSettings) -> AsyncGenerator[Scraper]:
    connector = aiohttp.TCPConnector(force_close=True, limit=_AT_ONCE)
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar()
    ) as session:
        yield Scraper(session, settings)

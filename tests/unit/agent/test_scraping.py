"""A service's own metrics: asked for only where policies name them, and never trusted."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from snowcave.agent.scraping import (
    CONTAINER_LABEL,
    ENDPOINT_LABEL,
    ScrapeSettings,
    open_scraper,
    own_metrics,
    samples,
)
from snowcave.v1 import state_pb2 as state

TEXT = """
# HELP queue_depth Waiting.
# TYPE queue_depth gauge
queue_depth{kind="slow"} 7
queue_depth{kind="fast"} 2
# TYPE broken gauge
broken NaN
other 5
"""


def instance(port: int, *metrics: str) -> state.Assignment:
    one = state.Assignment(instance="7-0-1", address="127.0.0.1")
    one.spec.containers.add(name="main")
    one.spec.endpoints.add(name="web", port=port, protocol="HTTP")
    for metric in metrics:
        one.spec.auto_scaling.scale_up.add(metric_name=metric)
    return one


@asynccontextmanager
async def answering(body: str, status: int = 200) -> AsyncGenerator[tuple[int, list[str]]]:
    """A port, and the paths that were asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(text=body, status=status)

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1], asked
    finally:
        await runner.cleanup()


def test_only_what_the_platform_does_not_measure_is_the_services_own():
    one = instance(80, "queue.depth", "container.cpu.usage")
    one.spec.auto_scaling.suspend.add(metric_name="network.ingress.cps")
    one.spec.auto_scaling.scale_down.add(metric_name="other")
    assert own_metrics(one.spec) == {"queue.depth", "other"}


def test_a_metric_is_found_by_its_name_with_dots_or_underscores():
    assert list(samples(TEXT, {"queue.depth"})) == [
        ("queue.depth", 7.0, {"kind": "slow"}),
        ("queue.depth", 2.0, {"kind": "fast"}),
    ]
    assert [value for _, value, _ in samples(TEXT, {"queue_depth"})] == [7.0, 2.0]
    assert list(samples(TEXT, {"broken", "absent"})) == []


@pytest.mark.parametrize("text", ['a{b="c", ="e"} 1', "a{", 'a{b="c"} x', "\x00"])
def test_what_is_no_metrics_is_refused_in_one_way(text: str):
    with pytest.raises(ValueError, match=r"."):
        list(samples(f"# TYPE a gauge\n{text}\n", {"a"}))


async def test_what_policies_name_is_scraped_with_the_labels_of_its_place():
    async with (
        answering(TEXT) as (port, asked),
        open_scraper(ScrapeSettings()) as scraper,
    ):
        points = await scraper.scrape([instance(port, "queue_depth")])
        assert {(p.instance, p.metric, p.value, p.labels["kind"]) for p in points} == {
            ("7-0-1", "queue_depth", 7.0, "slow"),
            ("7-0-1", "queue_depth", 2.0, "fast"),
        }
        labels = {"kind": "slow", ENDPOINT_LABEL: "web", CONTAINER_LABEL: "main"}
        assert dict(points[0].labels) == labels
        assert asked == ["/metrics"]
        assert await scraper.scrape([instance(port, "container.cpu.usage")]) == []
        assert asked == ["/metrics"]


@pytest.mark.parametrize(
    ("body", "status"),
    [("queue_depth 1", 404), ("{]", 200), ("queue_depth one", 200), ("x 1\n" * 3000, 200)],
)
async def test_an_answer_that_is_none_has_no_data_points(body: str, status: int):
    async with (
        answering(body, status) as (port, asked),
        open_scraper(ScrapeSettings(most_bytes=10_000)) as scraper,
    ):
        assert await scraper.scrape([instance(port, "queue_depth")]) == []
        assert asked == ["/metrics"]


async def test_nobody_listening_has_no_data_points():
    async with answering("") as (port, _):
        pass
    async with open_scraper(ScrapeSettings()) as scraper:
        assert await scraper.scrape([instance(port, "queue_depth")]) == []

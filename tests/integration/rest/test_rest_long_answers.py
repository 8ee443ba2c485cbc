"""Answers that take long, or are too long for one page."""

import asyncio
import re

import pytest
import pytest_asyncio

from snowcave.api.rest.settings import RestSettings
from snowcave.v1 import state_pb2 as state
from tests.kit.rest import PLACE, SPEC, Reply, Rest

pytestmark = [pytest.mark.validated, pytest.mark.asyncio(loop_scope="module")]
SETTINGS = RestSettings(hold=0.2, page=5)
JOB_SPEC = SPEC.partition("  endpoints")[0]
ROLES = 12
END = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(rest: Rest) -> Rest:
    await rest.place()
    return rest


async def start(place: Rest, name: str) -> tuple[Reply, str]:
    """The answer to a job that nobody runs, and where its result will be."""
    spec = {"spec_type": "from_inline", "spec_text": JOB_SPEC}
    body = {"name": name, "compute_pool": "p", "spec": spec}
    answer = await place("POST", f"{PLACE}/services:execute-job", body)
    assert answer.status == 202
    assert answer.headers["Location"] == f"/api/v2/results/{answer.body['resultHandler']}"
    return answer, answer.headers["Location"].removeprefix("/api/v2")


async def the_end(place: Rest, where: str) -> Reply:
    async with asyncio.timeout(END):
        while (answer := await place("GET", where)).status == 202:
            assert answer.headers["Location"].endswith(where)
    return answer


async def test_a_job_that_is_waited_for_is_asked_for_again(place: Rest):
    _, where = await start(place, "good")
    assert (await place("GET", where)).status == 202
    await place.say(place.uid("service", "GOOD"), state.ServiceStatus(status="DONE"))
    answer = await the_end(place, where)
    said = "Job GOOD completed successfully with status: DONE."
    assert (answer.status, answer.body) == (200, {"status": said})
    assert (await the_end(place, where)).body == answer.body


async def test_a_job_that_fails_says_so_in_the_end(place: Rest):
    _, where = await start(place, "poor")
    await place.say(place.uid("service", "POOR"), state.ServiceStatus(status="FAILED"))
    answer = await the_end(place, where)
    assert answer.status >= 400
    assert "POOR" in answer.body["message"]


async def test_the_result_is_for_who_asked_and_nobody_else(place: Rest):
    _, where = await start(place, "mine")
    await place.say(place.uid("service", "MINE"), state.ServiceStatus(status="DONE"))
    await the_end(place, where)
    await place.sql("CREATE USER other PASSWORD='Some-Word-1'")
    token = await place.log_in("other", "Some-Word-1")
    headers = {"Authorization": f'Snowflake Token="{token}"'}
    assert (await place("GET", where, headers=headers)).status == 404
    assert (await place("GET", "/results/nothing", headers=headers)).status == 404


async def test_a_long_list_comes_in_pages_of_one_moment(place: Rest):
    wanted = [f"PAGED_{number:02}" for number in range(ROLES)]
    for name in wanted:
        await place.ok("POST", "/roles", {"name": name})
    answer = await place("GET", "/roles?like=PAGED%")
    links = dict(re.findall(r'</api/v2(/results/[^>]+)>; rel="(\w+)"', answer.headers["Link"]))
    pages = {word: path for path, word in links.items()}
    assert {word: path.partition("=")[2] for word, path in pages.items()} == {
        "first": "0",
        "next": "1",
        "last": "2",
    }
    await place.ok("DELETE", "/roles/PAGED_00")
    found = [one["name"] for one in answer.body]
    stem = pages["next"].rpartition("=")[0]
    for number in (1, 2):
        found += [one["name"] for one in await place.ok("GET", f"{stem}={number}")]
    assert found == wanted
    assert await place.ok("GET", pages["first"]) == answer.body
    last = await place("GET", pages["last"])
    assert 'rel="next"' not in last.headers["Link"]
    assert (await place("GET", f"{stem}=x")).status == 400
    assert (await place("GET", "/results/nothing.list_roles?page=0")).status == 404


async def test_a_list_that_fits_has_no_links(place: Rest):
    assert "Link" not in (await place("GET", "/compute-pools")).headers

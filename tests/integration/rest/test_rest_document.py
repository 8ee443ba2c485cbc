"""The OpenAPI document says what is served: schemathesis asks as it says, and compares the answers."""

import asyncio
import itertools
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from snowcave.api.rest.catalog import OPERATIONS
from snowcave.api.rest.operations import PREFIX
from tests.kit.rest import PLACE, SPEC, Rest

pytestmark = pytest.mark.asyncio(loop_scope="module")

EXAMPLES = 2
# What there is of the things that paths name, by the part of the path before the name.
KNOWN = {
    "databases": "d",
    "schemas": "s",
    "services": "web",
    "compute-pools": "p",
    "image-repositories": "r",
    "stages": "st",
    "roles": "tester",
    "users": "tester",
    "warehouses": "w",
    "secrets": "word",
    "network-rules": "hosts",
    "tags": "t",
}
CONFORM = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
REFUSED = [checks.status_code_conformance, checks.response_schema_conformance]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def filled(rest: Rest) -> Rest:
    await rest.place()
    service = {
        "name": "web",
        "compute_pool": "p",
        "spec": {"spec_type": "from_inline", "spec_text": SPEC},
    }
    await rest.ok("POST", f"{PLACE}/services", service)
    for path, body in (
        (f"{PLACE}/stages", {"name": "st"}),
        ("/roles", {"name": "tester"}),
        ("/users", {"name": "tester"}),
        ("/warehouses", {"name": "w"}),
        (f"{PLACE}/secrets", {"type": "GENERIC_STRING", "name": "word", "secret_string": "x"}),
        (
            f"{PLACE}/network-rules",
            {"type": "HOST_PORT", "mode": "EGRESS", "name": "hosts", "value_list": ["a.b:1"]},
        ),
        (f"{PLACE}/tags", {"name": "t", "allowed_values": ["a"]}),
    ):
        await rest.ok("POST", path, body)
    return rest


async def _document(rest: Rest) -> dict[str, Any]:
    answer = await rest("GET", "/openapi.json", headers={})
    assert answer.status == 200
    return answer.body


async def test_everything_that_is_served_is_documented(rest: Rest):
    paths = (await _document(rest))["paths"]
    documented = {(method, path) for path, found in paths.items() for method in found}
    served = {(one.method.lower(), PREFIX + one.path) for one in OPERATIONS}
    assert documented == served | {("get", f"{PREFIX}/results/{{handle}}")}


async def test_answers_are_as_documented(filled: Rest):
    schema = openapi.from_dict(await _document(filled))
    found = [one.ok() for one in schema.get_all_operations() if isinstance(one, Ok)]
    assert len(found) == len(OPERATIONS) + 1
    for operation in found:
        meaningless = "501" in operation.definition.raw["responses"]
        await asyncio.to_thread(_try, filled, operation, REFUSED if meaningless else CONFORM)


def _try(rest: Rest, operation: APIOperation[Any, Any, Any, Any], wanted: list[Any]) -> None:
    """A few requests of all that the document allows, every second one about things that there are."""
    headers = {"Authorization": f'Snowflake Token="{rest.token}"'}
    known = _known(operation)

    @seed(1)
    @settings(
        max_examples=EXAMPLES if wanted is CONFORM else 1,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )
    @given(case=operation.as_strategy(GenerationMode.POSITIVE), is_known=st.booleans())
    def asked(case: Case[Any], is_known: bool) -> None:
        if is_known and case.method in ("GET", "PUT"):
            case.path_parameters = {**(case.path_parameters or {}), **known}
        case.call_and_validate(base_url=rest.url, headers=headers, checks=wanted)

    asked()


def _known(operation: APIOperation[Any, Any, Any, Any]) -> dict[str, str]:
    parts = operation.path.split("/")
    named = itertools.pairwise(parts)
    return {
        part.partition("}")[0][1:]: KNOWN[before]
        for before, part in named
        if part.startswith("{") and before in KNOWN
    }


async def test_paths_and_methods_that_are_not_documented_are_not_there(rest: Rest):
    assert (await rest("GET", "/pipes")).status == 404
    answer = await rest("PATCH", "/databases/d")
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, PUT, DELETE"
    assert set(answer.body) == {"message", "code", "error_code", "request_id"}


async def test_nobody_is_told_what_there_is_before_they_say_who_they_are(rest: Rest):
    for path in ("/databases", "/pipes", "/results/x"):
        answer = await rest("GET", path, headers={})
        assert (answer.status, answer.body["error_code"]) == (401, "390104")

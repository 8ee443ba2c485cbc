"""From a request's path to its operation, and from its address to parameters."""

import pytest

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest.catalog import OPERATIONS
from snowcave.api.rest.operations import Match, Routes, read_query

ROUTES = Routes(OPERATIONS)
SERVICES = "/databases/d/schemas/s/services"


def operation(method: str, path: str) -> str:
    found = ROUTES.find(method, path)
    assert isinstance(found, Match), found
    return found.operation.id


@pytest.mark.parametrize(
    ("method", "path", "wanted"),
    [
        ("GET", "/databases", "list_databases"),
        ("POST", "/databases/", "create_database"),
        ("POST", "/databases:from-share", "create_database_from_share"),
        ("POST", "/databases:from_share", "create_database_from_share"),
        ("GET", "/compute-pools/instance-families", "list_compute_pool_instance_families"),
        ("GET", "/compute-pools/p", "fetch_compute_pool"),
        ("POST", "/compute-pools/p:stopallservices", "stop_all_services_in_compute_pool"),
        ("POST", f"{SERVICES}:execute-job", "execute_job_service"),
        ("POST", f"{SERVICES}/web:suspend", "suspend_service"),
        ("GET", f"{SERVICES}/web", "fetch_service"),
        ("GET", f"{SERVICES}/web/roles/r/grants-of", "list_service_role_grants_of"),
        ("DELETE", "/grants/role/r/database/d/privileges/USAGE", "revoke_privilege"),
        (
            "DELETE",
            "/grants/role/r/all/tables/schema/d.s/privileges/SELECT/grant-option",
            "revoke_group_privilege_grant_option",
        ),
    ],
)
def test_a_path_leads_to_its_operation(method: str, path: str, wanted: str):
    assert operation(method, path) == wanted


def test_every_operation_is_found_by_its_own_path():
    for one in OPERATIONS:
        path = one.path.replace("{", "").replace("}", "")
        assert operation(one.method, path) == one.id


def test_names_are_decoded_and_a_colon_within_is_no_verb():
    found = ROUTES.find("GET", f"{SERVICES}/%22my%3Asuspend%20%2F%22")
    assert isinstance(found, Match)
    assert found.names == {"database": "d", "schema": "s", "name": '"my:suspend /"'}
    # One that was not encoded is a part of the name where there is no such verb.
    found = ROUTES.find("GET", "/databases/a:b")
    assert isinstance(found, Match)
    assert found.names == {"name": "a:b"}


def test_a_path_without_such_a_method_names_those_it_has():
    assert ROUTES.find("PATCH", "/databases") == ("POST", "GET")
    assert ROUTES.find("GET", "/nothing") == ()
    assert ROUTES.find("GET", "/databases//schemas") == ()


def test_names_that_are_no_text_are_refused():
    for path in ("/databases/%FF", "/databases/a%00b"):
        with pytest.raises(RequestInvalid):
            ROUTES.find("GET", path)


def test_parameters_are_read_by_their_kind():
    found = ROUTES.find("GET", "/databases")
    assert isinstance(found, Match)
    text = "like=A%25_&showLimit=10&history=True&startsWith=a+b&other=1"
    assert read_query(found.operation, text) == {
        "like": "A%_",
        "showLimit": 10,
        "history": True,
        "startsWith": "a b",
    }
    # Not encoded by the client: no text in UTF-8, so it is meant as it stands.
    assert read_query(found.operation, "like=%DB") == {"like": "%DB"}


@pytest.mark.parametrize("text", ["showLimit=0", "showLimit=x", "history=1", "showLimit=1e3"])
def test_parameters_of_another_kind_are_refused(text: str):
    found = ROUTES.find("GET", "/databases")
    assert isinstance(found, Match)
    with pytest.raises(RequestInvalid):
        read_query(found.operation, text)

"""Objects over REST: made, shown, filtered, changed to a given state, dropped; and what is refused."""

from typing import Any

import pytest
import pytest_asyncio

from snowcave.v1 import state_pb2 as state
from tests.kit.rest import PLACE, SPEC, Rest

pytestmark = [pytest.mark.documented, pytest.mark.asyncio(loop_scope="module")]
INLINE = {"spec_type": "from_inline", "spec_text": SPEC}
WEB = {"name": "web", "compute_pool": "p", "spec": INLINE}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(rest: Rest) -> Rest:
    await rest.place()
    await rest.ok("POST", f"{PLACE}/services", WEB)
    return rest


async def names(rest: Rest, path: str) -> list[str]:
    return [one["name"] for one in await rest.ok("GET", path)]


async def refused(rest: Rest, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = await rest(method, path, body)
    assert set(answer.body) == {"message", "code", "error_code", "request_id"}
    assert answer.body["request_id"] == answer.headers["X-Snowflake-Request-ID"]
    return answer.status, answer.body["error_code"]


async def test_a_name_that_is_taken_is_refused_kept_or_replaced(place: Rest):
    body = {"name": "modes", "comment": "first"}
    await place.ok("POST", "/databases", body)
    assert await refused(place, "POST", "/databases", body) == (409, "002002")
    other = {"name": "modes", "comment": "second"}
    kept = await place.ok("POST", "/databases?createMode=ifNotExists", other)
    assert kept["status"] == "MODES already exists, statement succeeded."
    assert (await place.ok("GET", "/databases/modes"))["comment"] == "first"
    await place.ok("POST", "/databases?createMode=orReplace", other)
    assert (await place.ok("GET", "/databases/MODES"))["comment"] == "second"


async def test_quoted_names_keep_their_case_on_both_ways(place: Rest):
    await place.ok("POST", "/databases/d/schemas", {"name": '"my S"'})
    found = await place.ok("GET", "/databases/d/schemas/%22my%20S%22")
    assert found["name"] == '"my S"'
    assert await refused(place, "GET", "/databases/d/schemas/my%20S") == (400, "390400")
    await place.ok("DELETE", "/databases/d/schemas/%22my%20S%22")


async def test_lists_are_filtered(place: Rest):
    for name in ("f_one", "f_two", "g_three"):
        await place.ok("POST", "/roles", {"name": name})
    assert await names(place, "/roles?like=f%") == ["F_ONE", "F_TWO"]
    assert await names(place, "/roles?startsWith=F") == ["F_ONE", "F_TWO"]
    assert await names(place, "/roles?startsWith=f") == []
    assert await names(place, "/roles?showLimit=1&fromName=F_ONE") == ["F_TWO"]
    assert await refused(place, "GET", "/roles?showLimit=0") == (400, "390400")
    assert await refused(place, "GET", "/roles?showLimit=10001") == (400, "390400")


async def test_a_pattern_with_a_percent_sign_is_taken_as_it_was_sent(place: Rest):
    assert await names(place, "/databases?like=%D%") == ["D", "MODES"]


async def test_what_is_not_there_is_404_unless_it_may_be(place: Rest):
    for path in ("/databases/none", f"{PLACE}/services/none", "/databases/none/schemas/s"):
        assert await refused(place, "GET", path) == (404, "002003")
        assert await refused(place, "DELETE", path) == (404, "002003")
    said = await place.ok("DELETE", f"{PLACE}/services/none?ifExists=True")
    assert said["status"] == "Drop statement executed successfully (NONE already dropped)."
    await place.ok("POST", f"{PLACE}/services/none:suspend?ifExists=true")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/databases", {}),
        ("/databases", []),
        ("/databases", {"name": 1}),
        ("/databases", {"name": "a b"}),
        ("/databases", {"name": "a", "comment": 1}),
        ("/databases?createMode=sometimes", {"name": "a"}),
        (f"{PLACE}/services", {**WEB, "spec": {"spec_type": "from_nowhere"}}),
        (f"{PLACE}/services", {**WEB, "spec": {"spec_type": "from_file", "stage": "s"}}),
        (f"{PLACE}/services", {**WEB, "min_instances": True}),
        ("/compute-pools", {"name": "q", "min_nodes": "1"}),
    ],
)
async def test_bodies_that_are_not_as_documented_are_400(place: Rest, path: str, body: Any):
    assert await refused(place, "POST", path, body) == (400, "390400")


async def test_the_rules_are_those_of_sql(place: Rest):
    bad = {**WEB, "name": "bad", "spec": {**INLINE, "spec_text": "spec: {nothing: 1}"}}
    assert await refused(place, "POST", f"{PLACE}/services", bad) == (400, "395018")
    few = {**WEB, "name": "bad", "min_instances": 3, "max_instances": 2}
    assert await refused(place, "POST", f"{PLACE}/services", few) == (400, "001008")
    pool = {"name": "p", "min_nodes": 1, "max_nodes": 1, "instance_family": "CPU_X64_XS"}
    for path, body in ((f"{PLACE}/services", WEB), ("/compute-pools", pool)):
        replaced = await refused(place, "POST", f"{path}?createMode=orReplace", body)
        assert replaced == (422, "000002")


async def test_a_service_is_as_describe_shows_it(place: Rest):
    found = await place.ok("GET", f"{PLACE}/services/web")
    (listed,) = await place.ok("GET", f"{PLACE}/services")
    assert found == listed
    assert (found["name"], found["compute_pool"], found["status"]) == ("WEB", "P", "PENDING")
    assert (found["auto_resume"], found["is_job"], found["min_instances"]) == (True, False, 1)
    assert found["spec"]["spec_type"] == "from_inline"
    assert 'image: "/d/s/r/i:1"' in found["spec"]["spec_text"]


async def test_what_the_body_leaves_out_goes_back_to_its_default(place: Rest):
    body = {**WEB, "name": "put", "comment": "c", "max_instances": 3, "auto_resume": False}
    await place.ok("PUT", f"{PLACE}/services/put", body)
    first = await place.ok("GET", f"{PLACE}/services/put")
    assert (first["comment"], first["max_instances"], first["auto_resume"]) == ("c", 3, False)
    await place.ok("PUT", f"{PLACE}/services/put", {**WEB, "name": "put", "auto_resume": False})
    second = await place.ok("GET", f"{PLACE}/services/put")
    assert ("comment" in second, second["max_instances"], second["auto_resume"]) == (
        False,
        1,
        False,
    )
    assert second["spec_digest"] == first["spec_digest"]
    other = {**INLINE, "spec_text": SPEC.replace("80", "81")}
    await place.ok("PUT", f"{PLACE}/services/put", {**WEB, "name": "put", "spec": other})
    third = await place.ok("GET", f"{PLACE}/services/put")
    assert third["spec_digest"] != first["spec_digest"]
    await place.ok("PUT", f"{PLACE}/services/put", third)
    assert (await place.ok("GET", f"{PLACE}/services/put"))["spec"] == third["spec"]
    wrong = await refused(place, "PUT", f"{PLACE}/services/put", {**WEB, "name": "web"})
    assert wrong == (400, "390400")


async def test_a_specification_on_a_stage_of_the_services_schema(place: Rest):
    await place.ok("POST", f"{PLACE}/stages", {"name": "specs"})
    uid = place.uid("stage", "SPECS")
    place.stages.kept[uid, "dir/spec.yaml"] = SPEC.encode()
    spec = {"spec_type": "from_file", "stage": "specs", "spec_file": "dir/spec.yaml"}
    await place.ok("POST", f"{PLACE}/services", {**WEB, "name": "staged", "spec": spec})
    (file,) = await place.ok("GET", f"{PLACE}/stages/specs/files")
    assert (file["name"], file["size"]) == ("specs/dir/spec.yaml", str(len(SPEC)))
    where = f"{PLACE}/stages/specs/files/dir%2Fspec.yaml:presigned-url"
    url = (await place.ok("POST", where, {}))["presigned_url"]
    assert url.startswith(f"{place.url}/stages/{uid}/dir/spec.yaml?ticket=")


async def test_the_parts_of_a_service(place: Rest):
    container = state.ContainerStatus(name="main", status="READY", message="Running")
    instance = state.InstanceStatus(instance_id=0, status="READY", containers=[container])
    known = state.ServiceStatus(status="RUNNING", target_instances=1, instances=[instance])
    await place.say(place.uid("service", "WEB"), known)
    path = f"{PLACE}/services/web"
    (row,) = await place.ok("GET", f"{path}/containers")
    assert (row["service_name"], row["instance_id"], row["status"]) == ("WEB", "0", "READY")
    assert row["restart_count"] == 0
    (row,) = await place.ok("GET", f"{path}/instances")
    assert (row["service_status"], row["status"]) == ("RUNNING", "READY")
    (row,) = await place.ok("GET", f"{path}/endpoints")
    assert (row["name"], row["port"], row["is_public"]) == ("web", 80, True)
    assert row["ingress_url"].endswith(f":{place.mesh.port('ingress')}")
    logs = await place.ok("GET", f"{path}/logs?instanceId=0&containerName=main&numLines=10")
    assert logs == {"system$get_service_logs": "line\n"}
    assert place.logs.asked[-1].tail_lines == 10
    status = await place.ok("GET", f"{path}/status?timeout=5")
    assert '"containerName": "main"' in status["system$get_service_status"]


async def test_a_secret_tells_nobody_what_it_keeps(place: Rest):
    body = {"type": "PASSWORD", "name": "word", "username": "u", "password": "Very-Secret-9"}
    await place.ok("POST", f"{PLACE}/secrets", body)
    answer = await place("GET", f"{PLACE}/secrets/word")
    assert (answer.body["username"], answer.body["password"]) == ("u", "")
    user = {"name": "hidden", "password": "Very-Secret-9"}
    await place.ok("POST", "/users", user)
    assert "password" not in await place.ok("GET", "/users/hidden")
    kept = place.backend.listing("query/").items
    assert not [one for one in kept if b"Very-Secret-9" in one.value]


async def test_tags_are_set_inherited_and_unset(place: Rest):
    await place.ok("POST", f"{PLACE}/tags", {"name": "team"})
    tag = {"tag_database": "d", "tag_schema": "s", "tag_name": "team"}
    assert await place.ok("GET", "/compute-pools/p:get-tags") == []
    for path in ("/databases/d/schemas/s", "/compute-pools/p"):
        await place.ok("POST", f"{path}:set-tags", [{**tag, "tag_value": "red"}])
    shown = {"tag_database": "D", "tag_schema": "S", "tag_name": "TEAM", "tag_value": "red"}
    assert await place.ok("GET", "/compute-pools/p:get-tags") == [
        {**shown, "level": "COMPUTE POOL"}
    ]
    service = f"{PLACE}/services/web"
    assert await place.ok("GET", f"{service}:get-tags") == []
    inherited = await place.ok("GET", f"{service}:get-tags?withLineage=true")
    assert inherited == [{**shown, "level": "SCHEMA"}]
    await place.ok("POST", f"{service}:set-tags", [{"tag_name": "team", "tag_value": "blue"}])
    own = await place.ok("GET", f"{service}:get-tags?withLineage=true")
    assert own == [{**shown, "tag_value": "blue", "level": "SERVICE"}]
    await place.ok("POST", f"{service}:unset-tags", [{"tag_name": "team"}])
    assert await place.ok("GET", f"{service}:get-tags") == []


async def test_an_event_table_is_made_shown_renamed_and_dropped(place: Rest):
    path = f"{PLACE}/event-tables"
    wish = {"name": "e", "cluster_by": ["timestamp"], "data_retention_time_in_days": 3}
    await place.ok("POST", path, {**wish, "comment": "c", "change_tracking": True})
    assert await refused(place, "POST", path, wish) == (409, "002002")
    found = await place.ok("GET", f"{path}/e")
    assert found.items() >= {**wish, "name": "E", "comment": "c", "change_tracking": True}.items()
    assert [one["name"] for one in found["columns"]][:2] == ["TIMESTAMP", "START_TIMESTAMP"]
    await place.ok("POST", f"{path}/e:rename?targetName=told")
    assert await names(place, path) == ["TOLD"]
    await place.ok("DELETE", f"{path}/told")
    assert await refused(place, "GET", f"{path}/told") == (404, "002003")
    await place.ok("DELETE", f"{path}/told?ifExists=true")


async def test_one_overload_of_a_function_is_shown_as_the_list_shows_it(place: Rest):
    path = f"{PLACE}/functions"
    wish = {"function_type": "service-function", "service": "web", "endpoint": "web", "path": "/"}
    for kind in ("TEXT", "NUMBER"):
        body = {**wish, "name": "f_n", "arguments": [{"name": "x", "datatype": kind}]}
        await place.ok("POST", path, body)
    text, number = await place.ok("GET", path)
    assert await place.ok("GET", f"{path}/f_n(varchar)") == text
    assert await place.ok("GET", f"{path}/f_n(int)") == number
    assert text["created_on"] != number["created_on"]


async def test_what_another_role_may_not_see_is_not_there(place: Rest):
    await place.ok("POST", "/users", {"name": "stranger", "password": "Some-Word-1"})
    token = await place.log_in("stranger", "Some-Word-1")
    headers = {"Authorization": f'Snowflake Token="{token}"'}
    for method, path in (("GET", f"{PLACE}/services/web"), ("DELETE", "/databases/d")):
        answer = await place(method, path, headers=headers)
        assert (answer.status, answer.body["error_code"]) == (404, "002003")
    answer = await place("POST", "/databases", {"name": "mine"}, headers=headers)
    assert (answer.status, answer.body["error_code"]) == (403, "003001")
    assert (await place("GET", "/compute-pools", headers=headers)).body == []


async def test_a_change_over_rest_leaves_the_session_where_it_is(place: Rest):
    before = await place.ok("GET", "/session/default-database")
    await place.ok("POST", "/databases", {"name": "elsewhere"})
    assert await place.ok("GET", "/session/default-database") == before
    await place.ok("PUT", "/session/default-schema", {"name": "elsewhere.public"})
    now = await place.ok("GET", "/session/default-database")
    assert now == {"session_default": "ELSEWHERE"}


@pytest.mark.deviates
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/databases/d/replication:enable"),
        ("POST", "/databases:from-share"),
        ("POST", "/databases/d:clone"),
        ("GET", "/databases/d/database-roles"),
        ("POST", f"{PLACE}/tables/t:undrop"),
    ],
)
async def test_what_has_no_meaning_here_is_501_and_says_why(place: Rest, method: str, path: str):
    assert await refused(place, method, path) == (501, "000002")

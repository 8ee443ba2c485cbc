"""Services by statements: clauses in every order, refusals, pinned images, and what is shown."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.settings import StatementSettings
from snowcave.model.errors import NotAuthorized, SnowcaveError
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

IMAGE = "/d/public/r/echo"
BODY = f"spec: {{containers: [{{name: main, image: {IMAGE}}}]}}"
SPEC = f"SPECIFICATION $${BODY}$$"
POOL = "IN COMPUTE POOL p"
DONE = [{"status": "Statement executed successfully."}]


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql("CREATE DATABASE d", "CREATE IMAGE REPOSITORY r", "CREATE STAGE st")
        await opened.sql("CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_S")
        opened.registry.push("d/public/r/echo:latest")
        yield opened


async def described(account: Account, name: str = "s") -> dict[str, object]:
    return (await account.sql(f"DESC SERVICE {name}"))[0]


def spec_of(account: Account) -> state.ServiceSpec:
    return next(one.service.spec for one in account.catalog.all("service"))


@pytest.mark.parametrize(
    "sql",
    [
        f"CREATE SERVICE s {POOL} FROM {SPEC} MIN_INSTANCES=1 MAX_INSTANCES=2 COMMENT='c'",
        f"create service s min_instances = 1 max_instances = 2 comment = 'c' {POOL} from {SPEC};",
        f"CREATE SERVICE IF NOT EXISTS d.public.s FROM {SPEC} COMMENT='c' {POOL} "
        "MAX_INSTANCES => 2, MIN_INSTANCES => 1 -- the end",
        f"CREATE SERVICE IDENTIFIER('d..s') MAX_INSTANCES=2 /* between */ FROM {SPEC} "
        f"COMMENT = $$c$$ IN COMPUTE POOL IDENTIFIER('\"P\"') ; ;",
        f"CREATE SERVICE s {POOL} FROM SPECIFICATION '{BODY}' MAX_INSTANCES='2' COMMENT='c'",
        f"CREATE SERVICE s {POOL} EXTERNAL_ACCESS_INTEGRATIONS=() MAX_INSTANCES=2 COMMENT=c "
        "FROM SPECIFICATION $$spec: {container: [{name: main, image: {{ image }}}]}$$ "
        f"USING (image => '\"{IMAGE}\"')",
        f"CREATE SERVICE s {POOL} USING (\"n\" = main) MAX_INSTANCES=2 COMMENT='c' "
        f"FROM SPECIFICATION_TEMPLATE $$spec: {{containers: [{{name: {{{{n}}}}, image: {IMAGE}}}]}}$$",
    ],
)
async def test_clauses_come_in_every_order_and_spelling(account: Account, sql: str) -> None:
    if "COMMENT=c " in sql:
        sql = sql.replace("COMMENT=c ", "COMMENT='c' ")
    assert await account.sql(sql) == [{"status": "Service S successfully created."}]
    row = await described(account)
    assert (row["database_name"], row["schema_name"], row["compute_pool"]) == ("D", "PUBLIC", "P")
    assert (row["min_instances"], row["max_instances"], row["comment"]) == (1, 2, "c")
    assert [one.name for one in spec_of(account).containers] == ["main"]


@pytest.mark.parametrize(
    "source",
    [
        "@st SPECIFICATION_FILE='dir/spec.yaml'",
        "@st SPEC='dir/spec.yaml'",
        "@st/dir SPEC=spec.yaml",
        "@d.public.st SPECIFICATION_FILE => dir/spec.yaml",
        "'@st/dir/' SPECIFICATION_FILE = 'spec.yaml'",
        "SPECIFICATION_FILE='@st/dir/spec.yaml'",
        "@st SPECIFICATION_TEMPLATE_FILE='dir/spec.yaml' USING (a => 1)",
    ],
)
async def test_specifications_lie_on_stages(account: Account, source: str) -> None:
    (stage,) = account.catalog.all("stage")
    account.stages.kept[stage.uid, "dir/spec.yaml"] = BODY.encode()
    await account.sql(f"CREATE SERVICE s {POOL} FROM {source} MAX_INSTANCES=2")
    assert (await described(account))["max_instances"] == 2


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        (f"CREATE SERVICE s {POOL} FROM {SPEC} FOO", 1003, "position 118 unexpected 'FOO'."),
        (
            f"CREATE SERVICE s {POOL} FROM {SPEC} FOO=1",
            1008,
            "invalid property 'FOO' for 'SERVICE'",
        ),
        (f"CREATE SERVICE s FROM {SPEC}", 1003, "unexpected '<EOF>'.\nexpecting IN COMPUTE POOL."),
        (f"CREATE SERVICE s {POOL}", 1003, "unexpected '<EOF>'.\nexpecting FROM SPECIFICATION."),
        (f"CREATE SERVICE {POOL} FROM {SPEC}", 1003, "line 1 at position 15 unexpected 'IN'."),
        (f"CREATE OR REPLACE SERVICE s {POOL} FROM {SPEC}", 1003, "unexpected 'SERVICE'."),
        (f"CREATE SERVICE s {POOL} FROM {SPEC} FROM {SPEC}", 1003, "unexpected 'FROM'."),
        (f"CREATE SERVICE s {POOL} {POOL} FROM {SPEC}", 1003, "unexpected 'IN'."),
        (
            f"CREATE SERVICE s {POOL}\nFROM {SPEC}\n  MIN_INSTANCES 1",
            1003,
            "line 3 at position 16",
        ),
        (f"CREATE SERVICE s {POOL} FROM @st", 1003, "expecting SPECIFICATION_FILE."),
        (f"CREATE SERVICE s {POOL} FROM SPECIFICATION", 1003, "expecting string."),
        (f"CREATE SERVICE s {POOL} FROM SPECIFICATION 'x", 1003, "unexpected '''."),
        (f'CREATE SERVICE "s" {POOL} FROM {SPEC}', 1008, "Invalid service name: 's'."),
        (f"CREATE SERVICE s$1 {POOL} FROM {SPEC}", 1008, "As 's$1' it must be a valid DNS label."),
        (f"CREATE SERVICE _s {POOL} FROM {SPEC}", 1008, "As '-s' it must be a valid DNS label."),
        (f"CREATE SERVICE {'s' * 64} {POOL} FROM {SPEC}", 1008, "must be a valid DNS label."),
        (f"CREATE SERVICE s {POOL} FROM {SPEC} MIN_INSTANCES=0", 1008, "'0' for property"),
        (
            f"CREATE SERVICE s {POOL} FROM {SPEC} MIN_INSTANCES=3 MAX_INSTANCES=2",
            1008,
            "invalid property combination 'MIN_INSTANCES'='3' and 'MAX_INSTANCES'='2'",
        ),
        (
            f"CREATE SERVICE s {POOL} FROM {SPEC} MIN_READY_INSTANCES=2",
            1008,
            "'MIN_READY_INSTANCES'='2' and 'MIN_INSTANCES'='1'",
        ),
        (
            f"CREATE SERVICE s {POOL} FROM {SPEC} AUTO_SUSPEND_SECS=299",
            1008,
            "invalid value '299' for property 'AUTO_SUSPEND_SECS'",
        ),
        (f"CREATE SERVICE s {POOL} FROM {SPEC} LOG_LEVEL=LOUD", 1008, "'LOUD' for property"),
        (
            f"CREATE SERVICE s IN COMPUTE POOL q FROM {SPEC}",
            2003,
            "Compute pool 'Q' does not exist or not authorized.",
        ),
        (
            f"CREATE SERVICE nope.s {POOL} FROM {SPEC}",
            2003,
            "Schema 'D.NOPE' does not exist or not authorized.",
        ),
        (
            f"CREATE SERVICE s {POOL} FROM SPECIFICATION $${{{{ x }}}}$$ USING ()",
            395069,
            "Unable to render service spec from given template: UndefinedError: 'x' is undefined",
        ),
        (
            f"CREATE SERVICE s {POOL} FROM @nope SPECIFICATION_TEMPLATE_FILE='x' USING (a=>1)",
            395069,
            "from given template: Stage 'D.PUBLIC.NOPE' does not exist or not authorized.",
        ),
        (
            f"CREATE SERVICE s {POOL} FROM @st SPEC='x'",
            91016,
            "Remote file '@st/x' was not found.",
        ),
        (
            f"CREATE SERVICE s {POOL} FROM SPECIFICATION $$spec: {{robot: 1}}$$",
            395018,
            "Invalid spec: unknown option 'robot' for 'spec'.",
        ),
    ],
)
async def test_a_service_that_cannot_be_is_refused(
    account: Account, sql: str, code: int, said: str
) -> None:
    with pytest.raises(SnowcaveError) as raised:
        await account.sql(sql)
    assert raised.value.code == code
    assert said in raised.value.message
    assert await account.sql("SHOW SERVICES") == []


async def test_services_stand_only_where_names_need_no_quotes(account: Account) -> None:
    await account.sql('CREATE SCHEMA "my.schema"')
    for statement in (
        f"CREATE SERVICE s {POOL} FROM {SPEC}",
        f"EXECUTE JOB SERVICE {POOL} ASYNC=TRUE FROM {SPEC}",
    ):
        with pytest.raises(SnowcaveError, match=r"'my.schema' for the database or schema"):
            await account.sql(statement)


@pytest.mark.parametrize(
    ("image", "is_ours"),
    [
        ("d/public/r/echo", True),
        ("/D/Public/R/echo:latest", True),
        ("r/echo", True),
        ("org-acct.registry.snowflakecomputing.com/d/public/r/echo:latest", True),
        ("ORG-acct.registry-local.snowflakecomputing.com/d/public/r/echo", True),
        ("localhost:8401/d/public/r/echo", True),
        ("docker.io/d/public/r/echo", False),
        ("localhost:5000/d/public/r/echo", False),
        ("echo", False),
        ("d/public/echo", False),
        ("/d/public/r/echo:", False),
    ],
)
async def test_images_are_of_our_registry_whatever_they_call_it(
    account: Account, image: str, is_ours: bool
) -> None:
    sql = f"CREATE SERVICE s {POOL} FROM SPECIFICATION $${BODY.replace(IMAGE, repr(image))}$$"
    if is_ours:
        await account.sql(sql)
        return
    with pytest.raises(SnowcaveError) as raised:
        await account.sql(sql)
    assert raised.value.code == 395018


async def test_an_image_for_other_machines_is_refused(account: Account) -> None:
    account.registry.push("d/public/r/arm:latest", platforms=("linux/arm64",))
    with pytest.raises(SnowcaveError, match=r"not built for linux/amd64 \(it has linux/arm64\)"):
        await account.sql(
            f"CREATE SERVICE s {POOL} FROM SPECIFICATION $${BODY.replace('echo', 'arm')}$$"
        )


# ---------------------------------------------------------------- digests


def pinned(account: Account) -> str:
    return spec_of(account).containers[0].resolved.digest


async def test_a_tag_is_pinned_until_the_service_is_altered_from_a_specification(
    account: Account,
) -> None:
    await account.sql(f"CREATE SERVICE s {POOL} FROM {SPEC} MAX_INSTANCES=2")
    first, digest = pinned(account), (await described(account))["spec_digest"]
    assert len(str(digest)) == 64
    images = account.registry.images
    images.update(
        {
            key: type(one)("sha256:" + "b" * 64, platforms=one.platforms)
            for key, one in images.items()
        }
    )
    await account.sql(
        "ALTER SERVICE s SUSPEND", "ALTER SERVICE s RESUME", "ALTER SERVICE s SET MIN_INSTANCES=2"
    )
    assert pinned(account) == first
    assert (await described(account))["spec_digest"] == digest
    assert await account.sql(f"ALTER SERVICE s FROM {SPEC}") == DONE
    assert pinned(account) == "sha256:" + "b" * 64
    row = await described(account)
    assert row["spec_digest"] != digest
    assert f'sha256: "@sha256:{"b" * 64}"' in str(row["spec"])


async def test_a_digest_in_the_specification_is_kept(account: Account) -> None:
    digest = "sha256:" + "c" * 64
    (found,) = account.registry.images.values()
    account.registry.images["d/public/r", "echo", digest] = type(found)(digest)
    body = BODY.replace("echo}", f"echo@{digest}}}")
    await account.sql(f"CREATE SERVICE s {POOL} FROM SPECIFICATION $${body}$$")
    assert pinned(account) == digest


async def test_only_the_owner_sees_the_specification(account: Account) -> None:
    await account.sql(
        f"CREATE SERVICE s {POOL} FROM {SPEC}",
        "CREATE ROLE q",
        "GRANT USAGE ON DATABASE d TO ROLE q",
        "GRANT USAGE ON SCHEMA d.public TO ROLE q",
        "GRANT ALL ON SERVICE s TO ROLE q",
        "CREATE USER u PASSWORD='Abcd1234' DEFAULT_ROLE=q",
        "GRANT ROLE q TO USER u",
    )
    (row,) = await account.sql("DESC SERVICE d.public.s", context=account.session("U", "Q"))
    assert row["spec"] is None
    assert row["spec_digest"]
    assert "sha256" in str((await described(account))["spec"])


async def test_environment_values_are_shown_as_quoted_texts_in_their_spelling(
    account: Account,
) -> None:
    body = BODY.replace("echo}", "echo, env: {A: 1.10, B: yes, C: 22:22, D: 007}}")
    await account.sql(f"CREATE SERVICE s {POOL} FROM SPECIFICATION $${body}$$")
    assert dict(spec_of(account).containers[0].env) == {
        "A": "1.10",
        "B": "yes",
        "C": "22:22",
        "D": "007",
    }
    assert 'A: "1.10"' in str((await described(account))["spec"])


# ---------------------------------------------------------------- ALTER


async def test_what_is_unset_is_as_it_was_made(account: Account) -> None:
    await account.sql(
        f"CREATE SERVICE s {POOL} FROM {SPEC}",
        "ALTER SERVICE s SET MIN_INSTANCES=2 MAX_INSTANCES='4', AUTO_RESUME=FALSE "
        "AUTO_SUSPEND_SECS=300 QUERY_WAREHOUSE=wh LOG_LEVEL='ERROR' COMMENT='c'",
    )
    row = await described(account)
    assert (row["min_instances"], row["max_instances"], row["min_ready_instances"]) == (2, 4, 2)
    assert (row["auto_resume"], row["auto_suspend_secs"]) == ("false", 300)
    assert (row["query_warehouse"], row["comment"]) == ("WH", "c")
    await account.sql(
        "ALTER SERVICE s UNSET min_instances,max_instances,auto_resume,auto_suspend_secs,"
        "query_warehouse,log_level,comment,min_ready_instances,external_access_integrations"
    )
    row = await described(account)
    assert (row["min_instances"], row["max_instances"], row["min_ready_instances"]) == (1, 1, 1)
    assert (row["auto_resume"], row["auto_suspend_secs"]) == ("true", 0)
    assert (row["query_warehouse"], row["comment"]) == (None, None)


@pytest.mark.parametrize(
    ("sql", "code", "said"),
    [
        ("ALTER SERVICE s", 1003, "unexpected '<EOF>'."),
        ("ALTER SERVICE s SET", 1003, "expecting property."),
        ("ALTER SERVICE s SET FOO=1", 1008, "invalid property 'FOO' for 'SERVICE'"),
        ("ALTER SERVICE s UNSET FOO", 1008, "invalid property 'FOO' for 'SERVICE'"),
        (
            "ALTER SERVICE s SET MIN_INSTANCES=2",
            1008,
            "'MIN_INSTANCES'='2' and 'MAX_INSTANCES'='1'",
        ),
        ("ALTER SERVICE s SET MIN_INSTANCES=x", 1008, "invalid value 'X' for property"),
        ("ALTER SERVICE s FROM @st", 1003, "expecting SPECIFICATION_FILE."),
        ("ALTER SERVICE s RESTORE VOLUME v", 1003, "expecting 'INSTANCES'."),
        ("ALTER SERVICE nope SUSPEND", 2003, "Service 'D.PUBLIC.NOPE' does not exist or not"),
        ("DROP SERVICE nope", 2003, "Service 'D.PUBLIC.NOPE' does not exist or not authorized."),
        ("DROP SERVICE s CASCADE", 1003, "unexpected 'CASCADE'."),
    ],
)
async def test_what_cannot_be_altered_or_dropped(
    account: Account, sql: str, code: int, said: str
) -> None:
    await account.sql(f"CREATE SERVICE s {POOL} FROM {SPEC}")
    with pytest.raises(SnowcaveError) as raised:
        await account.sql(sql)
    assert raised.value.code == code
    assert said in raised.value.message


async def test_suspending_and_resuming_twice_is_nothing(account: Account) -> None:
    await account.sql(f"CREATE SERVICE s {POOL} FROM {SPEC}")
    for statement in ("SUSPEND", "SUSPEND", "RESUME", "RESUME"):
        assert await account.sql(f"ALTER SERVICE IDENTIFIER('s') {statement}") == DONE
    assert await account.sql("ALTER SERVICE IF EXISTS nope SUSPEND") == DONE
    gone = "Drop statement executed successfully (NOPE already dropped)."
    assert await account.sql("DROP SERVICE IF EXISTS nope FORCE") == [{"status": gone}]


async def test_a_service_wakes_its_pool_unless_the_pool_says_no(account: Account) -> None:
    await account.sql("ALTER COMPUTE POOL p SUSPEND", f"CREATE SERVICE s {POOL} FROM {SPEC}")
    (row,) = await account.sql("SHOW COMPUTE POOLS")
    assert row["state"] == "STARTING"
    await account.sql("ALTER COMPUTE POOL p SUSPEND", "ALTER COMPUTE POOL p SET AUTO_RESUME=FALSE")
    with pytest.raises(SnowcaveError, match="Resume the compute pool first"):
        await account.sql("ALTER SERVICE s RESUME")


# ---------------------------------------------------------------- SHOW


@pytest_asyncio.fixture
async def many(account: Account) -> Account:
    await account.sql(
        "CREATE COMPUTE POOL q MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
        *(f"CREATE SERVICE {name} {POOL} FROM {SPEC}" for name in ("a", "ab", "b")),
        f"EXECUTE JOB SERVICE IN COMPUTE POOL q ASYNC=TRUE NAME='j' FROM {SPEC}",
        "CREATE DATABASE other",
        f"CREATE SERVICE c {POOL} FROM {SPEC.replace('/d/', '/D/')}",
        "USE SCHEMA d.public",
    )
    return account


@pytest.mark.parametrize(
    ("tail", "names"),
    [
        ("SERVICES", ["A", "AB", "B", "J"]),
        ("SERVICES IN ACCOUNT", ["A", "AB", "B", "C", "J"]),
        ("SERVICES IN DATABASE other", ["C"]),
        ("SERVICES IN DATABASE", ["A", "AB", "B", "J"]),
        ("SERVICES IN SCHEMA other.public", ["C"]),
        ("SERVICES IN SCHEMA", ["A", "AB", "B", "J"]),
        ("SERVICES IN other.public", ["C"]),
        ("SERVICES IN COMPUTE POOL q", ["J"]),
        ("SERVICES IN COMPUTE POOL IDENTIFIER('p')", ["A", "AB", "B", "C"]),
        ("SERVICES LIKE 'a%'", ["A", "AB"]),
        ("SERVICES LIKE 'a%' IN ACCOUNT STARTS WITH 'AB'", ["AB"]),
        ("SERVICES STARTS WITH 'a'", []),
        ("SERVICES LIMIT 2", ["A", "AB"]),
        ("SERVICES IN ACCOUNT LIMIT 2 FROM 'AB'", ["B", "C"]),
        ("SERVICES OF TYPE USER", ["A", "AB", "B", "J"]),
        ("SERVICES OF TYPE notebook", []),
        ("SERVICES EXCLUDE JOBS", ["A", "AB", "B"]),
        ("SERVICES EXCLUDE JOBS LIKE '%b' IN ACCOUNT", ["AB", "B"]),
        ("JOB SERVICES", ["J"]),
        ("JOB SERVICES IN COMPUTE POOL p", []),
    ],
)
async def test_shows_look_where_they_are_told(many: Account, tail: str, names: list[str]) -> None:
    done = await many.sql(f"SHOW {tail}")
    assert [row["name"] for row in done] == names


async def test_jobs_decide_which_columns_there_are(many: Account) -> None:
    whole = list((await many.sql("SHOW SERVICES"))[0])
    assert len(whole) == 28
    jobs = list((await many.sql("SHOW JOB SERVICES"))[0])
    assert jobs == [name for name in whole if name != "is_job"]
    services = list((await many.sql("SHOW SERVICES EXCLUDE JOBS"))[0])
    assert services == [name for name in jobs if name != "is_async_job"]
    described_columns = list((await many.sql("DESC SERVICE a"))[0])
    assert described_columns == [*whole[:6], "spec", *whole[6:]]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SHOW SERVICES LIMIT -1", "unexpected '-'."),
        ("SHOW SERVICES LIKE a", "unexpected 'a'.\nexpecting string."),
        ("SHOW JOB SERVICES EXCLUDE JOBS", "unexpected 'EXCLUDE'."),
        ("SHOW JOB COMPUTE POOLS", "expecting SERVICES."),
        ("SHOW SERVICES FOO", "unexpected 'FOO'."),
        ("SHOW SERVICE INSTANCES", "expecting IN SERVICE."),
        ("SHOW SERVICE CONTAINERS IN SERVICE", "unexpected '<EOF>'."),
        ("SHOW ENDPOINTS IN DATABASE d", "unexpected 'd'."),
        ("SHOW IMAGES", "expecting IN IMAGE REPOSITORY."),
        ("SHOW SERVICES IN SCHEMA nope", "Schema 'D.NOPE' does not exist or not authorized."),
        ("SHOW SERVICES IN ACCOUNTS", "Database 'ACCOUNTS' does not exist or not authorized."),
        ("SHOW SERVICES IN COMPUTE POOL nope", "Compute pool 'NOPE' does not exist or not"),
    ],
)
async def test_shows_that_are_none(many: Account, sql: str, said: str) -> None:
    with pytest.raises(SnowcaveError) as raised:
        await many.sql(sql)
    assert said in raised.value.message


async def test_parts_of_a_service_are_shown_by_any_spelling_of_its_name(account: Account) -> None:
    body = BODY.replace(
        "]}", "], endpoint: [{name: e, port: 8000}, {name: r, portRange: 1-9, protocol: TCP}]}"
    )
    await account.sql(
        f"CREATE SERVICE s {POOL} FROM SPECIFICATION $${body}\nserviceRoles: [{{name: v, endpoints: [e]}}]$$"
    )
    for name in ("SERVICE s", "SERVICE d.public.S", "SERVICE IDENTIFIER('d.public.s')", "s"):
        rows = await account.sql(f"SHOW ENDPOINTS IN {name}")
        assert [(row["name"], row["port"], row["port_range"]) for row in rows] == [
            ("e", 8000, None),
            ("r", None, "1-9"),
        ]
    roles = await account.sql("SHOW ROLES IN SERVICE s")
    assert {row["name"] for row in roles} == {"V", "ALL_ENDPOINTS_USAGE"}
    (waiting,) = await account.sql("SHOW SERVICE CONTAINERS IN SERVICE s")
    assert list(waiting.values())[:4] == ["D", "PUBLIC", "S", "PENDING"]
    assert set(list(waiting.values())[4:]) == {None}
    assert await account.sql("SHOW SERVICE INSTANCES IN SERVICE s") == []


# ---------------------------------------------------------------- what the account allows


@pytest.mark.parametrize(
    ("allowed", "disallowed", "may"),
    [
        (None, None, True),
        ("ALL", "notebook, STREAMLIT", True),
        ("user,NOTEBOOK", None, True),
        ("NOTEBOOK", None, False),
        ("USER", "USER", False),
        (None, "all", False),
    ],
)
async def test_accounts_choose_their_workloads(
    account: Account, allowed: str | None, disallowed: str | None, may: bool
) -> None:
    for key, value in (("ALLOWED", allowed), ("DISALLOWED", disallowed)):
        if value is not None:
            await account.sql(f"ALTER ACCOUNT SET {key}_SPCS_WORKLOAD_TYPES = '{value}'")
    for statement in (
        f"CREATE SERVICE s {POOL} FROM {SPEC}",
        f"EXECUTE JOB SERVICE {POOL} ASYNC=TRUE NAME=j FROM {SPEC}",
    ):
        if may:
            await account.sql(statement)
            continue
        with pytest.raises(SnowcaveError, match="type USER are not allowed in this account"):
            await account.sql(statement)


async def test_an_unknown_workload_is_no_value(account: Account) -> None:
    with pytest.raises(SnowcaveError, match="Invalid workload type 'ROBOT'"):
        await account.sql("ALTER ACCOUNT SET ALLOWED_SPCS_WORKLOAD_TYPES = 'USER, robot'")


async def test_an_account_has_room_for_so_many_services(account: Account) -> None:
    account.runner._settings = StatementSettings(most_services=1)  # pyright: ignore[reportPrivateUsage]
    await account.sql(f"CREATE SERVICE s {POOL} FROM {SPEC}")
    with pytest.raises(SnowcaveError, match="has 1 services, which is the most"):
        await account.sql(f"CREATE SERVICE t {POOL} FROM {SPEC}")
    await account.sql("DROP SERVICE s", f"CREATE SERVICE t {POOL} FROM {SPEC}")


async def test_a_setting_keeps_the_administrator_from_owning_services(account: Account) -> None:
    account.runner._settings = StatementSettings(admin_services=False)  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(NotAuthorized, match="role 'ACCOUNTADMIN', which may not own services"):
        await account.sql(f"CREATE SERVICE s {POOL} FROM {SPEC}")
    await account.sql(
        "GRANT OWNERSHIP ON DATABASE d TO ROLE SYSADMIN",
        "GRANT ALL ON SCHEMA d.public TO ROLE SYSADMIN",
        "GRANT ALL ON COMPUTE POOL p TO ROLE SYSADMIN",
        "GRANT READ ON IMAGE REPOSITORY r TO ROLE SYSADMIN",
        "USE ROLE SYSADMIN",
        f"CREATE SERVICE s {POOL} FROM {SPEC}",
    )

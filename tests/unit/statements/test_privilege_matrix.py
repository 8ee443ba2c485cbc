"""Every action on every kind of object, with each privilege alone: who passes and who is refused, and how.

Cases are generated: kinds and privileges from the model's own table, actions from the list below, which says
in its own words what Snowflake's documents ask for (facts on privileges, section 4). With none of the kind's
privileges an object is not there; with the wrong one it is refused; with the right one, or ownership, the
statement passes. The roles hold USAGE on the database and the schema, and what else an action needs besides.
"""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from itertools import count

import pytest
import pytest_asyncio

from snowcave.api.contract import SessionContext
from snowcave.api.sql import tree
from snowcave.api.sql.parser import parse
from snowcave.api.statements import runner
from snowcave.model.errors import NotAuthorized, SnowcaveError
from snowcave.model.privileges import IN_SCHEMA, OF_WAREHOUSE, PRIVILEGES
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

pytestmark = pytest.mark.documented
in_one_account = pytest.mark.asyncio(loop_scope="module")

OWNERSHIP = "OWNERSHIP"
NONE = ""
SPEC = (
    "FROM SPECIFICATION $$ spec: {containers: [{name: a, image: /d/s/r/echo}], "
    "endpoints: [{name: e, port: 80}]} $$"
)
WITH_VOLUME = (
    "FROM SPECIFICATION $$ spec: {containers: [{name: a, image: /d/s/r/echo, "
    "volumeMounts: [{name: data, mountPath: /data}]}], "
    "volumes: [{name: data, source: block, size: 2Gi}]} $$"
)
SNAPSHOT = 'FROM SERVICE d.s.vol VOLUME "data" INSTANCE 0'
SERVICE = f"IN COMPUTE POOL p {SPEC}"
FUNCTION = "(a text) RETURNS text SERVICE=d.s.svc ENDPOINT=e AS '/'"


@dataclass(frozen=True)
class Action:
    """`sql` with {x} for the object; passes with any of `needs`, or with any privilege at all."""

    sql: str
    needs: tuple[str, ...] = ()
    any_privilege: bool = False
    # Statements by the administrator before it.
    before: tuple[str, ...] = ()
    # What its role holds beside the privilege in question.
    besides: tuple[str, ...] = ()


def anyone(sql: str) -> Action:
    return Action(sql, any_privilege=True)


def owner(sql: str, *before: str) -> Action:
    return Action(sql, before=before)


SERVICE_BESIDES = ("USAGE ON COMPUTE POOL p", "READ ON IMAGE REPOSITORY d.s.r")
FUNCTION_BESIDES = ("USAGE ON SERVICE d.s.svc", "SERVICE ROLE d.s.svc!ALL_ENDPOINTS_USAGE")

# By kind, in the words of the documents. What only the owner may do needs no privilege in the list.
ACTIONS: dict[str, tuple[Action, ...]] = {
    "account": (
        Action("CREATE DATABASE {x}", ("CREATE DATABASE",)),
        Action("CREATE ROLE {x}", ("CREATE ROLE",)),
        Action("CREATE USER {x}", ("CREATE USER",)),
        Action("CREATE WAREHOUSE {x}", ("CREATE WAREHOUSE",)),
        Action(
            "CREATE COMPUTE POOL {x} MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            ("CREATE COMPUTE POOL",),
        ),
        Action(
            "GRANT USAGE ON DATABASE d TO ROLE made_for_grants",
            ("MANAGE GRANTS",),
        ),
        Action(
            f"CREATE SERVICE d.s.{{x}} {SERVICE.replace('port: 80', 'port: 80, public: true')}",
            ("BIND SERVICE ENDPOINT",),
            besides=("CREATE SERVICE ON SCHEMA d.s", *SERVICE_BESIDES),
        ),
    ),
    "database": (
        anyone("DESC DATABASE {x}"),
        anyone("USE DATABASE {x}"),
        Action("CREATE SCHEMA {x}.made", ("CREATE SCHEMA",)),
        owner("ALTER DATABASE {x} SET COMMENT='x'"),
        owner("DROP DATABASE {x}"),
        owner("GRANT USAGE ON DATABASE {x} TO ROLE public"),
    ),
    "schema": (
        anyone("DESC SCHEMA d.{x}"),
        anyone("USE SCHEMA d.{x}"),
        Action(
            f"CREATE SERVICE d.{{x}}.made {SERVICE}", ("CREATE SERVICE",), besides=SERVICE_BESIDES
        ),
        Action(
            f"EXECUTE JOB SERVICE IN COMPUTE POOL p NAME=d.{{x}}.made ASYNC=TRUE {SPEC}",
            ("CREATE SERVICE",),
            besides=SERVICE_BESIDES,
        ),
        Action("CREATE IMAGE REPOSITORY d.{x}.made", ("CREATE IMAGE REPOSITORY",)),
        Action("CREATE STAGE d.{x}.made", ("CREATE STAGE",)),
        Action(
            f"CREATE FUNCTION d.{{x}}.made{FUNCTION}",
            ("CREATE FUNCTION",),
            besides=FUNCTION_BESIDES,
        ),
        Action(
            "CREATE SECRET d.{x}.made TYPE=generic_string SECRET_STRING='x'", ("CREATE SECRET",)
        ),
        Action(
            "CREATE NETWORK RULE d.{x}.made MODE=EGRESS TYPE=HOST_PORT VALUE_LIST=('a.org')",
            ("CREATE NETWORK RULE",),
        ),
        Action("CREATE TAG d.{x}.made", ("CREATE TAG",)),
        Action("CREATE EVENT TABLE d.{x}.made", ("CREATE EVENT TABLE",)),
        Action(
            f"CREATE SNAPSHOT d.{{x}}.made {SNAPSHOT}",
            ("CREATE SNAPSHOT",),
            besides=("OPERATE ON SERVICE d.s.vol",),
        ),
        owner("ALTER SCHEMA d.{x} SET COMMENT='x'"),
        owner("DROP SCHEMA d.{x}"),
        owner("GRANT USAGE ON SCHEMA d.{x} TO ROLE public"),
        owner("GRANT READ ON FUTURE STAGES IN SCHEMA d.{x} TO ROLE public"),
    ),
    "warehouse": (
        anyone("DESC WAREHOUSE {x}"),
        Action("USE WAREHOUSE {x}", ("USAGE",)),
        Action("ALTER WAREHOUSE {x} SUSPEND", ("OPERATE",)),
        Action("ALTER WAREHOUSE {x} SET WAREHOUSE_SIZE=SMALL", ("MODIFY",)),
        owner("DROP WAREHOUSE {x}"),
        owner("GRANT USAGE ON WAREHOUSE {x} TO ROLE public"),
    ),
    "compute_pool": (
        anyone("DESC COMPUTE POOL {x}"),
        Action("ALTER COMPUTE POOL {x} SUSPEND", ("OPERATE",)),
        Action(
            "ALTER COMPUTE POOL {x} RESUME",
            ("OPERATE",),
            before=("ALTER COMPUTE POOL {x} SUSPEND",),
        ),
        Action("ALTER COMPUTE POOL {x} STOP ALL", ("OPERATE",)),
        Action("ALTER COMPUTE POOL {x} SET MAX_NODES=2", ("MODIFY",)),
        Action(
            f"CREATE SERVICE d.s.{{x}} IN COMPUTE POOL {{x}} {SPEC}",
            ("USAGE",),
            besides=("CREATE SERVICE ON SCHEMA d.s", "READ ON IMAGE REPOSITORY d.s.r"),
        ),
        owner("DROP COMPUTE POOL {x}"),
        owner("GRANT USAGE ON COMPUTE POOL {x} TO ROLE public"),
    ),
    "service": (
        anyone("DESC SERVICE d.s.{x}"),
        anyone("SHOW ENDPOINTS IN SERVICE d.s.{x}"),
        Action("ALTER SERVICE d.s.{x} SUSPEND", ("OPERATE",)),
        Action(
            "ALTER SERVICE d.s.{x} RESUME", ("OPERATE",), before=("ALTER SERVICE d.s.{x} SUSPEND",)
        ),
        Action(f"ALTER SERVICE d.s.{{x}} {SPEC}", ("OPERATE",), besides=SERVICE_BESIDES),
        Action("SHOW SERVICE CONTAINERS IN SERVICE d.s.{x}", ("MONITOR",)),
        Action("SHOW SERVICE INSTANCES IN SERVICE d.s.{x}", ("MONITOR",)),
        Action("SELECT SYSTEM$GET_SERVICE_LOGS('d.s.{x}', 0, 'a', 10)", ("MONITOR",)),
        owner("ALTER SERVICE d.s.{x} SET COMMENT='x'"),
        owner("ALTER SERVICE d.s.{x} UNSET COMMENT"),
        owner("DROP SERVICE d.s.{x}"),
        owner("GRANT USAGE ON SERVICE d.s.{x} TO ROLE public"),
        owner("GRANT SERVICE ROLE d.s.{x}!ALL_ENDPOINTS_USAGE TO ROLE public"),
    ),
    "image_repository": (
        Action("SHOW IMAGES IN IMAGE REPOSITORY d.s.{x}", ("READ", "WRITE", "USAGE")),
        owner("ALTER IMAGE REPOSITORY d.s.{x} SET COMMENT='x'"),
        owner("DROP IMAGE REPOSITORY d.s.{x}"),
        owner("GRANT READ ON IMAGE REPOSITORY d.s.{x} TO ROLE public"),
    ),
    "function": (
        anyone("DESC FUNCTION d.s.{x}(text)"),
        owner("ALTER FUNCTION d.s.{x}(text) SET MAX_BATCH_ROWS=7"),
        owner("DROP FUNCTION d.s.{x}(text)"),
        owner("GRANT USAGE ON FUNCTION d.s.{x}(text) TO ROLE public"),
    ),
    "stage": (
        anyone("DESC STAGE d.s.{x}"),
        Action("LIST @d.s.{x}", ("READ",)),
        Action("GET @d.s.{x} file:///tmp/", ("READ",)),
        Action("PUT file:///tmp/a @d.s.{x}", ("WRITE",)),
        Action("REMOVE @d.s.{x}", ("WRITE",)),
        owner("ALTER STAGE d.s.{x} SET COMMENT='x'"),
        owner("DROP STAGE d.s.{x}"),
        owner("GRANT READ ON STAGE d.s.{x} TO ROLE public"),
    ),
    "secret": (
        anyone("DESC SECRET d.s.{x}"),
        owner("ALTER SECRET d.s.{x} SET SECRET_STRING='y'"),
        owner("DROP SECRET d.s.{x}"),
        owner("GRANT READ ON SECRET d.s.{x} TO ROLE public"),
    ),
    "snapshot": (
        anyone("DESC SNAPSHOT d.s.{x}"),
        owner("ALTER SNAPSHOT d.s.{x} SET COMMENT='x'"),
        owner("DROP SNAPSHOT d.s.{x}"),
        owner("GRANT USAGE ON SNAPSHOT d.s.{x} TO ROLE public"),
    ),
    "network_rule": (
        anyone("DESC NETWORK RULE d.s.{x}"),
        owner("ALTER NETWORK RULE d.s.{x} SET COMMENT='x'"),
        owner("DROP NETWORK RULE d.s.{x}"),
        owner("GRANT USAGE ON NETWORK RULE d.s.{x} TO ROLE public"),
    ),
    "integration": (
        anyone("DESC INTEGRATION {x}"),
        owner("ALTER EXTERNAL ACCESS INTEGRATION {x} SET COMMENT='x'"),
        owner("DROP INTEGRATION {x}"),
        owner("GRANT USAGE ON INTEGRATION {x} TO ROLE public"),
    ),
    "tag": (
        owner("ALTER TAG d.s.{x} SET COMMENT='x'"),
        owner("DROP TAG d.s.{x}"),
        owner("GRANT APPLY ON TAG d.s.{x} TO ROLE public"),
    ),
    "event_table": (
        anyone("DESC EVENT TABLE d.s.{x}"),
        Action("TRUNCATE TABLE d.s.{x}", ("TRUNCATE",)),
        owner("ALTER TABLE d.s.{x} SET COMMENT='x'"),
        owner("ALTER EVENT TABLE d.s.{x} UNSET COMMENT"),
        owner("DROP EVENT TABLE d.s.{x}"),
        owner("GRANT SELECT ON EVENT TABLE d.s.{x} TO ROLE public"),
    ),
    "user": (
        anyone("DESC USER {x}"),
        owner("ALTER USER {x} SET COMMENT='x'"),
        owner("ALTER USER {x} ADD PROGRAMMATIC ACCESS TOKEN t"),
        owner("DROP USER {x}"),
    ),
    # Every role sees every role.
    "role": (
        owner("DROP ROLE {x}"),
        owner("GRANT ROLE {x} TO ROLE made_for_grants"),
    ),
}
# How the administrator makes one, or the role itself where ownership cannot be given away.
CREATE = {
    "database": "CREATE DATABASE {x}",
    "schema": "CREATE SCHEMA d.{x}",
    "warehouse": "CREATE WAREHOUSE {x}",
    "compute_pool": "CREATE COMPUTE POOL {x} MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
    "service": f"CREATE SERVICE d.s.{{x}} {SERVICE}",
    "image_repository": "CREATE IMAGE REPOSITORY d.s.{x}",
    "function": f"CREATE FUNCTION d.s.{{x}}{FUNCTION}",
    "stage": "CREATE STAGE d.s.{x}",
    "secret": "CREATE SECRET d.s.{x} TYPE=generic_string SECRET_STRING='x'",
    "network_rule": "CREATE NETWORK RULE d.s.{x} MODE=EGRESS TYPE=HOST_PORT VALUE_LIST=('a.org')",
    "integration": "CREATE EXTERNAL ACCESS INTEGRATION {x} ALLOWED_NETWORK_RULES=(d.s.rule) ENABLED=TRUE",
    "tag": "CREATE TAG d.s.{x}",
    "snapshot": f"CREATE SNAPSHOT d.s.{{x}} {SNAPSHOT}",
    "event_table": "CREATE EVENT TABLE d.s.{x}",
    "user": "CREATE USER {x}",
    "role": "CREATE ROLE {x}",
}
PLACES = {"schema": "d."} | dict.fromkeys(IN_SCHEMA, "d.s.")
TO_CREATE_A_SERVICE = ("CREATE SERVICE ON SCHEMA d.s", *SERVICE_BESIDES)


@dataclass(frozen=True)
class Case:
    kind: str
    action: Action
    privilege: str

    @property
    def passes(self) -> bool:
        if self.privilege == OWNERSHIP:
            return True
        if self.action.any_privilege:
            return self.privilege != NONE
        return self.privilege in self.action.needs

    def __str__(self) -> str:
        return f"{self.kind}-{self.privilege or 'nothing'}-{self.action.sql[:40]}"


def cases() -> Iterator[Case]:
    for kind, actions in ACTIONS.items():
        owned = () if kind == "account" else (OWNERSHIP,)
        for action in actions:
            for privilege in (NONE, *PRIVILEGES[kind], *owned):
                yield Case(kind, action, privilege)


NUMBERS = count()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def account(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Account]:
    async with open_account(tmp_path_factory.mktemp("account")) as opened:
        await opened.sql(
            "CREATE ROLE made_for_grants",
            "CREATE DATABASE d",
            "CREATE SCHEMA s",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=1 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE IMAGE REPOSITORY r",
            "CREATE NETWORK RULE rule MODE=EGRESS TYPE=HOST_PORT VALUE_LIST=('a.org')",
        )
        opened.registry.push("d/s/r/echo:latest")
        await opened.sql(f"CREATE SERVICE svc {SERVICE}")
        await opened.sql(f"CREATE SERVICE vol IN COMPUTE POOL p {WITH_VOLUME}")
        await opened.say("SVC", state.ServiceStatus(status="RUNNING", ready_instances=1))
        yield opened


async def stranger(account: Account, number: int, held: tuple[str, ...]) -> SessionContext:
    """A session of a role of its own, which sees the schema and holds what is said."""
    name = f"ROLE_{number}"
    await account.sql(f"CREATE ROLE {name}", f"CREATE USER user_{number}")
    await account.sql(f"GRANT ROLE {name} TO USER user_{number}")
    for privilege in held:
        await account.sql(f"GRANT {privilege} TO ROLE {name}")
    return account.session(f"USER_{number}", name)


def on(kind: str, name: str) -> str:
    words = "SERVICE ROLE" if kind == "account" else kind.replace("_", " ").upper()
    arguments = "(text)" if kind == "function" else ""
    return "ACCOUNT" if kind == "account" else f"{words} {PLACES.get(kind, '')}{name}{arguments}"


async def refusal(account: Account, sql: str, context: SessionContext) -> SnowcaveError | None:
    try:
        await account.sql(sql, context=context)
    except SnowcaveError as error:
        return error
    return None


@in_one_account
@pytest.mark.parametrize("case", list(cases()), ids=str)
async def test_only_who_holds_the_right_privilege_passes(account: Account, case: Case) -> None:
    number = next(NUMBERS)
    name, create = f"x{number}", CREATE.get(case.kind, "")
    above = ("USAGE ON DATABASE d", "USAGE ON SCHEMA d.s")
    makes_it = case.kind == "service" and case.privilege == OWNERSHIP
    extra = TO_CREATE_A_SERVICE if makes_it else ()
    context = await stranger(account, number, (*above, *case.action.besides, *extra))
    if create:
        await account.sql(create.replace("{x}", name), context=context if makes_it else None)
    for sql in case.action.before:
        await account.sql(sql.replace("{x}", name))
    if case.privilege and not makes_it:
        await account.sql(
            f"GRANT {case.privilege} ON {on(case.kind, name)} TO ROLE {context.role}"
        )
    error = await refusal(account, case.action.sql.replace("{x}", name), context)
    if case.passes:
        assert error is None
    elif case.privilege == NONE and case.kind not in ("account", "role"):
        assert error is not None
        assert error.code == 2003
        assert error.message.endswith("does not exist or not authorized.")
    else:
        assert isinstance(error, NotAuthorized)
        assert "Insufficient privileges to operate on" in error.message


@in_one_account
@pytest.mark.parametrize("hidden", ["DATABASE", "SCHEMA"])
async def test_what_stands_in_a_schema_needs_its_parents(account: Account, hidden: str) -> None:
    number = next(NUMBERS)
    held = ("USAGE ON DATABASE d",) if hidden == "SCHEMA" else ()
    context = await stranger(account, number, held)
    await account.sql(f"CREATE STAGE d.s.x{number}")
    await account.sql(f"GRANT READ ON STAGE d.s.x{number} TO ROLE {context.role}")
    error = await refusal(account, f"LIST @d.s.x{number}", context)
    assert error is not None
    shown = {"DATABASE": "Database 'D'", "SCHEMA": "Schema 'D.S'"}[hidden]
    assert error.message.endswith(f"{shown} does not exist or not authorized.")


# Section 4 of the facts, by itself: a privilege that is not built, or one too many, shows here.
DOCUMENTED = {
    "compute_pool": {"MODIFY", "MONITOR", "OPERATE", "USAGE"},
    "service": {"USAGE", "MONITOR", "OPERATE"},
    "image_repository": {"READ", "WRITE", "SERVICE READ", "SERVICE WRITE", "USAGE"},
    "secret": {"READ", "USAGE"},
    "snapshot": {"USAGE"},
    "integration": {"USAGE"},
    "function": {"USAGE"},
}


@pytest.mark.parametrize("kind", list(DOCUMENTED))
def test_the_privileges_are_those_of_the_documents(kind: str) -> None:
    assert set(PRIVILEGES[kind]) == DOCUMENTED[kind]


def test_account_and_schema_have_at_least_those_of_the_documents() -> None:
    assert {"CREATE COMPUTE POOL", "BIND SERVICE ENDPOINT", "CREATE INTEGRATION"} <= set(
        PRIVILEGES["account"]
    )
    made = (
        "SERVICE",
        "IMAGE REPOSITORY",
        "FUNCTION",
        "SECRET",
        "SNAPSHOT",
        "STAGE",
        "NETWORK RULE",
    )
    assert {f"CREATE {word}" for word in made} <= set(PRIVILEGES["schema"])


def test_every_kind_and_every_statement_about_it_is_in_the_matrix() -> None:
    """A new handler without an action here fails, and so does a new kind with privileges."""
    elsewhere = set(OF_WAREHOUSE) - {"function", "event_table"}
    assert set(PRIVILEGES) - elsewhere == set(ACTIONS)
    parsed = [
        parse(one.sql.replace("{x}", "x")) for actions in ACTIONS.values() for one in actions
    ]
    for table, kind in (
        (runner._ALTER, tree.Alter),  # pyright: ignore[reportPrivateUsage]
        (runner._DROP, tree.Drop),  # pyright: ignore[reportPrivateUsage]
        (runner._DESCRIBE, tree.Describe),  # pyright: ignore[reportPrivateUsage]
    ):
        covered = {one.domain for one in parsed if isinstance(one, kind)}
        # Whoever sees these may describe or rename them by other statements' rules.
        assert set(table) - covered <= {"role", "image_repository", "tag", "account"}

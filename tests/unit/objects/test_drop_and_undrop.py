"""Databases and schemas that are dropped, come back, are renamed, and go for good; and races for names."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.catalog.graves import Graves
from snowcave.api.catalog.pinned_paths import PinnedPaths
from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.errors import (
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    ObjectPurged,
    SnowcaveError,
    Unavailable,
    Unsupported,
    ValueInvalid,
)
from snowcave.v1 import state_pb2 as state
from tests.kit.statements import Account, open_account

SERVICE = (
    "CREATE SERVICE x IN COMPUTE POOL p FROM SPECIFICATION "
    "$$spec: {containers: [{name: main, image: /d/public/r/echo}]}$$"
)


@dataclass
class SetClock(LoopClock):
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))

    def now(self) -> datetime:
        return self.moment


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql(
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE DATABASE d",
            "CREATE IMAGE REPOSITORY r",
        )
        opened.registry.push("d/public/r/echo:latest")
        yield opened


def services(account: Account) -> list[state.Object]:
    return [one for _, one in account.catalog.mirrors.objects.items("service")]


async def bury(account: Account, *, after: float = 0.0) -> None:
    """What the reconciler does, `after` so many days."""
    clock = SetClock(datetime.now(UTC) + timedelta(days=after))
    graves = Graves(account.catalog, account.ddl, clock)
    for domain in ("database", "schema"):
        for entry in list(account.catalog.dropped(domain)):
            await graves.reconcile((domain, entry.message.uid))


async def dns(account: Account, schema: str) -> object:
    (row,) = await account.sql(f"SELECT SYSTEM$GET_SERVICE_DNS_DOMAIN('{schema}')")
    return next(iter(row.values()))


# ---------------------------------------------------------------- drop


async def test_a_drop_is_one_small_transaction_however_much_it_takes(account: Account) -> None:
    await account.sql(*(f"CREATE STAGE s{number}" for number in range(120)))
    before = account.backend.revision
    await account.sql("DROP SCHEMA d.public")
    assert account.backend.revision == before + 1
    changed = account.backend.changes_since(before + 1, "").changes
    assert len(changed) == 2
    assert await account.sql("SHOW STAGES IN ACCOUNT") == []


async def test_what_a_dropped_schema_holds_is_out_of_sight_for_all(account: Account) -> None:
    await account.sql(SERVICE, "CREATE STAGE st", "DROP SCHEMA d.public")
    for kind in ("SERVICES", "STAGES", "IMAGE REPOSITORIES"):
        assert await account.sql(f"SHOW {kind} IN ACCOUNT") == []
    for sql in ("DESC STAGE d.public.st", "ALTER SERVICE d.public.x RESUME"):
        with pytest.raises(ObjectNotFound):
            await account.sql(sql)


async def test_what_a_role_owned_there_is_not_listed(account: Account) -> None:
    await account.sql(
        "CREATE ROLE q",
        "CREATE STAGE st",
        "GRANT OWNERSHIP ON STAGE st TO ROLE q",
        "GRANT USAGE ON SCHEMA d.public TO ROLE q",
        "DROP SCHEMA d.public",
    )
    assert await account.sql("SHOW GRANTS TO ROLE q") == []


async def test_services_of_what_is_dropped_stop(account: Account) -> None:
    await account.sql(SERVICE, "DROP DATABASE d")
    await bury(account)
    (found,) = services(account)
    assert found.service.suspended
    assert not found.HasField("dropped_on")


async def test_a_service_made_while_its_schema_is_dropped_stops_too(account: Account) -> None:
    graves = Graves(account.catalog, account.ddl, LoopClock())
    await account.sql(SERVICE, "DROP DATABASE d")
    await bury(account)
    (found,) = services(account)
    waking = state.Object()
    waking.CopyFrom(found)
    waking.service.suspended = False
    key = keys.CATALOG.key("service", found.uid)
    revision = await account.store.put(key, waking.SerializeToString())
    await account.catalog.mirrors.objects.wait(lambda mirror: mirror.revision >= revision)
    async with asyncio.timeout(5):
        queued = await graves.reconciler.queue.get()
    await graves.reconcile(queued)
    assert services(account)[0].service.suspended


async def test_when_retention_ends_everything_goes_and_services_by_the_scheduler(
    account: Account,
) -> None:
    await account.sql(
        SERVICE,
        "CREATE ROLE q",
        "GRANT USAGE ON SERVICE x TO ROLE q",
        "CREATE STAGE st",
        *(f"CREATE STAGE s{number}" for number in range(30)),
        "DROP DATABASE d",
    )
    await bury(account, after=0.9)
    assert len(list(account.catalog.dropped("database"))) == 1
    await bury(account, after=1.1)
    left = account.backend.listing("").items
    domains = {item.key.split("/")[1] for item in left if item.key.startswith("catalog/")}
    assert not domains & {"stage", "image_repository"}
    (found,) = services(account)
    assert found.HasField("dropped_on")
    assert not any("service" in item.key for item in left if item.key.startswith("grant/"))
    names = [
        item.key for item in left if item.key.startswith("name/") and "/role/" not in item.key
    ]
    assert not [key for key in names if key.endswith(("/ST", "/PUBLIC", "/X"))]
    # The system's own schemas keep theirs.
    assert len([key for key in names if "dns_hash" in key]) == 2
    assert "forgotten" in account.ddl.made
    with pytest.raises(ObjectPurged):
        await account.sql("UNDROP DATABASE d")


async def test_retention_is_what_is_set_nearest(account: Account) -> None:
    await account.sql(
        "ALTER ACCOUNT SET DATA_RETENTION_TIME_IN_DAYS = 5",
        "CREATE SCHEMA short DATA_RETENTION_TIME_IN_DAYS = 0",
        "CREATE SCHEMA long",
        "DROP SCHEMA short",
        "DROP SCHEMA long",
    )
    with pytest.raises(ObjectPurged):
        await account.sql("UNDROP SCHEMA d.short")
    await bury(account, after=4.9)
    await account.sql("UNDROP SCHEMA d.long")
    (row,) = await account.sql("SHOW SCHEMAS LIKE 'long' IN DATABASE d")
    assert row["retention_time"] == "5"
    with pytest.raises(ValueInvalid):
        await account.sql("ALTER SCHEMA d.long SET DATA_RETENTION_TIME_IN_DAYS = 91")


async def test_a_burial_that_ends_between_two_steps_is_taken_up_again(account: Account) -> None:
    await account.sql(*(f"CREATE STAGE s{number}" for number in range(30)), "DROP SCHEMA d.public")
    txn, left = account.store.txn, 2

    async def failing(*given: object) -> object:
        nonlocal left
        if left == 0:
            raise Unavailable("The state store does not answer.")
        left -= 1
        return await txn(*given)  # type: ignore[arg-type]

    account.store.txn = failing  # type: ignore[method-assign,assignment]
    with pytest.raises(Unavailable):
        await bury(account, after=2)
    assert len(list(account.catalog.dropped("schema"))) == 1
    account.store.txn = txn  # type: ignore[method-assign]
    await bury(account, after=2)
    assert list(account.catalog.dropped("schema")) == []
    assert list(account.catalog.mirrors.objects.items("stage")) == []


# ---------------------------------------------------------------- undrop


async def test_undrop_brings_back_what_was_there(account: Account) -> None:
    await account.sql(
        SERVICE,
        "CREATE ROLE q",
        "GRANT USAGE ON SCHEMA d.public TO ROLE q",
        "GRANT USAGE ON SERVICE x TO ROLE q",
    )
    label = await dns(account, "d.public")
    await account.sql("DROP SCHEMA d.public")
    await bury(account)
    restored = await account.sql("UNDROP SCHEMA d.public")
    assert restored == [{"status": "Schema PUBLIC successfully restored."}]
    assert await dns(account, "d.public") == label
    (row,) = await account.sql("SHOW SERVICES IN SCHEMA d.public")
    assert row["name"] == "X"
    assert len(await account.sql("SHOW GRANTS TO ROLE q")) == 2
    assert services(account)[0].service.suspended
    await account.sql("ALTER SERVICE d.public.x RESUME")
    assert not services(account)[0].service.suspended
    assert account.ddl.made[-1] == "+D.PUBLIC"


async def test_a_new_schema_of_the_name_has_another_label_and_stands_in_the_way(
    account: Account,
) -> None:
    label = await dns(account, "d.public")
    await account.sql("DROP SCHEMA d.public", "CREATE SCHEMA d.public")
    assert await dns(account, "d.public") != label
    with pytest.raises(ObjectExists):
        await account.sql("UNDROP SCHEMA d.public")
    await account.sql("ALTER SCHEMA d.public RENAME TO d.newer", "UNDROP SCHEMA d.public")
    assert await dns(account, "d.public") == label


async def test_the_last_one_dropped_comes_back_first(account: Account) -> None:
    await account.sql("CREATE SCHEMA d.s COMMENT='1'", "DROP SCHEMA d.s")
    await account.sql("CREATE OR REPLACE SCHEMA d.s COMMENT='2'", "DROP SCHEMA d.s")
    await account.sql("UNDROP SCHEMA d.s")
    assert (await account.sql("SHOW SCHEMAS LIKE 's' IN DATABASE d"))[0]["comment"] == "2"
    await account.sql("ALTER SCHEMA d.s RENAME TO d.t", "UNDROP SCHEMA d.s")
    assert (await account.sql("SHOW SCHEMAS LIKE 's' IN DATABASE d"))[0]["comment"] == "1"


async def test_undrop_of_a_database_leaves_what_was_dropped_before_it(account: Account) -> None:
    await account.sql("CREATE SCHEMA d.gone", "DROP SCHEMA d.gone", "DROP DATABASE d")
    await account.sql("UNDROP DATABASE d")
    names = [row["name"] for row in await account.sql("SHOW SCHEMAS IN DATABASE d")]
    assert names == ["PUBLIC"]
    history = await account.sql("SHOW SCHEMAS HISTORY IN DATABASE d")
    assert [(row["name"], row["dropped_on"] is None) for row in history] == [
        ("GONE", False),
        ("PUBLIC", True),
    ]


async def test_undrop_is_for_owners(account: Account) -> None:
    await account.sql(
        "CREATE ROLE q",
        "CREATE USER pat",
        "GRANT ROLE q TO USER pat",
        "GRANT USAGE ON DATABASE d TO ROLE q",
        "GRANT CREATE SCHEMA ON DATABASE d TO ROLE q",
        "DROP SCHEMA d.public",
    )
    with pytest.raises(ObjectPurged):
        await account.sql("UNDROP SCHEMA d.public", context=account.session("PAT", "Q"))


# ---------------------------------------------------------------- rename


async def test_a_rename_changes_names_and_nothing_else(account: Account) -> None:
    await account.sql(SERVICE)
    label = await dns(account, "d.public")
    await account.sql("ALTER SCHEMA d.public RENAME TO d.other", "ALTER DATABASE d RENAME TO e")
    assert (account.context.database, account.context.schema) == ("E", "OTHER")
    assert await dns(account, "e.other") == label
    (row,) = await account.sql("SHOW SERVICES")
    assert (row["database_name"], row["schema_name"]) == ("E", "OTHER")
    assert account.ddl.made[-2:] == ["+D.OTHER", "+E"]
    with pytest.raises(ObjectNotFound):
        await account.sql("SHOW SCHEMAS IN DATABASE d")


async def test_services_pull_from_where_their_repository_is_now(account: Account) -> None:
    await account.sql(SERVICE)
    digest = services(account)[0].service.spec_digest
    await account.sql("ALTER DATABASE d RENAME TO e")
    await PinnedPaths(account.catalog).reconcile(services(account)[0].uid)
    (found,) = services(account)
    assert found.service.spec.containers[0].resolved.repository_path == "e/public/r"
    assert found.service.spec_digest == digest


@pytest.mark.parametrize(
    ("made", "renamed", "shown"),
    [
        ("CREATE ROLE a", "ALTER ROLE a RENAME TO b", "SHOW ROLES LIKE 'b'"),
        ("CREATE USER a", "ALTER USER a RENAME TO b", "SHOW USERS LIKE 'b'"),
        ("CREATE WAREHOUSE a", "ALTER WAREHOUSE a RENAME TO b", "SHOW WAREHOUSES LIKE 'b'"),
        ("CREATE STAGE a", "ALTER STAGE a RENAME TO b", "SHOW STAGES LIKE 'b'"),
        ("CREATE TAG a", "ALTER TAG IF EXISTS a RENAME TO b", "SHOW TAGS LIKE 'b'"),
        ("CREATE SCHEMA a", "ALTER SCHEMA a RENAME TO b", "SHOW SCHEMAS LIKE 'b'"),
    ],
)
async def test_kinds_that_may_be_renamed(
    account: Account, made: str, renamed: str, shown: str
) -> None:
    await account.sql(made, renamed)
    assert len(await account.sql(shown)) == 1
    assert await account.sql(shown.replace("'b'", "'a'")) == []
    # A user's login name stays what it was.
    await account.sql(made + " LOGIN_NAME = other" if "USER" in made else made)
    with pytest.raises(ObjectExists):
        await account.sql(renamed)


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("ALTER COMPUTE POOL p RENAME TO q", Unsupported),
        ("ALTER IMAGE REPOSITORY r RENAME TO q", Unsupported),
        ("ALTER ROLE accountadmin RENAME TO q", NotAuthorized),
        ("ALTER DATABASE nothing RENAME TO q", ObjectNotFound),
        ("ALTER DATABASE d RENAME TO d", ObjectExists),
    ],
)
async def test_a_rename_is_refused(account: Account, sql: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await account.sql(sql)


# ---------------------------------------------------------------- races


async def race(account: Account, *statements: str) -> list[object]:
    """All at once, each in a session of its own; what each one came to."""
    delays = iter([0.003, 0.001, 0.002] * 100)
    account.backend.latency = lambda: next(delays, 0.001)
    contexts = [account.context.copy() for _ in statements]
    return await asyncio.gather(
        *(
            account.sql(sql, context=context)
            for sql, context in zip(statements, contexts, strict=True)
        ),
        return_exceptions=True,
    )


CREATES = [
    "CREATE DATABASE o",
    "CREATE SCHEMA o",
    "CREATE ROLE o",
    "CREATE STAGE o",
    "CREATE SECRET o TYPE=GENERIC_STRING SECRET_STRING='x'",
    "CREATE TAG o",
    "CREATE WAREHOUSE o",
]


@pytest.mark.parametrize("sql", CREATES)
async def test_of_two_that_race_for_a_name_one_wins(account: Account, sql: str) -> None:
    ends = await race(account, sql, sql, sql)
    assert sum(isinstance(end, ObjectExists) for end in ends) == 2
    domain = sql.split()[1].lower()
    assert sum(one.name == "O" for one in account.catalog.all(domain)) == 1


@pytest.mark.parametrize("sql", CREATES)
async def test_replacing_and_dropping_at_once_leaves_one_or_none(
    account: Account, sql: str
) -> None:
    kind = sql.split()[1]
    await account.sql(sql)
    ends = await race(account, sql.replace("CREATE", "CREATE OR REPLACE"), f"DROP {kind} o")
    assert not isinstance(ends[0], BaseException)
    assert ends[1] is None or isinstance(ends[1], (list, SnowcaveError))
    alive = [one for one in account.catalog.all(kind.lower()) if one.name == "O"]
    named = account.catalog.named(kind.lower(), alive[0].parent if alive else 0, "O")
    assert len(alive) <= 1
    assert [one.uid for one in alive] == ([named.message.uid] if named else [])


async def test_two_replacements_at_once_leave_one(account: Account) -> None:
    ends = await race(account, *["CREATE OR REPLACE STAGE o"] * 4)
    assert not [end for end in ends if isinstance(end, BaseException)]
    assert sum(one.name == "O" for one in account.catalog.all("stage")) == 1


@pytest.mark.parametrize("existing", ["CREATE STAGE o", "CREATE OR REPLACE STAGE o"])
async def test_a_name_whose_object_is_not_seen_yet_is_not_free(
    account: Account, existing: str
) -> None:
    """The names may be a moment ahead of the objects that bear them."""
    await account.sql("CREATE STAGE o")
    objects, hidden = account.catalog.mirrors.objects, True
    entry = objects.entry

    def late(*parts: object) -> object:
        return None if hidden and parts[0] == "stage" else entry(*parts)

    objects.entry = late  # type: ignore[method-assign,assignment]
    creating = asyncio.create_task(account.sql(existing, context=account.context.copy()))
    await asyncio.sleep(0)
    hidden = False
    ended = (await asyncio.gather(creating, return_exceptions=True))[0]
    objects.entry = entry  # type: ignore[method-assign]
    assert isinstance(ended, ObjectExists) == ("REPLACE" not in existing)
    assert sum(one.name == "O" for one in account.catalog.all("stage")) == 1


async def test_nothing_is_made_in_what_is_dropped_at_the_same_time(account: Account) -> None:
    await account.sql("CREATE SCHEMA d.s")
    await race(account, "DROP SCHEMA d.s", *(f"CREATE STAGE d.s.o{n}" for n in range(3)))
    assert [one.name for one in account.catalog.all("stage")] == []


async def test_of_undrop_and_create_one_gets_the_name(account: Account) -> None:
    await account.sql("CREATE SCHEMA d.s", "DROP SCHEMA d.s")
    ends = await race(account, "UNDROP SCHEMA d.s", "CREATE SCHEMA d.s")
    assert sum(isinstance(end, ObjectExists) for end in ends) == 1
    assert sum(one.name == "S" for one in account.catalog.all("schema")) == 1


async def test_a_role_that_owns_much_hands_on_all_of_it_or_stays(account: Account) -> None:
    await account.sql("CREATE ROLE q", *(f"CREATE STAGE s{n}" for n in range(130)))
    await account.sql(
        "GRANT OWNERSHIP ON ALL STAGES IN SCHEMA d.public TO ROLE q",
    )
    await account.sql("DROP ROLE q")
    owners = {one.owner_role for one in account.catalog.all("stage")}
    assert owners == {account.context.role_uid}

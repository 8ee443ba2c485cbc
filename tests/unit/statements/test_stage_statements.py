"""Stages as objects, who may use their files, and services whose specification is one of them."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
import pytest_asyncio

from snowcave.api.contract import Done, ToWarehouse, Transfer
from snowcave.model.errors import (
    NotAuthorized,
    ObjectExists,
    ObjectNotFound,
    StageFileNotFound,
    TemplateFailed,
    Unsupported,
    ValueInvalid,
)
from tests.kit.statements import Account, open_account

SPEC = "spec: {containers: [{name: main, image: /d/public/r/echo}]}"
TEMPLATE = "spec: {containers: [{name: {{ name | default('main') }}, image: {{ image }}}]}"
CREATE = "CREATE SERVICE x IN COMPUTE POOL p"


@pytest_asyncio.fixture
async def account(tmp_path: Path) -> AsyncGenerator[Account]:
    async with open_account(tmp_path) as opened:
        await opened.sql(
            "CREATE DATABASE d",
            "CREATE COMPUTE POOL p MIN_NODES=1 MAX_NODES=2 INSTANCE_FAMILY=CPU_X64_XS",
            "CREATE IMAGE REPOSITORY r",
            "CREATE STAGE st",
            "CREATE ROLE bob",
            "CREATE USER bob PASSWORD='secret' DEFAULT_ROLE=bob",
            "GRANT ROLE bob TO USER bob",
            "GRANT USAGE ON DATABASE d TO ROLE bob",
            "GRANT USAGE ON SCHEMA d.public TO ROLE bob",
        )
        opened.registry.push("d/public/r/echo:latest")
        (stage,) = opened.catalog.all("stage")
        opened.stages.kept[stage.uid, "dir/spec.yaml"] = SPEC.encode()
        opened.stages.kept[stage.uid, "dir/template.yaml"] = TEMPLATE.encode()
        opened.stages.kept[stage.uid, "binary"] = b"\xff\xfe\x00"
        yield opened


async def transfer(account: Account, sql: str, version: str = "4.7.5") -> Transfer:
    account.context.client_version = version
    done = await account.outcome(sql)
    assert isinstance(done, Done)
    assert done.transfer is not None
    return done.transfer


# ---------------------------------------------------------------- objects


async def test_a_stage_is_made_shown_changed_and_dropped(account: Account) -> None:
    said = await account.sql(
        "CREATE OR REPLACE TEMPORARY STAGE IDENTIFIER('d.public.other') "
        "DIRECTORY = (ENABLE = TRUE) ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') COMMENT = 'c'"
    )
    assert said == [{"status": "Stage area OTHER successfully created."}]
    (shown,) = await account.sql("SHOW STAGES LIKE 'oth%' IN SCHEMA d.public")
    assert (shown["name"], shown["type"], shown["directory_enabled"], shown["comment"]) == (
        "OTHER",
        "INTERNAL TEMPORARY",
        "Y",
        "c",
    )
    await account.sql("ALTER STAGE other SET COMMENT = 'new'", "ALTER STAGE other RENAME TO third")
    described = await account.sql("DESC STAGE third")
    assert ("DIRECTORY", "ENABLE", "true") in {
        (row["parent_property"], row["property"], row["property_value"]) for row in described
    }
    with pytest.raises(ObjectExists):
        await account.sql("CREATE STAGE third")
    kept = await account.sql("CREATE STAGE IF NOT EXISTS third")
    assert kept == [{"status": "THIRD already exists, statement succeeded."}]
    await account.sql("DROP STAGE IDENTIFIER('third')")
    with pytest.raises(ObjectNotFound, match=r"Stage 'D\.PUBLIC\.THIRD'"):
        await account.sql("DESC STAGE third")
    await account.sql("DROP STAGE IF EXISTS third")


@pytest.mark.parametrize(
    ("sql", "error"),
    [
        ("CREATE STAGE e URL='s3://bucket/x'", Unsupported),
        ("CREATE STAGE e ENCRYPTION=(TYPE='AES')", ValueInvalid),
        ("CREATE STAGE e DIRECTORY=(ENABLE='MAYBE')", ValueInvalid),
        ("PUT file:///x @st PARALLEL=100", ValueInvalid),
        ("PUT file:///x @st SOURCE_COMPRESSION=LZO", ValueInvalid),
        ("PUT 'relative' @st", ValueInvalid),
        ("PUT file:///x @st/../y", ValueInvalid),
        ("PUT file:///x @~", Unsupported),
        ("LIST @nothing", ObjectNotFound),
    ],
)
async def test_what_is_refused(account: Account, sql: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        await account.sql(sql)


# ---------------------------------------------------------------- files


async def test_what_the_generations_of_clients_are_told(account: Account) -> None:
    older = await transfer(account, "PUT file:///a/x.txt @st/dir AUTO_COMPRESS=FALSE")
    assert (older.presigned, older.prefix, older.local) == (True, "dir/", "/a/x.txt")
    assert (older.auto_compress, older.overwrite, older.parallel) == (False, False, 4)
    newer = await transfer(account, "PUT file:///a/*.txt @st OVERWRITE=TRUE", "5.2.0")
    assert (newer.presigned, newer.prefix, newer.overwrite) == (False, "", True)
    got = await transfer(account, "GET @st/dir/ file:///to PATTERN='.*spec.*'")
    assert (got.upload, got.files, got.local) == (False, ("dir/spec.yaml",), "/to")


async def test_files_are_listed_and_removed(account: Account) -> None:
    listed = await account.sql("LS @d.public.st/dir")
    assert [row["name"] for row in listed] == ["st/dir/spec.yaml", "st/dir/template.yaml"]
    removed = await account.sql("RM @st PATTERN='.*spec.*'")
    assert removed == [{"name": "st/dir/spec.yaml", "result": "removed"}]
    assert len(await account.sql("LIST @st")) == 2


async def test_reading_takes_read_and_writing_takes_write(account: Account) -> None:
    bob = account.session("BOB", "BOB")
    bob.database, bob.schema = "D", "PUBLIC"
    reading = ("LIST @st", "GET @st file:///x", "COPY INTO t FROM @st/dir")
    writing = ("PUT file:///x @st", "REMOVE @st/nothing")
    for sql in (*reading, *writing):
        with pytest.raises(ObjectNotFound, match=r"Stage 'D\.PUBLIC\.ST'"):
            await account.outcome(sql, bob)
    await account.sql("GRANT READ ON STAGE st TO ROLE bob")
    for sql in reading:
        await account.outcome(sql, bob)
    for sql in (*writing, "ALTER STAGE st REFRESH"):
        with pytest.raises(NotAuthorized, match="stage 'ST'"):
            await account.outcome(sql, bob)
    await account.sql("GRANT WRITE ON STAGE st TO ROLE bob")
    for sql in writing:
        await account.outcome(sql, bob)
    with pytest.raises(NotAuthorized):
        await account.sql("DROP STAGE st", context=bob)


async def test_ordinary_sql_brings_its_stages_along(account: Account) -> None:
    (stage,) = account.catalog.all("stage")
    for place in ("@st/dir", "'@d.public.st/my dir'", '@d.public."ST"'):
        copy = await account.outcome(f"COPY INTO t FROM {place} FILE_FORMAT=(TYPE=CSV)")
        assert isinstance(copy, ToWarehouse)
        (binding,) = copy.stages
        assert (binding.stage, place.strip("'").startswith(binding.spelling)) == (stage.uid, True)
    plain = await account.outcome("SELECT 'me@st.example', '@someone'")
    assert isinstance(plain, ToWarehouse)
    assert plain.stages == ()


# ---------------------------------------------------------------- specifications


@pytest.mark.parametrize(
    "source",
    [
        "FROM @st SPECIFICATION_FILE = 'dir/spec.yaml'",
        "FROM @d.public.st/dir SPECIFICATION_FILE='spec.yaml' MIN_INSTANCES=1",
        "FROM @st SPEC=dir/spec.yaml",
        "FROM '@st/dir/' SPEC='spec.yaml'",
        "FROM SPECIFICATION_FILE='@st/dir/spec.yaml'",
        "FROM @st/dir SPECIFICATION_TEMPLATE_FILE='template.yaml' USING (image => '\"/d/public/r/echo\"')",
        "USING (image => '/d/public/r/echo', name => main) FROM @st SPECIFICATION_FILE='dir/template.yaml'",
        f"FROM SPECIFICATION_TEMPLATE $${TEMPLATE}$$ USING (image='/d/public/r/echo')",
        f"FROM SPECIFICATION $${TEMPLATE}$$ USING (\"image\" => '/d/public/r/echo', IMAGE => 1)",
    ],
)
async def test_a_service_from_any_source(account: Account, source: str) -> None:
    await account.sql(f"{CREATE} {source}")
    (made,) = account.catalog.all("service")
    (container,) = made.service.spec.containers
    assert (container.name, container.image) == ("main", "/d/public/r/echo")
    assert "{{" not in made.service.spec_text
    await account.sql("ALTER SERVICE x FROM @st SPECIFICATION_FILE='dir/spec.yaml'")


@pytest.mark.parametrize(
    ("source", "error", "words"),
    [
        ("FROM @st SPECIFICATION_FILE='no.yaml'", StageFileNotFound, "'@st/no.yaml'"),
        ("FROM @no SPECIFICATION_FILE='a'", ObjectNotFound, "Stage 'D.PUBLIC.NO'"),
        ("FROM SPECIFICATION_FILE='a.yaml'", ValueInvalid, "needs a stage"),
        ("FROM @st SPECIFICATION_FILE='../a'", ValueInvalid, "invalid path"),
        ("FROM @st SPECIFICATION_FILE='binary'", ValueInvalid, "not a text"),
        (
            "FROM @no SPECIFICATION_TEMPLATE_FILE='a' USING (a => 1)",
            TemplateFailed,
            "given template: .*Stage 'D.PUBLIC.NO'",
        ),
        (
            "FROM @st SPECIFICATION_TEMPLATE_FILE='a' USING (a => 1)",
            TemplateFailed,
            "given template: .*'@st/a'",
        ),
        (
            "FROM @st SPECIFICATION_TEMPLATE_FILE='dir/template.yaml' USING (Image => 1)",
            TemplateFailed,
            "'image' is undefined",
        ),
    ],
)
async def test_sources_that_are_refused(
    account: Account, source: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"(?s){words}"):
        await account.sql(f"{CREATE} {source}")
    assert list(account.catalog.all("service")) == []


async def test_only_who_may_read_the_stage_makes_a_service_of_it(account: Account) -> None:
    await account.sql(
        "GRANT CREATE SERVICE ON SCHEMA d.public TO ROLE bob",
        "GRANT USAGE ON COMPUTE POOL p TO ROLE bob",
        "GRANT READ ON IMAGE REPOSITORY r TO ROLE bob",
        "GRANT WRITE ON STAGE st TO ROLE bob",
    )
    bob = account.session("BOB", "BOB")
    bob.database, bob.schema = "D", "PUBLIC"
    sql = f"{CREATE} FROM @st SPECIFICATION_FILE='dir/spec.yaml'"
    with pytest.raises(NotAuthorized, match="stage 'ST'"):
        await account.sql(sql, context=bob)
    await account.sql("GRANT READ ON STAGE st TO ROLE bob")
    await account.sql(sql, context=bob)

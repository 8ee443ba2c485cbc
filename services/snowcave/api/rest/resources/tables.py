"""Tables, which are the warehouse's: the same statements as in SQL, made of checked parts."""

from typing import Any

from snowcave.api.rest import table_texts as texts
from snowcave.api.rest.call import Call, Kept, rows_in
from snowcave.api.rest.models import Json, Row
from snowcave.api.rest.names import data_type, identifier
from snowcave.api.rest.operations import (
    CREATE_MODE,
    FILTERS,
    IF_EXISTS,
    MOST_SHOWN,
    Many,
    Operation,
    Parameter,
)
from snowcave.api.rest.resource import EXISTING, UNCHANGED, same_name, with_names
from snowcave.api.rest.table_models import AS_SELECT, CLONE, COLUMN, LIKE, TABLE
from snowcave.api.rest.unsupported import unsupported
from snowcave.api.sql import tree
from snowcave.api.sql.lexer import literal
from snowcave.api.sql.printing import text_of, words
from snowcave.model.errors import ObjectNotFound, Unsupported, ValueInvalid
from snowcave.model.names import ObjectName, quoted

_PATH = "/databases/{database}/schemas/{schema}/tables"
_ONE = _PATH + "/{name}"
_NOT_HERE = ("cluster_by", "enable_schema_evolution", "change_tracking", "default_ddl_collation")


def _create(call: Call, name: ObjectName, rest: str, kind: str = "") -> str:
    existing = EXISTING[call.query.get("createMode", "errorIfExists")]
    kind = kind.upper() if kind.upper() in ("TRANSIENT", "TEMPORARY") else ""
    how, unless = words.or_what(existing), words.if_new(existing)
    return words.joined("CREATE", how, kind, "TABLE", unless, words.name(name), rest)


def _defined(call: Call, body: Json) -> str:
    for key in _NOT_HERE:
        if body.get(key):
            raise Unsupported(key)
    comment = f" COMMENT = {literal(body['comment'])}" if "comment" in body else ""
    rest = texts.columns(body.get("columns", ()), body.get("constraints", ())) + comment
    return _create(call, call.within(identifier(body["name"])), rest, body.get("kind", ""))


async def _new(call: Call) -> Json:
    return await call.ordinary(_defined(call, call.body))


async def _as_select(call: Call) -> Json:
    name = call.within(identifier(call.body["name"]))
    columns = texts.columns(call.body.get("columns", ()))
    rest = f"{columns} AS {texts.query(call.query['query'])}"
    return await call.ordinary(_create(call, name, rest))


async def _like(call: Call) -> Json:
    name = call.within(identifier(call.body["name"]))
    return await call.ordinary(_create(call, name, f"LIKE {words.name(call.target())}"))


def _elsewhere(call: Call, name: str) -> ObjectName:
    asked = call.query
    schema = identifier(asked["targetSchema"]) if "targetSchema" in asked else call.name("schema")
    database = (
        identifier(asked["targetDatabase"]) if "targetDatabase" in asked else call.name("database")
    )
    return ObjectName(identifier(name), schema, database)


async def _clone(call: Call) -> Json:
    if call.body.get("point_of_time"):
        raise Unsupported("CLONE … AT a point of time")
    name = _elsewhere(call, call.body["name"])
    return await call.ordinary(_create(call, name, f"CLONE {words.name(call.target())}"))


async def _swap(call: Call) -> Json:
    other = _elsewhere(call, call.query["targetName"])
    exists = "IF EXISTS " if call.query.get("ifExists") else ""
    sql = f"ALTER TABLE {exists}{words.name(call.target())} SWAP WITH {words.name(other)}"
    return await call.ordinary(sql)


async def _delete(call: Call) -> Json:
    exists = "IF EXISTS " if call.query.get("ifExists") else ""
    return await call.ordinary(f"DROP TABLE {exists}{words.name(call.target())}")


def _show(call: Call, **more: Any) -> str:
    asked = {**call.query, **more}
    # The warehouse knows FROM behind LIMIT alone.
    limit = asked.get("showLimit", MOST_SHOWN if "fromName" in asked else None)
    show = tree.Show(
        "TABLES",
        like=asked.get("like"),
        scope=tree.Scope("schema", call.schema()),
        starts_with=asked.get("startsWith"),
        limit=limit,
        from_name=asked.get("fromName"),
        flags=frozenset({"HISTORY"} if asked.get("history") else ()),
    )
    return text_of(show)


async def _list(call: Call) -> list[Json] | Kept:
    answer = await call.answered(_show(call))
    if not call.query.get("deep"):
        return Kept(answer)
    rows = rows_in(answer)
    if len(rows) < answer.total:
        raise ValueInvalid(f"{answer.total} tables are too many for deep: ask for fewer.")
    found = [_shape(row) for row in rows]
    for row, shown in zip(rows, found, strict=True):
        shown["columns"] = await _columns(call, call.within(str(row["name"])))
    return found


def _shape(row: Row) -> Json:
    """What SHOW says of a table as other fields than those of the same names is left out."""
    kept = {key: value for key, value in row.items() if key not in _NOT_HERE}
    return with_names(TABLE.shaped({**kept, "kind": "PERMANENT"}))


async def _columns(call: Call, name: ObjectName) -> list[Json]:
    answer = await call.answered(f"DESCRIBE TABLE {words.name(name)}")
    return [_column(row) for row in rows_in(answer)]


def _column(row: Row) -> Json:
    found = {"datatype": row["type"], "nullable": row["null?"] == "Y"}
    default = str(row["default"] or "")
    if default.startswith("IDENTITY "):
        parts = default.split()
        found |= {
            "autoincrement": True,
            "autoincrement_start": parts[2],
            "autoincrement_increment": parts[4],
        }
        default = ""
    shown = COLUMN.shaped({**row, **found, "default": default or None})
    return {**shown, "name": quoted(str(row["name"]))}


async def _table(call: Call) -> Json:
    """Raises ObjectNotFound."""
    name = call.target()
    for row in rows_in(await call.answered(_show(call, startsWith=name.name))):
        if row["name"] == name.name:
            return {**_shape(row), "columns": await _columns(call, name)}
    raise ObjectNotFound("Table", str(name))


async def _create_or_alter(call: Call) -> Json:
    """Columns come and go, and the comment changes; nothing else does."""
    same_name(call)
    try:
        now = await _table(call)
    except ObjectNotFound:
        return await call.ordinary(_defined(call, call.body))
    for sql in _changes(words.name(call.target()), call.body, now):
        await call.ordinary(sql, first=True)
    return dict(UNCHANGED)


def _changes(name: str, body: Json, now: Json) -> list[str]:
    there = {identifier(one["name"]): one for one in now["columns"]}
    wanted = {identifier(one["name"]): one for one in body.get("columns", ())}
    for key in there.keys() & wanted.keys():
        if data_type(wanted[key]["datatype"]) != data_type(there[key]["datatype"]):
            raise Unsupported("another type for a column")
    found = [
        f"ALTER TABLE {name} ADD COLUMN {texts.column(one)}"
        for key, one in wanted.items()
        if key not in there
    ]
    found += [
        f"ALTER TABLE {name} DROP COLUMN {words.identifier(key)}"
        for key in there
        if key not in wanted
    ]
    comment = body.get("comment", "")
    if comment != now.get("comment", ""):
        found.append(f"COMMENT ON TABLE {name} IS {literal(comment)}")
    return found


_QUERY = Parameter("query", required=True)
_COPY = Parameter("copyGrants", "boolean")
_TARGETS = (Parameter("targetDatabase"), Parameter("targetSchema"))
_NO_CLUSTERS = "Tables are not clustered here."

OPERATIONS = (
    Operation("create_table", "POST", _PATH, _new, (CREATE_MODE, _COPY), TABLE),
    Operation(
        "create_table_as_select",
        "POST",
        _PATH + ":as-select",
        _as_select,
        (CREATE_MODE, _COPY, _QUERY),
        AS_SELECT,
    ),
    Operation(
        "create_table_like",
        "POST",
        _ONE + ":create-like",
        _like,
        (CREATE_MODE, _COPY),
        LIKE,
        aliases=(_ONE + ":create_like",),
    ),
    unsupported(
        "create_table_using_template",
        "POST",
        _PATH + ":using-template",
        "Tables are not made of what INFER_SCHEMA answers; name the columns.",
    ),
    Operation(
        "clone_table",
        "POST",
        _ONE + ":clone",
        _clone,
        (CREATE_MODE, _COPY, *_TARGETS),
        CLONE,
    ),
    Operation(
        "list_tables",
        "GET",
        _PATH,
        _list,
        (*FILTERS, Parameter("history", "boolean"), Parameter("deep", "boolean")),
        answer=Many(TABLE),
        shape=_shape,
    ),
    Operation("fetch_table", "GET", _ONE, _table, answer=TABLE),
    Operation("create_or_alter_table", "PUT", _ONE, _create_or_alter, body=TABLE),
    Operation(
        "swap_with_table",
        "POST",
        _ONE + ":swap-with",
        _swap,
        (IF_EXISTS, Parameter("targetName", required=True), *_TARGETS),
        aliases=(_ONE + ":swapwith",),
    ),
    Operation("delete_table", "DELETE", _ONE, _delete, (IF_EXISTS,)),
    unsupported("undrop_table", "POST", _ONE + ":undrop", "Dropped tables are gone."),
    unsupported("resume_recluster_table", "POST", _ONE + ":resume-recluster", _NO_CLUSTERS),
    unsupported("suspend_recluster_table", "POST", _ONE + ":suspend-recluster", _NO_CLUSTERS),
)

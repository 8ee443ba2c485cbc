"""Hypothesis strategies for statements: every field of every statement type, made from its annotation.

A field that only certain values make sense in is named in FIELDS; a statement whose fields must agree is put
right by its entry in AGREEING. A new field is varied from the day it is there, and a new type is a KeyError.
"""

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from snowcave.api.sql import calls, jobs, options, properties, tree, workloads
from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.ddl import OURS
from snowcave.api.sql.domains import WORDS
from snowcave.api.sql.options import Options
from snowcave.api.sql.printing.words import KEYWORDS
from snowcave.api.sql.tree import (
    Action,
    Alter,
    Existing,
    Grantee,
    Scope,
    Securable,
    SpecSource,
    TokenAction,
)
from snowcave.api.sql.types import DataType, read_type
from snowcave.model.names import ObjectName
from snowcave.model.stage_path import StagePath, parse_stage_path

Strategy = st.SearchStrategy[Any]

ACCOUNT = ("database", "role", "user", "warehouse", "compute_pool", "integration")
# Names of every kind: plain, with quotes and spaces, and words that the grammar looks for.
TEXTS = st.text(max_size=12) | st.sampled_from(["it's", "\\", "a\nb", "$$", "--", "/*", ";", '"'])
WORD = st.from_regex(r"[A-Z_][A-Z0-9_$]{0,8}", fullmatch=True)
NAMES = WORD | st.sampled_from(sorted(KEYWORDS)) | st.text(min_size=1, max_size=8)
UPPER = TEXTS.map(str.upper).filter(lambda text: text.upper() == text)
NUMBERS = st.integers(-(10**17), 10**17)
COUNTS = st.integers(0, 10**17)
_TYPES = (
    "VARCHAR(16777216) VARCHAR(5) NUMBER(38,0) NUMBER(10,2) FLOAT BOOLEAN DATE TIME(9) TIMESTAMP_NTZ(3) "
    "TIMESTAMP_LTZ(9) TIMESTAMP_TZ(9) VARIANT OBJECT ARRAY BINARY(8388608)"
)
TYPES = st.sampled_from(_TYPES.split()).map(lambda text: read_type(Cursor(text)))
BASES = st.lists(TYPES.map(lambda kind: kind.base), max_size=3).map(tuple)


@st.composite
def object_names(draw: st.DrawFn) -> ObjectName:
    parts = draw(st.lists(NAMES, min_size=1, max_size=3))
    return ObjectName(*parts)


@st.composite
def names_of(draw: st.DrawFn, domain: str) -> ObjectName:
    """As the parser gives them: the objects of an account have one part, a schema has a database."""
    if domain in ACCOUNT:
        return ObjectName(draw(NAMES))
    if domain == "schema":
        return ObjectName(draw(NAMES), database=draw(st.just("") | NAMES))
    return draw(object_names())


STAGES = st.builds(
    lambda name, path: parse_stage_path(f"@{name}{path}"),
    st.lists(WORD | st.just('"a ""b"" c"'), min_size=1, max_size=3).map(".".join),
    st.just("") | st.from_regex(r"(/[a-z0-9 ;'=-]{1,6}){0,3}/?", fullmatch=True),
)
VALUES = st.dictionaries(
    NAMES,
    st.tuples(TEXTS, st.just(True))
    | st.tuples(
        st.from_regex(r"-?[0-9]{1,4}(\.[0-9])?|[a-z_]{1,6}", fullmatch=True), st.just(False)
    ),
    max_size=3,
)
SOURCES: Strategy = st.one_of(
    st.builds(SpecSource, text=TEXTS, values=st.none() | VALUES),
    st.builds(SpecSource, file=st.text(min_size=1, max_size=8), values=st.none() | VALUES),
    st.builds(SpecSource, stage=STAGES, file=TEXTS, values=st.none() | VALUES),
)
GROUPS = st.dictionaries(NAMES, TEXTS, max_size=2)
TAGS = st.dictionaries(object_names(), TEXTS, min_size=1, max_size=2)
STRINGS = st.lists(TEXTS, max_size=3).map(tuple)
SOME_STRINGS = st.lists(TEXTS, min_size=1, max_size=3).map(tuple)

# What each reader of properties gives.
READ: dict[Any, Strategy] = {
    options.read_integer: NUMBERS,
    options.read_boolean: st.booleans(),
    options.read_text: TEXTS,
    options.read_upper: UPPER,
    options.read_string: TEXTS,
    options.read_name: object_names(),
    options.read_names: STRINGS,
    options.read_strings: STRINGS,
    options.read_group: GROUPS,
    options.read_object_names: st.lists(object_names(), max_size=3).map(tuple),
}


@st.composite
def given_options(
    draw: st.DrawFn, table: Mapping[str, Any], least: int = 0, *, tags: bool = False
) -> Options:
    keys = draw(st.lists(st.sampled_from(sorted(table)), min_size=least, max_size=4, unique=True))
    found: dict[str, Any] = {key: draw(READ[table[key]]) for key in keys}
    if tags and draw(st.booleans()):
        found["TAG"] = draw(TAGS)
    return Options(found)


# ---------------------------------------------------------------- fields

SCOPED = sorted({*WORDS.values()})
DOMAINS = st.sampled_from(OURS)
CREATED = st.sampled_from(sorted(set(properties.CREATE) - {"snapshot"}))
_SHOWN = (
    "COMPUTE POOL INSTANCE FAMILIES,COMPUTE POOLS,NODES,IMAGE REPOSITORIES,IMAGES,SERVICE INSTANCES,"
    "SERVICE CONTAINERS,SERVICES,STAGES,SNAPSHOTS,SECRETS,NETWORK RULES,EXTERNAL ACCESS INTEGRATIONS,"
    "SECURITY INTEGRATIONS,INTEGRATIONS,TAGS,ENDPOINTS,DATABASES,SCHEMAS,ROLES,USERS,WAREHOUSES,"
    "FUNCTIONS,ROLES IN SERVICE"
)
KINDS = _SHOWN.split(",")
OF_ONE = {
    "IMAGES": "image_repository",
    "SERVICE INSTANCES": "service",
    "SERVICE CONTAINERS": "service",
    "ENDPOINTS": "service",
    "NODES": "compute_pool",
    "ROLES IN SERVICE": "service",
}
PRIVILEGES = st.sampled_from(
    ["USAGE", "OWNERSHIP", "BIND SERVICE ENDPOINT", "CREATE IMAGE REPOSITORY", "MANAGE GRANTS"]
)
TOKEN_TABLES = {
    TokenAction.ADD: {
        "ROLE_RESTRICTION": options.read_name,
        "DAYS_TO_EXPIRY": options.read_integer,
        "COMMENT": options.read_string,
    },
    TokenAction.ROTATE: {"EXPIRE_ROTATED_TOKEN_AFTER_HOURS": options.read_integer},
    TokenAction.SET: {"DISABLED": options.read_boolean, "COMMENT": options.read_string},
}
WORKLOADS = st.lists(
    st.sampled_from([one for one in workloads.TYPES if one != "ALL"]), max_size=3
).map(tuple)

# By type and field; what is not here is made of the annotation.
FIELDS: dict[type, dict[str, Strategy]] = {
    tree.Create: {"domain": CREATED},
    tree.Alter: {"domain": DOMAINS, "arguments": BASES, "types": WORKLOADS},
    tree.Drop: {"domain": DOMAINS, "arguments": BASES},
    tree.Undrop: {"domain": st.sampled_from(["database", "schema"])},
    tree.Describe: {"domain": DOMAINS, "arguments": BASES},
    tree.CreateService: {"options": given_options(properties.SERVICE, tags=True)},
    tree.ExecuteJob: {"options": given_options(properties.JOB, tags=True)},
    tree.CreateFunction: {
        "options": given_options(properties.FUNCTION, tags=True),
        "path": TEXTS,
        "arguments": st.lists(st.tuples(NAMES, TYPES), max_size=3).map(tuple),
    },
    tree.CreateSnapshot: {
        "options": given_options(properties.CREATE["snapshot"], tags=True),
        "volume": TEXTS,
    },
    tree.RestoreVolume: {
        "volume": TEXTS,
        "instances": st.lists(NUMBERS, min_size=1, max_size=3).map(tuple),
    },
    tree.Show: {
        "kind": st.sampled_from(KINDS),
        "like": st.none() | TEXTS,
        "starts_with": st.none() | TEXTS,
        "from_name": st.none() | TEXTS,
        "limit": st.none() | COUNTS,
        "types": WORKLOADS,
        "flags": st.frozensets(st.sampled_from(["JOB", "EXCLUDE JOBS", "HISTORY"])),
    },
    tree.ShowParameters: {
        "like": st.none() | TEXTS,
        "scope": st.none() | st.builds(Scope, st.sampled_from(["session", *SCOPED])),
    },
    tree.GrantPrivileges: {
        "privileges": st.lists(PRIVILEGES, max_size=3, unique=True).map(tuple),
        "current_grants": st.sampled_from(["", "COPY", "REVOKE"]),
    },
    tree.GrantCaller: {
        "privileges": st.lists(PRIVILEGES, max_size=3, unique=True).map(tuple),
    },
    tree.ShowGrants: {
        "relation": st.sampled_from(["", "ON", "TO", "OF", "IN"]),
        "limit": st.none() | COUNTS,
    },
    tree.Use: {
        "what": st.sampled_from(["role", "database", "schema", "warehouse", "secondary_roles"])
    },
    tree.SetParameters: {"values": st.dictionaries(WORD, TEXTS, min_size=1, max_size=3)},
    tree.UnsetParameters: {"names": st.lists(NAMES, min_size=1, max_size=3).map(tuple)},
    tree.PutFiles: {
        "local": st.text(min_size=1, max_size=12),
        "options": given_options({"PARALLEL": options.read_integer}),
    },
    tree.GetFiles: {
        "local": st.text(min_size=1, max_size=12),
        "options": given_options({"PATTERN": options.read_string}),
    },
    tree.ListFiles: {"pattern": TEXTS},
    tree.RemoveFiles: {"pattern": TEXTS},
    tree.SystemCall: {"function": st.sampled_from(sorted(calls.FUNCTIONS))},
    tree.ServiceCall: {"function": st.sampled_from(jobs.SERVICE_FUNCTIONS)},
    tree.AlterToken: {},
    tree.ShowTokens: {},
    tree.ShowCallerGrants: {},
    tree.GrantRole: {},
    tree.GrantServiceRole: {},
}


def by_annotation(kind: Any) -> Strategy:
    """For a field whose values have no rules of their own."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*map(by_annotation, inner))
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(by_annotation(inner[0]), max_size=3).map(tuple)
    if origin is frozenset:
        return st.just(frozenset())
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return _PLAIN[kind]


_PLAIN: dict[Any, Strategy] = {
    str: NAMES,
    int: NUMBERS,
    float: st.floats(0, 10**6),
    bool: st.booleans(),
    type(None): st.none(),
    ObjectName: object_names(),
    StagePath: STAGES,
    SpecSource: SOURCES,
    DataType: TYPES,
    Options: st.just(Options()),
    Scope: st.builds(Scope, st.sampled_from(SCOPED), object_names()),
    Grantee: st.builds(Grantee, st.sampled_from(["role", "user"]), NAMES),
    Securable: st.builds(
        Securable,
        st.sampled_from(["account", *SCOPED]),
        object_names(),
        BASES,
        st.none() | st.builds(Scope, st.sampled_from(["database", "schema"]), object_names()),
        st.booleans(),
    ),
}


def statements(kind: type) -> Strategy:
    """Statements of one type that agree in themselves."""
    special, hints = FIELDS[kind], get_type_hints(kind)
    fields = {
        field.name: special[field.name]
        if field.name in special
        else by_annotation(hints[field.name])
        for field in dataclasses.fields(kind)
    }
    loose = st.builds(kind, **fields)
    agree = AGREEING.get(kind)
    return loose.flatmap(lambda it: agree(it)) if agree else loose


# ---------------------------------------------------------------- fields that must agree


@st.composite
def _create(draw: st.DrawFn, it: tree.Create) -> tree.Create:
    flags: set[str] = set()
    if it.domain == "stage" and draw(st.booleans()):
        flags.add("TEMPORARY")
    elif draw(st.booleans()):
        flags.add("TRANSIENT")
    if it.domain == "schema" and draw(st.booleans()):
        flags.add("MANAGED ACCESS")
    if it.domain == "integration":
        flags.add(draw(st.sampled_from(["EXTERNAL_ACCESS", "SECURITY"])))
    given = draw(given_options(properties.CREATE[it.domain], tags=True))
    if it.domain == "tag" and draw(st.booleans()):
        given = Options({**given, "ALLOWED_VALUES": draw(SOME_STRINGS)})
    allowed = [Existing.FAIL, Existing.KEEP]
    if it.domain != "compute_pool":
        allowed.append(Existing.REPLACE)
    return dataclasses.replace(
        it,
        name=draw(names_of(it.domain)),
        existing=draw(st.sampled_from(allowed)),
        options=given,
        flags=frozenset(flags),
    )


_ACTIONS: dict[Action, tuple[str, ...]] = {
    Action.SUSPEND: ("compute_pool", "service", "warehouse"),
    Action.RESUME: ("compute_pool", "service", "warehouse"),
    Action.STOP_ALL: ("compute_pool",),
    Action.ABORT_ALL: ("warehouse",),
    Action.FROM_SPECIFICATION: ("service",),
    Action.NOTHING: ("stage",),
    Action.TRUNCATE: ("event_table",),
    Action.ADD_VALUES: ("tag",),
    Action.DROP_VALUES: ("tag",),
    Action.UNSET: tuple(domain for domain in properties.SET if domain != "image_repository"),
    Action.SET: tuple(properties.SET),
}


@st.composite
def _alter(draw: st.DrawFn, it: Alter) -> Alter:
    domain = draw(st.sampled_from(_ACTIONS.get(it.action, OURS)))
    bare = Alter(domain, draw(names_of(domain)), it.if_exists, it.action)
    if domain == "function":
        bare = dataclasses.replace(bare, arguments=it.arguments)
    table = properties.SET.get(domain, {})
    match it.action:
        case Action.SET:
            return dataclasses.replace(bare, options=draw(given_options(table, 1)))
        case Action.UNSET:
            known = sorted(properties.UNSET.get(domain, table))
            unset = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3))
            return dataclasses.replace(bare, unset=tuple(unset))
        case Action.SET_TAG:
            return dataclasses.replace(bare, options=Options({"TAG": draw(TAGS)}))
        case Action.UNSET_TAG:
            tags = draw(st.lists(object_names(), min_size=1, max_size=3))
            return dataclasses.replace(bare, unset_tags=tuple(tags))
        case Action.ADD_VALUES | Action.DROP_VALUES:
            values = Options({"ALLOWED_VALUES": draw(SOME_STRINGS)})
            return dataclasses.replace(bare, options=values)
        case Action.RENAME:
            return dataclasses.replace(bare, new_name=draw(names_of(domain)))
        case Action.FROM_SPECIFICATION:
            return dataclasses.replace(bare, source=draw(SOURCES))
        case Action.STOP_ALL:
            return dataclasses.replace(bare, types=it.types)
        case _:
            return bare


@st.composite
def _named(draw: st.DrawFn, it: Any) -> Any:
    """DROP, UNDROP and DESCRIBE."""
    changes: dict[str, Any] = {"name": draw(names_of(it.domain))}
    if hasattr(it, "arguments") and it.domain != "function":
        changes["arguments"] = None
    return dataclasses.replace(it, **changes)


@st.composite
def _service(draw: st.DrawFn, it: tree.CreateService) -> tree.CreateService:
    existing = draw(st.sampled_from([Existing.FAIL, Existing.KEEP]))
    return dataclasses.replace(it, existing=existing)


def _job(it: tree.ExecuteJob) -> Strategy:
    return st.just(dataclasses.replace(it, name=it.options.object_name("NAME")))


@st.composite
def _function(draw: st.DrawFn, it: tree.CreateFunction) -> tree.CreateFunction:
    needed = {"SERVICE": draw(object_names()), "ENDPOINT": draw(TEXTS)}
    return dataclasses.replace(it, options=Options({**it.options, **needed}))


@st.composite
def _snapshot(draw: st.DrawFn, it: tree.CreateSnapshot) -> tree.CreateSnapshot:
    known = [one for one in Existing if one is not Existing.ALTER]
    return dataclasses.replace(it, existing=draw(st.sampled_from(known)))


@st.composite
def _scope(draw: st.DrawFn, domain: str, *, named: bool = False) -> Scope:
    if domain in ("account", "session"):
        return Scope(domain)
    full = names_of("schema") if domain == "schema" else object_names()
    return Scope(domain, draw(full if named else st.none() | full))


@st.composite
def _show(draw: st.DrawFn, it: tree.Show) -> tree.Show:
    flags = set(it.flags)
    if it.kind != "SERVICES":
        flags &= {"HISTORY"}
    elif "JOB" in flags:
        flags.discard("EXCLUDE JOBS")
    scope = it.scope and draw(_scope(draw(st.sampled_from(["account", *SCOPED]))))
    if it.kind in OF_ONE:
        scope = Scope(OF_ONE[it.kind], draw(object_names()))
    elif it.kind == "ROLES" and scope and scope.domain == "service":
        scope = None
    return dataclasses.replace(
        it,
        scope=scope,
        types=it.types if it.kind == "SERVICES" else (),
        flags=frozenset(flags),
        from_name=None if it.limit is None else it.from_name,
    )


@st.composite
def _show_parameters(draw: st.DrawFn, it: tree.ShowParameters) -> tree.ShowParameters:
    return dataclasses.replace(it, scope=it.scope and draw(_scope(it.scope.domain)))


@st.composite
def _securable(draw: st.DrawFn, it: Securable) -> Securable:
    if it.domain == "account":
        return Securable("account")
    if it.all_in is not None:
        container = draw(_scope(it.all_in.domain, named=True))
        return Securable(it.domain, all_in=container, future=it.future)
    called = it.domain in ("function", "procedure")
    return Securable(it.domain, draw(names_of(it.domain)), it.arguments if called else None)


@st.composite
def _privileges(draw: st.DrawFn, it: tree.GrantPrivileges) -> tree.GrantPrivileges:
    moved = "OWNERSHIP" in it.privileges and not it.revoke
    return dataclasses.replace(
        it,
        on=draw(_securable(it.on)),
        cascade=it.cascade and it.revoke,
        current_grants=it.current_grants if moved else "",
    )


@st.composite
def _caller(draw: st.DrawFn, it: tree.GrantCaller) -> tree.GrantCaller:
    on = draw(_securable(it.on))
    return dataclasses.replace(it, on=dataclasses.replace(on, future=False))


@st.composite
def _show_caller_grants(draw: st.DrawFn, it: tree.ShowCallerGrants) -> tree.ShowCallerGrants:
    if it.on is not None:
        return tree.ShowCallerGrants(on=draw(_securable(it.on)))
    return tree.ShowCallerGrants(grantee=it.grantee or Grantee("role", draw(NAMES)))


@st.composite
def _show_grants(draw: st.DrawFn, it: tree.ShowGrants) -> tree.ShowGrants:
    bare = tree.ShowGrants(it.relation, limit=it.limit)
    whose = it.grantee or Grantee("role", draw(NAMES))
    match it.relation:
        case "ON":
            on = it.on or Securable("account")
            return dataclasses.replace(bare, on=draw(_securable(on)))
        case "IN":
            domain = draw(st.sampled_from(["database", "schema"]))
            within = draw(_scope(domain, named=True))
            return dataclasses.replace(bare, future=True, within=within)
        case "TO" if it.future:
            return dataclasses.replace(bare, future=True, grantee=whose)
        case "TO" | "OF" if it.service is not None:
            role = it.service_role or "R"
            return dataclasses.replace(bare, service=it.service, service_role=role)
        case "TO" | "OF":
            return dataclasses.replace(bare, grantee=whose)
        case _:
            return bare


@st.composite
def _use(draw: st.DrawFn, it: tree.Use) -> tree.Use:
    name = draw(names_of("schema")) if it.what == "schema" else ObjectName(draw(NAMES))
    return dataclasses.replace(it, name=name)


@st.composite
def _system_call(draw: st.DrawFn, it: tree.SystemCall) -> tree.SystemCall:
    return dataclasses.replace(it, column=draw(st.just(it.function) | NAMES))


@st.composite
def _token(draw: st.DrawFn, it: tree.AlterToken) -> tree.AlterToken:
    renamed, unset = it.action is TokenAction.RENAME, it.action is TokenAction.UNSET
    table = TOKEN_TABLES.get(it.action, {})
    some = draw(given_options(table, int(it.action is TokenAction.SET))) if table else Options()
    names = st.lists(st.sampled_from(["DISABLED", "COMMENT"]), min_size=1, max_size=2)
    return dataclasses.replace(
        it,
        options=some,
        unset=tuple(draw(names)) if unset else (),
        new_name=it.new_name if renamed else "",
    )


AGREEING: dict[type, Callable[[Any], Strategy]] = {
    tree.Create: _create,
    tree.Alter: _alter,
    tree.Drop: _named,
    tree.Undrop: _named,
    tree.Describe: _named,
    tree.CreateService: _service,
    tree.ExecuteJob: _job,
    tree.CreateFunction: _function,
    tree.CreateSnapshot: _snapshot,
    tree.Show: _show,
    tree.ShowParameters: _show_parameters,
    tree.GrantPrivileges: _privileges,
    tree.GrantCaller: _caller,
    tree.ShowCallerGrants: _show_caller_grants,
    tree.ShowGrants: _show_grants,
    tree.Use: _use,
    tree.SystemCall: _system_call,
    tree.AlterToken: _token,
}

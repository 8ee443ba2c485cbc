"""What nearly every kind of object offers: create, list, fetch, delete, and changing it to a given state."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from snowcave.api.http.requests import RequestInvalid
from snowcave.api.rest import operations as ops
from snowcave.api.rest.call import Call, Listing, named
from snowcave.api.rest.models import Json, Model, Row
from snowcave.api.rest.names import any_name, identifier
from snowcave.api.rest.operations import Many, Operation, Parameter
from snowcave.api.sql import options as readers
from snowcave.api.sql import properties, tree
from snowcave.api.sql.ddl import NO_REPLACE
from snowcave.api.sql.domains import label
from snowcave.api.sql.options import Options, invalid_property
from snowcave.api.sql.tree import Action, Existing
from snowcave.model import names as model_names
from snowcave.model.errors import ObjectNotFound, Unsupported
from snowcave.model.names import ObjectName

EXISTING = {
    "errorIfExists": Existing.FAIL,
    "orReplace": Existing.REPLACE,
    "ifNotExists": Existing.KEEP,
}
# How a field of a body becomes what the reader of the property would have read.
_READ: dict[object, Callable[[Any], Any]] = {
    readers.read_upper: lambda value: str(value).upper(),
    readers.read_name: lambda value: any_name(str(value)),
    readers.read_names: lambda value: tuple(
        identifier(one) for one in ([value] if isinstance(value, str) else value)
    ),
    readers.read_strings: tuple,
    readers.read_object_names: lambda value: tuple(any_name(one) for one in value),
    readers.read_text: str,
    readers.read_boolean: lambda value: value if isinstance(value, bool) else value == "true",
}


def to_options(domain: str, table: Mapping[str, Any], values: Mapping[str, Any]) -> Options:
    """Fields of a body as a statement's properties. Raises ValueInvalid where there is no such property."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        key = name.upper()
        if key not in table:
            raise invalid_property(key, properties.label(domain))
        found[key] = _READ.get(table[key], _same)(value)
    return Options(found)


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Resource:
    """`domain` as in `keys.DOMAINS`; `path` with its place, such as /databases/{database}/schemas."""

    domain: str
    path: str
    # In the singular and the plural, for the operations' ids.
    words: tuple[str, str]
    model: Model
    # The kind of SHOW.
    shows: str
    filters: tuple[Parameter, ...] = ops.FILTERS
    # Fields of the body that are no properties of the statement.
    apart: frozenset[str] = frozenset({"name"})
    # A row as an element of the answer, where it is more than the model's fields of it.
    shape: Callable[[Row], Json] | None = None
    # DESCRIBE gives the row, too; where SHOW says all there is, it is not asked.
    described: bool = False
    # Of CREATE, by what was asked for; and what more may be asked for.
    flags: Callable[[Call], Iterable[str]] = field(default=lambda _call: ())
    more_query: tuple[Parameter, ...] = ()
    # Of SHOW.
    show_flags: Callable[[Call], frozenset[str]] = field(default=lambda _call: frozenset())

    # ------------------------------------------------------------ statements

    def shaped(self, row: Row) -> Json:
        """`name` and other names as identifiers, quoted where they must be."""
        if self.shape is not None:
            return self.shape(row)
        return with_names(self.model.shaped(row))

    def scope(self, call: Call) -> tree.Scope | None:
        if "schema" in call.names:
            return tree.Scope("schema", call.schema())
        if "database" in call.names:
            return tree.Scope("database", ObjectName(call.name("database")))
        return tree.Scope("account") if self.domain in ("database",) else None

    def show(self, call: Call, **more: Any) -> tree.Show:
        asked = call.query
        return tree.Show(
            self.shows,
            like=asked.get("like"),
            scope=self.scope(call),
            starts_with=asked.get("startsWith"),
            limit=asked.get("showLimit"),
            from_name=asked.get("fromName"),
            flags=self.show_flags(call),
            **more,
        )

    async def row(self, call: Call, name: ObjectName) -> Row:
        """Of one object. Raises ObjectNotFound."""
        if self.described:
            return named(await call.rows(tree.Describe(self.domain, name)))[0]
        show = tree.Show(self.shows, scope=self.scope(call), starts_with=name.name)
        for row in await call.look(show):
            if row["name"] == name.name:
                return row
        raise ObjectNotFound(label(self.domain), str(name))

    def created(self, call: Call, body: Json, existing: Existing) -> tree.Statement:
        name = call.within(identifier(body["name"]))
        table = properties.CREATE[self.domain]
        return tree.Create(
            self.domain,
            name,
            existing,
            to_options(self.domain, table, self.given(body)),
            frozenset(self.flags(call)),
        )

    def given(self, body: Json) -> Json:
        return {key: value for key, value in body.items() if key not in self.apart}

    def altered(self, call: Call, body: Json, now: Json) -> Iterator[tree.Statement]:
        """To what the body says; what it does not say goes back to its default. `now`: as it is."""
        given = {key: value for key, value in self.given(body).items() if now.get(key) != value}
        options = to_options(self.domain, properties.SET[self.domain], given)
        unset = self.forgotten(body, now)
        if unset:
            yield tree.Alter(self.domain, call.target(), False, Action.UNSET, unset=unset)
        if options:
            yield tree.Alter(self.domain, call.target(), False, Action.SET, options=options)

    def forgotten(self, body: Json, now: Json) -> tuple[str, ...]:
        """Properties that are set and that the body says nothing of."""
        table = properties.SET[self.domain]
        can_unset = properties.UNSET.get(self.domain, table)
        said = {one.name for one in self.model.fields if not one.read_only}
        return tuple(
            key
            for key in can_unset
            if key.lower() in said and key.lower() not in body and now.get(key.lower())
        )

    # ------------------------------------------------------------ operations

    def create(self) -> Operation:
        async def action(call: Call) -> Json:
            existing = EXISTING[call.query.get("createMode", "errorIfExists")]
            if existing is Existing.REPLACE and self.domain in NO_REPLACE:
                raise Unsupported(f"CREATE OR REPLACE {label(self.domain).upper()}")
            return await call.change(self.created(call, call.body, existing))

        return Operation(
            f"create_{self.words[0]}",
            "POST",
            self.path,
            action,
            (ops.CREATE_MODE, *self.more_query),
            self.model,
        )

    def list(self) -> Operation:
        async def action(call: Call) -> Listing:
            return await call.listing(self.show(call))

        return Operation(
            f"list_{self.words[1]}",
            "GET",
            self.path,
            action,
            self.filters,
            answer=Many(self.model),
            shape=self.shaped,
        )

    def fetch(self) -> Operation:
        async def action(call: Call) -> Json:
            return self.shaped(await self.row(call, call.target()))

        return Operation(
            f"fetch_{self.words[0]}", "GET", self.path + "/{name}", action, answer=self.model
        )

    def delete(self, *query: Parameter) -> Operation:
        async def action(call: Call) -> Json:
            if_exists = call.query.get("ifExists", False)
            return await call.change(tree.Drop(self.domain, call.target(), if_exists))

        return Operation(
            f"delete_{self.words[0]}",
            "DELETE",
            self.path + "/{name}",
            action,
            (ops.IF_EXISTS, *query),
        )

    def create_or_alter(self, *query: Parameter) -> Operation:
        async def action(call: Call) -> Json:
            same_name(call)
            try:
                row = await self.row(call, call.target())
            except ObjectNotFound:
                return await call.change(self.created(call, call.body, Existing.FAIL))
            wanted = list(self.altered(call, call.body, self.shaped(row)))
            for statement in wanted[:-1]:
                await call.change(statement, first=True)
            return await call.change(wanted[-1]) if wanted else dict(UNCHANGED)

        return Operation(
            f"create_or_alter_{self.words[0]}",
            "PUT",
            self.path + "/{name}",
            action,
            query,
            self.model,
        )

    def act(
        self, word: str, action: Action, *, id: str = "", if_exists: bool = False
    ) -> Operation:
        async def run(call: Call) -> Json:
            lenient = call.query.get("ifExists", False)
            return await call.change(tree.Alter(self.domain, call.target(), lenient, action))

        return Operation(
            id or f"{word}_{self.words[0]}",
            "POST",
            f"{self.path}/{{name}}:{word}",
            run,
            (ops.IF_EXISTS,) if if_exists else (),
        )


def same_name(call: Call) -> None:
    """Raises RequestInvalid where the body is of another object than the path."""
    if identifier(call.body["name"]) != call.name():
        raise RequestInvalid("The name in the body is not the one in the path.")


UNCHANGED = {"status": "Statement executed successfully."}
_NAMED = ("name", "database_name", "schema_name", "compute_pool", "service_name")


def with_names(shown: Json) -> Json:
    """Names in the form in which they can be sent again."""
    for key in _NAMED:
        if isinstance(shown.get(key), str):
            shown[key] = model_names.quoted(shown[key])
    return shown

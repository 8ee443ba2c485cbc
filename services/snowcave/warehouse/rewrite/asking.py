"""What a query asks of the event table before anything else: conditions whose other side is known. Pure.

Only of a statement that reads the event table once and nothing beside it, where another table could be a view
of the same rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import Expr, exp

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite.events import TIED, Place, conditions_of, only_source
from snowcave.warehouse.rewrite.tables import place_of

_COMPARED: Mapping[type[Expr], str] = {
    exp.GT: "since",
    exp.GTE: "since",
    exp.LT: "until",
    exp.LTE: "until",
}
_TURNED = {"since": "until", "until": "since"}


@dataclass(slots=True)
class Asked:
    """Of the rows' TIMESTAMP: not before any of `since`, not after any of `until`."""

    since: list[Expr] = field(default_factory=list[Expr])
    until: list[Expr] = field(default_factory=list[Expr])
    record_type: str = ""
    attributes: dict[str, str] = field(default_factory=dict[str, str])


def ask_of_events(statement: Expr, context: Context, places: Collection[Place]) -> Asked:
    asked = Asked()
    tables = list(statement.find_all(exp.Table))
    if len(tables) != 1 or place_of(tables[0], context) not in places:
        return asked
    select = tables[0].find_ancestor(exp.Select)
    if select is None or only_source(select) is not tables[0]:
        return asked
    for condition in conditions_of(select):
        _add(asked, condition.unnest())
    return asked


def _add(asked: Asked, condition: Expr) -> None:
    if isinstance(condition, exp.Between):
        if _is(condition.this, "TIMESTAMP") and not condition.args.get("symmetric"):
            _bound(asked.since, condition.args["low"])
            _bound(asked.until, condition.args["high"])
        return
    if not isinstance(condition, (exp.GT, exp.GTE, exp.LT, exp.LTE, exp.EQ)):
        return
    left, right = condition.left, condition.right
    for side, other, is_turned in ((left, right, False), (right, left, True)):
        if _is(side, "TIMESTAMP"):
            for name in _sides(condition, is_turned=is_turned):
                _bound(getattr(asked, name), other)
        elif isinstance(condition, exp.EQ) and (text := _text(other)):
            if _is(side, "RECORD_TYPE"):
                asked.record_type = text
            elif (named := _attribute(side)) is not None:
                asked.attributes[named] = text


def _sides(condition: Expr, *, is_turned: bool) -> Sequence[str]:
    name = _COMPARED.get(type(condition))
    if name is None:
        return ("since", "until")
    return (_TURNED[name] if is_turned else name,)


def _bound(bounds: list[Expr], side: Expr) -> None:
    if side.find(exp.Column, *TIED) is None:
        bounds.append(side)


def _is(side: object, name: str) -> bool:
    return isinstance(side, exp.Column) and side.name.upper() == name and not side.args.get("db")


def _text(side: object) -> str:
    return side.name if isinstance(side, exp.Literal) and side.is_string else ""


def _attribute(side: Expr) -> str | None:
    """The name in RESOURCE_ATTRIBUTES:"name" or ['name'], also where it is made a text."""
    if isinstance(side, exp.Cast) and side.to.is_type(*exp.DataType.TEXT_TYPES):
        if side.to.expressions:  # cut to a length
            return None
        side = side.this
    if isinstance(side, exp.Bracket) and _is(side.this, "RESOURCE_ATTRIBUTES"):
        return _text(side.expressions[0]) or None if len(side.expressions) == 1 else None
    if not isinstance(side, exp.JSONExtract) or not _is(side.this, "RESOURCE_ATTRIBUTES"):
        return None
    path = side.expression
    parts = path.expressions if isinstance(path, exp.JSONPath) else ()
    if len(parts) != 2 or not isinstance(parts[1], exp.JSONPathKey):
        return None
    return parts[1].this if isinstance(parts[1].this, str) else None

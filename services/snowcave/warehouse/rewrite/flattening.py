"""FLATTEN's options, which fakesnow drops, and its rows in the order of the elements. Pure."""

from sqlglot import Expr, exp, parse_one
from sqlglot.errors import ParseError

from snowcave.model.errors import Unsupported
from snowcave.warehouse.engine.macros import flatten

_THEIRS = "_fs_flatten"
# Carries the options through fakesnow's translation, as the input.
_CARRIED = "_sc_flattened"
_NAMES = ("INPUT", "PATH", "OUTER", "RECURSIVE", "MODE")


def carry_options(statement: Expr) -> Expr:
    """Raises Unsupported."""
    for node in list(statement.find_all(exp.Explode)):
        given = _given(node)
        if "INPUT" not in given:
            continue
        if _is_on(given.get("RECURSIVE")):
            raise Unsupported("FLATTEN with RECURSIVE")
        if (mode := given.get("MODE")) is not None and mode.name.upper() != "BOTH":
            raise Unsupported("FLATTEN with MODE")
        path = given["PATH"].name if "PATH" in given else ""
        value = _at(given["INPUT"].copy(), path)
        outer = exp.true() if _is_on(given.get("OUTER")) else exp.false()
        options = [value, outer, exp.Literal.string(path)]
        node.set("this", exp.Anonymous(this=_CARRIED, expressions=options))
        node.set("expressions", [])
    return statement


def _given(node: exp.Explode) -> dict[str, Expr]:
    given: dict[str, Expr] = {}
    for name, argument in zip(_NAMES, [node.this, *node.expressions], strict=False):
        if isinstance(argument, exp.Kwarg):
            given[argument.this.name.upper()] = argument.expression
        else:
            given[name] = argument
    return given


def _is_on(option: Expr | None) -> bool:
    return isinstance(option, exp.Boolean) and bool(option.this)


def _at(value: Expr, path: str) -> Expr:
    if not path:
        return value
    try:
        found = parse_one(f"value:{path}", read="snowflake")
    except ParseError as error:
        raise Unsupported(f"FLATTEN with the path '{path}'") from error
    for column in list(found.find_all(exp.Column)):
        column.replace(value)
    return found


def in_order(translated: Expr) -> Expr:
    """fakesnow's calls become calls of our macro."""
    for table in list(translated.find_all(exp.Table)):
        call = table.this
        if isinstance(call, exp.Anonymous) and call.name.lower() == _THEIRS:
            (value,) = call.expressions
            carried = isinstance(value, exp.Anonymous) and value.name == _CARRIED
            options = [exp.false(), exp.Literal.string("")]
            flatten(table, *(value.expressions if carried else [value, *options]))
    return translated

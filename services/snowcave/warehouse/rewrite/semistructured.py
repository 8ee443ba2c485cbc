"""Snowflake's functions over VARIANT, ARRAY and OBJECT, said by our macros. Pure.

fakesnow keeps all three as JSON and leaves these functions to DuckDB, whose own want lists and structs.
"""

from collections.abc import Callable, Collection

from sqlglot import Expr, exp

from snowcave.warehouse.engine.macros import call

Rule = Callable[[Expr], Expr]

_LISTED = "json_array"
# What sqlglot says by DuckDB's functions over lists.
_OF_LISTS = (
    exp.ArrayFilter,
    exp.ArrayMax,
    exp.ArrayMin,
    exp.ArraysZip,
    exp.Flatten,
    exp.Reduce,
    exp.SortArray,
    exp.Transform,
)


def _ordered(name: str, *keys: str) -> Rule:
    return lambda node: call(name, *(_argument(node, key) for key in keys))


def _argument(node: Expr, key: str) -> Expr:
    value = node.args.get(key)
    return value.copy() if isinstance(value, Expr) else exp.null()


def _concat(node: Expr) -> Expr:
    joined = _argument(node, "this")
    for other in node.expressions:
        joined = call("array_cat", joined, other.copy())
    return joined


def _intersect(node: Expr) -> Expr:
    return call("array_intersection", *(e.copy() for e in node.expressions))


def _insert_key(node: Expr) -> Expr:
    flag = node.args.get("update_flag")
    name = "object_update" if isinstance(flag, exp.Boolean) and flag.this else "object_insert"
    return _ordered(name, "this", "key", "value")(node)


def _object(node: Expr) -> Expr:
    """`{'k': 1}`: its keys are texts, which sqlglot takes for names that are not quoted."""
    for member in node.expressions:
        if isinstance(member, exp.PropertyEQ) and isinstance(member.this, exp.Identifier):
            member.set("this", exp.Literal.string(member.this.name))
    return node


def _array(node: Expr) -> Expr:
    """Elements of any types, each as it would be alone. DuckDB's lists have one type."""
    if node.find_ancestor(*_OF_LISTS):
        return node
    return exp.Anonymous(this=_LISTED, expressions=[e.copy() for e in node.expressions])


def _compact_array(node: Expr) -> Expr:
    return call("array_compact", _array(node))


def _of_array(name: str) -> Rule:
    return _ordered(name, "this", "expression")


_NODES: dict[type[Expr], Rule] = {
    exp.Typeof: _ordered("typeof", "this"),
    exp.ArrayContains: _of_array("array_contains"),
    exp.ArrayPosition: _of_array("array_position"),
    exp.ArrayAppend: _of_array("array_append"),
    exp.ArrayPrepend: _of_array("array_prepend"),
    exp.ArrayRemove: _of_array("array_remove"),
    exp.ArrayExcept: _of_array("array_except"),
    exp.ArrayOverlaps: _of_array("arrays_overlap"),
    exp.ArrayToString: _of_array("array_to_string"),
    exp.ArrayConcat: _concat,
    exp.ArrayIntersect: _intersect,
    exp.ArraySlice: _ordered("array_slice", "this", "start", "end"),
    exp.ArrayInsert: _ordered("array_insert", "this", "position", "expression"),
    exp.ArrayDistinct: _ordered("array_distinct", "this"),
    exp.ArrayCompact: _ordered("array_compact", "this"),
    exp.ArrayReverse: _ordered("array_reverse", "this"),
    exp.ToArray: _ordered("to_array", "this"),
    exp.Struct: _object,
    exp.Array: _array,
    exp.ArrayConstructCompact: _compact_array,
    exp.ObjectInsert: _insert_key,
    exp.IsArray: _ordered("is_array", "this"),
    exp.IsNullValue: _ordered("is_null_value", "this"),
    exp.StripNullValue: _ordered("strip_null", "this"),
    exp.ToVariant: _ordered("variant", "this"),
}
_OF_ONE = {
    "IS_OBJECT": "is_object",
    "IS_INTEGER": "is_integer",
    "IS_DECIMAL": "is_decimal",
    "IS_DOUBLE": "is_double",
    "IS_REAL": "is_double",
    "IS_VARCHAR": "is_text",
    "IS_CHAR": "is_text",
    "IS_BOOLEAN": "is_boolean",
    "AS_INTEGER": "as_integer",
    "AS_DOUBLE": "as_double",
    "AS_REAL": "as_double",
    "AS_VARCHAR": "as_text",
    "AS_CHAR": "as_text",
    "AS_BOOLEAN": "as_boolean",
    "AS_ARRAY": "as_array",
    "AS_OBJECT": "as_object",
    "TO_OBJECT": "as_object",
}
_OF_KEYS = {"OBJECT_DELETE": "object_delete", "OBJECT_PICK": "object_pick"}
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)


def spell_out(statement: Expr) -> Expr:
    """Calls of these functions become calls of our macros."""

    def replace(node: Expr) -> Expr:
        if rule := _NODES.get(type(node)):
            return rule(node)
        if isinstance(node, exp.Anonymous):
            return _by_name(node)
        if isinstance(node, exp.Cast) and node.to.this == exp.DataType.Type.VARIANT:
            return call("variant", node.this)
        return node

    # From the leaves up: what is replaced may stand within another one.
    for node in reversed(list(statement.walk())):
        after = replace(node)
        if after is not node:
            if node is statement:
                statement = after
            else:
                node.replace(after)
    return statement


def _by_name(node: exp.Anonymous) -> Expr:
    name, given = node.name.upper(), [e.copy() for e in node.expressions]
    if name == "SYSTEM$TYPEOF" and len(given) == 1:
        return _literal_type(given[0]) or call("system_typeof", given[0])
    if name in _OF_ONE and len(given) == 1:
        return call(_OF_ONE[name], given[0])
    if name in _OF_KEYS and len(given) > 1:
        keys = given[1:]
        if isinstance(keys[0], exp.Anonymous) and keys[0].name == _LISTED:
            keys = keys[0].expressions
        return call(_OF_KEYS[name], given[0], exp.Array(expressions=keys))
    return node


def _literal_type(node: Expr) -> Expr | None:
    """A literal is as long as it is written."""
    if not isinstance(node, exp.Literal):
        return None
    if node.is_string:
        return exp.Literal.string(f"VARCHAR({len(node.name)})[LOB]")
    if not node.is_int:
        return None
    digits = len(node.name)
    size = next(
        size for most, size in ((2, 1), (4, 2), (9, 4), (18, 8), (99, 16)) if digits <= most
    )
    return exp.Literal.string(f"NUMBER({digits},0)[SB{size}]")


def calculate(statement: Expr, json_columns: Collection[str]) -> Expr:
    """Semi-structured values count as numbers where they are calculated with."""
    for node in list(statement.find_all(*_ARITHMETIC)):
        sides = [node.this, node.expression]
        if any(side.find(exp.Interval) for side in sides):
            continue
        for side in sides:
            if is_semistructured(side, json_columns):
                side.replace(exp.cast(call("scalar", side.copy()), "DOUBLE"))
    return statement


def is_semistructured(node: Expr, json_columns: Collection[str]) -> bool:
    """Whether the value is plainly a VARIANT, by the way it is written."""
    inner = node.unnest()
    if isinstance(inner, exp.Column):
        return inner.name.upper() in json_columns
    if isinstance(inner, exp.Bracket):
        by_key = any(e.is_string for e in inner.expressions)
        return by_key or is_semistructured(inner.this, json_columns)
    return isinstance(inner, (exp.Array, exp.JSONExtract, exp.ParseJSON))

"""COPY INTO a table FROM (SELECT $1:a, … FROM @stage): fields of Parquet files are columns. Pure.

They keep the types that the files give them, so that nothing is lost on a way by JSON.
"""

from collections.abc import Sequence

from sqlglot import Expr, exp

from snowcave.model.errors import Unsupported

_WHERE = "the query of COPY INTO"


def name_fields(copy: exp.Copy) -> None:
    """Changes the query of `copy`. Raises Unsupported."""
    query = copy.args["files"][0].this
    _check_format(copy)
    if not isinstance(query, exp.Select):
        raise Unsupported(f"{query.key.upper()} in {_WHERE}")
    for clause, value in query.args.items():
        if value and clause not in ("expressions", "from_"):
            raise Unsupported(f"{clause.upper().rstrip('S')} in {_WHERE}")
    if any(inner is not query for inner in query.find_all(exp.Query)):
        raise Unsupported(f"another query in {_WHERE}")
    source = query.args["from_"].this
    for option in ("pattern", "format"):
        if source.args.get(option) is not None:
            raise Unsupported(f"{option.upper()} of the stage in {_WHERE}")
    for parameter in list(query.find_all(exp.Parameter)):
        _name_field(parameter)


def _check_format(copy: exp.Copy) -> None:
    for parameter in copy.args.get("params") or []:
        if parameter.this.name.upper() == "FILE_FORMAT":
            said = {one.this.name.upper(): one.args["value"] for one in parameter.expressions}
            if "FORMAT_NAME" in said or (
                "TYPE" in said and said["TYPE"].name.upper() == "PARQUET"
            ):
                return
    raise Unsupported(f"files other than Parquet in {_WHERE}")


def _name_field(parameter: exp.Parameter) -> None:
    """`$1:a`, `t.$1:a` and `$1['a']` are the column "a"; what follows is looked up in it."""
    whole = parameter.parent if isinstance(parameter.parent, exp.Column) else parameter
    taken = whole.parent
    if parameter.name != "1" or taken is None or taken.this is not whole:
        raise Unsupported(f"${parameter.name} without a field in {_WHERE}")
    if isinstance(taken, exp.JSONExtract):
        keys = [
            key for key in taken.expression.expressions if not isinstance(key, exp.JSONPathRoot)
        ]
    elif isinstance(taken, exp.Bracket):
        keys = [exp.JSONPathKey(this=one.this) for one in taken.expressions if one.is_string]
    else:
        keys = []
    if not keys or not isinstance(keys[0], exp.JSONPathKey):
        raise Unsupported(f"$1 without a field in {_WHERE}")
    taken.replace(_looked_up(exp.column(exp.to_identifier(keys[0].this, quoted=True)), keys[1:]))


def _looked_up(column: exp.Column, keys: Sequence[Expr]) -> Expr:
    if not keys:
        return column
    path = exp.JSONPath(expressions=[exp.JSONPathRoot(), *keys])
    return exp.JSONExtract(
        this=exp.Anonymous(this="TO_JSON", expressions=[column]), expression=path
    )

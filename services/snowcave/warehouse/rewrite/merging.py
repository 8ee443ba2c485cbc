"""MERGE as DuckDB's own statement: one that does all of its work or none. Pure but for `run`.

fakesnow makes several statements of it, which know only the columns that stand alone in a clause.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

from sqlglot import Expr, exp

# In the order of Snowflake's columns; only those that a statement could have done are shown.
_ACTIONS = {"INSERT": "inserted", "UPDATE": "updated", "DELETE": "deleted"}


class Duck(Protocol):
    def execute(self, query: str, parameters: Any = ..., /) -> Any: ...

    def fetchall(self) -> list[Any]: ...


def spelled(statement: exp.Merge) -> Expr:
    """The statement as DuckDB takes it."""
    if all(_action(when) == "DELETE" for when in _whens(statement)):
        return _deletion(statement)
    for when in _whens(statement):
        then = when.args.get("then")
        for change in then.expressions if isinstance(then, exp.Update) else []:
            # `SET t.a = …` without the table, which DuckDB does not read there.
            if isinstance(change, exp.EQ) and isinstance(change.this, exp.Column):
                change.set("this", exp.Column(this=change.this.this.copy()))
    return statement


def _deletion(statement: exp.Merge) -> exp.Delete:
    """Several rows of the source may say of one row that it is to go; DuckDB's MERGE refuses that."""
    conditions = [when.args.get("condition") or exp.true() for when in _whens(statement)]
    wanted = exp.and_(statement.args["on"], exp.or_(*conditions))
    return exp.Delete(
        this=statement.this.copy(),
        using=[statement.args["using"].copy()],
        where=exp.Where(this=wanted),
    )


def run(duck: Duck, statement: exp.Merge, translated: Expr, parameters: Sequence[Any]) -> int:
    """The number of rows that changed; the counts by what was done are left on `duck` to be read.

    `translated`: of what was `spelled`. Raises DuckDB's errors.
    """
    action = "merge_action" if isinstance(translated, exp.Merge) else "'DELETE'"
    sql = translated.sql(dialect="duckdb")
    duck.execute(f"{sql} RETURNING {action}", list(parameters))
    done = Counter(str(row[0]) for row in duck.fetchall())
    named = {_action(when) for when in _whens(statement)}
    shown = [
        f'{done[action]}::BIGINT AS "number of rows {word}"'
        for action, word in _ACTIONS.items()
        if action in named
    ]
    duck.execute(f"SELECT {', '.join(shown)}")
    return done.total()


def _whens(statement: exp.Merge) -> list[exp.When]:
    return list(statement.args["whens"].expressions)


def _action(when: exp.When) -> str:
    match when.args.get("then"):
        case exp.Insert():
            return "INSERT"
        case exp.Update():
            return "UPDATE"
        case then:
            assert isinstance(then, Expr)
            return then.name.upper()

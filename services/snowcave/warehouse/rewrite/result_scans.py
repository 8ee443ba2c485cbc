"""TABLE(RESULT_SCAN('id')): the rows of an earlier statement. Pure."""

from sqlglot import Expr, exp

from snowcave.model.errors import Kind, RemoteError, SnowcaveError


def take_result_scans(statement: Expr) -> dict[str, str]:
    """TABLE(RESULT_SCAN('id')) becomes a relation; answers relation name → query id.

    Run after `fill_context`, so LAST_QUERY_ID() is a text by now.
    """
    wanted: dict[str, str] = {}
    for node in list(statement.find_all(exp.TableFromRows)):
        call = node.this
        if not isinstance(call, exp.Anonymous) or call.name.upper() != "RESULT_SCAN":
            continue
        if len(call.expressions) != 1 or not call.expressions[0].is_string:
            raise RemoteError(
                Kind.INVALID, 1008, "22023", "RESULT_SCAN needs the id of a query as a text."
            )
        name = f"_SC_RESULT_{len(wanted)}"
        wanted[name] = call.expressions[0].name
        table = exp.table_(name, db="MAIN", catalog="TEMP")
        if alias := node.args.get("alias"):
            table.set("alias", alias)
        node.replace(table)
    return wanted


def missing_result(query_id: str) -> SnowcaveError:
    return RemoteError(Kind.NOT_FOUND, 709, "02000", f"Statement {query_id} not found")

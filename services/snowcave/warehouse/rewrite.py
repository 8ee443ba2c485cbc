"""Snowflake's meaning put into a statement before fakesnow translates it. Pure."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import cast

import sqlglot
from sqlglot import Expr, exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from snowcave.model.errors import Kind, RemoteError, SnowcaveError, SyntaxInvalid
from snowcave.warehouse import failures, spellings
from snowcave.warehouse.engine import Context

VERSION = "9.36.0"

# Texts, bodies, quoted names and comments are skipped; what is left of `$name` is a variable.
_SKIPPED = r"""'(?:[^'\\]|\\.|'')*'|\$\$.*?\$\$|"(?:[^"]|"")*"|--[^\n]*|/\*.*?\*/"""
_LEXEME = re.compile(_SKIPPED + r"|[\w$]*\w\$[\w$]*|\$([A-Za-z_]\w*)", re.DOTALL)
# sqlglot takes `?::` for an operator of another dialect.
_CAST_OF_BINDING = re.compile(_SKIPPED + r"|(\?)(?=::)", re.DOTALL)
_STOPS = {
    TokenType.FROM,
    TokenType.WHERE,
    TokenType.GROUP_BY,
    TokenType.ORDER_BY,
    TokenType.HAVING,
    TokenType.QUALIFY,
    TokenType.LIMIT,
    TokenType.OFFSET,
    TokenType.FETCH,
    TokenType.UNION,
    TokenType.INTERSECT,
    TokenType.EXCEPT,
    TokenType.SEMICOLON,
    TokenType.INTO,
}
_OPEN = {TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.L_BRACE}
_CLOSE = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.R_BRACE}


def fill_variables(sql: str, variables: Mapping[str, str]) -> str:
    """`$name` outside of texts and comments becomes the variable's value.

    Raises SnowcaveError where there is no such variable.
    """
    known = {name.upper(): value for name, value in variables.items()}

    def replace(match: re.Match[str]) -> str:
        if (name := match[1]) is None:
            return match[0]
        if (value := known.get(name.upper())) is None:
            raise RemoteError(
                Kind.INVALID,
                2211,
                "02000",
                f"SQL compilation error: error line 1 at position {match.start()}\n"
                f"Session variable '${name.upper()}' does not exist",
            )
        return value

    return _LEXEME.sub(replace, sql)


def parse(sql: str) -> Expr:
    """Exactly one statement. Raises SnowcaveError."""
    sql = spellings.immediate(sql)
    if "?::" in sql:
        sql = _CAST_OF_BINDING.sub(lambda found: "? " if found[1] else found[0], sql)
    try:
        statements = [
            s
            for s in sqlglot.parse(sql, read="snowflake")
            if s and not isinstance(s, exp.Semicolon)
        ]
    except (ParseError, TokenError) as error:
        raise _first_word(sql) or failures.syntax(error) from error
    if not statements:
        raise RemoteError(
            Kind.INVALID, 900, "42000", "SQL compilation error:\nEmpty SQL statement."
        )
    if len(statements) > 1:
        raise RemoteError(
            Kind.INVALID,
            8,
            "0A000",
            f"Actual statement count {len(statements)} did not match the desired statement count 1.",
        )
    return spellings.written_out(statements[0])


def _first_word(sql: str) -> SnowcaveError | None:
    """Blame a first word that begins no statement, as Snowflake does."""
    try:
        first = next(iter(sqlglot.tokenize(sql, read="snowflake")), None)
    except TokenError:
        return None
    if first is None or first.token_type != TokenType.VAR:
        return None
    return SyntaxInvalid(first.line, max(0, first.col - len(first.text)), first.text)


# ---------------------------------------------------------------- headers


def name_columns(statement: Expr, sql: str) -> Expr:
    """Columns without a name get the text that the user wrote, as Snowflake heads them."""
    select = _outer_select(statement)
    if select is None or not isinstance(statement, exp.Query):
        return statement
    texts = select_items(sql)
    if len(texts) != len(select.expressions):
        return statement
    for item, text in zip(list(select.expressions), texts, strict=True):
        if not isinstance(item, (exp.Alias, exp.Column, exp.Star, exp.Aliases)):
            item.replace(exp.alias_(item.copy(), exp.to_identifier(header(text), quoted=True)))
    return statement


def header(text: str) -> str:
    """`my_udf('hello!')` → `MY_UDF('HELLO!')`; quoted names stay."""
    parts = re.split(r'("(?:[^"]|"")*")', " ".join(text.split()))
    return "".join(p if p.startswith('"') else p.upper() for p in parts)


def select_items(sql: str) -> list[str]:
    """The texts between the commas of the outermost (leftmost) select list."""
    tokens = sqlglot.tokenize(sql, read="snowflake")
    start = _first_select(tokens)
    if start is None:
        return []
    items: list[str] = []
    depth, begin = 0, start
    for index in range(start, len(tokens) + 1):
        token = tokens[index] if index < len(tokens) else None
        kind = token.token_type if token else TokenType.SEMICOLON
        ends = depth == 0 and (kind in _STOPS or kind in _CLOSE or kind == TokenType.COMMA)
        if ends:
            if index > begin:
                items.append(sql[tokens[begin].start : tokens[index - 1].end + 1])
            begin = index + 1
            if kind != TokenType.COMMA:
                break
        depth += (kind in _OPEN) - (kind in _CLOSE)
    return items


def _first_select(tokens: list[Token]) -> int | None:
    """Index after the first SELECT that stands outside of WITH's parentheses."""
    depth = 0
    for index, token in enumerate(tokens):
        if token.token_type == TokenType.SELECT and depth == 0:
            follows = tokens[index + 1].token_type if index + 1 < len(tokens) else None
            return index + 2 if follows in {TokenType.DISTINCT, TokenType.ALL} else index + 1
        depth += (token.token_type in _OPEN) - (token.token_type in _CLOSE)
    return None


def _outer_select(statement: Expr) -> exp.Select | None:
    node = statement
    while isinstance(node, exp.SetOperation):
        node = node.this
    return node if isinstance(node, exp.Select) else None


# ---------------------------------------------------------------- context functions


def fill_context(statement: Expr, context: Context) -> Expr:
    """CURRENT_ROLE() and its like become this session's values."""

    def replace(node: Expr) -> Expr:
        value = _context_value(node, context)
        if value is None:
            return node
        return exp.Literal.string(value) if value else exp.cast(exp.Null(), "TEXT")

    return statement.transform(replace, copy=False)


def _context_value(node: Expr, context: Context) -> str | None:
    if isinstance(node, exp.Anonymous):
        return _anonymous_value(node, context)
    getter = _CONTEXT.get(type(node).__name__)
    return getter(context) if getter else None


_CONTEXT: dict[str, Callable[[Context], str]] = {
    "CurrentRole": lambda c: c.role,
    "CurrentUser": lambda c: c.user,
    "CurrentWarehouse": lambda c: c.warehouse,
    "CurrentAccount": lambda c: c.account,
    "CurrentAccountName": lambda c: c.account,
    "CurrentOrganizationName": lambda c: c.organization,
    "CurrentSession": lambda c: str(c.session),
    "CurrentVersion": lambda _: VERSION,
    "CurrentDatabase": lambda c: c.database,
    "CurrentSchema": lambda c: c.schema,
    "CurrentRegion": lambda _: "LOCAL",
    "CurrentClient": lambda c: f"{c.client_app} {c.client_version}".strip(),
    "CurrentSecondaryRoles": lambda _: '{"roles":"","value":""}',
    "CurrentRoleType": lambda _: "ROLE",
}


def _anonymous_value(node: exp.Anonymous, context: Context) -> str | None:
    match node.name.upper():
        case "LAST_QUERY_ID":
            if node.expressions and node.expressions[0].sql() != "-1":
                raise RemoteError(
                    Kind.UNSUPPORTED,
                    2,
                    "0A000",
                    "SQL compilation error:\nUnsupported feature 'LAST_QUERY_ID of an older query'.",
                )
            return context.last_query_id
        case "CURRENT_TRANSACTION" | "LAST_TRANSACTION":
            return ""
        case _:
            return None


def name_positions(statement: Expr) -> Expr:
    """`$1` of VALUES, which has no other names, is its first column."""
    for node in list(statement.find_all(exp.Parameter)):
        select = node.find_ancestor(exp.Select)
        source = select.args.get("from_") if select else None
        is_place = isinstance(node.this, exp.Literal) and node.this.is_int
        if is_place and isinstance(source, exp.From) and isinstance(source.this, exp.Values):
            node.replace(exp.column(f"COLUMN{node.this.name}"))
    return statement


# ---------------------------------------------------------------- RESULT_SCAN


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


# ---------------------------------------------------------------- semi-structured values in text places

_COMPARE = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.Between, exp.In)
_TEXT_ONLY = (
    exp.Like,
    exp.ILike,
    exp.RegexpLike,
    exp.Contains,
    exp.StartsWith,
    exp.EndsWith,
    exp.DPipe,
    exp.Concat,
    exp.Length,
    exp.Trim,
    exp.Substring,
    exp.ToChar,
)


def asks_for_types(statement: Expr) -> bool:
    """Whether the types of columns can make a difference to what a statement is taken to mean."""
    return statement.find(*_COMPARE, *_TEXT_ONLY, exp.Cast, exp.Binary, exp.Insert) is not None


def compare_variants(statement: Expr, json_columns: Collection[str]) -> Expr:
    """Semi-structured values compare by their content where the other side is a text or a number.

    `json_columns`: upper-case names of the columns in reach that hold semi-structured values.
    """
    for node in list(statement.find_all(*_COMPARE)):
        sides = [s for s in (node.this, *_others(node)) if isinstance(s, Expr)]
        kind = _scalar_kind(sides)
        if kind:
            for side in sides:
                _as_scalar(side, kind, json_columns)
    for node in list(statement.find_all(*_TEXT_ONLY)):
        for child in list(node.iter_expressions()):
            _as_scalar(child, "text", json_columns)
    for cast_ in list(statement.find_all(exp.Cast)):
        if cast_.to.this in exp.DataType.TEXT_TYPES:
            _as_scalar(cast_.this, "text", json_columns, paths=False)
    return statement


# Words that DuckDB keeps for itself and Snowflake gives away as names.
_WORDS = (
    "analyse analyze asymmetric at both collate deferrable desc describe do end except fetch for initially "
    "intersect lambda leading limit offset only pivot pivot_longer pivot_wider placing primary references "
    "returning show some summarize symmetric trailing unpivot user using variadic window"
)
_RESERVED = frozenset(_WORDS.split())


def quote_reserved(translated: Expr) -> Expr:
    for node in translated.find_all(exp.Identifier):
        if node.name.lower() in _RESERVED:
            node.set("quoted", True)
    return translated


def keep_exact(translated: Expr) -> Expr:
    """Undo fakesnow's cast of every added-up value to DOUBLE: numbers are added exactly."""
    for node in translated.find_all(exp.Sum, exp.Avg, exp.Median):
        inner = node.this
        if isinstance(inner, exp.TryCast) and inner.to.this == exp.DataType.Type.DOUBLE:
            node.set("this", inner.this)
    return translated


def _others(node: Expr) -> list[Expr]:
    match node:
        case exp.Between():
            return [node.args["low"], node.args["high"]]
        case exp.In():
            return list(node.expressions)
        case _:
            return [node.expression]


def _scalar_kind(sides: list[Expr]) -> str:
    """text or number, where one side is plainly that."""
    for side in sides:
        plain = side.unnest()
        if isinstance(plain, exp.Literal):
            return "text" if plain.is_string else "number"
        if isinstance(plain, exp.Neg) and isinstance(plain.this, exp.Literal):
            return "number"
        if isinstance(plain, (exp.Upper, exp.Lower, exp.Concat, exp.DPipe, exp.Placeholder)):
            return "text"
        if isinstance(plain, exp.Cast) and plain.to.this in exp.DataType.TEXT_TYPES:
            return "text"
    return ""


def _as_scalar(
    node: Expr, kind: str, json_columns: Collection[str], *, paths: bool = True
) -> None:
    inner = node.unnest()
    is_path = isinstance(inner, exp.JSONExtract) or _is_key(inner)
    is_column = isinstance(inner, exp.Column) and inner.name.upper() in json_columns
    if not (is_column or isinstance(inner, exp.ParseJSON) or (is_path and paths)):
        return
    if is_path:
        text = cast(Expr, exp.Cast(this=inner.copy(), to=exp.DataType.build("TEXT")))
    else:
        root = exp.JSONPath(expressions=[exp.JSONPathRoot()])
        text = exp.Paren(this=exp.JSONExtractScalar(this=inner.copy(), expression=root))
    if kind == "number":
        text = exp.TryCast(this=text, to=exp.DataType.build("DOUBLE"))
    node.replace(text)


def _is_key(node: Expr) -> bool:
    """`v['key']`"""
    return isinstance(node, exp.Bracket) and any(e.is_string for e in node.expressions)


def name_tables(statement: Expr) -> Expr:
    """IDENTIFIER('db.schema.t') in the place of a table is that table."""
    for table in list(statement.find_all(exp.Table)):
        text = _identifier_text(table)
        if text:
            named = exp.to_table(text, dialect="snowflake")
            for key in ("this", "db", "catalog"):
                table.set(key, named.args.get(key))
    return statement


def _identifier_text(table: exp.Table) -> str:
    call = table.this
    given = call.this if isinstance(call, exp.DynamicIdentifier) else None
    return given.name if isinstance(given, exp.Literal) and given.is_string else ""


def qualify(statement: Expr, database: str, schema: str) -> Expr:
    """Tables without a schema are those of this one, whoever runs the statement and where."""
    ctes = {cte.alias_or_name.upper() for cte in statement.find_all(exp.CTE)}
    for table in list(statement.find_all(exp.Table)):
        named = isinstance(table.this, exp.Identifier) and not table.name.startswith("@")
        if not named or (not table.db and table.name.upper() in ctes):
            continue
        if not table.args.get("db"):
            table.set("db", exp.to_identifier(schema, quoted=True))
        if not table.args.get("catalog"):
            table.set("catalog", exp.to_identifier(database, quoted=True))
    return statement


def tables_of(statement: Expr, context: Context) -> list[tuple[str, str, str]]:
    """(database, schema, name) of every table that the statement reads, folded."""
    tables = [t for t in statement.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
    return [place_of(table, context) for table in tables]


def place_of(table: Expr | None, context: Context) -> tuple[str, str, str]:
    """(database, schema, name) as DuckDB has them, with the session's where the statement names none."""
    if table is None:
        return context.database, context.schema, ""
    database = _fold(table.args.get("catalog")) or context.database
    schema = _fold(table.args.get("db")) or context.schema
    return database, schema, _fold(table.this)


def _fold(identifier: object) -> str:
    if not isinstance(identifier, exp.Identifier):
        return ""
    return identifier.name if identifier.quoted else identifier.name.upper()


def missing_result(query_id: str) -> SnowcaveError:
    return RemoteError(Kind.NOT_FOUND, 709, "02000", f"Statement {query_id} not found")

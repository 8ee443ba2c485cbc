"""Snowflake's functions over semi-structured values as DuckDB macros, one set for the whole engine.

They stand in the in-memory catalog, qualified where they are called, so that views which call them still find
them after a restart. Users cannot name them: `guard` refuses the prefix.
"""

import duckdb
from fakesnow import macros as fakesnow_macros
from sqlglot import Expr, exp

_PREFIX = "_sc_"
_HERE = "memory.main." + _PREFIX

# name(parameters): body, where @ stands before the name of another one. Arrays and objects are JSON;
# `to_json` makes one of whatever DuckDB has instead.
_MACROS = {
    "variant(x)": "CASE WHEN x IS NULL THEN NULL ELSE to_json(x) END",
    "items(a)": "CAST(to_json(a) AS JSON[])",
    "packed(l)": "CASE WHEN l IS NULL THEN NULL ELSE to_json(l) END",
    "scalar(v)": "to_json(v) ->> '$'",
    "kind(v)": "CASE WHEN v IS NULL THEN NULL ELSE json_type(to_json(v)) END",
    "typeof(v)": """CASE @kind(v)
        WHEN 'UBIGINT' THEN 'INTEGER' WHEN 'BIGINT' THEN 'INTEGER' WHEN 'HUGEINT' THEN 'INTEGER'
        WHEN 'DOUBLE' THEN 'DECIMAL' WHEN 'NULL' THEN 'NULL_VALUE' ELSE @kind(v) END""",
    "system_typeof(x)": """CASE
        WHEN starts_with(typeof(x), 'DECIMAL') THEN 'NUMBER' || substr(typeof(x), 8) || '[SB8]'
        WHEN typeof(x) LIKE '%INT%' THEN 'NUMBER(38,0)[SB8]'
        WHEN typeof(x) = 'DOUBLE' THEN 'FLOAT[DOUBLE]' WHEN typeof(x) = 'BOOLEAN' THEN 'BOOLEAN[SB1]'
        WHEN typeof(x) = 'DATE' THEN 'DATE[SB4]' WHEN typeof(x) = 'TIME' THEN 'TIME(9)[SB8]'
        WHEN typeof(x) = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ(9)[SB8]'
        WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_LTZ(9)[SB8]'
        WHEN typeof(x) = 'JSON' THEN 'VARIANT[LOB]' WHEN typeof(x) = 'BLOB' THEN 'BINARY(8388608)[LOB]'
        ELSE 'VARCHAR(16777216)[LOB]' END""",
    "tried_day(x)": """coalesce(TRY_CAST(x AS DATE),
        CAST(try_strptime(trim(CAST(x AS VARCHAR)), ['%m/%d/%Y', '%d-%b-%Y']) AS DATE))""",
    "day(x)": "coalesce(@tried_day(x), CAST(x AS DATE))",
    "without_zone(t)": "CAST(t AS TIMESTAMP)",
    "zone(t)": "rpad(replace(strftime(t, '%z'), ':', ''), 5, '0')",
    "time_text(t)": """strftime(t, '%Y-%m-%d %H:%M:%S.%g') ||
        CASE WHEN typeof(t) = 'TIMESTAMP WITH TIME ZONE' THEN ' ' || @zone(t) ELSE '' END""",
    "whole(x, d)": "split_part(CAST(round(abs(x), d) AS VARCHAR), '.', 1)",
    "part(x, d)": "left(split_part(CAST(round(abs(x), d) AS VARCHAR), '.', 2) || repeat('0', d), d)",
    "no_zero(w)": "CASE WHEN w = '0' THEN '' ELSE w END",
    "thousands(w)": """ltrim(reverse(regexp_replace(reverse(w), '([0-9]{3})', '\\1,', 'g')), ',')""",
    "filled(w, n)": "repeat('0', greatest(n - length(w), 0)) || w",
    "places(x, least, d)": "CASE WHEN least = 0 AND d > 0 THEN @no_zero(@whole(x, d)) ELSE @whole(x, d) END",
    "blanks(t, n)": "repeat(' ', greatest(n - length(t), 0)) || t",
    # See number_texts.Shape.
    "number_text(x, digits, least, d, point, grouped, money, minus, plus, below, above, width)": """
        CASE WHEN x IS NULL THEN NULL
        WHEN length(@no_zero(@whole(x, d))) > digits THEN repeat('#', greatest(width, digits + d + 1))
        ELSE @blanks(
            CASE WHEN x < 0 THEN minus ELSE plus END || money ||
            CASE WHEN grouped THEN @thousands(@filled(@places(x, least, d), least))
                ELSE @filled(@places(x, least, d), least) END || point || @part(x, d) ||
            CASE WHEN x < 0 THEN below ELSE above END, width) END""",
    "is_integer(v)": "@typeof(v) = 'INTEGER'",
    "is_decimal(v)": "@typeof(v) IN ('INTEGER', 'DECIMAL')",
    "is_double(v)": "@typeof(v) IN ('INTEGER', 'DECIMAL', 'DOUBLE')",
    "is_text(v)": "@kind(v) = 'VARCHAR'",
    "is_boolean(v)": "@kind(v) = 'BOOLEAN'",
    "is_array(v)": "@kind(v) = 'ARRAY'",
    "is_object(v)": "@kind(v) = 'OBJECT'",
    "is_null_value(v)": "@kind(v) = 'NULL'",
    "strip_null(v)": "CASE WHEN @kind(v) = 'NULL' THEN NULL ELSE to_json(v) END",
    "as_integer(v)": "CASE WHEN @is_decimal(v) THEN CAST(@scalar(v) AS BIGINT) END",
    "as_double(v)": "CASE WHEN @is_double(v) THEN CAST(@scalar(v) AS DOUBLE) END",
    "as_text(v)": "CASE WHEN @is_text(v) THEN @scalar(v) END",
    "as_boolean(v)": "CASE WHEN @is_boolean(v) THEN CAST(@scalar(v) AS BOOLEAN) END",
    "as_array(v)": "CASE WHEN @is_array(v) THEN to_json(v) END",
    "as_object(v)": "CASE WHEN @is_object(v) THEN to_json(v) END",
    "to_array(v)": """CASE WHEN v IS NULL THEN NULL WHEN @is_array(v) THEN to_json(v)
        ELSE to_json([to_json(v)]) END""",
    "array_contains(a, x)": "list_contains(@items(a), @variant(x))",
    "array_position(a, x)": "list_position(@items(a), @variant(x)) - 1",
    "array_append(a, x)": "@packed(list_append(@items(a), @variant(x)))",
    "array_prepend(a, x)": "@packed(list_prepend(@variant(x), @items(a)))",
    "array_cat(a, b)": """CASE WHEN a IS NULL OR b IS NULL THEN NULL ELSE
        to_json(list_concat(@items(a), @items(b))) END""",
    "place(a, p)": "CASE WHEN p < 0 THEN greatest(len(@items(a)) + p, 0) ELSE p END",
    "array_insert(a, p, x)": """@packed(list_concat(
        @items(a)[:@place(a, p)], [@variant(x)],
        @items(a)[@place(a, p) + 1:]))""",
    "array_slice(a, f, t)": """@packed(
        @items(a)[@place(a, f) + 1:@place(a, t)])""",
    "array_remove(a, x)": """@packed(
        list_filter(@items(a), lambda i: i <> @variant(x)))""",
    "array_compact(a)": """@packed(
        list_filter(@items(a), lambda i: json_type(i) <> 'NULL'))""",
    "array_distinct(a)": """@packed(list_filter(@items(a),
        lambda i, n: list_position(@items(a), i) = n))""",
    "array_intersection(a, b)": """@packed(list_filter(@items(a),
        lambda i: list_contains(@items(b), i)))""",
    "array_except(a, b)": """@packed(list_filter(@items(a),
        lambda i: NOT list_contains(@items(b), i)))""",
    "arrays_overlap(a, b)": "list_has_any(@items(a), @items(b))",
    "array_reverse(a)": "@packed(list_reverse(@items(a)))",
    "array_to_string(a, s)": """CASE WHEN s IS NULL THEN NULL ELSE array_to_string(
        list_transform(@items(a), lambda i: coalesce(i ->> '$', '')), s) END""",
    "elements(v)": """CASE @kind(v)
        WHEN 'OBJECT' THEN list_transform(map_entries(CAST(to_json(v) AS MAP(VARCHAR, JSON))),
            lambda m: struct_pack(k := m.key, i := CAST(NULL AS BIGINT), v := m.value))
        WHEN 'ARRAY' THEN list_transform(@items(v),
            lambda x, n: struct_pack(k := CAST(NULL AS VARCHAR), i := CAST(n - 1 AS BIGINT), v := x))
        END""",
    "member(o, k)": """json_extract(to_json(o), '$."' || k || '"')""",
    "object_insert(o, k, x)": """CASE WHEN o IS NULL OR k IS NULL THEN NULL
        WHEN list_contains(json_keys(to_json(o)), k) THEN error('Duplicate field key ''' || k || '''')
        ELSE @object_update(o, k, x) END""",
    "object_update(o, k, x)": """CASE WHEN o IS NULL OR k IS NULL THEN NULL ELSE
        (SELECT coalesce(json_group_object(f, CASE WHEN f = k THEN @variant(x)
            ELSE @member(o, f) END), '{}'::JSON)
         FROM (SELECT unnest(list_distinct(list_append(json_keys(to_json(o)), k))) AS f ORDER BY f)
         WHERE f <> k OR x IS NOT NULL) END""",
    "object_delete(o, ks)": """CASE WHEN o IS NULL THEN NULL ELSE
        (SELECT coalesce(json_group_object(f, @member(o, f)), '{}'::JSON)
         FROM (SELECT unnest(json_keys(to_json(o))) AS f) WHERE NOT list_contains(ks, f)) END""",
    "object_pick(o, ks)": """CASE WHEN o IS NULL THEN NULL ELSE
        (SELECT coalesce(json_group_object(f, @member(o, f)), '{}'::JSON)
         FROM (SELECT unnest(json_keys(to_json(o))) AS f) WHERE list_contains(ks, f)) END""",
}
# FLATTEN, in the order of the elements: DuckDB joins the rows of fakesnow's to their inputs in any order.
_FLATTEN = """flatten(input, is_outer, inside) AS TABLE
    SELECT CAST(hash(e.this) AS UBIGINT) AS SEQ, e.key AS KEY,
        inside || coalesce(CASE inside WHEN '' THEN '' ELSE '.' END || e.key, '[' || e.place || ']') AS PATH,
        e.place AS INDEX, e.value AS VALUE, e.this AS THIS
    FROM (SELECT to_json(input), unnest(CASE WHEN is_outer AND coalesce(len(@elements(input)), 0) = 0
        THEN [struct_pack(k := CAST(NULL AS VARCHAR), i := CAST(NULL AS BIGINT), v := CAST(NULL AS JSON))]
        ELSE @elements(input) END, recursive := true)) AS e(this, key, place, value)"""


def create(duck: duckdb.DuckDBPyConnection) -> None:
    """And what fakesnow puts into each database, for sessions that are in none."""
    duck.execute(fakesnow_macros.creation_sql("memory"))
    duck.execute("CREATE SCHEMA IF NOT EXISTS memory._fs_information_schema")
    duck.execute(
        "CREATE OR REPLACE VIEW memory._fs_information_schema._fs_columns AS "
        "SELECT * FROM _fs_global._fs_information_schema._fs_columns"
    )
    for head, body in _MACROS.items():
        duck.execute(f"CREATE OR REPLACE MACRO {_HERE}{head} AS ({body.replace('@', _HERE)})")
    duck.execute(f"CREATE OR REPLACE MACRO {_HERE}{_FLATTEN.replace('@', _HERE)}")


def flatten(table: exp.Table, *arguments: Expr) -> None:
    """The table becomes a call of ours."""
    table.set("this", exp.Anonymous(this=_PREFIX + "flatten", expressions=list(arguments)))
    table.set("db", exp.to_identifier("main"))
    table.set("catalog", exp.to_identifier("memory"))


def call(name: str, *arguments: Expr) -> Expr:
    """A call of one of ours."""
    function = exp.Anonymous(this=_PREFIX + name, expressions=list(arguments))
    return exp.Dot.build([exp.to_identifier("memory"), exp.to_identifier("main"), function])

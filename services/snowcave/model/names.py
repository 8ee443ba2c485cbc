"""Names: how Snowflake folds and quotes them, and what DNS and hosts make of them."""

import re
from dataclasses import dataclass

_UNQUOTED = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")

# Words that name nothing unless they stand between quotes. Source: Snowflake's list of reserved keywords.
RESERVED = frozenset(
    [
        "ALL",
        "ALTER",
        "AND",
        "ANY",
        "AS",
        "BETWEEN",
        "BY",
        "CASE",
        "CAST",
        "CHECK",
        "COLUMN",
        "CONNECT",
        "CREATE",
        "CROSS",
        "CURRENT",
        "DELETE",
        "DISTINCT",
        "DROP",
        "ELSE",
        "EXISTS",
        "FALSE",
        "FOLLOWING",
        "FOR",
        "FROM",
        "FULL",
        "GRANT",
        "GROUP",
        "HAVING",
        "ILIKE",
        "IN",
        "INCREMENT",
        "INNER",
        "INSERT",
        "INTERSECT",
        "INTO",
        "IS",
        "JOIN",
        "LATERAL",
        "LEFT",
        "LIKE",
        "MINUS",
        "NATURAL",
        "NOT",
        "NULL",
        "OF",
        "ON",
        "OR",
        "ORDER",
        "QUALIFY",
        "REGEXP",
        "REVOKE",
        "RIGHT",
        "RLIKE",
        "ROW",
        "ROWS",
        "SAMPLE",
        "SELECT",
        "SET",
        "SOME",
        "START",
        "TABLE",
        "TABLESAMPLE",
        "THEN",
        "TO",
        "TRIGGER",
        "TRUE",
        "TRY_CAST",
        "UNION",
        "UNIQUE",
        "UPDATE",
        "USING",
        "VALUES",
        "WHEN",
        "WHENEVER",
        "WHERE",
        "WITH",
    ]
)


def is_unquoted(text: str) -> bool:
    """Whether `text` may stand in SQL without quotes."""
    return bool(_UNQUOTED.match(text))


def fold(text: str) -> str:
    """An identifier as the catalog stores it: quoted exactly, unquoted in upper case."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('""', '"')
    return text.upper()


def quoted(name: str) -> str:
    """A stored name as SQL text: quoted only where it must be."""
    if _UNQUOTED.match(name) and name == name.upper() and name not in RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class ObjectName:
    """A possibly qualified name, each part folded. Empty strings where not given."""

    name: str
    schema: str = ""
    database: str = ""

    def __str__(self) -> str:
        return ".".join(quoted(p) for p in (self.database, self.schema, self.name) if p)


def dns_label(name: str) -> str:
    """`ECHO_SERVICE` → `echo-service`. Source: the naming rule of services (S2)."""
    return name.lower().replace("_", "-")


def service_domain(dns_hash: str) -> str:
    return f"{dns_hash}.svc.spcs.internal"


def repository_path(database: str, schema: str, repository: str) -> str:
    """As in image references and registry URLs: always lower case."""
    return f"{database}/{schema}/{repository}".lower()


def ingress_host(label: str, organization: str, account: str, domain: str) -> str:
    """`<random>-<org>-<acct>.<domain>`, lower case, `_` → `-`."""
    return f"{label}-{organization}-{account}.{domain}".lower().replace("_", "-")

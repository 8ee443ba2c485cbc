"""What is not well formed, with the place of it."""

import re

from tests.kit.statement_table.records import (
    Family,
    Refused,
    documented,
    ours,
    syntax_error,
    validated,
)

_errno = validated("snow CLI's table of error numbers, with 1003 for syntax errors")


def _at(position: int, met: str, line: int = 1) -> Refused:
    return syntax_error(line, position, met)


STATEMENTS = [
    ours("CREATE SERVICE IN POOL", _at(15, "IN")),
    _errno("CREATE COMPUTE POOL", _at(19, "<EOF>")),
    ours(
        "CREATE COMPUTE POOL 1pool MIN_NODES = 1",
        Refused(1003, "42000", "at position 20 unexpected '1"),
    ),
    ours("CREATE COMPUTE POOL p MIN_NODES 1", _at(32, "1")),
    ours("CREATE COMPUTE POOL p MIN_NODES =", _at(33, "<EOF>")),
    ours("CREATE COMPUTE POOL p\n  MIN_NODES = 1\n  MAX_NODES == 2", _at(13, "=", 3)),
    ours("CREATE COMPUTE POOL p MIN_NODES = 1 !", _at(36, "!")),
    ours("CREATE COMPUTE POOL IF EXISTS p", _at(23, "EXISTS")),
    ours("CREATE IMAGE p", _at(13, "p")),
    ours("CREATE IMAGE REPOSITORY a.b.c.d", _at(29, ".")),
    ours(
        "CREATE OR REPLACE IMAGE REPOSITORY IF NOT EXISTS r", Refused(1003, "42000", "unexpected")
    ),
    ours("CREATE SERVICE s IN COMPUTE POOL p FROM", _at(39, "<EOF>")),
    ours("CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION", _at(53, "<EOF>")),
    ours(
        "CREATE SERVICE s IN COMPUTE POOL FROM SPECIFICATION 'x'",
        Refused(1003, "42000", "unexpected"),
    ),
    ours(
        "CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION $$never ends",
        Refused(1003, "42000", "syntax error line 1 at position 54"),
    ),
    ours(
        "CREATE SERVICE s IN COMPUTE POOL p FROM SPECIFICATION 'never ends",
        Refused(1003, "42000", "syntax error line 1 at position 54"),
    ),
    ours('DESC SERVICE "never ends', Refused(1003, "42000", "syntax error line 1 at position 13")),
    ours("DESC SERVICE s extra", _at(15, "extra")),
    ours("DROP SERVICE", _at(12, "<EOF>")),
    ours("DROP SERVICE s CASCADE", _at(15, "CASCADE")),
    ours("ALTER SERVICE s", _at(15, "<EOF>")),
    ours("ALTER SERVICE s JUMP", _at(16, "JUMP")),
    ours("ALTER SERVICE s SET", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("ALTER COMPUTE POOL p STOP", Refused(1003, "42000", "unexpected")),
    documented("SHOW SERVICES IN ACCOUNTS", Refused(2003, "02000", re.compile("ACCOUNTS"))),
    ours("SHOW SERVICES LIKE", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("SHOW SERVICES LIKE name", _at(19, "name")),
    ours("SHOW SERVICES LIMIT many", _at(20, "many")),
    ours("SHOW SERVICES STARTS 'x'", _at(21, "'x'")),
    ours("SHOW SERVICE CONTAINERS", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("SHOW ENDPOINTS", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("EXECUTE JOB SERVICE", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("GRANT USAGE ON COMPUTE POOL p", Refused(1003, "42000", "unexpected '<EOF>'")),
    ours("GRANT USAGE COMPUTE POOL p TO ROLE r", Refused(1003, "42000", "unexpected")),
    ours("GRANT SERVICE ROLE s TO ROLE r", Refused(1003, "42000", "unexpected 'TO'")),
    ours("REVOKE ROLE r TO USER u", Refused(1003, "42000", "unexpected 'TO'")),
    ours("USE", Refused(1003, "42000", re.compile("unexpected"))),
    documented(
        "CREATE OR REPLACE test_udf(a varchar) RETURNS varchar SERVICE=s ENDPOINT=e AS '/'",
        Refused(1003, "42000", "unexpected"),
    ),
    documented("SELEC 1", _at(0, "SELEC")),
    documented("SELECT * FROM", Refused(1003, "42000", "syntax error line 1")),
    documented("INSERT INTO", Refused(1003, "42000", "syntax error line 1")),
    documented(
        "SELECT 1; SELECT 2", Refused(8, "0A000", "did not match the desired statement count 1")
    ),
    ours("-- nothing but a comment", Refused(900, "42000", "Empty SQL statement.")),
]
FAMILIES = [Family("syntax", STATEMENTS, smoke=True)]

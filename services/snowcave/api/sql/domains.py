"""The words for kinds of objects, one to three of them, and what messages call them."""

from snowcave.api.sql.cursor import Cursor
from snowcave.api.sql.lexer import Kind

# Singular words → domain. Those that are not in `keys.DOMAINS` are known so that grants on them parse.
WORDS: dict[tuple[str, ...], str] = {
    ("EXTERNAL", "ACCESS", "INTEGRATION"): "integration",
    ("SECURITY", "INTEGRATION"): "integration",
    ("COMPUTE", "POOL"): "compute_pool",
    ("IMAGE", "REPOSITORY"): "image_repository",
    ("NETWORK", "RULE"): "network_rule",
    ("EVENT", "TABLE"): "event_table",
    ("FILE", "FORMAT"): "file_format",
    ("DATABASE",): "database",
    ("SCHEMA",): "schema",
    ("ROLE",): "role",
    ("USER",): "user",
    ("WAREHOUSE",): "warehouse",
    ("SERVICE",): "service",
    ("FUNCTION",): "function",
    ("STAGE",): "stage",
    ("INTEGRATION",): "integration",
    ("SECRET",): "secret",
    ("TAG",): "tag",
    ("SNAPSHOT",): "snapshot",
    ("TABLE",): "table",
    ("VIEW",): "view",
    ("PROCEDURE",): "procedure",
    ("SEQUENCE",): "sequence",
    ("STREAM",): "stream",
    ("TASK",): "task",
}
_PLURALS = {
    (*words[:-1], "REPOSITORIES" if words[-1] == "REPOSITORY" else words[-1] + "S"): domain
    for words, domain in WORDS.items()
}
_LABELS = {
    "compute_pool": "Compute pool",
    "image_repository": "Image repository",
    "network_rule": "Network rule",
    "event_table": "Event table",
    "file_format": "File format",
}


def label(domain: str) -> str:
    """The word that begins a message: `Compute pool 'X' does not exist or not authorized.`"""
    return _LABELS.get(domain, domain.capitalize())


def accept_domain(cursor: Cursor, *only: str, plural: bool = False) -> str | None:
    """The domain whose words come next, taken; None, and nothing taken, where none does."""
    for words, domain in (_PLURALS if plural else WORDS).items():
        if (not only or domain in only) and cursor.accept(*words):
            return domain
    if not only and not plural:
        _refuse_near(cursor)
    return None


def _refuse_near(cursor: Cursor) -> None:
    """Raises where what comes next could only have been one of ours: `COMPUTE p`, `SERVICES s`."""
    for first, second in (("COMPUTE", "POOL"), ("IMAGE", "REPOSITORY")):
        if cursor.at(first) and cursor.peek(1).kind in (Kind.WORD, Kind.QUOTED, Kind.END):
            cursor.take()
            raise cursor.unexpected(f"'{second}'")
    # DESC and a bare name is the warehouse's.
    if not cursor.at("SERVICES") or cursor.previous().value.startswith("DESC"):
        return
    raise cursor.unexpected("'SERVICE'")


def expect_domain(cursor: Cursor, *only: str) -> str:
    domain = accept_domain(cursor, *only)
    if domain is None:
        raise cursor.unexpected("object type")
    return domain

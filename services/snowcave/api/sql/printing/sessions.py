"""What changes a session, or the account."""

from snowcave.api.sql.lexer import literal
from snowcave.api.sql.printing.words import identifier, joined, name
from snowcave.api.sql.tree import SetParameters, UnsetParameters, Use


def use(it: Use) -> str:
    return joined("USE", it.what.upper().replace("_", " "), name(it.name))


def _alter(account: bool) -> str:
    return "ALTER ACCOUNT" if account else "ALTER SESSION"


def set_parameters(it: SetParameters) -> str:
    """Names bare, as they must be after the first."""
    values = " ".join(f"{key} = {literal(value)}" for key, value in it.values.items())
    return joined(_alter(it.account), "SET", values)


def unset_parameters(it: UnsetParameters) -> str:
    return joined(_alter(it.account), "UNSET", ", ".join(map(identifier, it.names)))

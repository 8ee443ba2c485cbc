"""OF TYPE …: which kinds of workload a statement means."""

from collections.abc import Iterable

from snowcave.api.sql.cursor import Cursor
from snowcave.model.errors import ValueInvalid

USER = "USER"
TYPES = ("ALL", USER, "NOTEBOOK", "MODEL_SERVING", "STREAMLIT", "ML_JOB")


def accept_types(cursor: Cursor) -> tuple[str, ...]:
    """OF TYPE …, where it comes next."""
    return read_types(cursor) if cursor.accept("OF") else ()


def read_types(cursor: Cursor) -> tuple[str, ...]:
    """After OF: `TYPE user, 'notebook, ml_job'`. Empty where it names ALL."""
    cursor.expect("TYPE")
    written = cursor.comma_list(cursor.word_or_string)
    found = check_types(part for text in written for part in text.split(","))
    return () if "ALL" in found else found


def check_types(written: Iterable[str]) -> tuple[str, ...]:
    """In upper case. Raises ValueInvalid."""
    found = tuple(part.strip().upper() for part in written)
    for one in found:
        if one not in TYPES:
            raise ValueInvalid(
                "SQL compilation error:\nInvalid input for OF TYPE option: "
                f"Invalid workload type '{one[:64]}'. "
                "Expected comma separated list like: 'type1, type2'. "
                f"Valid types are {', '.join(TYPES)}."
            )
    return found


def has_user(types: tuple[str, ...]) -> bool:
    """Whether users' own services are meant: there are no other workloads here."""
    return not types or USER in types

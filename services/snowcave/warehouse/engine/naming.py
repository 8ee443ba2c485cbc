"""fakesnow's SQL for one database, with a name that may hold any character."""

import re

from snowcave.warehouse.catalog.objects import literal, quoted

MARK = "SC_NAME_OF_THIS_DATABASE"


def for_database(template: str, name: str) -> str:
    """`template` was made for a database named MARK."""
    text = template.replace(f"'{MARK}'", literal(name))
    return re.sub(MARK, lambda _: quoted(name), text)

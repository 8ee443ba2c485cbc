"""What the API of Snowflake has and one self-hosted account has no use for: answered 501, and said to be."""

from snowcave.api.rest.call import Call
from snowcave.api.rest.models import Json
from snowcave.api.rest.operations import Operation
from snowcave.model.errors import Unsupported


class Meaningless(Unsupported):
    """Shares 2 with Unsupported: the same for a statement of SQL."""

    def __init__(self, why: str) -> None:
        super().__init__("")
        self.args = (why,)


def unsupported(
    id: str,
    method: str,
    path: str,
    why: str,
    *,
    aliases: tuple[str, ...] = (),
    free: frozenset[str] = frozenset(),
) -> Operation:
    async def action(_call: Call) -> Json:
        raise Meaningless(why)

    return Operation(id, method, path, action, meaningless=why, aliases=aliases, free=free)

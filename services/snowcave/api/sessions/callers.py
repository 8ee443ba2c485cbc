"""Who calls: a session's own token, or a key pair's, a client's or an access token, shown with every request.

Who comes with another token than a session's gets a session of this replica's, one for each user and role, so
a client that shows a new token with every request does not leave a session behind each time.
"""

from collections import OrderedDict
from dataclasses import dataclass, field

from snowcave.api.sessions.book import Found, SessionBook
from snowcave.api.sessions.login import Login, Wish
from snowcave.model.errors import SessionExpired, SessionGone, ValueInvalid

# What a request says of its token, and of the role and the warehouse that it wants: headers or metadata.
TYPE = "X-Snowflake-Authorization-Token-Type"
ROLE, WAREHOUSE = "X-Snowflake-Role", "X-Snowflake-Warehouse"
_LONGEST = 16384
_LONGEST_NAME = 256
# What TYPE says of the token, and what a login calls it.
_METHODS = {
    "KEYPAIR_JWT": "SNOWFLAKE_JWT",
    "OAUTH": "OAUTH",
    "PROGRAMMATIC_ACCESS_TOKEN": "PROGRAMMATIC_ACCESS_TOKEN",
}
_JWT_PARTS = 3


@dataclass(frozen=True)
class Shown:
    """What a request has of its caller: the texts of its headers, empty where they are missing."""

    authorization: str = field(default="", repr=False)
    type: str = ""
    role: str = ""
    warehouse: str = ""
    client_app: str = ""
    # The client's address, for the audit.
    peer: str = ""


@dataclass(frozen=True)
class Caller:
    session: Found
    # The session is that of all who come with tokens of this user: nobody's own to change or to end.
    shared: bool = False


class Callers:
    """`most`: sessions that are kept for those who come without one."""

    def __init__(self, book: SessionBook, login: Login, most: int) -> None:
        self._book = book
        self._login = login
        self._most = most
        # Tokens of the sessions that were opened here, by who and as whom.
        self._opened: OrderedDict[tuple[object, ...], str] = OrderedDict()

    async def of(self, shown: Shown) -> Caller:
        """Raises SessionGone, SessionExpired, LoginFailed and its kin, ValueInvalid."""
        kind, _, token = shown.authorization.partition(" ")
        if kind.lower() != "bearer":
            return Caller(await self._book.find(session_token(shown.authorization)))
        token = token.strip()
        if len(token) > _LONGEST:
            raise SessionGone
        wish = Wish(
            user="",
            method=_method(shown.type, token),
            token=token,
            role=shown.role[:_LONGEST_NAME],
            warehouse=shown.warehouse[:_LONGEST_NAME],
            client_app=shown.client_app,
            peer=shown.peer,
        )
        return Caller(await self._by_token(wish), shared=True)

    async def _by_token(self, wish: Wish) -> Found:
        """The token is looked at each time, whatever session there is."""
        known = await self._login.who(wish)
        who = known.principal
        as_whom = (who.user, who.role_restriction, known.called, wish.role, wish.warehouse)
        key = (wish.client_app, *as_whom)
        if (token := self._opened.get(key)) is not None:
            try:
                found = await self._book.find(token)
            except (SessionGone, SessionExpired):
                self._opened.pop(key, None)
            else:
                if key in self._opened:  # the one used longest ago makes room for others
                    self._opened.move_to_end(key)
                return found
        tokens, _ = await self._login.begin(wish, known)
        self._opened[key] = tokens.session
        if len(self._opened) > self._most:
            self._opened.popitem(last=False)
        return await self._book.find(tokens.session)


def session_token(authorization: str) -> str:
    """Of `Snowflake Token="…"`. Raises SessionGone where there is none."""
    kind, _, value = authorization.partition(" ")
    name, _, quoted = value.strip().partition("=")
    found = quoted.strip().strip('"')
    if kind.lower() != "snowflake" or name.lower() != "token" or found in ("", "None"):
        raise SessionGone
    return found


def _method(said: str, token: str) -> str:
    """As TYPE says; without it, what the token looks like."""
    if said:
        found = _METHODS.get(said.strip().upper())
        if found is None:
            raise ValueInvalid(f"{TYPE} must be one of {', '.join(_METHODS)}.")
        return found
    if token.count(".") == _JWT_PARTS - 1:
        return "SNOWFLAKE_JWT"
    return "PROGRAMMATIC_ACCESS_TOKEN"

"""Sign in and out for browsers: a form, a session cookie, nothing that another site could send."""

import asyncio
import hmac
import random
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from snowcave.ingress import headers as rules
from snowcave.ingress.headers import COOKIE, Header
from snowcave.ingress.pages import CSRF_COOKIE, Answer, Refused, login_page, page
from snowcave.kit import ids
from snowcave.model.errors import Kind, SnowcaveError

LOGIN_PATH = "/sfc-endpoint/login"
LOGOUT_PATH = "/sfc-endpoint/logout"
OWN_PATHS = frozenset({LOGIN_PATH, LOGOUT_PATH})


class Sessions(Protocol):
    """The api, as far as signing in goes."""

    async def login(self, user: str, password: str) -> str:
        """A session token. Raises SnowcaveError."""
        ...

    async def logout(self, token: str) -> None: ...


class Login:
    def __init__(self, sessions: Sessions, deadline: float, rng: random.Random) -> None:
        self._sessions = sessions
        self._deadline = deadline
        self._rng = rng

    async def answer(
        self, method: bytes, target: bytes, headers: list[Header], body: bytes
    ) -> Answer:
        """Raises Refused."""
        parts = urlsplit(target.decode("latin-1"))
        if parts.path == LOGOUT_PATH:
            return await self._logout(headers)
        if method == b"POST":
            return await self._login(headers, body)
        if method not in (b"GET", b"HEAD"):
            raise Refused(page(405, "Method not allowed", "The login page knows GET and POST."))
        wanted = parse_qs(parts.query).get("next", ["/"])[0]
        return login_page(_local(wanted), ids.token(self._rng, 128))

    async def _login(self, headers: list[Header], body: bytes) -> Answer:
        form = {name: values[0] for name, values in _form(body).items()}
        sent = form.get("csrf", "")
        kept = rules.cookie(_cookies(headers), CSRF_COOKIE) or ""
        if not sent or not hmac.compare_digest(sent.encode(), kept.encode()):
            raise Refused(
                page(403, "Cannot sign in", "Open the login page again, with cookies allowed.")
            )
        where = _local(form.get("next", "/"))
        try:
            async with asyncio.timeout(self._deadline):
                token = await self._sessions.login(form.get("user", ""), form.get("password", ""))
        except TimeoutError as error:
            raise Refused(
                page(503, "Cannot sign in", "The API does not answer.", retry=2)
            ) from error
        except SnowcaveError as error:
            known = error.kind is Kind.UNAUTHENTICATED
            return login_page(where, sent, error.message, 401 if known else error.kind.value.http)
        cookie = f"{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax"
        return Answer(
            303, headers=[(b"Location", where.encode()), (b"Set-Cookie", cookie.encode())]
        )

    async def _logout(self, headers: list[Header]) -> Answer:
        if token := rules.token(headers):
            try:
                async with asyncio.timeout(self._deadline):
                    await self._sessions.logout(token)
            except (TimeoutError, SnowcaveError):
                pass  # the cookie goes all the same; the session ends by its own time
        gone = f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        answer = page(200, "Signed out", "You have signed out of this endpoint.")
        answer.headers.append((b"Set-Cookie", gone.encode()))
        return answer


def _local(target: str) -> str:
    """Only a path of this host: the login page sends nobody elsewhere."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if safe and target.isprintable() and target.isascii() else "/"


def _cookies(headers: list[Header]) -> list[bytes]:
    return [value for name, value in headers if name.lower() == b"cookie"]


def _form(body: bytes) -> dict[str, list[str]]:
    return parse_qs(body.decode("latin-1"), encoding="utf-8", max_num_fields=16)

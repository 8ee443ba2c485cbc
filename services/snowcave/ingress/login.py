"""Sign in and out for browsers: a form, a session cookie, nothing that another site could send."""

import asyncio
import hmac
import math
import random
from typing import Protocol
from urllib.parse import parse_qs, quote, urlsplit

import structlog

from snowcave.ingress import headers as rules
from snowcave.ingress.headers import COOKIE, Header
from snowcave.ingress.heads import Head
from snowcave.ingress.pages import CSRF_COOKIE, Answer, Refused, login_page, page, set_cookie
from snowcave.ingress.policy import is_same_origin
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.visits import Attempts, Visit, is_root
from snowcave.kit import ids
from snowcave.model.errors import Kind, SnowcaveError

log = structlog.get_logger()

LOGIN_PATH = "/sfc-endpoint/login"
LOGOUT_PATH = "/sfc-endpoint/logout"
OWN_PATHS = frozenset({LOGIN_PATH, LOGOUT_PATH})
_RULES = "SameSite=Lax; Path=/"


class Sessions(Protocol):
    """The api, as far as signing in goes."""

    async def login(self, user: str, password: str, visit: Visit) -> str:
        """A token for the visit's host. Raises SnowcaveError."""
        ...

    async def logout(self, token: str) -> None: ...


class Login:
    def __init__(self, sessions: Sessions, settings: IngressSettings, rng: random.Random) -> None:
        self._sessions = sessions
        self._deadline = settings.deadlines.verify
        self._domain = settings.mesh.ingress_domain
        self._rng = rng
        limits = settings.sign_in
        self._attempts = Attempts(limits.attempts, limits.window, limits.remembered)

    async def answer(self, head: Head, body: bytes, visit: Visit) -> Answer:
        """Raises Refused."""
        if head.path == LOGOUT_PATH:
            return await self._logout(head.headers, visit)
        if head.method == b"POST":
            return await self._login(head, body, visit)
        if head.method not in (b"GET", b"HEAD"):
            raise Refused(page(405, "Method not allowed", "The login page knows GET and POST."))
        query = urlsplit(head.target.decode("latin-1")).query
        wanted = parse_qs(query).get("next", ["/"])[0]
        return self._shown(_local(wanted), ids.token(self._rng, 128), visit)

    def _shown(
        self, next_path: str, csrf: str, visit: Visit, failure: str = "", status: int = 200
    ) -> Answer:
        host = "" if is_root(visit.host, self._domain) else visit.host
        secure = visit.visitor.secure
        return login_page(next_path, csrf, failure, status, host, secure=secure)

    async def _login(self, head: Head, body: bytes, visit: Visit) -> Answer:
        form = {name: values[0] for name, values in _form(body).items()}
        sent = form.get("csrf", "")
        kept = rules.cookie(_cookies(head.headers), CSRF_COOKIE) or ""
        # Another endpoint's page might plant cookies for the whole domain; where it is from it cannot hide.
        elsewhere = not is_same_origin(head.block.origin, head.block.host or b"")
        if elsewhere or not sent or not hmac.compare_digest(sent.encode(), kept.encode()):
            raise Refused(
                page(403, "Cannot sign in", "Open the login page again, with cookies allowed.")
            )
        self._need_patience(visit)
        where = _local(form.get("next", "/"))
        user, password = form.get("user", ""), form.get("password", "")
        try:
            async with asyncio.timeout(self._deadline):
                token = await self._sessions.login(user, password, visit)
        except TimeoutError as error:
            raise Refused(
                page(503, "Cannot sign in", "The API does not answer.", retry=2)
            ) from error
        except SnowcaveError as error:
            known = error.kind is Kind.UNAUTHENTICATED
            status = 401 if known else error.kind.value.http
            return self._shown(where, sent, visit, error.message, status)
        cookie = set_cookie(COOKIE, token, _RULES, secure=visit.visitor.secure)
        return Answer(303, headers=[(b"Location", where.encode()), cookie])

    def _need_patience(self, visit: Visit) -> None:
        address = visit.visitor.address
        wait = self._attempts.take(address, asyncio.get_running_loop().time())
        if wait:
            log.warning("sign_in_refused", peer=address, host=visit.host, wait=wait)
            text = "Too many attempts to sign in. Try again in a while."
            raise Refused(page(429, "Too many attempts", text, retry=math.ceil(wait)))

    async def _logout(self, headers: list[Header], visit: Visit) -> Answer:
        if token := rules.cookie(_cookies(headers), COOKIE):
            try:
                async with asyncio.timeout(self._deadline):
                    await self._sessions.logout(token)
            except (TimeoutError, SnowcaveError):
                # The cookie goes all the same; the token ends by its own time.
                log.warning("sign_out_incomplete", host=visit.host)
        gone = set_cookie(COOKIE, "", f"{_RULES}; Max-Age=0", secure=visit.visitor.secure)
        onward = ("Sign in again", login_address("/"))
        answer = page(200, "Signed out", "You have signed out here.", onward=onward)
        answer.headers.append(gone)
        return answer


def login_address(target: str) -> str:
    """Of the login page, from where one comes to the target."""
    return f"{LOGIN_PATH}?next={quote(target, safe='')}"


def _local(target: str) -> str:
    """Only a path of this host: the login page sends nobody elsewhere."""
    safe = target.startswith("/") and not target.startswith(("//", "/\\"))
    return target if safe and target.isprintable() and target.isascii() else "/"


def _cookies(headers: list[Header]) -> list[bytes]:
    return [value for name, value in headers if name.lower() == b"cookie"]


def _form(body: bytes) -> dict[str, list[str]]:
    """Raises Refused."""
    try:
        return parse_qs(body.decode("latin-1"), encoding="utf-8", max_num_fields=16)
    except ValueError as error:
        text = "That is not the form of the login page."
        raise Refused(page(400, "Bad request", text)) from error

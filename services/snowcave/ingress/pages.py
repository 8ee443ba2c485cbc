"""The gateway's own answers: readable by people, short for programs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path

import orjson

from snowcave.ingress.headers import Header
from snowcave.runtime import web_pages


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes = b""
    kind: bytes = b"text/html; charset=utf-8"
    headers: list[Header] = field(default_factory=list[Header])
    close: bool = False
    # Of an error page: title and text, for programs.
    says: tuple[str, str] = ("", "")

    def for_programs(self) -> "Answer":
        """An error page in JSON; whatever else it is, as it is."""
        title, text = self.says
        if not title:
            return self
        body = orjson.dumps({"status": self.status, "error": title, "message": text})
        return replace(self, body=body + b"\n", kind=b"application/json")

    def encode(self, *, head_only: bool = False) -> bytes:
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}".encode()]
        lines += [name + b": " + value for name, value in self.headers]
        lines += [
            b"Content-Type: " + self.kind,
            b"Content-Length: " + str(len(self.body)).encode(),
            *(name + b": " + value for name, value in _HEADERS),
        ]
        if self.close:
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else self.body)


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


_PAGES = web_pages.Pages(Path(__file__).parent / "templates")
_HEADERS = [(name.encode(), value.encode()) for name, value in web_pages.HEADERS.items()]


def page(
    status: int,
    title: str,
    text: str,
    *,
    close: bool = False,
    retry: int = 0,
    onward: tuple[str, str] = ("", ""),
) -> Answer:
    """An error page. `retry` in seconds; `onward`, for people: what they can do now, and where."""
    body = _PAGES.render("error.html", title=title, text=text, onward=onward)
    headers = [(b"Retry-After", str(retry).encode())] if retry else []
    return Answer(status, body, headers=headers, close=close, says=(title, text))


def login_page(
    next_path: str,
    csrf: str,
    failure: str = "",
    status: int = 200,
    host: str = "",
    *,
    secure: bool = False,
) -> Answer:
    """`csrf` goes into the form and into a cookie; both have to come back. `host`: of an endpoint."""
    body = _PAGES.render("login.html", next_path=next_path, csrf=csrf, failure=failure, host=host)
    cookie = set_cookie(CSRF_COOKIE, csrf, "SameSite=Strict; Path=/sfc-endpoint", secure=secure)
    return Answer(status, body, headers=[cookie])


def home_page(*, account: str, user: str, endpoints: Sequence[object], api: str) -> Answer:
    body = _PAGES.render("home.html", account=account, user=user, endpoints=endpoints, api=api)
    return Answer(200, body)


def set_cookie(name: str, value: str, rules: str, *, secure: bool) -> Header:
    """No script reads it. Over TLS it goes back over TLS alone."""
    end = "; Secure" if secure else ""
    return b"Set-Cookie", f"{name}={value}; HttpOnly; {rules}{end}".encode()


CSRF_COOKIE = "snowcave-ingress-csrf"

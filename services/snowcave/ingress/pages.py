"""The gateway's own answers: readable by people, short for programs."""

import html
from dataclasses import dataclass, field, replace
from http import HTTPStatus

import orjson

from snowcave.ingress.headers import Header


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
            b"Cache-Control: no-store",
            b"X-Content-Type-Options: nosniff",
            b"X-Frame-Options: DENY",
        ]
        if self.close:
            lines.append(b"Connection: close")
        return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head_only else self.body)


class Refused(Exception):
    """The request ends here, with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:12vh auto;padding:0 1rem}"
    "h1{font-size:1.4rem}label{display:block;margin:.8rem 0}input{font:inherit;width:100%;"
    "box-sizing:border-box;padding:.4rem}button{font:inherit;padding:.4rem 1.2rem}"
    ".failed{color:#a00}"
)


def page(status: int, title: str, text: str, *, close: bool = False, retry: int = 0) -> Answer:
    """An error page. `retry` in seconds."""
    body = (
        f"<!doctype html><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p>\n"
    )
    headers = [(b"Retry-After", str(retry).encode())] if retry else []
    return Answer(status, body.encode(), headers=headers, close=close, says=(title, text))


def login_page(next_path: str, csrf: str, failure: str = "", status: int = 200) -> Answer:
    """`csrf` goes into the form and into a cookie; both have to come back."""
    failed = f"<p class=failed>{html.escape(failure)}</p>" if failure else ""
    body = (
        f"<!doctype html><meta charset=utf-8><title>Sign in</title><style>{_STYLE}</style>"
        f"<h1>Sign in to Snowcave</h1>{failed}"
        '<form method=post action="/sfc-endpoint/login">'
        f'<input type=hidden name=next value="{html.escape(next_path)}">'
        f'<input type=hidden name=csrf value="{html.escape(csrf)}">'
        "<label>User <input name=user autocomplete=username autofocus required></label>"
        "<label>Password <input name=password type=password autocomplete=current-password required>"
        "</label><button>Sign in</button></form>\n"
    )
    cookie = f"{CSRF_COOKIE}={csrf}; Path=/sfc-endpoint; HttpOnly; SameSite=Strict"
    return Answer(status, body.encode(), headers=[(b"Set-Cookie", cookie.encode())])


CSRF_COOKIE = "snowcave-ingress-csrf"

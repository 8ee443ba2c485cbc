"""What the gateway takes from headers and adds to them. Pure. Source: facts on ingress (S0-S4)."""

import re
from collections.abc import Iterable
from http import HTTPStatus

Header = tuple[bytes, bytes]

COOKIE = "snowcave-ingress-auth"
# A service that set one could have its visitors act as somebody else at another endpoint of the domain.
_OUR_COOKIES = b"snowcave-ingress-"
_BEFORE_A_NAME = b" \t\r\n\v\f="

# Meaningful for one connection only (RFC 9110 7.6.1); ours to say on the next one.
_HOP_BY_HOP = {
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"proxy-connection",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
}
# What a Connection header cannot take away: without them a body would be read as the next request.
_END_TO_END = frozenset({b"host", b"content-length", b"content-type", b"authorization", b"cookie"})
_NONE = frozenset[bytes]()
_FORGED = re.compile(rb"sf[^a-z0-9]context[^a-z0-9]")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
# 100-continue is answered by the gateway itself.
_NEVER_SENT_ON = _HOP_BY_HOP | {
    b"expect",
    b"x-sf-spcs-authorization",
    b"x-sf-spcs-authentication-method",
}

_NEVER_ANSWERED = _HOP_BY_HOP | {
    b"server",
    b"x-powered-by",
    b"x-xss-protection",
    b"public-key-pins",
    b"content-security-policy-report-only",
    b"x-frame-options",
    b"x-content-type-options",
    b"cross-origin-opener-policy",
    b"cross-origin-resource-policy",
    b"cross-origin-embedder-policy",
}
_CORS_PREFIX = b"access-control-"

# Answers of these types are refused: a gateway must not hand out programs.
_EXECUTABLE = frozenset(
    b"application/" + name
    for name in (
        b"x-msdownload",
        b"exe",
        b"x-exe",
        b"dos-exe",
        b"x-winexe",
        b"msdos-windows",
        b"x-msdos-program",
        b"x-sh",
        b"x-bsh",
        b"x-csh",
        b"x-tcsh",
        b"batch",
    )
)
_TOKEN_SCHEME = b"snowflake token="

# Answers that never have a body.
BODILESS = frozenset({204, 304})


def find(headers: Iterable[Header], name: bytes) -> bytes | None:
    """The first value; `name` in lower case."""
    return next((value for key, value in headers if key.lower() == name), None)


def token(headers: Iterable[Header]) -> str | None:
    """`Authorization: Snowflake Token="…"`, else our cookie, else None."""
    return credential(headers)[0]


def credential(headers: Iterable[Header]) -> tuple[str | None, bool]:
    """The token, and whether it came as a cookie."""
    cookies: list[bytes] = []
    for name, value in headers:
        lowered = name.lower()
        if lowered in (b"authorization", b"x-sf-spcs-authorization") and _is_ours(value):
            return value[len(_TOKEN_SCHEME) :].strip().strip(b'"').decode("latin-1"), False
        if lowered == b"cookie":
            cookies.append(value)
    return cookie(cookies, COOKIE), True


def cookie(values: Iterable[bytes], name: str) -> str | None:
    """Read leniently: another cookie's odd value must not hide ours."""
    for value in values:
        text = value.decode("latin-1")
        for crumb in text.split(";") if name in text else ():
            key, separator, found = crumb.partition("=")
            if separator and key.strip() == name:
                return found.strip().strip('"')
    return None


def sent_on(headers: Iterable[Header]) -> list[Header]:
    """For the instance: nothing forged, no credential of ours."""
    headers = list(headers)
    connection = _named_by_connection(headers)
    kept: list[Header] = []
    for name, value in headers:
        lowered = name.lower()
        if lowered in _NEVER_SENT_ON or lowered in connection or _is_forged(lowered):
            continue
        if lowered == b"authorization" and _is_ours(value):
            continue
        if lowered == b"cookie" and not (value := _without_ours(value)):
            continue
        kept.append((name, value))
    return kept


def told(name: bytes, text: str) -> Header:
    """What the instance is told of the caller. A quoted user name may hold anything, line ends too."""
    return name, _CONTROL.sub(lambda match: b"%%%02X" % match[0][0], text.encode())


def answered(headers: Iterable[Header]) -> list[Header]:
    """For the client: hop-by-hop, CORS and telltale headers removed, and cookies that are ours to set."""
    headers = list(headers)
    connection = _named_by_connection(headers)
    return [
        (name, value)
        for name, value in headers
        if (lowered := name.lower()) not in _NEVER_ANSWERED
        and lowered not in connection
        and not lowered.startswith(_CORS_PREFIX)
        and not (lowered == b"set-cookie" and _sets_ours(value))
    ]


def lines(headers: Iterable[Header]) -> bytes:
    return b"".join([name + b": " + value + b"\r\n" for name, value in headers])


def phrase(status: int) -> bytes:
    """What a status is called."""
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b"Unknown"


def is_executable(headers: Iterable[Header]) -> bool:
    return any(
        value.split(b";")[0].strip().lower() in _EXECUTABLE
        for name, value in headers
        if name.lower() == b"content-type"
    )


def _is_forged(lowered: bytes) -> bool:
    """Ours to say. Many servers take `_` and worse in a header's name for `-`."""
    return lowered[:2] == b"sf" and _FORGED.match(lowered) is not None


def _is_ours(value: bytes) -> bool:
    return value[: len(_TOKEN_SCHEME)].lower() == _TOKEN_SCHEME


def _sets_ours(value: bytes) -> bool:
    """Browsers send a cookie without a name back as its value alone: `=name=value` would be ours, too."""
    return value.lstrip(_BEFORE_A_NAME).startswith(_OUR_COOKIES)


def _without_ours(value: bytes) -> bytes:
    """The Cookie header less our session, spelling of the others kept."""
    ours = COOKIE.encode()
    crumbs = [crumb.strip() for crumb in value.split(b";")]
    return b"; ".join(
        crumb for crumb in crumbs if crumb and crumb.partition(b"=")[0].strip() != ours
    )


def _named_by_connection(headers: Iterable[Header]) -> frozenset[bytes]:
    """Headers that the sender declared hop-by-hop."""
    values = [
        value
        for key, value in headers
        if len(key) == len(b"connection") and key.lower() == b"connection"
    ]
    if not values:
        return _NONE
    names = frozenset(name.strip().lower() for value in values for name in value.split(b","))
    return names - _END_TO_END

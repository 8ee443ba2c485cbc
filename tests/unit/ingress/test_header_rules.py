"""What passes the gateway in headers, and what never does."""

import pytest

from snowcave.ingress import headers as rules


def names(headers: list[rules.Header]) -> set[bytes]:
    return {name.lower() for name, _ in headers}


@pytest.mark.parametrize(
    "name",
    [
        b"Sf-Context-Current-User",
        b"SF-CONTEXT-CURRENT-USER",
        b"Sf_Context_Current_User",
        b"sf-context_current-user",
        b"sf.context.current.user",
        b"Sf-Context-Anything",
    ],
)
def test_nobody_can_say_who_asks_but_the_gateway(name: bytes):
    assert rules.sent_on([(name, b"ROOT"), (name, b"ROOT")]) == []


def test_a_user_name_cannot_carry_a_header_of_its_own():
    name, value = rules.told(b"Sf-Context-Current-User", "EVE\r\nSf-Context-Current-User: ROOT")
    assert name == b"Sf-Context-Current-User"
    assert value == b"EVE%0D%0ASf-Context-Current-User: ROOT"


@pytest.mark.parametrize("named", [b"content-length", b"Content-Length, host", b"HOST"])
def test_the_connection_header_cannot_take_away_a_request_s_framing(named: bytes):
    headers = [(b"Host", b"a"), (b"Connection", named), (b"Content-Length", b"5")]
    assert {b"host", b"content-length"} <= names(rules.sent_on(headers))
    assert b"content-length" in names(rules.answered(headers))


def test_headers_of_one_connection_stay_on_it():
    headers = [(b"Connection", b"close, X-Mine"), (b"X-Mine", b"1"), (b"Upgrade", b"h2c")]
    headers += [(b"TE", b"trailers"), (b"Keep-Alive", b"5"), (b"Expect", b"100-continue")]
    assert names(rules.sent_on(headers)) == set()


def test_only_our_own_credential_is_taken_out_of_authorization():
    ours = [(b"Authorization", b'snowflake token="t"')]
    theirs = [(b"Authorization", b"Basic abc")]
    assert b"authorization" not in names(rules.sent_on(ours))
    assert (b"Authorization", b"Basic abc") in rules.sent_on(theirs)


@pytest.mark.parametrize(
    ("sent", "passed"),
    [
        (b"a=1; snowcave-ingress-auth=t; b=2", b"a=1; b=2"),
        (b"snowcave-ingress-auth = t ;b={x,y}", b"b={x,y}"),
        (b"snowcave-ingress-authentic=1", b"snowcave-ingress-authentic=1"),
    ],
)
def test_our_cookie_is_taken_out_and_the_others_keep_their_spelling(sent: bytes, passed: bytes):
    assert (b"Cookie", passed) in rules.sent_on([(b"Cookie", sent)])


def test_a_cookie_header_that_held_only_ours_goes():
    only = [(b"Cookie", b"snowcave-ingress-auth=t")]
    assert b"cookie" not in names(rules.sent_on(only))


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ([(b"Authorization", b'Snowflake Token="abc"')], "abc"),
        ([(b"authorization", b"SNOWFLAKE TOKEN=abc")], "abc"),
        ([(b"X-SF-SPCS-Authorization", b'Snowflake Token="abc"')], "abc"),
        ([(b"Cookie", b'odd={"a": [1]}; snowcave-ingress-auth=abc')], "abc"),
        ([(b"Cookie", b"x=1"), (b"Cookie", b"snowcave-ingress-auth=abc")], "abc"),
        ([(b"Authorization", b"Basic abc")], None),
        ([], None),
    ],
)
def test_the_token_comes_from_a_header_or_from_our_cookie(
    headers: list[rules.Header], token: str | None
):
    assert rules.token(headers) == token


def test_answers_lose_what_tells_too_much():
    headers = [(b"Server", b"x"), (b"Access-Control-Allow-Origin", b"*"), (b"ETag", b"e")]
    headers += [(b"X-Frame-Options", b"ALLOWALL"), (b"Transfer-Encoding", b"chunked")]
    answered = rules.answered(headers)
    assert (b"ETag", b"e") in answered
    assert names(answered).isdisjoint(
        {b"server", b"access-control-allow-origin", b"transfer-encoding", b"x-frame-options"}
    )


@pytest.mark.parametrize(
    ("kind", "executable"),
    [(b"application/x-sh", True), (b"Application/EXE ; v=1", True), (b"text/html", False)],
)
def test_programs_are_known_by_their_type(kind: bytes, executable: bool):
    assert rules.is_executable([(b"Content-Type", kind)]) is executable
    assert not rules.is_executable([])


def test_a_second_type_does_not_hide_a_program():
    kinds = [(b"Content-Type", b"text/plain"), (b"Content-Type", b"application/exe")]
    assert rules.is_executable(kinds)


def test_a_service_sets_no_cookie_of_the_gateway():
    """It could sign its visitors in as somebody else, at every endpoint of the domain."""
    own = (b"Set-Cookie", b"mine=1; Path=/")
    planted = [(b"set-cookie", b" snowcave-ingress-auth=x; Domain=apps.example"), own]
    assert rules.answered([*planted, (b"Set-Cookie", b"snowcave-ingress-csrf=x")]) == [own]


@pytest.mark.parametrize("value", [b"=snowcave-ingress-auth=x", b" = =snowcave-ingress-csrf=x"])
def test_a_cookie_without_a_name_cannot_be_one_of_the_gateway(value: bytes):
    """Browsers would send it back as `snowcave-ingress-auth=x`."""
    assert rules.answered([(b"Set-Cookie", value)]) == []

"""What an endpoint tells browsers: its baseline, and corsSettings."""

import pytest

from snowcave.ingress.policy import (
    baseline,
    cors_of,
    is_preflight,
    is_same_origin,
)
from snowcave.v1 import state_pb2 as state

ORIGIN = b"https://app.example.com"
SETTINGS = state.CorsSettings(
    allow_origin=["https://App.example.com", "http://localhost:3000"],
    allow_methods=["GET", "PUT"],
    allow_headers=["X-Mine"],
    expose_headers=["X-Seen"],
)


def test_every_answer_has_the_baseline():
    lines = baseline().split(b"\r\n")
    assert b"X-Frame-Options: DENY" in lines
    assert b"Cross-Origin-Embedder-Policy: credentialless" in lines
    (policy,) = [line for line in lines if line.startswith(b"Content-Security-Policy: ")]
    assert policy.endswith(
        b"default-src 'self' 'unsafe-inline' 'unsafe-eval' blob: data:; object-src 'none'; "
        b"connect-src 'self'; frame-ancestors 'self';"
    )


def test_outside_hosts_join_two_of_its_rules():
    policy = baseline(["a.example.com", "b.example.com:8080"]).decode()
    default, _, connections = policy.partition("object-src")
    for host in ("a.example.com", "b.example.com:8080"):
        assert f" http://{host} https://{host}" in default
        assert f" http://{host} https://{host}" in connections
        assert f" wss://{host}" in connections
        assert f"wss://{host}" not in default


@pytest.mark.parametrize("host", ["x; script-src *", "a b", "x\r\nSet-Cookie: a=b"])
def test_what_is_no_host_does_not_get_into_the_policy(host: str):
    assert baseline([host]) == baseline()


def test_any_host_is_a_star():
    assert b" https://*:443 " in baseline(["0.0.0.0:443"])


def test_a_page_of_an_allowed_origin_is_told_what_it_may():
    told = dict(cors_of(SETTINGS).headers(ORIGIN))
    assert told[b"Access-Control-Allow-Origin"] == ORIGIN
    assert told[b"Access-Control-Allow-Methods"] == b"GET, PUT"
    assert told[b"Access-Control-Allow-Headers"] == b"X-Mine"
    assert told[b"Access-Control-Expose-Headers"].startswith(b"X-Seen, X-Frame-Options, ")
    assert told[b"Access-Control-Expose-Headers"].count(b",") == 7
    assert told[b"Access-Control-Max-Age"] == b"7200"
    assert told[b"Access-Control-Allow-Credentials"] == b"true"
    assert told[b"Vary"] == b"Origin"


@pytest.mark.parametrize(
    "origin", [b"", b"null", b"https://evil.example", ORIGIN + b".evil.example", ORIGIN + b"/"]
)
def test_a_page_of_another_origin_is_told_nothing(origin: bytes):
    assert cors_of(SETTINGS).headers(origin) == []


def test_settings_cannot_carry_a_header_of_their_own():
    odd = state.CorsSettings(allow_origin=["https://a.b"], allow_methods=["GET\r\nSet-Cookie: a"])
    assert b"\n" not in dict(cors_of(odd).headers(b"https://a.b"))[b"Access-Control-Allow-Methods"]


def test_a_preflight_names_its_origin_and_a_method():
    asked = [(b"origin", ORIGIN), (b"Access-Control-Request-Method", b"PUT")]
    assert is_preflight(b"OPTIONS", asked)
    assert not is_preflight(b"OPTIONS", asked[:1])
    assert not is_preflight(b"GET", asked)


@pytest.mark.parametrize(
    ("origin", "same"),
    [(b"", True), (b"http://A:8402", True), (b"http://a", False), (b"null", False)],
)
def test_an_origin_is_compared_with_the_host_that_was_asked(origin: bytes, same: bool):
    assert is_same_origin(origin, b"a:8402") is same

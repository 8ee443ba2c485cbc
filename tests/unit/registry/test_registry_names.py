import pytest
from hypothesis import given
from hypothesis import strategies as st

from snowcave.registry import names
from snowcave.registry.errors import RegistryError
from snowcave.registry.names import Endpoint, ImageName, Route, Span

HEX = "ab" * 32
NAME = ImageName("db/schema/repo", "amd64/nginx")


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/v2/", Route(Endpoint.BASE)),
        ("/v2/db/schema/repo/amd64/nginx/tags/list", Route(Endpoint.TAGS, NAME)),
        (
            f"/v2/db/schema/repo/amd64/nginx/blobs/sha256:{HEX}",
            Route(Endpoint.BLOB, NAME, f"sha256:{HEX}"),
        ),
        ("/v2/db/schema/repo/amd64/nginx/blobs/uploads/", Route(Endpoint.UPLOADS, NAME)),
        (
            "/v2/db/schema/repo/amd64/nginx/blobs/uploads/a1",
            Route(Endpoint.UPLOAD, NAME, "a1"),
        ),
        (
            "/v2/db/schema/repo/amd64/nginx/manifests/v1.0",
            Route(Endpoint.MANIFEST, NAME, "v1.0"),
        ),
        (
            "/v2/my_db/s%241/_r/blobs/tags/list",
            Route(Endpoint.TAGS, ImageName("my_db/s$1/_r", "blobs")),
        ),
    ],
)
def test_a_path_has_one_meaning(path: str, wanted: Route):
    assert names.route(path) == wanted


@given(st.text(max_size=60))
def test_no_path_makes_more_of_a_name_than_the_grammar_has(text: str):
    try:
        found = names.route(f"/v2/{text}/tags/list")
    except RegistryError:
        return
    assert found.name is not None
    parts = str(found.name).split("/")
    assert len(parts) >= 4
    assert not any(part in ("", ".", "..") or part.startswith(".") for part in parts)
    assert not set(str(found.name)) & set("\\\0%+ ")


@pytest.mark.parametrize(
    ("header", "size", "wanted"),
    [
        (None, 10, Span(0, 10)),
        ("bytes=0-", 10, Span(0, 10, True)),
        ("bytes=2-4", 10, Span(2, 5, True)),
        ("bytes=-3", 10, Span(7, 10, True)),
        ("bytes=-30", 10, Span(0, 10, True)),
        ("bytes=5-2", 10, Span(0, 10)),
        ("bytes=-", 10, Span(0, 10)),
        ("bytes=10-", 10, None),
        ("bytes=-0", 10, None),
        ("bytes=0-0", 0, None),
    ],
)
def test_what_a_range_asks_for(header: str | None, size: int, wanted: Span | None):
    assert names.span(header, size) == wanted


@given(st.text(max_size=20), st.integers(0, 1000))
def test_a_span_lies_within_the_blob(tail: str, size: int):
    found = names.span(f"bytes={tail}", size)
    assert found is None or 0 <= found.start <= found.stop <= size


@pytest.mark.parametrize("text", ["0-99", "bytes 0-99/*", "bytes=0-99", "0-99/100"])
def test_a_chunks_range_in_every_form_that_clients_send(text: str):
    assert names.content_range(text) == (0, 99)


@pytest.mark.parametrize("text", ["", "9-1", "-5", "5-", "a-b", "0-9" + "9" * 30])
def test_a_chunks_range_that_is_none_is_416(text: str):
    with pytest.raises(RegistryError) as raised:
        names.content_range(text)
    assert raised.value.code.value.http == 416


@pytest.mark.parametrize("text", ["", 'a"b', "a b", "a\r\nX: y", "x" * 300, "a/b"])
def test_a_host_that_cannot_stand_in_a_header_is_dropped(text: str):
    assert names.host(text) is None


@pytest.mark.parametrize("text", ["localhost:8401", "127.0.0.1", "[::1]:8401", "r.example.com"])
def test_a_host_that_can_is_kept(text: str):
    assert names.host(text) == text

"""Blobs and manifests out; manifests in; tags and referrers listed."""

from urllib.parse import quote, urlencode

import orjson
from aiohttp import web

from snowcave.registry import manifest as manifests
from snowcave.registry import names
from snowcave.registry.access import Action
from snowcave.registry.errors import DigestInvalid, TooLarge
from snowcave.registry.http import sending
from snowcave.registry.http.bodies import whole
from snowcave.registry.http.context import Call

_BYTES = "application/octet-stream"


async def blob(call: Call) -> web.StreamResponse:
    """GET and HEAD, whole or a range of it."""
    image = call.image(Action.PULL)
    digest = call.route.reference
    size = await call.backend.size(image, digest)
    # A range of another state of the blob there cannot be: its digest is its name.
    asked = call.request.headers.get("Range") if call.request.method == "GET" else None
    span = names.span(asked, size)
    headers = {
        "Docker-Content-Digest": digest,
        "Content-Type": _BYTES,
        "Accept-Ranges": "bytes",
        "ETag": f'"{digest}"',
        "Cache-Control": "private, max-age=31536000",
    }
    if span is None:
        headers["Content-Range"] = f"bytes */{size}"
        return web.Response(status=416, headers=headers)
    headers["Content-Length"] = str(span.length)
    if span.partial:
        headers["Content-Range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
    response = web.StreamResponse(status=206 if span.partial else 200, headers=headers)
    if call.request.method == "HEAD":
        await response.prepare(call.request)
        return response
    async with call.backend.read(image, digest, span) as content:
        await sending.send(call.request, response, content, span, call.services.senders, call.idle)
    return response


async def manifest(call: Call) -> web.StreamResponse:
    image = call.image(Action.PULL)
    found = await call.backend.manifest(image, call.route.reference)
    headers = {
        "Content-Type": found.media_type,
        "Docker-Content-Digest": found.digest,
        "ETag": f'"{found.digest}"',
    }
    return web.Response(body=found.content, headers=headers)


async def put_manifest(call: Call) -> web.StreamResponse:
    image = call.image(Action.PUSH)
    most = call.services.settings.limits.manifest
    if (call.request.content_length or 0) > most:
        raise TooLarge(f"a manifest may have {most} bytes")
    content = await whole(call.request, idle=call.idle, most=most)
    parsed = manifests.parse(content, call.request.headers.get("Content-Type", ""))
    reference = call.route.reference
    by_digest = names.is_digest(reference)
    if by_digest and reference != parsed.digest:
        raise DigestInvalid(f"the manifest's digest is {parsed.digest}")
    await call.services.tags.push(image, "" if by_digest else reference, parsed)
    headers = {
        "Location": f"/v2/{image.path}/manifests/{parsed.digest}",
        "Docker-Content-Digest": parsed.digest,
    }
    if parsed.subject:
        headers["OCI-Subject"] = parsed.subject
    return web.Response(status=201, headers=headers)


async def tags(call: Call) -> web.StreamResponse:
    image = call.image(Action.PULL)
    query = call.request.query
    most = names.page_size(query.get("n"), call.services.settings.limits.page)
    found, more = await call.backend.tags(image, query.get("last", ""), most)
    headers: dict[str, str] = {}
    if more and found:
        following = urlencode({"last": found[-1], "n": most})
        headers["Link"] = f'</v2/{quote(image.path)}/tags/list?{following}>; rel="next"'
    return _json({"name": image.path, "tags": list(found)}, headers=headers)


async def referrers(call: Call) -> web.StreamResponse:
    """An index, empty where nothing refers to the digest or it is not there at all."""
    image = call.image(Action.PULL)
    found = await call.backend.referrers(image, call.route.reference)
    headers = {"Content-Type": manifests.OCI_INDEX}
    wanted = call.request.query.get("artifactType")
    if wanted:
        found = [one for one in found if one.get("artifactType") == wanted]
        headers["OCI-Filters-Applied"] = "artifactType"
    index = {"schemaVersion": 2, "mediaType": manifests.OCI_INDEX, "manifests": list(found)}
    return _json(index, headers=headers)


async def base(call: Call) -> web.StreamResponse:
    return _json({})


def _json(value: object, headers: dict[str, str] | None = None) -> web.Response:
    given = {"Content-Type": "application/json", **(headers or {})}
    return web.Response(body=orjson.dumps(value), headers=given)

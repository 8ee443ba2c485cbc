"""Uploads: one POST, POST and PUT, or POST, PATCHes and PUT; resumed, cancelled, mounted."""

from collections.abc import AsyncIterator

from aiohttp import web

from snowcave.registry import names
from snowcave.registry.access import Action
from snowcave.registry.backend.api import Progress, UploadRef
from snowcave.registry.backend.uploads import range_headers
from snowcave.registry.errors import NameInvalid, SizeInvalid, TooLarge
from snowcave.registry.http.bodies import pieces
from snowcave.registry.http.context import Call
from snowcave.registry.repositories import Image

_STATE = "_state"


async def begin(call: Call) -> web.StreamResponse:
    """POST …/blobs/uploads/: mount where asked and possible, else open an upload."""
    image = call.image(Action.PUSH)
    query = call.request.query
    if "mount" in query and (mounted := await _mount(call, image)):
        return mounted
    progress = await call.backend.start(image)
    if "digest" in query:
        return await _commit(call, image, progress.upload)
    return _accepted(image, progress)


async def status(call: Call) -> web.StreamResponse:
    image = call.image(Action.PUSH)
    progress = await call.backend.progress(image, _upload(call))
    return _accepted(image, progress, status=204)


async def append(call: Call) -> web.StreamResponse:
    image = call.image(Action.PUSH)
    start, body, length = _chunk(call)
    progress = await call.backend.append(image, _upload(call), start, body, length)
    return _accepted(image, progress)


async def finish(call: Call) -> web.StreamResponse:
    return await _commit(call, call.image(Action.PUSH), _upload(call))


async def cancel(call: Call) -> web.StreamResponse:
    await call.backend.cancel(call.image(Action.PUSH), _upload(call))
    return web.Response(status=204)


async def _commit(call: Call, image: Image, upload: UploadRef) -> web.StreamResponse:
    digest = names.digest(call.request.query.get("digest", ""))
    start, body, length = _chunk(call)
    await call.backend.commit(image, upload, digest, start, body, length)
    return _created(image, digest)


async def _mount(call: Call, image: Image) -> web.StreamResponse | None:
    """None: the client has to send it. One that may not read the source learns nothing of it."""
    digest = names.digest(call.request.query["mount"])
    try:
        source = names.parse_image_name(call.request.query.get("from", ""))
    except NameInvalid:
        return None
    gate = call.services.gate
    repository = gate.may(call.caller, source.repository, Action.PULL)
    if repository is None:
        return None
    there = await call.backend.mount(image, Image(repository, source.image), digest)
    return _created(image, digest) if there else None


def _chunk(call: Call) -> tuple[int | None, AsyncIterator[bytes], int | None]:
    """Where a body begins, its pieces, and its length where the client told it."""
    request = call.request
    length = request.content_length
    most = call.services.settings.limits.blob
    start, exactly = None, None
    if (header := request.headers.get("Content-Range")) is not None:
        start, last = names.content_range(header)
        exactly = last - start + 1
        if length is not None and length != exactly:
            raise SizeInvalid(f"Content-Length is {length}, Content-Range has {exactly}")
    if (start or 0) + (length or 0) > most:
        raise TooLarge(f"a blob may have {most} bytes")
    body = pieces(request, idle=call.idle, exactly=exactly)
    return start, body, length if length is not None else exactly


def _upload(call: Call) -> UploadRef:
    return UploadRef(call.route.reference, call.request.query.get(_STATE, ""))


def _accepted(image: Image, progress: Progress, status: int = 202) -> web.Response:
    upload = progress.upload
    location = f"/v2/{image.path}/blobs/uploads/{upload.id}"
    if upload.state:
        location += f"?{_STATE}={upload.state}"
    headers = {
        "Location": location,
        "Docker-Upload-UUID": upload.id,
        **range_headers(progress.received),
    }
    return web.Response(status=status, headers=headers)


def _created(image: Image, digest: str) -> web.Response:
    headers = {
        "Location": f"/v2/{image.path}/blobs/{digest}",
        "Docker-Content-Digest": digest,
    }
    return web.Response(status=201, headers=headers)

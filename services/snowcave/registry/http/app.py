"""From a request to an answer: the route table, the caller, and every error in the specification's form."""

from collections.abc import Awaitable, Callable

import orjson
import structlog
from aiohttp import web

from snowcave.model.errors import SnowcaveError
from snowcave.registry import metrics, names
from snowcave.registry.errors import (
    Code,
    InternalError,
    MethodUnsupported,
    NothingHere,
    PartTooSlow,
    RegistryError,
    TooMany,
    from_snowcave,
)
from snowcave.registry.http import reading, sending, uploading
from snowcave.registry.http.context import Call, Services
from snowcave.registry.names import Endpoint

log = structlog.get_logger()

Handler = Callable[[Call], Awaitable[web.StreamResponse]]

# Deleting single images is not offered, as Snowflake does not: DROP IMAGE REPOSITORY removes them all.
ROUTES: dict[tuple[str, Endpoint], Handler] = {
    ("GET", Endpoint.BASE): reading.base,
    ("HEAD", Endpoint.BASE): reading.base,
    ("GET", Endpoint.BLOB): reading.blob,
    ("HEAD", Endpoint.BLOB): reading.blob,
    ("GET", Endpoint.MANIFEST): reading.manifest,
    ("HEAD", Endpoint.MANIFEST): reading.manifest,
    ("PUT", Endpoint.MANIFEST): reading.put_manifest,
    ("GET", Endpoint.TAGS): reading.tags,
    ("GET", Endpoint.REFERRERS): reading.referrers,
    ("POST", Endpoint.UPLOADS): uploading.begin,
    ("GET", Endpoint.UPLOAD): uploading.status,
    ("PATCH", Endpoint.UPLOAD): uploading.append,
    ("PUT", Endpoint.UPLOAD): uploading.finish,
    ("DELETE", Endpoint.UPLOAD): uploading.cancel,
}
_RECEIVING = {
    ("POST", Endpoint.UPLOADS),
    ("PATCH", Endpoint.UPLOAD),
    ("PUT", Endpoint.UPLOAD),
    ("PUT", Endpoint.MANIFEST),
}
_API = {"Docker-Distribution-Api-Version": "registry/2.0"}
SERVICE = "snowcave-registry"


class App:
    """Answers requests; bounded in how many bodies it takes in at once."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._uploads = 0

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        endpoint = "other"
        try:
            path = request.rel_url.raw_path
            if path.rstrip("/") == "/login":
                endpoint = "login"
                response = await self._login(request)
            elif path.startswith("/v2/") or path == "/v2":
                route = names.route(path if path != "/v2" else "/v2/")
                endpoint = route.endpoint.value
                response = await self._answer(request, route)
            else:
                raise NothingHere
        except RegistryError as error:
            response = self._refusal(request, error)
        except SnowcaveError as error:
            response = self._refusal(request, from_snowcave(error))
        except TimeoutError:
            response = self._refusal(request, PartTooSlow())
        except BrokenPipeError as error:
            raise ConnectionResetError("the client went away") from error
        except ConnectionError:
            raise
        except Exception:
            log.exception("request_failed", method=request.method, endpoint=endpoint)
            response = self._refusal(request, InternalError())
        metrics.REQUESTS.labels(_method(request), endpoint, str(response.status)).inc()
        return response

    async def _answer(self, request: web.BaseRequest, route: names.Route) -> web.StreamResponse:
        # Who it is comes first: without credentials nothing can be learned, not even what exists.
        caller = await self._services.gate.caller(request.headers.get("Authorization"))
        handler = ROUTES.get((request.method, route.endpoint))
        if handler is None:
            raise MethodUnsupported(f"{request.method} is not offered here")
        call = Call(request, self._services, route, caller)
        if (request.method, route.endpoint) not in _RECEIVING:
            return _marked(await handler(call))
        if self._uploads >= self._services.settings.limits.uploads:
            raise TooMany("too many uploads at once", {"Retry-After": "1"})
        self._uploads += 1
        metrics.UPLOADS.set(self._uploads)
        try:
            return _marked(await handler(call))
        finally:
            self._uploads -= 1
            metrics.UPLOADS.set(self._uploads)

    async def _login(self, request: web.BaseRequest) -> web.StreamResponse:
        """The realm that 401 names: a bearer for Basic credentials."""
        if request.method != "GET":
            raise MethodUnsupported(f"{request.method} is not offered here")
        token, seconds = await self._services.gate.login(request.headers.get("Authorization"))
        body = {"token": token, "access_token": token, "expires_in": int(seconds)}
        headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
        return web.Response(body=orjson.dumps(body), headers=headers)

    def _refusal(self, request: web.BaseRequest, error: RegistryError) -> web.StreamResponse:
        headers = {**_API, **error.headers, "Content-Type": "application/json"}
        if error.code is Code.UNAUTHORIZED:
            headers["WWW-Authenticate"] = _challenge(request)
        if (started := sending.started(request)) is not None:
            # Too late for another answer: only a cut tells the client that this one is not whole.
            if request.transport is not None:
                request.transport.abort()
            return started
        response = web.Response(
            status=error.code.value.http, body=orjson.dumps(error.body()), headers=headers
        )
        if request.can_read_body and not request.content.is_eof():
            # What is left of the body would be read as the next request.
            response.force_close()
        return response


def _marked(response: web.StreamResponse) -> web.StreamResponse:
    if not response.prepared:
        response.headers.update(_API)
    return response


def _challenge(request: web.BaseRequest) -> str:
    """Where to get a token, as the client itself named this host."""
    host = names.host(request.headers.get("Host"))
    if host is None:
        return f'Basic realm="{SERVICE}"'
    encrypted = request.transport is not None and request.transport.get_extra_info("sslcontext")
    scheme = "https" if encrypted else "http"
    return f'Bearer realm="{scheme}://{host}/login",service="{SERVICE}"'


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"})


def _method(request: web.BaseRequest) -> str:
    """Bounded: a label's values are kept for ever."""
    return request.method if request.method in _METHODS else "other"

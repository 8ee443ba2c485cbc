"""Certificates for public hosts, made when a client asks for one by name.

A wildcard would do for most domains, but clients refuse one directly under a top-level name such as
`*.localhost`. The hosts share one key, which exists in memory only, as their certificates do.
"""

import asyncio
import os
import ssl
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from snowcave.kit.tasks import background
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh

log = structlog.get_logger()

_REMEMBERED = 1024
_LONGEST_LABEL = 63


class HostCertificates:
    """Answers the name that a TLS client asks for: the `sni_callback` of the port's context."""

    def __init__(self, mesh: Mesh) -> None:
        self._issuer = tls.HostIssuer(mesh.folder("tls"))
        self._suffix = f".{mesh.ingress_domain}".lower()
        self._known: OrderedDict[str, ssl.SSLContext] = OrderedDict()

    def __call__(
        self, connection: ssl.SSLObject, name: str | None, _context: ssl.SSLContext
    ) -> None:
        """Whoever asks for no host of ours gets the port's own certificate."""
        host = (name or "").lower()
        if host.endswith(self._suffix) and is_label(host.removesuffix(self._suffix)):
            connection.context = self._of(host)

    def _of(self, host: str) -> ssl.SSLContext:
        found = self._known.pop(host, None) or _from_memory(self._issuer.issue(host))
        self._known[host] = found
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found


def is_label(text: str) -> bool:
    """What stands before the domain in a host of ours: one label of DNS."""
    plain = text.isascii() and text.replace("-", "a").isalnum()
    return plain and len(text) <= _LONGEST_LABEL


def server_context(certificate: str, key: str | None = None) -> ssl.SSLContext:
    """Paths of PEM files; without `key` the first one holds both."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    context.load_cert_chain(certificate, key)
    return context


@asynccontextmanager
async def kept_current(
    context: ssl.SSLContext, certificate: str, key: str | None, every: float
) -> AsyncGenerator[None]:
    """Whoever replaces the files has the new certificate served: to new connections, without a restart."""
    async with background(_follow(context, certificate, key, every)):
        yield


async def _follow(
    context: ssl.SSLContext, certificate: str, key: str | None, every: float
) -> None:
    files = [Path(path) for path in (certificate, key) if path]
    served = _state(files)
    while True:
        await asyncio.sleep(every)
        found = _state(files)
        if found == served:
            continue
        try:
            server_context(certificate, key)  # a half of a pair must not get into the one in use
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as error:
            log.warning("certificate_not_loaded", path=certificate, error=str(error))
        else:
            served = found
            log.info("certificate_loaded", path=certificate)


def _state(files: list[Path]) -> list[tuple[int, int, int] | None]:
    """Another one where a file was written or replaced."""
    found: list[tuple[int, int, int] | None] = []
    for path in files:
        try:
            stat = path.stat()
        except OSError:
            found.append(None)
        else:
            found.append((stat.st_mtime_ns, stat.st_ino, stat.st_size))
    return found


def _from_memory(pem: bytes) -> ssl.SSLContext:
    # OpenSSL's Python binding reads certificates from files only; this one is on no disk.
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pem)
        return server_context(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)

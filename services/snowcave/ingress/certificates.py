"""Certificates for public hosts, made when a client asks for one by name.

A wildcard would do for most domains, but clients refuse one directly under a top-level name such as
`*.localhost`. The hosts share one key, which exists in memory only, as their certificates do.
"""

import os
import ssl
from collections import OrderedDict

from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh

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


def _from_memory(pem: bytes) -> ssl.SSLContext:
    # OpenSSL's Python binding reads certificates from files only; this one is on no disk.
    descriptor = os.memfd_create("certificate")
    try:
        os.write(descriptor, pem)
        return server_context(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)

"""A TLS client that checks names is content with the certificate of a public host."""

import ssl

import pytest

from snowcave.ingress.main import tls_context
from snowcave.ingress.settings import IngressSettings
from snowcave.runtime import tls
from snowcave.runtime.mesh import Mesh


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Mesh:
    mesh = Mesh(home=tmp_path_factory.mktemp("home"))
    tls.ensure(mesh.folder("tls"))
    return mesh


def shake_hands(mesh: Mesh, server: ssl.SSLContext, asked: str) -> dict[str, object]:
    """The certificate that a client got which asked for a host, checked. Raises SSLError."""
    trusting = ssl.create_default_context(cafile=str(mesh.folder("tls") / "ca.pem"))
    upward, downward = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(downward, upward, server_hostname=asked)
    host = server.wrap_bio(upward, downward, server_side=True)
    waiting = [client, host]
    for _ in range(8):
        for side in list(waiting):
            try:
                side.do_handshake()
                waiting.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not waiting
    return dict(client.getpeercert() or {})


@pytest.mark.parametrize("asked", ["abc-local-snowcave.localhost", "localhost"])
def test_each_host_has_a_certificate_of_its_name(mesh: Mesh, asked: str):
    server = tls_context(IngressSettings(mesh=mesh))
    # Twice: the second time it is known already.
    first = shake_hands(mesh, server, asked)
    again = shake_hands(mesh, server, asked)
    assert first["serialNumber"] == again["serialNumber"]
    assert ("DNS", asked) in first["subjectAltName"]  # pyright: ignore[reportOperatorIssue]


@pytest.mark.parametrize("asked", ["example.com", "a.b.localhost", "local_host.localhost"])
def test_nobody_gets_a_certificate_for_a_name_that_is_not_ours(mesh: Mesh, asked: str):
    server = tls_context(IngressSettings(mesh=mesh))
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(mesh, server, asked)

"""The cluster's certificates: one authority a mesh, one certificate a daemon with its role in it."""

import datetime
import fcntl
import ipaddress
import os
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from snowcave.kit.clock import LoopClock
from snowcave.model.keys import Role

# What containers call the API over TLS (SNOWFLAKE_HOST).
_OTHER_NAMES = {Role.API: ("snowflake.snowflakecomputing.internal",)}
_LIFETIME = datetime.timedelta(days=3650)


def server_name(role: Role) -> str:
    """The DNS name in a role's certificate: clients check that they reached the role they meant."""
    return f"{role}.snowcave.internal"


def ensure(folder: Path) -> None:
    """Make the authority and every role's certificate where they are missing. Safe to run twice at once."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ca.pem").exists():
            _make_authority(folder)
        for role in Role:
            if not (folder / f"{role}.pem").exists():
                _issue(folder, role)


def server_credentials(folder: Path, role: Role) -> grpc.ServerCredentials:
    """Demands a certificate of our authority from every caller."""
    return grpc.ssl_server_credentials(
        [((folder / f"{role}.key").read_bytes(), (folder / f"{role}.pem").read_bytes())],
        root_certificates=(folder / "ca.pem").read_bytes(),
        require_client_auth=True,
    )


def public_credentials(folder: Path, role: Role) -> grpc.ServerCredentials:
    """Asks no caller for a certificate."""
    pair = ((folder / f"{role}.key").read_bytes(), (folder / f"{role}.pem").read_bytes())
    return grpc.ssl_server_credentials([pair])


def channel_credentials(folder: Path, role: Role) -> grpc.ChannelCredentials:
    return grpc.ssl_channel_credentials(
        root_certificates=(folder / "ca.pem").read_bytes(),
        private_key=(folder / f"{role}.key").read_bytes(),
        certificate_chain=(folder / f"{role}.pem").read_bytes(),
    )


def _make_authority(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Snowcave cluster authority")])
    certificate = (
        _builder(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write_pair(folder, "ca", key, certificate)


class HostIssuer:
    """Makes certificates for public host names. They serve, and open nothing: no role is in them."""

    def __init__(self, folder: Path) -> None:
        self._authority = _Authority(folder)
        self._key = ec.generate_private_key(ec.SECP256R1())

    def issue(self, host: str) -> bytes:
        """Key and certificate, PEM."""
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = self._authority.sign("ingress host", self._key, names, usage)
        return _key_pem(self._key) + certificate.public_bytes(serialization.Encoding.PEM)


class _Authority:
    def __init__(self, folder: Path) -> None:
        key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key
        self._certificate = x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes())

    def sign(
        self,
        common_name: str,
        key: ec.EllipticCurvePrivateKey,
        names: x509.SubjectAlternativeName,
        usage: x509.ExtendedKeyUsage,
    ) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        return (
            _builder(subject, self._certificate.subject, key.public_key())
            .add_extension(names, critical=False)
            .add_extension(usage, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )


def _issue(folder: Path, role: Role) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    names = x509.SubjectAlternativeName(
        [
            x509.DNSName(server_name(role)),
            x509.DNSName("localhost"),
            *(x509.DNSName(name) for name in _OTHER_NAMES.get(role, ())),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        ]
    )
    usage = x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    )
    _write_pair(folder, str(role), key, _Authority(folder).sign(str(role), key, names, usage))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = LoopClock().now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _write_pair(
    folder: Path, stem: str, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate
) -> None:
    """Key before certificate, each by rename: a certificate on disk always has its key."""
    for suffix, data in (
        (".key", _key_pem(key)),
        (".pem", certificate.public_bytes(serialization.Encoding.PEM)),
    ):
        temporary = folder / f".{stem}{suffix}"
        with open(temporary, "wb", opener=_private) as file:
            file.write(data)
        temporary.rename(folder / f"{stem}{suffix}")


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

"""RSA and EC public keys as users have them: as they are stored, and their fingerprints. Pure."""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from snowcave.model.errors import PublicKeyInvalid

_FRAME = re.compile(r"-----(?:BEGIN|END) PUBLIC KEY-----|\s")
_SMALLEST = 2048
# What a key of either kind signs with; of EC keys, the curve decides.
_RSA = ("RS256", "RS384", "RS512")
_CURVES = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}

PublicKey = RSAPublicKey | EllipticCurvePublicKey


def normal(text: str) -> str:
    """Base64 of the key's DER on one line, from that or from PEM. Raises PublicKeyInvalid."""
    try:
        der = base64.b64decode(_FRAME.sub("", text), validate=True)
        found = load_der_public_key(der)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise PublicKeyInvalid from None
    if not isinstance(found, (RSAPublicKey, EllipticCurvePublicKey)) or not algorithms(found):
        raise PublicKeyInvalid
    written = found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(written).decode()


def fingerprint(text: str) -> str:
    """`SHA256:…` of a key that `normal` gave."""
    digest = hashlib.sha256(base64.b64decode(text)).digest()
    return "SHA256:" + base64.b64encode(digest).decode()


def key_of(text: str) -> PublicKey:
    """To verify signatures with, of a key that `normal` gave."""
    found = load_der_public_key(base64.b64decode(text))
    if not isinstance(found, (RSAPublicKey, EllipticCurvePublicKey)):
        raise PublicKeyInvalid
    return found


def algorithms(key: PublicKey) -> tuple[str, ...]:
    """Of a JWT's signature; none where the key is too weak or of a curve that no JWT has."""
    if isinstance(key, RSAPublicKey):
        return _RSA if key.key_size >= _SMALLEST else ()
    named = _CURVES.get(key.curve.name)
    return (named,) if named else ()

"""RSA public keys as users have them: as they are stored, and their fingerprints. Pure."""

import base64
import binascii
import hashlib
import re

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
)

from snowcave.model.errors import PublicKeyInvalid

_FRAME = re.compile(r"-----(?:BEGIN|END) PUBLIC KEY-----|\s")
_SMALLEST = 2048


def normal(text: str) -> str:
    """Base64 of the key's DER on one line, from that or from PEM. Raises PublicKeyInvalid."""
    try:
        der = base64.b64decode(_FRAME.sub("", text), validate=True)
        found = load_der_public_key(der)
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        raise PublicKeyInvalid from None
    if not isinstance(found, RSAPublicKey) or found.key_size < _SMALLEST:
        raise PublicKeyInvalid
    written = found.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(written).decode()


def fingerprint(text: str) -> str:
    """`SHA256:…` of a key that `normal` gave."""
    digest = hashlib.sha256(base64.b64decode(text)).digest()
    return "SHA256:" + base64.b64encode(digest).decode()


def key_of(text: str) -> RSAPublicKey:
    """To verify signatures with, of a key that `normal` gave."""
    found = load_der_public_key(base64.b64decode(text))
    if not isinstance(found, RSAPublicKey):
        raise PublicKeyInvalid
    return found

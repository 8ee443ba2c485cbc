"""Random identifiers, from an injected source of chance."""

import random
import secrets
import uuid

_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def system_random() -> random.Random:
    """Unpredictable: for tokens and public labels."""
    return secrets.SystemRandom()


def query_id(rng: random.Random) -> str:
    """A UUID as text: the connectors refuse any other query id."""
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))


def label(rng: random.Random, length: int = 6) -> str:
    """A DNS label that starts with a letter."""
    return rng.choice(_ALPHABET[:26]) + "".join(rng.choice(_ALPHABET) for _ in range(length - 1))


def token(rng: random.Random, bits: int = 256) -> str:
    """Opaque, URL-safe text."""
    return f"{rng.getrandbits(bits):0{bits // 4}x}"


def uid(rng: random.Random) -> int:
    """A positive 53-bit integer: exact in JSON and in every client's number type."""
    return rng.randrange(1 << 20, 1 << 53)

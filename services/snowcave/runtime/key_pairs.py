"""Logins with a key pair: a short-lived JWT that the user signed with their private key. Pure.

`iss` is <account>.<user>.<fingerprint of the public key>, `sub` is <account>.<user>. The account is what
clients were told to call it, so it is not compared.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import jwt

from snowcave.model import public_keys
from snowcave.model.errors import JwtInvalid
from snowcave.v1 import state_pb2 as state

_LONGEST = 16 << 10
# A token lives an hour at most, and clocks differ.
_LIFE = timedelta(hours=1)
_LEEWAY = timedelta(seconds=60)
# Signature alone: times are compared with the clock that is given.
_OPTIONS: dict[str, Any] = {
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
}


def subject(token: str) -> str:
    """The login name that an unverified token claims. Raises JwtInvalid."""
    if len(token) > _LONGEST:
        raise JwtInvalid
    claims = _claims(token)
    account, _, user = str(claims.get("sub", "")).partition(".")
    if not account or not user:
        raise JwtInvalid
    return user


def once(token: str) -> tuple[str, datetime] | None:
    """The name (`jti`) under which a verified token counts once, and until when that must be remembered.

    None where it has no name: then it counts as often as it is shown while it lives, as those of
    Snowflake's own clients do.
    """
    claims = _claims(token)
    name = claims.get("jti")
    if not isinstance(name, str) or not name:
        return None
    return name, datetime.fromtimestamp(float(claims["iat"]), UTC) + _LIFE + _LEEWAY


def _claims(token: str) -> dict[str, Any]:
    """Unverified."""
    try:
        return jwt.decode(token, options=cast(Any, {**_OPTIONS, "verify_signature": False}))
    except jwt.InvalidTokenError:
        raise JwtInvalid from None


def verify(token: str, user: state.User, now: datetime) -> None:
    """Raises JwtInvalid unless one of the user's keys signed the token and it counts at this moment."""
    held = (user.rsa_public_key.text, user.rsa_public_key_2.text)
    if not any(text and _signed(token, text, now) for text in held):
        raise JwtInvalid


def _signed(token: str, key: str, now: datetime) -> bool:
    held = public_keys.key_of(key)
    try:
        claims = jwt.decode(
            token,
            held,
            algorithms=public_keys.algorithms(held),
            options=cast(Any, {**_OPTIONS, "require": ["iss", "sub", "iat", "exp"]}),
        )
    except jwt.InvalidTokenError:
        return False
    return _names_key(claims, key) and _counts(claims, now)


def _names_key(claims: dict[str, Any], key: str) -> bool:
    return claims["iss"] == f"{claims['sub']}.{public_keys.fingerprint(key)}"


def _counts(claims: dict[str, Any], now: datetime) -> bool:
    try:
        issued = datetime.fromtimestamp(float(claims["iat"]), UTC)
        expires = datetime.fromtimestamp(float(claims["exp"]), UTC)
        begins = datetime.fromtimestamp(float(claims.get("nbf", claims["iat"])), UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return False
    return max(issued, begins) - _LEEWAY <= now < min(expires, issued + _LIFE) + _LEEWAY

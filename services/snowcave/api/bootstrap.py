"""The first start: system roles, the administrator, and the system's own database.

One transaction, so of two replicas that start at once one does it all and the other nothing.
"""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import structlog
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError
from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.kit import ids
from snowcave.kit.clock import Clock
from snowcave.model import keys
from snowcave.store.api import Compare, Put, Store, Write
from snowcave.v1 import state_pb2 as state

log = structlog.get_logger()

ADMIN = "ADMIN"
ACCOUNTADMIN = "ACCOUNTADMIN"
# Each role with the roles that are granted to it.
SYSTEM_ROLES = {
    ACCOUNTADMIN: ("SECURITYADMIN", "SYSADMIN"),
    "SECURITYADMIN": ("USERADMIN",),
    "USERADMIN": (),
    "SYSADMIN": (),
    "PUBLIC": (),
}
DATABASE = "SNOWFLAKE"
SCHEMAS = ("TELEMETRY", "IMAGES")
PASSWORD_FILE = "admin.password"  # the file's name, not a password

_ACCOUNT = 0
_PASSWORD_BITS = 96


async def bootstrap(store: Store, home: Path, rng: random.Random, clock: Clock) -> bool:
    """Whether this was the first start."""
    first = keys.NAMES.key("role", _ACCOUNT, ACCOUNTADMIN)
    if await store.get(first) is not None:
        return False
    password, made = _password(home / PASSWORD_FILE, rng)
    now = Timestamp()
    now.FromDatetime(clock.now())
    writes = list(_writes(PasswordHasher().hash(password), rng, now))
    result = await store.txn([Compare(first, mod_revision=0)], writes)
    if not result.succeeded and made and not await _counts(store, password):
        # Another replica with a home of its own was first, and its password counts.
        (home / PASSWORD_FILE).unlink(missing_ok=True)
    if result.succeeded:
        log.info("catalog_created", roles=len(SYSTEM_ROLES), user=ADMIN)
    return result.succeeded


async def _counts(store: Store, password: str) -> bool:
    """Whether it is the administrator's: of two replicas that share a home, both use the one file."""
    named = await store.get(keys.NAMES.key("user", _ACCOUNT, ADMIN))
    uid = state.NameEntry.FromString(named.value).uid if named else 0
    kept = await store.get(keys.CATALOG.key("user", uid))
    admin = state.Object.FromString(kept.value) if kept else state.Object()
    try:
        return PasswordHasher().verify(admin.user.password_hash, password)
    except (Argon2Error, InvalidHashError):
        return False


def _password(path: Path, rng: random.Random) -> tuple[str, bool]:
    """The password in the file, and whether it was made just now. Nobody else may read it.

    The file is whole and on disk before its name is there: an empty one would be an empty password.
    """
    if path.exists():
        if known := path.read_text().strip():
            return known, False
        path.unlink()
    password = ids.token(rng, _PASSWORD_BITS)
    unnamed = path.with_name(f"{path.name}.{os.getpid()}")
    with open(unnamed, "w", opener=_private) as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(unnamed)
    except FileExistsError:
        return path.read_text().strip(), False
    finally:
        unnamed.unlink()
    return password, True


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _writes(password_hash: str, rng: random.Random, now: Timestamp) -> Iterator[Write]:
    roles = {name: ids.uid(rng) for name in SYSTEM_ROLES}
    owner = roles[ACCOUNTADMIN]
    for name, uid in roles.items():
        body = state.Object(uid=uid, name=name, role=state.Role(system=True))
        yield from _created("role", body, now)
    for name, held in SYSTEM_ROLES.items():
        for one in held:
            yield _granted("role", roles[name], roles[one], now)
    admin = state.Object(
        uid=ids.uid(rng),
        name=ADMIN,
        owner_role=owner,
        user=state.User(login_name=ADMIN, default_role=ACCOUNTADMIN, password_hash=password_hash),
    )
    yield from _created("user", admin, now)
    yield _granted("user", admin.uid, owner, now)
    database = state.Object(
        uid=ids.uid(rng), name=DATABASE, owner_role=owner, database=state.Database()
    )
    yield from _created("database", database, now)
    for name in SCHEMAS:
        label = ids.label(rng)
        schema = state.Object(
            uid=ids.uid(rng),
            name=name,
            parent=database.uid,
            owner_role=owner,
            schema=state.Schema(dns_hash=label),
        )
        yield from _created("schema", schema, now)
        entry = state.NameEntry(uid=schema.uid)
        yield Put(keys.NAMES.key("dns_hash", _ACCOUNT, label), entry.SerializeToString())


def _created(domain: str, body: state.Object, now: Timestamp) -> Iterator[Write]:
    body.created_on.CopyFrom(now)
    body.updated_on.CopyFrom(now)
    yield Put(keys.CATALOG.key(domain, body.uid), body.SerializeToString())
    entry = state.NameEntry(uid=body.uid)
    yield Put(keys.NAMES.key(domain, body.parent, body.name), entry.SerializeToString())


def _granted(kind: str, grantee: int, role: int, now: Timestamp) -> Write:
    grant = state.Grant(
        grantee_kind=kind,
        grantee=grantee,
        domain="role",
        securable=role,
        privilege="USAGE",
        created_on=now,
    )
    key = keys.GRANTS.key(kind, grantee, "role", role, "USAGE")
    return Put(key, grant.SerializeToString())

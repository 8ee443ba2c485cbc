"""What is known of callers: changes of four prefixes count, and roles have privileges in the account."""

import pytest
from google.protobuf.message import Message

from snowcave.kit.clock import LoopClock
from snowcave.model import keys
from snowcave.model.keys import KeySpace, Role
from snowcave.runtime.identity import Identity
from snowcave.v1 import state_pb2 as state
from tests.kit.fed_mirrors import mirror, put
from tests.kit.memory_store import MemoryStore

PUBLISHING = "BIND SERVICE ENDPOINT"
OWNER, PARENT, PUBLIC, ADMIN = 1, 2, 3, 4


class Known:
    def __init__(self) -> None:
        self.catalog = mirror(keys.CATALOG)
        self.grants = mirror(keys.GRANTS)
        self.tokens = mirror(keys.SESSION_TOKENS)
        self.sessions = mirror(keys.SESSIONS)
        self.identity = Identity(
            self.catalog,
            self.grants,
            self.tokens,
            self.sessions,
            MemoryStore(Role.INGRESS),
            LoopClock(),
        )
        names = ("OWNER", "PARENT", "PUBLIC", "ACCOUNTADMIN")
        for uid, name in enumerate(names, OWNER):
            put(self.catalog, keys.CATALOG, state.Object(uid=uid, name=name), "role", uid)

    def grant(self, role: int, domain: str, securable: int, privilege: str) -> None:
        grant = state.Grant(
            grantee_kind="role",
            grantee=role,
            domain=domain,
            securable=securable,
            privilege=privilege,
        )
        put(self.grants, keys.GRANTS, grant, "role", role, domain, securable, privilege)


@pytest.mark.parametrize(
    ("name", "space", "message", "parts"),
    [
        ("catalog", keys.CATALOG, state.Object(uid=9), ("user", 9)),
        ("grants", keys.GRANTS, state.Grant(), ("user", 9, "role", 1, "USAGE")),
        ("tokens", keys.SESSION_TOKENS, state.SessionToken(), ("abc",)),
        ("sessions", keys.SESSIONS, state.Session(), (5,)),
    ],
)
async def test_every_change_is_counted(
    name: str, space: KeySpace[Message], message: Message, parts: tuple[object, ...]
):
    known = Known()
    seen = [known.identity.generation]
    for value in (message, None):
        put(getattr(known, name), space, value, *parts)
        seen.append(known.identity.generation)
    assert seen == sorted(set(seen))


async def test_a_role_has_what_it_was_granted_itself_or_by_another_role():
    known = Known()
    assert not known.identity.may_in_account(OWNER, PUBLISHING)
    known.grant(OWNER, "role", PARENT, "USAGE")
    assert not known.identity.may_in_account(OWNER, PUBLISHING)
    known.grant(PARENT, "account", 0, PUBLISHING)
    assert known.identity.may_in_account(OWNER, PUBLISHING)
    assert not known.identity.may_in_account(OWNER, "CREATE COMPUTE POOL")


async def test_what_everybody_has_and_the_administrator_count_too():
    known = Known()
    assert known.identity.may_in_account(ADMIN, PUBLISHING)
    known.grant(PUBLIC, "account", 0, PUBLISHING)
    assert known.identity.may_in_account(OWNER, PUBLISHING)

"""Who gets in by what they show: locks after wrong passwords, tokens that give no more than they are of."""

import asyncio
import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from snowcave.model.errors import LoginFailed, SessionGone
from snowcave.registry.access import Gate, User
from snowcave.registry.errors import Unauthorized
from snowcave.registry.settings import Passwords, RegistrySettings
from snowcave.registry.tokens import Sealer
from snowcave.runtime.identity import Principal
from snowcave.runtime.mesh import Mesh

BOTH, ONE = frozenset({1, 2}), frozenset({2})


class SetClock:
    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self) -> float:
        return self.at.timestamp()

    def now(self) -> datetime:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Identity:
    """BOB, with a password and a token that counts for role 2 alone."""

    access: Any = None
    is_there: bool = True

    async def by_password(self, user: str, password: str) -> Principal:
        await asyncio.sleep(0)
        restriction = {"right": 0, "narrow token": 2}.get(password)
        if restriction is None:
            raise LoginFailed
        return self.of_user(7, restriction)

    async def by_token(self, token: str) -> Principal:
        raise SessionGone

    def of_user(self, uid: int, restriction: int = 0) -> Principal:
        if not self.is_there:
            raise SessionGone
        roles = ONE if restriction else BOTH
        return Principal(uid, "BOB", None, "", roles, role_restriction=restriction)


@dataclass
class Entrance:
    gate: Gate
    clock: SetClock
    identity: Identity

    async def basic(self, password: str) -> User:
        return cast(User, await self.gate.caller(header(password)))


def header(password: str) -> str:
    return "Basic " + base64.b64encode(f"bob:{password}".encode()).decode()


@pytest.fixture
def entrance(tmp_path: Path) -> Entrance:
    clock, identity = SetClock(), Identity()
    settings = RegistrySettings(Mesh(home=tmp_path), passwords=Passwords(attempts=3, lock=60.0))
    sealer = Sealer(bytes(range(32)), clock)
    gate = Gate(identity, cast(Any, None), sealer, settings, clock)
    return Entrance(gate, clock, identity)


async def test_wrong_passwords_lock_their_user_for_a_while(entrance: Entrance) -> None:
    assert (await entrance.basic("right")).roles == BOTH
    for _ in range(3):
        with pytest.raises(Unauthorized):
            await entrance.basic("wrong")
    with pytest.raises(Unauthorized, match="locked"):
        await entrance.basic("right")
    entrance.clock.at += timedelta(seconds=60)
    assert (await entrance.basic("right")).name == "BOB"


async def test_passwords_tried_at_once_lock_their_user_as_well(entrance: Entrance) -> None:
    tried = ["wrong"] * 5 + ["right"]
    told = await asyncio.gather(*map(entrance.basic, tried), return_exceptions=True)
    assert ["locked" in str(one) for one in told] == [False] * 3 + [True] * 3


async def test_a_bearer_gives_no_more_roles_than_what_it_was_had_for(entrance: Entrance) -> None:
    for password, roles in (("narrow token", ONE), ("right", BOTH)):
        bearer, _ = await entrance.gate.login(header(password))
        caller = await entrance.gate.caller(f"Bearer {bearer}")
        assert isinstance(caller, User)
        assert caller.roles == roles


async def test_a_bearer_ends_with_its_user(entrance: Entrance) -> None:
    bearer, _ = await entrance.gate.login(header("right"))
    entrance.identity.is_there = False
    with pytest.raises(Unauthorized):
        await entrance.gate.caller(f"Bearer {bearer}")

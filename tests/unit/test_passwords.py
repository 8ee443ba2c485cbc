"""Passwords that match, and what is remembered of them."""

import asyncio

from argon2 import PasswordHasher

from snowcave.model.errors import Exhausted
from snowcave.runtime.passwords import Passwords

CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


async def test_a_password_that_was_right_counts_for_its_user_and_its_hash_alone():
    passwords, stored = Passwords(), CHEAP.hash("Secret-1")
    for _ in range(2):
        assert await passwords.match("BOB", stored, "Secret-1")
        assert not await passwords.match("BOB", stored, "Secret-2")
        assert not await passwords.match("BOB", CHEAP.hash("Secret-2"), "Secret-1")


async def test_nothing_is_the_password_of_a_user_without_one():
    passwords = Passwords()
    for stored in ("", "no hash"):
        for password in ("", "Secret-1"):
            assert not await passwords.match("BOB", stored, password)


async def test_only_so_many_wait_and_those_who_were_right_before_need_not():
    passwords, stored = Passwords(), CHEAP.hash("Secret-1")
    assert await passwords.match("BOB", stored, "Secret-1")
    wrong = [passwords.match("BOB", stored, f"wrong-{number}") for number in range(300)]
    told = await asyncio.gather(
        *wrong, passwords.match("BOB", stored, "Secret-1"), return_exceptions=True
    )
    assert told.pop() is True
    refused = [one for one in told if isinstance(one, Exhausted)]
    assert 0 < len(refused) < len(told)
    assert not await passwords.match("BOB", stored, "wrong")

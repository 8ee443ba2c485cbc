"""The way out past a firewall of iptables, such as Docker's, which drops what it does not know.

Owns two rules at the end of FORWARD, so that everything that stands before them, the machine's own rules
included, still decides first. They need not be written again when Docker comes later: its chains go first,
and what they do not drop gets to ours.
"""

import shutil

import structlog

from snowcave.kit.clock import Clock
from snowcave.model.errors import SnowcaveError, Unavailable
from snowcave.runtime.commands import run

log = structlog.get_logger()

_IPTABLES = ("iptables", "--wait", "5")


async def open_way_out(link: str) -> None:
    """May be repeated. Nothing where there is no iptables: then none of its rules stands in the way."""
    if shutil.which(_IPTABLES[0]) is None:
        return
    for rule in rules(link):
        if not await _stands(rule):
            await run(*_IPTABLES, "-A", "FORWARD", *rule)


async def keep_open(link: str, every: float, clock: Clock) -> None:
    """Endless. Whoever loads the machine's firewall anew takes our rules away with it."""
    while True:
        await clock.sleep(every)
        try:
            await open_way_out(link)
        except SnowcaveError as error:
            log.warning("way_out_not_opened", reason=str(error))


async def close_way_out(link: str) -> None:
    if shutil.which(_IPTABLES[0]) is None:
        return
    for rule in rules(link):
        while await _stands(rule):
            await run(*_IPTABLES, "-D", "FORWARD", *rule)


def rules(link: str) -> tuple[tuple[str, ...], ...]:
    """What comes from the fabric, which our own table has looked at, and the answers to it."""
    answers = ("-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED")
    return (("-i", link, "-j", "ACCEPT"), ("-o", link, *answers, "-j", "ACCEPT"))


async def _stands(rule: tuple[str, ...]) -> bool:
    try:
        await run(*_IPTABLES, "-C", "FORWARD", *rule)
    except Unavailable:
        return False
    return True

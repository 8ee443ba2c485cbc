"""Pure: the text that nft reads, for the whole table of a node or for a change to it.

Order and hooks were proved with real containers; docs/network.md explains every chain. A rule must end
by a newline before its brace, and some words (in, out, fwd) may not name a chain.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from snowcave.agent.network.callers import ANYBODY, RoleUid
from snowcave.agent.network.egress import ANY_HOST
from snowcave.agent.network.frame import ANYBODY_MARK, TABLE, NodePlace, frame
from snowcave.agent.network.resolvers import Replica, alive, spread
from snowcave.agent.network.rules import Address, Difference, ServiceRules

# Elements a line; nft reads long lines in quadratic time in some versions.
_BATCH = 500


@dataclass
class Marks:
    """Uids are longer than a packet mark: each role or service that is seen gets a small number, for good."""

    _given: dict[int, int] = field(default_factory=dict[int, int])

    def of(self, uid: int) -> int:
        if uid == ANYBODY:
            return ANYBODY_MARK
        return self._given.setdefault(uid, len(self._given) + 1)


def whole(
    place: NodePlace,
    rules: ServiceRules,
    marks: Marks,
    replicas: tuple[Replica, ...] = (),
) -> str:
    """Replaces the table in one transaction; established connections do not notice."""
    return (
        f"table {TABLE}\ndelete table {TABLE}\n"
        + frame(place)
        + _additions(rules, marks)
        + _ranges(rules.ranges, marks)
        + spread(replicas or alive(place, ()))
    )


def change(
    difference: Difference,
    marks: Marks,
    ranges: Iterable[tuple[RoleUid, Address, int, int]],
) -> str:
    """One transaction that makes the difference. `ranges` is all there are afterwards, of all services."""
    removed, added = difference.removed, difference.added
    kept = removed.translated.keys() & added.translated.keys()
    gone = removed.translated.keys() - kept
    text = _elements("delete", "vips", (f"{a} . {p}" for a, p in sorted(gone)))
    for key in sorted(gone):
        text += f"flush chain {TABLE} {_chain(key)}\ndelete chain {TABLE} {_chain(key)}\n"
    text += _elements("delete", "owner", sorted(removed.owners))
    text += _elements("delete", "self", (f"{a} . {a}" for a in sorted(removed.local)))
    text += _elements("delete", "allowed", _allowed(removed, marks))
    text += _closings(removed, marks)
    for key in sorted(kept):
        text += f"flush chain {TABLE} {_chain(key)}\n{_balance(key, added.translated[key])}"
    text += _additions(added, marks, already=frozenset(kept))
    if removed.ranges or added.ranges:
        text += f"flush chain {TABLE} ranges\nflush chain {TABLE} ranges_reply\n"
        text += _ranges(ranges, marks)
    return text


def _additions(
    rules: ServiceRules, marks: Marks, already: frozenset[tuple[Address, int]] = frozenset()
) -> str:
    owners = (f"{address} : {marks.of(role)}" for address, role in sorted(rules.owners.items()))
    text = _elements("add", "owner", owners)
    text += _elements("add", "self", (f"{a} . {a}" for a in sorted(rules.local)))
    text += _elements("add", "allowed", _allowed(rules, marks))
    text += _ways_out(rules, marks)
    new = sorted(rules.translated.keys() - already)
    for key in new:
        text += f"add chain {TABLE} {_chain(key)}\n{_balance(key, rules.translated[key])}"
    return text + _elements("add", "vips", (f"{a} . {p} : goto {_chain((a, p))}" for a, p in new))


def _allowed(rules: ServiceRules, marks: Marks) -> Iterable[str]:
    return (f"{marks.of(role)} . {a} . {port}" for role, a, port in sorted(rules.allowed))


def _ways_out(rules: ServiceRules, marks: Marks) -> str:
    leavers = (f"{a} : {marks.of(service)}" for a, service in sorted(rules.leavers.items()))
    text = _elements("add", "leaver", leavers) + _elements("add", "held", _held(rules, marks))
    for name, listed in _openings(rules, marks).items():
        text += _elements("add", name, (f"{key} : {number}" for key, number in listed))
    return text


def _closings(rules: ServiceRules, marks: Marks) -> str:
    text = _elements("delete", "leaver", sorted(rules.leavers))
    text += _elements("delete", "held", _held(rules, marks))
    for name, listed in _openings(rules, marks).items():
        text += _elements("delete", name, (key for key, _ in listed))
    return text


def _held(rules: ServiceRules, marks: Marks) -> Iterable[str]:
    return (f"{marks.of(service)} . {number}" for service, number in sorted(rules.held))


def _openings(rules: ServiceRules, marks: Marks) -> dict[str, list[tuple[str, int]]]:
    """Elements with their numbers, by the map that they belong to."""
    found: dict[str, list[tuple[str, int]]] = {"outside": [], "everywhere": []}
    for (service, address, port), number in sorted(rules.openings.items()):
        mark = marks.of(service)
        if address == ANY_HOST:
            found["everywhere"].append((f"{mark} . {port}", number))
        else:
            found["outside"].append((f"{mark} . {address} . {port}", number))
    return found


def _elements(verb: str, name: str, elements: Iterable[str]) -> str:
    listed = list(elements)
    return "".join(
        f"{verb} element {TABLE} {name} {{ {', '.join(listed[at : at + _BATCH])} }}\n"
        for at in range(0, len(listed), _BATCH)
    )


def _ranges(ranges: Iterable[tuple[RoleUid, Address, int, int]], marks: Marks) -> str:
    text = ""
    for role, address, first, last in sorted(ranges):
        mark = marks.of(role)
        text += (
            f"add rule {TABLE} ranges "
            f"meta mark {mark} ip daddr {address} tcp dport {first}-{last} accept\n"
            f"add rule {TABLE} ranges_reply "
            f"meta mark {mark} ip saddr {address} tcp sport {first}-{last} accept\n"
        )
    return text


def _balance(key: tuple[Address, int], backends: tuple[Address, ...]) -> str:
    if len(backends) == 1:
        target = backends[0]
    else:
        choice = ", ".join(f"{number} : {address}" for number, address in enumerate(backends))
        target = f"numgen random mod {len(backends)} map {{ {choice} }}"
    return f"add rule {TABLE} {_chain(key)} dnat to {target}\n"


def _chain(key: tuple[Address, int]) -> str:
    address, port = key
    return f"vip_{address.replace('.', '_')}_{port}"

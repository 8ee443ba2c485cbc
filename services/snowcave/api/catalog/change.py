"""A change to the catalog: one transaction, or nothing.

Every object, name and grant that a decision was based on is compared with what the decision saw, so two
statements at once never both succeed where one of them alone would have been refused.
"""

from collections.abc import Iterator

from google.protobuf.timestamp_pb2 import Timestamp

from snowcave.model import keys
from snowcave.store.api import Compare, Delete, Put, Write
from snowcave.store.mirror import Entry
from snowcave.v1 import state_pb2 as state


def name_of(found: state.Object) -> str:
    """What the name key says: overloads of a function differ in it."""
    if found.WhichOneof("body") != "function":
        return found.name
    types = ", ".join(argument.type.partition("(")[0] for argument in found.function.arguments)
    return f"{found.name}({types})"


def domain_of(found: state.Object) -> str:
    domain = found.WhichOneof("body")
    if domain is None:
        raise ValueError(f"object {found.uid} has no body")
    return domain


def grant_key(grant: state.Grant) -> str:
    """Service roles have their name where other grants have the privilege; future grants say so."""
    privilege = grant.service_role or grant.privilege
    domain = f"future_{grant.domain}" if grant.future_in else grant.domain
    return keys.GRANTS.key(grant.grantee_kind, grant.grantee, domain, grant.securable, privilege)


class Change:
    """Collects compares and writes; the first write decides who is first in line for the name."""

    def __init__(self) -> None:
        self.compares: dict[str, Compare] = {}
        self.writes: dict[str, Write] = {}

    def __bool__(self) -> bool:
        return bool(self.writes)

    def create(self, made: state.Object) -> None:
        """A new object under a name that nobody has, or whose holder this change unnames."""
        domain = domain_of(made)
        name_key = keys.NAMES.key(domain, made.parent, name_of(made))
        if name_key not in self.compares:
            self.compares[name_key] = Compare(name_key, mod_revision=0)
        object_key = keys.CATALOG.key(domain, made.uid)
        self.compares[object_key] = Compare(object_key, mod_revision=0)
        self._put(name_key, state.NameEntry(uid=made.uid).SerializeToString())
        self._put(object_key, made.SerializeToString())
        if domain == "schema":
            self._claim_label(made)

    def reuse_name(
        self,
        made: state.Object,
        name: Entry[state.NameEntry] | None,
        holder: Entry[state.Object] | None,
    ) -> None:
        """Before `create`: the name key is there, but what it names is gone, or `holder` is out of sight.

        That is compared, too: it may be so new that only its name has reached us.
        """
        if name is None:
            return
        domain = domain_of(made)
        key = keys.NAMES.key(domain, made.parent, name_of(made))
        self.compares[key] = Compare(key, mod_revision=name.mod_revision)
        held = keys.CATALOG.key(domain, name.message.uid)
        self.compares[held] = Compare(held, mod_revision=holder.mod_revision if holder else 0)

    def update(self, seen: Entry[state.Object], changed: state.Object) -> None:
        key = keys.CATALOG.key(domain_of(changed), changed.uid)
        self.compares[key] = Compare(key, mod_revision=seen.mod_revision)
        self._put(key, changed.SerializeToString())

    def rename(self, seen: Entry[state.Object], changed: state.Object) -> None:
        """As update, where the name or the parent is another one."""
        domain = domain_of(changed)
        old = keys.NAMES.key(domain, seen.message.parent, name_of(seen.message))
        new = keys.NAMES.key(domain, changed.parent, name_of(changed))
        self.compares[new] = Compare(new, mod_revision=0)
        self.writes[old] = Delete(old)
        self._put(new, state.NameEntry(uid=changed.uid).SerializeToString())
        self.update(seen, changed)

    def unname(self, seen: Entry[state.Object], name: Entry[state.NameEntry] | None) -> None:
        """Give the name free; the object itself is up to the caller."""
        if name is None or name.message.uid != seen.message.uid:
            return
        found = seen.message
        key = keys.NAMES.key(domain_of(found), found.parent, name_of(found))
        self.compares[key] = Compare(key, mod_revision=name.mod_revision)
        self.writes[key] = Delete(key)
        if domain_of(found) == "schema":
            self.give_label_free(found)

    def give_label_free(self, schema: state.Object) -> None:
        label = _label_key(schema)
        self.writes[label] = Delete(label)

    def bury(
        self, seen: Entry[state.Object], name: Entry[state.NameEntry] | None, now: Timestamp
    ) -> None:
        """Two writes, whatever it holds: the name is free, and the object with all in it is out of sight.

        Everything stays as it is, grants and the label in DNS too, until UNDROP or the end of its retention.
        """
        if name is not None and name.message.uid == seen.message.uid:
            key = keys.NAMES.key(domain_of(seen.message), seen.message.parent, seen.message.name)
            self.compares[key] = Compare(key, mod_revision=name.mod_revision)
            self.writes[key] = Delete(key)
        gone = state.Object()
        gone.CopyFrom(seen.message)
        gone.dropped_on.CopyFrom(now)
        self.update(seen, gone)

    def raise_up(self, seen: Entry[state.Object], now: Timestamp) -> None:
        """The opposite of `bury`, under a name that nobody has."""
        back = state.Object()
        back.CopyFrom(seen.message)
        back.ClearField("dropped_on")
        back.updated_on.CopyFrom(now)
        key = keys.NAMES.key(domain_of(back), back.parent, back.name)
        self.compares[key] = Compare(key, mod_revision=0)
        self._put(key, state.NameEntry(uid=back.uid).SerializeToString())
        self.update(seen, back)

    def delete(self, seen: Entry[state.Object]) -> None:
        key = keys.CATALOG.key(domain_of(seen.message), seen.message.uid)
        self.compares[key] = Compare(key, mod_revision=seen.mod_revision)
        self.writes[key] = Delete(key)

    def stands(self, seen: Entry[state.Object]) -> None:
        """The object must still be there, and not dropped, when the change is made."""
        key = keys.CATALOG.key(domain_of(seen.message), seen.message.uid)
        self.compares.setdefault(key, Compare(key, mod_revision=seen.mod_revision))

    def grant(self, grant: state.Grant) -> None:
        self._put(grant_key(grant), grant.SerializeToString())

    def revoke(self, grant: state.Grant) -> None:
        key = grant_key(grant)
        self.writes[key] = Delete(key)

    def batches(self, size: int) -> Iterator[tuple[list[Compare], list[Write]]]:
        """Transactions of at most `size` writes, each of which compares what it writes; the first one also
        what is only looked at.

        More than one there are where a role is dropped that owns much: what it owns is handed on first and
        the role goes with the last, so that a statement which ends in between may be said again.
        """
        writes = sorted(self.writes.values(), key=_urgency)
        for start in range(0, len(writes), size):
            part = writes[start : start + size]
            mine = {write.key for write in part}
            yield (
                [
                    one
                    for key, one in self.compares.items()
                    if key in mine or (start == 0 and key not in self.writes)
                ],
                part,
            )

    def put(self, key: str, value: bytes) -> None:
        """A key beside the catalog's, which nobody else can have written."""
        self._put(key, value)

    def _put(self, key: str, value: bytes) -> None:
        self.writes[key] = Put(key, value)

    def _claim_label(self, schema: state.Object) -> None:
        key = _label_key(schema)
        self.compares[key] = Compare(key, mod_revision=0)
        self._put(key, state.NameEntry(uid=schema.uid).SerializeToString())


def _label_key(schema: state.Object) -> str:
    return keys.NAMES.key("dns_hash", 0, schema.schema.dns_hash)


def _urgency(write: Write) -> int:
    if isinstance(write, Put):
        return 0
    return 1 if write.key.startswith(keys.NAMES.prefix) else 2

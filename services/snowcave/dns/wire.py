"""DNS messages as bytes, as far as answers of other resolvers have to be kept and given again. Pure.

dnslib would take such an answer apart and put it together anew; here its TTLs are found and written over,
and everything else stays as it came. What cannot be read raises Unreadable.
"""

import struct
from dataclasses import dataclass

_HEADER = struct.Struct("!HHHHHH")
_RECORD = struct.Struct("!HHIH")
HEADER = _HEADER.size
_POINTER = 0xC0
_OPT, _SOA = 41, 6
_TRUNCATED, _RECURSION_DESIRED, _CHECKING_DISABLED, _RESPONSE = 0x0200, 0x0100, 0x0010, 0x8000
_DNSSEC_OK = 0x8000
_RCODE = 0x000F
# What a client without EDNS takes over UDP.
_OLDEST_LIMIT = 512


class Unreadable(ValueError):
    """Bytes that are no message, or one that nobody should be given again."""


@dataclass(frozen=True, slots=True)
class Question:
    """`text` is name, type and class as they were asked, in the asker's own spelling."""

    identity: bytes
    text: bytes
    recursion_desired: bool
    checking_disabled: bool
    # None: the asker speaks no EDNS.
    udp_size: int | None = None
    dnssec_ok: bool = False

    @property
    def key(self) -> bytes:
        """Equal for questions that one answer serves."""
        flags = self.recursion_desired | self.checking_disabled << 1 | self.dnssec_ok << 2
        return bytes((flags,)) + self.text.lower()


@dataclass(frozen=True, slots=True)
class Record:
    """Where in the message a record begins and ends."""

    type: int
    begin: int
    ttl_at: int
    ttl: int
    end: int


@dataclass(frozen=True, slots=True)
class Message:
    """Of an answer: its bytes without EDNS, and where its TTLs stand."""

    content: bytes
    rcode: int
    is_truncated: bool
    answers: tuple[Record, ...]
    records: tuple[Record, ...]

    @property
    def ttl(self) -> int | None:
        """How long it may be kept, as its records say. None: they say nothing."""
        if self.answers:
            return min(record.ttl for record in self.answers)
        # That there is nothing: for as long as the zone says (its last field, and the record's own TTL).
        soas = [record for record in self.records if record.type == _SOA]
        return min((min(s.ttl, self._number(s.end - 4)) for s in soas), default=None)

    @property
    def data(self) -> frozenset[bytes]:
        """What the answers say, in whatever order and for however long."""
        return frozenset(self.content[record.ttl_at + 4 : record.end] for record in self.answers)

    def _number(self, at: int) -> int:
        return int.from_bytes(self.content[at : at + 4], "big")


def read_question(message: bytes) -> Question:
    """Of a message that was found to have one question and at most one OPT record."""
    identity, flags, questions, *counts = _header(message)
    end = _name_end(message, HEADER, compressed=False) + 4
    if questions != 1 or end > len(message):
        raise Unreadable("not one question")
    options = [record for record in _records(message, end, sum(counts)) if record.type == _OPT]
    size = _class_of(message, options[0]) if options else None
    return Question(
        identity=identity.to_bytes(2, "big"),
        text=message[HEADER:end],
        recursion_desired=bool(flags & _RECURSION_DESIRED),
        checking_disabled=bool(flags & _CHECKING_DISABLED),
        udp_size=size,
        dnssec_ok=bool(options and options[0].ttl & _DNSSEC_OK),
    )


def asked_anew(question: Question, udp_size: int) -> bytes:
    """The question as we ask it ourselves, with EDNS whoever asks us: everybody gets the same answer."""
    flags = question.recursion_desired * _RECURSION_DESIRED
    flags |= question.checking_disabled * _CHECKING_DISABLED
    header = _HEADER.pack(int.from_bytes(question.identity, "big"), flags, 1, 0, 0, 1)
    return header + question.text + _options(udp_size, question.dnssec_ok)


def read_answer(message: bytes, question: Question) -> Message:
    _, flags, questions, answers, authorities, others = _header(message)
    if not flags & _RESPONSE:
        raise Unreadable("no answer")
    if questions != 1 or message[HEADER:][: len(question.text)].lower() != question.text.lower():
        raise Unreadable("the answer to another question")
    begin = HEADER + len(question.text)
    records = _records(message, begin, answers + authorities + others)
    content = message[: records[-1].end if records else begin]
    if records and records[-1].type == _OPT:
        content = content[: records.pop().begin]
        others -= 1
    if any(record.type == _OPT for record in records):
        raise Unreadable("EDNS in the middle")
    counts = _HEADER.pack(0, flags, 1, answers, authorities, others)
    return Message(
        content=counts + content[HEADER:],
        rcode=flags & _RCODE,
        is_truncated=bool(flags & _TRUNCATED),
        answers=tuple(records[:answers]),
        records=tuple(records),
    )


def given(
    message: Message, question: Question, *, age: float, limit: int | None, udp_size: int
) -> bytes:
    """The answer for one asker, `age` seconds old; cut off where it is longer than `limit` allows."""
    content = bytearray(message.content)
    content[:2] = question.identity
    content[HEADER : HEADER + len(question.text)] = question.text
    for record in message.records:
        left = max(1, record.ttl - int(age)) if record.ttl else 0
        content[record.ttl_at : record.ttl_at + 4] = left.to_bytes(4, "big")
    options = b"" if question.udp_size is None else _options(udp_size, question.dnssec_ok)
    content[10:12] = (int.from_bytes(content[10:12], "big") + bool(options)).to_bytes(2, "big")
    if limit is None or len(content) + len(options) <= limit:
        return bytes(content) + options
    flags = int.from_bytes(content[2:4], "big") | _TRUNCATED
    identity = int.from_bytes(question.identity, "big")
    return _HEADER.pack(identity, flags, 1, 0, 0, bool(options)) + question.text + options


def udp_limit(question: Question, most: int) -> int:
    """How long an answer this asker takes over UDP; `most` is what fits every link."""
    return max(_OLDEST_LIMIT, min(question.udp_size or 0, most))


def _header(message: bytes) -> tuple[int, ...]:
    if len(message) < HEADER:
        raise Unreadable("too short")
    return _HEADER.unpack_from(message)


def _records(message: bytes, at: int, count: int) -> list[Record]:
    found: list[Record] = []
    for _ in range(count):
        begin, at = at, _name_end(message, at)
        if at + _RECORD.size > len(message):
            raise Unreadable("a record is cut off")
        kind, _, ttl, length = _RECORD.unpack_from(message, at)
        end = at + _RECORD.size + length
        if end > len(message):
            raise Unreadable("a record is cut off")
        found.append(Record(kind, begin, at + 4, ttl, end))
        at = end
    return found


def _name_end(message: bytes, at: int, *, compressed: bool = True) -> int:
    while at < len(message):
        length = message[at]
        if not length:
            return at + 1
        if length & _POINTER:
            if not compressed or length & _POINTER != _POINTER:
                break
            return at + 2
        at += length + 1
    raise Unreadable("no name")


def _class_of(message: bytes, record: Record) -> int:
    return int.from_bytes(message[record.ttl_at - 2 : record.ttl_at], "big")


def _options(udp_size: int, dnssec_ok: bool) -> bytes:
    return b"\0" + _RECORD.pack(_OPT, udp_size, dnssec_ok * _DNSSEC_OK, 0)

"""One question in, one decision out: the bytes of an answer, a question for upstream, or silence.

Pure but for the order of several addresses. Any bytes are taken; none raise.
"""

import random
import struct
from dataclasses import dataclass

from dnslib import (
    EDNS0,
    QTYPE,
    RCODE,
    RR,
    SOA,
    SRV,
    A,
    DNSError,
    DNSHeader,
    DNSRecord,
)

from snowcave.dns.directory import Directory, Found, Labels

_HEADER = struct.Struct("!HHHHHH")
_RESPONSE = 0x8000
_OPCODE = 0x7800
_RECURSION_DESIRED = 0x0100
_QUERY = 0
# IN, and "any".
_CLASSES = (1, 255)
_ZONE_TRANSFERS = (QTYPE.AXFR, QTYPE.IXFR)
_WITH_ADDRESSES = (QTYPE.A, QTYPE.ANY)
_WITH_TARGETS = (QTYPE.SRV, QTYPE.ANY)
_FORMERR, _SERVFAIL, _NOTIMP, _REFUSED, _NXDOMAIN = (
    int(getattr(RCODE, name)) for name in ("FORMERR", "SERVFAIL", "NOTIMP", "REFUSED", "NXDOMAIN")
)
# BADVERS is 16: its low four bits stand in the header, the high ones in OPT.
_BADVERS_HIGH = 1
# No client may hold us to less than the oldest limit of UDP.
MIN_UDP = 512


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reply` None and not `forward`: say nothing."""

    reply: bytes | None = None
    # The same question may be given the same answer until the directory changes.
    cacheable: bool = False
    forward: bool = False


SILENCE = Verdict()
FORWARD = Verdict(forward=True)


@dataclass(frozen=True, slots=True)
class Responder:
    """Answers from the directory."""

    directory: Directory
    ttl: int
    udp_size: int
    rng: random.Random
    # Of SRV records.
    port: int = 9001

    def judge(self, question: bytes, *, over_udp: bool) -> Verdict:
        if len(question) < _HEADER.size or question[2] & 0x80:
            return (
                SILENCE  # too short to answer, or itself an answer: two servers must not ping-pong
            )
        flags = int.from_bytes(question[2:4], "big")
        if flags & _OPCODE:
            return Verdict(bare(question, _NOTIMP))
        try:
            asked = DNSRecord.parse(question)
        except (DNSError, ValueError, struct.error, IndexError, KeyError, TypeError):
            # dnslib lets several kinds of its own mishaps through on hostile bytes.
            return Verdict(bare(question, _FORMERR))
        return self._answer(asked, over_udp=over_udp)

    def _answer(self, asked: DNSRecord, *, over_udp: bool) -> Verdict:
        options = [record for record in asked.ar if record.rtype == QTYPE.OPT]
        if len(asked.questions) != 1 or len(options) > 1:
            return Verdict(refusal(asked, _FORMERR))
        if options and (options[0].ttl >> 16) & 0xFF:
            return Verdict(self._bad_version(asked))
        question = asked.q
        name = labels_of(question.qname.label)
        if question.qclass not in _CLASSES or question.qtype in _ZONE_TRANSFERS:
            return Verdict(refusal(asked, _REFUSED))
        zone = self.directory.zone_of(name)
        if zone is None:
            return FORWARD
        reply, found = self._authoritative(asked, name, zone)
        if options:
            reply.add_ar(EDNS0(udp_len=self.udp_size))
        limit = self._limit(options) if over_udp else 0xFFFF
        # Several addresses are shuffled for every asker, so that none is always first.
        one_order = found is None or len(found.addresses) < 2
        return Verdict(_packed(reply, limit), cacheable=one_order)

    def _authoritative(
        self, asked: DNSRecord, name: Labels, zone: Labels
    ) -> tuple[DNSRecord, Found | None]:
        question = asked.q
        found = self.directory.lookup(name)
        reply = asked.reply(ra=1, aa=1)
        reply.header.ad = 0  # we verify no signatures
        if found is None:
            reply.header.rcode = _NXDOMAIN
        else:
            self._add_records(reply, name, found)
        if name == zone and question.qtype == QTYPE.SOA:
            reply.add_answer(self._soa(zone))
        if not reply.rr:
            reply.add_auth(self._soa(zone))
        return reply, found

    def _add_records(self, reply: DNSRecord, name: Labels, found: Found) -> None:
        kind, spelling = reply.q.qtype, reply.q.qname
        if kind in _WITH_ADDRESSES:
            for address in self.rng.sample(found.addresses, len(found.addresses)):
                reply.add_answer(RR(spelling, QTYPE.A, rdata=A(address), ttl=self.ttl))
        if kind in _WITH_TARGETS:
            for label, address in self.rng.sample(found.targets, len(found.targets)):
                target = ".".join((label, *name))
                record = SRV(priority=0, weight=1, port=self.port, target=target)
                reply.add_answer(RR(spelling, QTYPE.SRV, rdata=record, ttl=self.ttl))
                reply.add_ar(RR(target, QTYPE.A, rdata=A(address), ttl=self.ttl))

    def _soa(self, zone: Labels) -> RR:
        origin = ".".join(zone)
        # The serial stays: nobody transfers these zones.
        times = (1, 3600, 600, 86400, self.ttl)
        soa = SOA(f"ns.{origin}", f"hostmaster.{origin}", times)
        return RR(origin, QTYPE.SOA, rdata=soa, ttl=self.ttl)

    def _limit(self, options: list[RR]) -> int:
        offered = int(options[0].rclass) if options else MIN_UDP
        return max(MIN_UDP, min(offered, self.udp_size))

    def _bad_version(self, asked: DNSRecord) -> bytes:
        reply = asked.reply(ra=1, aa=0)
        reply.add_ar(EDNS0(udp_len=self.udp_size, ext_rcode=_BADVERS_HIGH))
        return bytes(reply.pack())


def labels_of(raw: tuple[bytes, ...]) -> Labels:
    """Lower case; bytes that are no ASCII become characters that no name of ours has."""
    return tuple(label.decode("latin-1").lower() for label in raw)


def refusal(asked: DNSRecord, rcode: int) -> bytes:
    """An answer that says no more than why there is none."""
    header = DNSHeader(
        id=asked.header.id, bitmap=_RESPONSE | (asked.header.rd << 8) | 0x80 | rcode
    )
    return bytes(DNSRecord(header, questions=asked.questions[:1]).pack())


def bare(question: bytes, rcode: int) -> bytes:
    """A header alone, for what could not be read."""
    identity, flags = struct.unpack_from("!HH", question)
    kept = flags & (_OPCODE | _RECURSION_DESIRED)
    return _HEADER.pack(identity, _RESPONSE | kept | rcode, 0, 0, 0, 0)


def unreadable(question: bytes) -> bytes:
    """FORMERR, for what a parser let through and another one does not."""
    return bare(question, _FORMERR)


def failed(question: bytes) -> bytes:
    """SERVFAIL, for a question whose upstream did not answer."""
    return _about(question, _SERVFAIL)


def refused(question: bytes) -> bytes:
    """REFUSED, for a question that nobody is there to be asked."""
    return _about(question, _REFUSED)


def _about(question: bytes, rcode: int) -> bytes:
    return refusal(DNSRecord.parse(question), rcode)


def _packed(reply: DNSRecord, limit: int) -> bytes:
    packed = bytes(reply.pack())
    if len(packed) <= limit:
        return packed
    # The client asks again over TCP; half a list of addresses would be taken for the whole.
    reply.header.tc = 1
    reply.rr.clear()
    reply.ar = [record for record in reply.ar if record.rtype == QTYPE.OPT]
    return bytes(reply.pack())

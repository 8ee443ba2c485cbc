import random
import struct

import pytest
from dnslib import EDNS0, QTYPE, RCODE, DNSQuestion, DNSRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from snowcave.dns.directory import Directory, Found
from snowcave.dns.responder import FORWARD, SILENCE, Responder
from snowcave.dns.server import AnswerCache

API = "10.245.0.2"


def directory() -> Directory:
    names = Directory(API)
    names.databases.put(1, "tutorial-db")
    names.schemas.put(2, (1, "data-schema"))
    names.hashes.put(2, "k3m6")
    names.services.put(3, (2, "echo-service"))
    names.service_addresses.put(3, None, "10.245.1.7")
    names.instances.put(3, "0", "10.244.1.10")
    names.instances.put(3, "1", "10.244.2.10")
    names.services.put(4, (2, "new-service"))
    names.pools.put(5, "tutorial-pool")
    names.nodes.put(5, "n1", "10.246.0.11")
    return names


def responder(names: Directory | None = None) -> Responder:
    return Responder(names or directory(), ttl=5, udp_size=1232, rng=random.Random(1))


def ask(name: str, qtype: str = "A", *, over_udp: bool = True, edns: int = 0, who=None):
    question = DNSRecord.question(name, qtype)
    if edns:
        question.add_ar(EDNS0(udp_len=edns))
    verdict = (who or responder()).judge(bytes(question.pack()), over_udp=over_udp)
    assert verdict.reply is not None
    return DNSRecord.parse(verdict.reply)


def addresses(reply: DNSRecord) -> set[str]:
    return {str(record.rdata) for record in reply.rr if record.rtype == QTYPE.A}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("echo-service.k3m6.svc.spcs.internal", {"10.245.1.7"}),
        ("ECHO-Service.K3M6.SVC.spcs.Internal", {"10.245.1.7"}),
        ("instances.echo-service.k3m6.svc.spcs.internal", {"10.244.1.10", "10.244.2.10"}),
        ("echo-service.data-schema.tutorial-db.snowflakecomputing.internal", {"10.245.1.7"}),
        (
            "instances.echo-service.data-schema.tutorial-db.snowflakecomputing.internal",
            {"10.244.1.10", "10.244.2.10"},
        ),
        ("discover.monitor.tutorial-pool.cp.spcs.internal", {"10.246.0.11"}),
        ("snowflake.snowflakecomputing.internal", {API}),
    ],
)
def test_a_name_has_its_addresses(name: str, expected: set[str]):
    reply = ask(name)
    assert (addresses(reply), reply.header.aa) == (expected, 1)
    assert str(reply.q.qname).rstrip(".") == name  # the asker's own spelling comes back


@pytest.mark.parametrize(
    "name",
    [
        "nobody.k3m6.svc.spcs.internal",
        "echo-service.zzzz.svc.spcs.internal",
        "x.echo-service.k3m6.svc.spcs.internal",
        "k3m6.k3m6.svc.spcs.internal",
        "echo-service.spcs.internal",
        "nowhere.cp.spcs.internal",
        "echo-service.tutorial-db.snowflakecomputing.internal",
    ],
)
def test_a_name_that_does_not_exist_is_nxdomain_with_the_zones_soa(name: str):
    reply = ask(name)
    assert (reply.header.rcode, len(reply.rr)) == (RCODE.NXDOMAIN, 0)
    assert [record.rtype for record in reply.auth] == [QTYPE.SOA]


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("echo-service.k3m6.svc.spcs.internal", "AAAA"),
        ("echo-service.k3m6.svc.spcs.internal", "TXT"),
        ("new-service.k3m6.svc.spcs.internal", "A"),
        ("k3m6.svc.spcs.internal", "A"),
        ("spcs.internal", "A"),
        ("echo-service.k3m6.svc.spcs.internal", "SRV"),
        ("discover.monitor.tutorial-pool.cp.spcs.internal", "AAAA"),
        ("monitor.tutorial-pool.cp.spcs.internal", "SRV"),
        ("data-schema.tutorial-db.snowflakecomputing.internal", "A"),
    ],
)
def test_a_name_without_such_records_exists_all_the_same(name: str, qtype: str):
    reply = ask(name, qtype)
    assert (reply.header.rcode, len(reply.rr), len(reply.auth)) == (RCODE.NOERROR, 0, 1)


DISCOVER = "discover.monitor.tutorial-pool.cp.spcs.internal"


@pytest.mark.documented
def test_a_pools_nodes_are_found_with_their_port_and_each_by_a_name_of_its_own():
    names = directory()
    names.nodes.put(5, "n2", "10.246.0.12")
    who = responder(names)
    reply = ask(DISCOVER, "SRV", edns=1232, who=who)
    targets = {(str(r.rdata.target).rstrip("."), r.rdata.port) for r in reply.rr}
    assert targets == {(f"{node}.{DISCOVER}", 9001) for node in ("n1", "n2")}
    beside = {str(r.rname).rstrip("."): str(r.rdata) for r in reply.ar if r.rtype == QTYPE.A}
    assert beside == {f"n1.{DISCOVER}": "10.246.0.11", f"n2.{DISCOVER}": "10.246.0.12"}
    assert addresses(ask(f"N1.{DISCOVER}", who=who)) == {"10.246.0.11"}
    assert ask(f"n3.{DISCOVER}", who=who).header.rcode == RCODE.NXDOMAIN


def test_too_many_nodes_for_a_datagram_are_cut_off_with_their_addresses():
    names = directory()
    for number in range(100):
        names.nodes.put(5, f"node-{number}", f"10.246.1.{number}")
    who = responder(names)
    over_udp = ask(DISCOVER, "SRV", edns=1232, who=who)
    assert (over_udp.header.tc, len(over_udp.rr), len(over_udp.ar)) == (1, 0, 1)
    assert len(ask(DISCOVER, "SRV", over_udp=False, who=who).rr) == 101


def test_the_zone_says_who_is_responsible_for_it():
    assert ask("spcs.internal", "SOA").rr[0].rtype == QTYPE.SOA


def test_many_addresses_are_cut_off_over_udp_and_whole_over_tcp():
    names = directory()
    for number in range(200):
        names.instances.put(3, str(number), f"10.244.9.{number}")
    name, who = "instances.echo-service.k3m6.svc.spcs.internal", responder(names)
    over_udp = ask(name, edns=65_000, who=who)
    assert (over_udp.header.tc, len(over_udp.rr)) == (1, 0)
    assert len(ask(name, over_udp=False, who=who).rr) == 200


def test_a_client_without_edns_gets_at_most_512_bytes_and_one_with_it_more():
    names = directory()
    for number in range(40):
        names.instances.put(3, str(number), f"10.244.9.{number}")
    name, who = "instances.echo-service.k3m6.svc.spcs.internal", responder(names)
    assert ask(name, who=who).header.tc == 1
    larger = ask(name, edns=1232, who=who)
    assert (larger.header.tc, len(larger.rr)) == (0, 40)
    assert larger.ar[0].rtype == QTYPE.OPT


def test_other_names_go_upstream():
    question = bytes(DNSRecord.question("example.com").pack())
    assert responder().judge(question, over_udp=True) is FORWARD


def test_an_answer_is_never_answered():
    answer = DNSRecord.question("echo-service.k3m6.svc.spcs.internal").reply()
    assert responder().judge(bytes(answer.pack()), over_udp=True) is SILENCE


@pytest.mark.parametrize(
    ("flags", "questions", "rcode"),
    [(0x2800, 1, RCODE.NOTIMP), (0x0100, 0, RCODE.FORMERR), (0x0100, 2, RCODE.FORMERR)],
)
def test_what_we_do_not_speak_is_refused_by_name(flags: int, questions: int, rcode: int):
    body = bytes(DNSRecord.question("spcs.internal").pack())[12:] * questions
    question = struct.pack("!6H", 77, flags, questions, 0, 0, 0) + body
    reply = responder().judge(question, over_udp=True).reply
    assert reply is not None
    header = DNSRecord.parse(reply).header
    assert (header.id, header.rcode) == (77, rcode)


def test_a_later_edns_version_is_told_so():
    question = DNSRecord.question("spcs.internal")
    question.add_ar(EDNS0(version=1))
    reply = responder().judge(bytes(question.pack()), over_udp=True).reply
    assert reply is not None
    assert DNSRecord.parse(reply).ar[0].ttl >> 24 == 1  # BADVERS, 16 = 1 << 4


@pytest.mark.parametrize("qtype", ["AXFR", "IXFR"])
def test_zones_are_not_transferred(qtype: str):
    assert ask("spcs.internal", qtype).header.rcode == RCODE.REFUSED


def test_chaos_class_is_refused():
    question = DNSRecord(q=DNSQuestion("version.bind", QTYPE.TXT, 3))
    reply = responder().judge(bytes(question.pack()), over_udp=True).reply
    assert reply is not None
    assert DNSRecord.parse(reply).header.rcode == RCODE.REFUSED


@settings(max_examples=600, deadline=None)
@given(st.binary(max_size=600))
def test_no_bytes_raise(garbage: bytes):
    reply = responder().judge(garbage, over_udp=True).reply
    assert reply is None or reply[:2] == garbage[:2]


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_damaged_question_raises(data: st.DataObject):
    question = DNSRecord.question("echo-service.k3m6.svc.spcs.internal")
    question.add_ar(EDNS0(udp_len=1232))
    damaged = bytearray(question.pack())
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(2, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    reply = responder().judge(cut, over_udp=True).reply
    assert reply is None or len(reply) <= 1232


def test_the_older_of_two_objects_with_one_label_has_the_name():
    names = Directory(API)
    assert names.databases.put(9, "my-db")
    assert names.databases.put(4, "my-db")
    assert names.databases.find("my-db") == 4
    assert names.databases.put(4, None)
    assert names.databases.find("my-db") == 9
    assert not names.databases.put(9, "my-db")


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["", "10.0.0.1", "10.0.0.2"]))))
def test_addresses_are_the_last_ones_put_and_a_change_is_reported(
    puts: list[tuple[int, str]],
):
    names = Directory(API)
    expected: dict[int, str] = {}
    for member, address in puts:
        changed = names.instances.put(3, str(member), address)
        assert changed == (expected.get(member, "") != address)
        expected[member] = address
    assert sorted(names.instances.of(3)) == sorted(a for a in expected.values() if a)


def test_a_renamed_database_answers_by_its_new_name_only():
    names = directory()
    names.databases.put(1, "renamed")
    older = ("echo-service", "data-schema", "tutorial-db", "snowflakecomputing", "internal")
    newer = ("echo-service", "data-schema", "renamed", "snowflakecomputing", "internal")
    assert (names.lookup(older), names.lookup(newer)) == (None, Found(("10.245.1.7",)))


def test_the_cache_is_bounded_and_forgets_the_oldest_first():
    cache = AnswerCache(2)
    for number in range(3):
        cache.keep(b"id" + bytes([number]), b"IDanswer")
    assert list(cache.entries) == [b"\x01", b"\x02"]
    cache.keep(b"id" + b"x" * 1000, b"IDanswer")
    assert len(cache.entries) == 2

"""Ten thousand bad requests: each ends, none of them forges a caller, and the next good one is answered."""

import random

import h11
import pytest

from tests.kit.bad_requests import bad_request
from tests.kit.gateway import get
from tests.kit.wire import Conversation, Wire, pieces

pytestmark = pytest.mark.ours

REQUESTS = 10_000
AT_ONCE = 20
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def read_strictly(data: bytes) -> list[h11.Request]:
    """What another server, and a strict one, makes of a connection to the instance."""
    server = h11.Connection(h11.SERVER)
    found: list[h11.Request] = []
    if not data:
        return found  # which h11 would take for the end
    server.receive_data(data)
    while True:
        event = server.next_event()
        if isinstance(event, h11.Request):
            found.append(event)
        elif event is h11.PAUSED:
            server.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            server.send(h11.EndOfMessage())
            if server.our_state is h11.MUST_CLOSE:
                return found
            server.start_next_cycle()
        elif event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
            return found


def answered(client: Wire) -> int:
    """The status that a client was sent first, read as strictly; 0: none."""
    if not client.written:
        return 0
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(bytes(client.written))
    event = reader.next_event()
    while isinstance(event, h11.InformationalResponse):
        event = reader.next_event()
    return event.status_code if isinstance(event, h11.Response) else 0


async def _tried(conversation: Conversation, batch: list[bytes], rng: random.Random) -> list[Wire]:
    """Bad requests, each on a connection of its own, in up to three pieces, and the clients' ends."""
    clients = [conversation.client() for _ in batch]
    for client, data in zip(clients, batch, strict=True):
        for piece in pieces(data, [rng.randrange(1 << 20) for _ in range(rng.randrange(3))]):
            client.feed(piece)
    await conversation.settle()
    for wire in list(conversation.pool.wires):
        wire.feed(ANSWER)
    for client in clients:
        client.hang_up()
        client.close()
    return clients


def _checked(wire: Wire) -> int:
    """How many requests reached an instance here. Whoever asked for them, they say OWNER did."""
    seen = read_strictly(bytes(wire.written))
    for request in seen:
        said = [(name.replace(b"_", b"-"), value) for name, value in request.headers]
        callers = [value for name, value in said if name == b"sf-context-current-user"]
        assert callers == [b"OWNER"], bytes(wire.written)
        assert request.target != b"/smuggled", bytes(wire.written)
    return len(seen)


async def test_bad_requests_end_and_forge_nothing():
    rng = random.Random(20_261_122)
    conversation = Conversation()
    reached = refused = 0
    for _ in range(REQUESTS // AT_ONCE):
        batch = [bad_request(rng) for _ in range(AT_ONCE)]
        clients = await _tried(conversation, batch, rng)
        refused += sum(answered(client) != 200 for client in clients)
        for wire in conversation.pool.wires:
            reached += _checked(wire)
            wire.close()
        await conversation.settle()
        conversation.pool.wires.clear()
        assert not conversation.clients, batch
    assert refused > REQUESTS // 2
    assert reached > REQUESTS // 50
    good = conversation.client()
    good.feed(get())
    await conversation.settle()
    conversation.instance().feed(ANSWER)
    assert answered(good) == 200
    await conversation.close()

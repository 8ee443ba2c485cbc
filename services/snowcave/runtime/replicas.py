"""The replicas of a daemon that keeps nothing: any of them can answer any call."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from snowcave.model.keys import Role
from snowcave.runtime.grpc import connect


class Replicas:
    """Their stubs, in turn. Who failed to answer asks the next one."""

    def __init__(
        self, channels: Sequence[grpc.aio.Channel], make_stub: Callable[[grpc.aio.Channel], Any]
    ) -> None:
        self._replicas = [(channel, make_stub(channel)) for channel in channels]
        self._at = 0

    def next(self) -> Any:
        """One that cannot be connected to is passed over, where there is another."""
        first = self._turn()
        candidate = first
        for _ in self._replicas:
            channel, stub = candidate
            state = channel.get_state(try_to_connect=True)
            if state is not grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                return stub
            candidate = self._turn()
        return first[1]

    def _turn(self) -> tuple[grpc.aio.Channel, Any]:
        found = self._replicas[self._at]
        self._at = (self._at + 1) % len(self._replicas)
        return found


@asynccontextmanager
async def connect_all(
    addresses: str,
    tls_folder: Path,
    make_stub: Callable[[grpc.aio.Channel], Any],
    *,
    me: Role,
    to: Role,
) -> AsyncGenerator[Replicas]:
    """`addresses` with commas between them."""
    async with AsyncExitStack() as stack:
        channels = [
            await stack.enter_async_context(connect(address.strip(), tls_folder, me=me, to=to))
            for address in addresses.split(",")
        ]
        yield Replicas(channels, make_stub)

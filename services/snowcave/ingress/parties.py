"""Who takes part in an exchange: the connection it came by, and what all exchanges of a gateway work with."""

from dataclasses import dataclass
from typing import Protocol

from snowcave.ingress.gateway import Gateway
from snowcave.ingress.heads import KnownRequests
from snowcave.ingress.pool import Pool
from snowcave.ingress.settings import IngressSettings
from snowcave.ingress.visits import Visitor


class Client(Protocol):
    """The connection that the request came by."""

    @property
    def visitor(self) -> Visitor: ...

    def send(self, data: bytes) -> None: ...
    def hold(self, held: bool) -> None:
        """Read no more of the body, or go on."""
        ...

    def finished(self, *, keep: bool) -> None:
        """The answer is whole; the next request may be answered."""
        ...

    def tunnelled(self) -> None:
        """Whatever comes from now on goes to `tunnel`."""
        ...

    def cut(self) -> None:
        """The answer broke off: the client must see that."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What every exchange of a gateway works with."""

    gateway: Gateway
    pool: Pool
    settings: IngressSettings
    requests: KnownRequests

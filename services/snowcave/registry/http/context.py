"""What every handler of the registry works with."""

from concurrent.futures import Executor
from dataclasses import dataclass

from aiohttp import web

from snowcave.registry.access import Action, Caller, Gate
from snowcave.registry.backend.api import Backend
from snowcave.registry.names import ImageName, Route
from snowcave.registry.repositories import Image
from snowcave.registry.settings import RegistrySettings
from snowcave.registry.tags import Tags


@dataclass(frozen=True)
class Services:
    """The daemon's parts that handlers need."""

    settings: RegistrySettings
    gate: Gate
    backend: Backend
    tags: Tags
    # Threads that feed sockets.
    senders: Executor


@dataclass(frozen=True)
class Call:
    """One request, its place and who makes it."""

    request: web.BaseRequest
    services: Services
    route: Route
    caller: Caller

    @property
    def backend(self) -> Backend:
        return self.services.backend

    @property
    def idle(self) -> float:
        return self.services.settings.deadlines.idle

    def image(self, action: Action) -> Image:
        """The image of the path, if the caller may. Raises NameUnknown or Denied."""
        name = self.route.name
        assert name is not None
        return self.image_at(name, action)

    def image_at(self, name: ImageName, action: Action) -> Image:
        repository = self.services.gate.admit(self.caller, name.repository, action)
        return Image(repository, name.image)

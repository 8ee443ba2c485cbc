"""Image repositories as the catalog has them: paths to uids, and what services have pinned."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from snowcave.model.names import repository_path
from snowcave.registry.errors import NameUnknown
from snowcave.v1 import state_pb2 as state


class Catalog(Protocol):
    """A mirror of `catalog/`."""

    def get(self, *parts: object) -> state.Object | None: ...

    def items(self, *under: object) -> Iterable[tuple[tuple[str, ...], state.Object]]: ...


@dataclass(frozen=True, slots=True)
class Repository:
    uid: int
    # database/schema/repository, lower case.
    path: str


@dataclass(frozen=True, slots=True)
class Image:
    """One image name of one repository: what backends know of a name."""

    repository: Repository
    name: str

    @property
    def path(self) -> str:
        return f"{self.repository.path}/{self.name}"


class Repositories:
    """Look-ups over the mirror of the catalog."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def at(self, path: str) -> Repository:
        """The repository at `database/schema/repository`. Raises NameUnknown."""
        database, schema, name = (part.upper() for part in path.split("/"))
        found = self._named("image_repository", name)
        for repository in found:
            in_schema = self._alive("schema", repository.parent)
            in_database = self._alive("database", in_schema.parent) if in_schema else None
            where = (in_database.name, in_schema.name) if in_schema and in_database else None
            if where == (database, schema):
                return Repository(repository.uid, path)
        raise NameUnknown(f"Image repository '{path}' does not exist or not authorized.")

    def exists(self, uid: int) -> bool:
        """Whether the catalog still has it; a dropped one that may come back counts."""
        return self._catalog.get("image_repository", str(uid)) is not None

    def uids(self) -> frozenset[int]:
        """Every repository that the catalog has, dropped but recoverable ones too."""
        return frozenset(one.uid for _, one in self._catalog.items("image_repository"))

    def path_of(self, uid: int) -> str | None:
        """Where a repository is now; None where it, or what holds it, is gone."""
        repository = self._alive("image_repository", uid)
        schema = self._alive("schema", repository.parent) if repository else None
        database = self._alive("database", schema.parent) if schema else None
        if not (repository and schema and database):
            return None
        return repository_path(database.name, schema.name, repository.name)

    def pins(self) -> Iterator[state.ImageRef]:
        """Every image that a service of the catalog runs, or would run again."""
        for _, service in self._catalog.items("service"):
            for container in service.service.spec.containers:
                if container.HasField("resolved"):
                    yield container.resolved

    def _named(self, domain: str, name: str) -> Iterator[state.Object]:
        for _, one in self._catalog.items(domain):
            if one.name == name and not one.HasField("dropped_on"):
                yield one

    def _alive(self, domain: str, uid: int) -> state.Object | None:
        found = self._catalog.get(domain, str(uid))
        return found if found is not None and not found.HasField("dropped_on") else None

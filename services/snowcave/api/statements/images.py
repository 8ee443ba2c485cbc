"""Image references of a specification: to repositories that the caller may read, and to digests."""

from snowcave.api.contract import ResolvedImage
from snowcave.api.statements.work import Work
from snowcave.model import names, spec
from snowcave.model.errors import (
    ImageNotFound,
    NotAuthorized,
    ObjectNotFound,
    SpecInvalid,
)
from snowcave.model.names import ObjectName
from snowcave.v1 import state_pb2 as state

_PLATFORM = "linux/amd64"


async def pin_images(work: Work, found: state.Object, parsed: state.ServiceSpec) -> None:
    """Fill in where each container's image was found. Raises SpecInvalid, ObjectNotFound, ImageNotFound."""
    for index, container in enumerate(parsed.containers):
        place = f"containers[{index}]"
        image = spec.parse_image(container.image, place, _own_hosts(work))
        container.resolved.CopyFrom(await _resolve(work, found, image, container.image))


def _own_hosts(work: Work) -> frozenset[str]:
    port = work.mesh.port("registry")
    hosts = (work.mesh.registry_host, f"127.0.0.1:{port}", f"{work.mesh.listen}:{port}")
    return frozenset(host.lower() for host in hosts)


async def _resolve(
    work: Work, service: state.Object, image: spec.ImagePath, written: str
) -> state.ImageRef:
    repository = _repository(work, service, image)
    schema, database = work.catalog.place(repository.parent)
    path = names.repository_path(database, schema, repository.name)
    try:
        resolved = await work.ports.resolver.resolve(path, image.image_name, image.reference)
    except ObjectNotFound as error:
        raise ImageNotFound(path, image.image_name, image.reference) from error
    _check_platform(resolved, written)
    return state.ImageRef(
        repository=repository.uid,
        repository_path=path,
        image_name=image.image_name,
        tag=image.tag,
        digest=resolved.digest,
    )


def _repository(work: Work, service: state.Object, image: spec.ImagePath) -> state.Object:
    schema, database = work.catalog.place(service.parent)
    name = ObjectName(
        image.repository.upper(),
        image.schema.upper() or schema,
        image.database.upper() or database,
    )
    try:
        found = work.caller.find("image_repository", name).message
    except ObjectNotFound:
        # Whether the database, the schema or the repository is missing, it is the repository they meant.
        raise ObjectNotFound("Image repository", str(name)) from None
    if not (work.caller.may("READ", found) or work.caller.may("WRITE", found)):
        raise NotAuthorized(f"image repository '{found.name}'")
    return found


def _check_platform(resolved: ResolvedImage, written: str) -> None:
    if resolved.platforms and _PLATFORM not in resolved.platforms:
        raise SpecInvalid(
            f"image '{written}' is not built for {_PLATFORM} (it has "
            f"{', '.join(resolved.platforms)}). Build it with --platform {_PLATFORM}."
        )

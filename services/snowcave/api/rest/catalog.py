"""All operations of the REST API, one module for each kind of object."""

from snowcave.api.rest.operations import Operation
from snowcave.api.rest.resources import (
    compute_pools,
    databases,
    image_repositories,
    service_parts,
    services,
)

OPERATIONS: tuple[Operation, ...] = (
    *databases.OPERATIONS,
    *image_repositories.OPERATIONS,
    *compute_pools.OPERATIONS,
    *services.OPERATIONS,
    *service_parts.OPERATIONS,
)

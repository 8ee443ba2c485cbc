"""All operations of the REST API, one module for each kind of object."""

from snowcave.api.rest.operations import Operation
from snowcave.api.rest.resources import (
    absent,
    compute_pools,
    databases,
    event_tables,
    functions,
    grants,
    image_repositories,
    roles,
    secrets,
    service_parts,
    services,
    sessions,
    stages,
    tables,
    tags,
    warehouses,
)

OPERATIONS: tuple[Operation, ...] = (
    *databases.OPERATIONS,
    *image_repositories.OPERATIONS,
    *compute_pools.OPERATIONS,
    *services.OPERATIONS,
    *service_parts.OPERATIONS,
    *functions.OPERATIONS,
    *stages.OPERATIONS,
    *roles.OPERATIONS,
    *grants.OPERATIONS,
    *secrets.OPERATIONS,
    *tables.OPERATIONS,
    *tags.OPERATIONS,
    *event_tables.OPERATIONS,
    *warehouses.OPERATIONS,
    *sessions.OPERATIONS,
    *absent.OPERATIONS,
)

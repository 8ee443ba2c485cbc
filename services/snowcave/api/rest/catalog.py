"""All operations of the REST API, one module for each kind of object."""

from snowcave.api.rest.operations import Operation
from snowcave.api.rest.resources import databases

OPERATIONS: tuple[Operation, ...] = (*databases.OPERATIONS,)

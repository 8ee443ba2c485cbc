"""Runs statements: ours against the catalog, all others handed to the warehouse.

A statement is decided on what the mirrors say and written in one transaction that compares it. Where another
statement was faster it is decided again, on the new state, a bounded number of times.
"""

import random
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

from snowcave.api.catalog.catalog import Catalog, Moved
from snowcave.api.contract import (
    SELECT_STATEMENT,
    Done,
    Outcome,
    QueryHandle,
    Rows,
    SessionContext,
    Transfer,
)
from snowcave.api.settings import StatementSettings
from snowcave.api.sql import tree
from snowcave.api.sql.parser import parse, variables_in
from snowcave.api.sql.placeholders import Given
from snowcave.api.statements import (
    access_tokens,
    caller_grants,
    compute_pools,
    databases,
    describes,
    event_table_shows,
    event_tables,
    function_shows,
    functions,
    grants,
    image_repositories,
    instance_shows,
    integrations,
    jobs,
    network_rules,
    nodes,
    parameters,
    pool_shows,
    renames,
    role_grants,
    roles,
    secrets,
    service_shows,
    services,
    session,
    show_grants,
    snapshots,
    stage_files,
    stages,
    system_functions,
    tags,
    undrop,
    user_shows,
    users,
    waiting,
    warehouses,
)
from snowcave.api.statements.caller import caller_of
from snowcave.api.statements.ordinary import literals, to_warehouse
from snowcave.api.statements.work import Ports, Work
from snowcave.kit.clock import Clock
from snowcave.model.errors import Unsupported
from snowcave.runtime.mesh import Mesh

T = TypeVar("T")
# Only PUT and GET answer with a transfer.
Handler = Callable[[Any, Work], Awaitable[Rows | Transfer]]

_CREATE: dict[str, Handler] = {
    "database": databases.create_database,
    "schema": databases.create_schema,
    "role": roles.create_role,
    "user": users.create_user,
    "warehouse": warehouses.create_warehouse,
    "compute_pool": compute_pools.create_compute_pool,
    "image_repository": image_repositories.create_image_repository,
    "stage": stages.create_stage,
    "secret": secrets.create_secret,
    "network_rule": network_rules.create_network_rule,
    "integration": integrations.create_integration,
    "tag": tags.create_tag,
    "event_table": event_tables.create_event_table,
}
_ALTER: dict[str, Handler] = {
    "database": databases.alter,
    "schema": databases.alter,
    "role": databases.alter,
    "user": users.alter_user,
    "warehouse": warehouses.alter_warehouse,
    "compute_pool": compute_pools.alter_compute_pool,
    "image_repository": image_repositories.alter_image_repository,
    "stage": stages.alter_stage,
    "snapshot": snapshots.alter_snapshot,
    "secret": secrets.alter_secret,
    "network_rule": network_rules.alter_network_rule,
    "integration": integrations.alter_integration,
    "tag": tags.alter_tag,
    "event_table": event_tables.alter_event_table,
    "service": services.alter_service,
    "function": functions.alter_function,
}
_DROP: dict[str, Handler] = {
    "database": databases.drop_database,
    "schema": databases.drop_schema,
    "role": roles.drop,
    "user": roles.drop,
    "warehouse": warehouses.drop_warehouse,
    "compute_pool": compute_pools.drop_compute_pool,
    "image_repository": image_repositories.drop_image_repository,
    "stage": stages.drop_stage,
    "snapshot": snapshots.drop_snapshot,
    "secret": secrets.drop_secret,
    "network_rule": network_rules.drop_network_rule,
    "integration": integrations.drop_integration,
    "tag": tags.drop_tag,
    "event_table": event_tables.drop_event_table,
    "service": services.drop_service,
    "function": functions.drop_function,
}
_DESCRIBE: dict[str, Handler] = {
    "user": user_shows.describe_user,
    "warehouse": warehouses.describe_warehouse,
    "compute_pool": pool_shows.describe_compute_pool,
    "service": service_shows.describe_service,
    "function": function_shows.describe_function,
    "database": describes.describe_database,
    "schema": describes.describe_schema,
    "image_repository": describes.describe_image_repository,
    "stage": stages.describe_stage,
    "snapshot": snapshots.describe_snapshot,
    "secret": secrets.describe_secret,
    "network_rule": network_rules.describe_network_rule,
    "integration": integrations.describe_integration,
    "tag": tags.describe_tag,
    "event_table": event_table_shows.describe_event_table,
}
_SHOW: dict[str, Handler] = {
    "DATABASES": databases.show_databases,
    "SCHEMAS": databases.show_schemas,
    "ROLES": roles.show_roles,
    "USERS": user_shows.show_users,
    "WAREHOUSES": warehouses.show_warehouses,
    "COMPUTE POOLS": pool_shows.show_compute_pools,
    "NODES": nodes.show_nodes,
    "COMPUTE POOL INSTANCE FAMILIES": pool_shows.show_instance_families,
    "IMAGE REPOSITORIES": image_repositories.show_image_repositories,
    "IMAGES": image_repositories.show_images,
    "STAGES": stages.show_stages,
    "SNAPSHOTS": snapshots.show_snapshots,
    "SECRETS": secrets.show_secrets,
    "NETWORK RULES": network_rules.show_network_rules,
    "INTEGRATIONS": integrations.show_integrations,
    "EXTERNAL ACCESS INTEGRATIONS": integrations.show_integrations,
    "SECURITY INTEGRATIONS": integrations.show_integrations,
    "TAGS": tags.show_tags,
    "EVENT TABLES": event_table_shows.show_event_tables,
    "SERVICES": service_shows.show_services,
    "SERVICE INSTANCES": instance_shows.show_instances,
    "SERVICE CONTAINERS": instance_shows.show_containers,
    "ENDPOINTS": service_shows.show_endpoints,
    "ROLES IN SERVICE": service_shows.show_roles_in_service,
    "FUNCTIONS": function_shows.show_functions,
}
_OTHERS: dict[type, Handler] = {
    tree.CreateService: services.create_service,
    tree.ExecuteJob: jobs.execute_job,
    tree.CreateFunction: functions.create_function,
    tree.CreateSnapshot: snapshots.create_snapshot,
    tree.RestoreVolume: snapshots.restore_volume,
    tree.PutFiles: stage_files.put_files,
    tree.GetFiles: stage_files.get_files,
    tree.ListFiles: stage_files.list_files,
    tree.RemoveFiles: stage_files.remove_files,
    tree.GrantPrivileges: grants.grant_privileges,
    tree.GrantCaller: caller_grants.grant_caller,
    tree.ShowCallerGrants: caller_grants.show_caller_grants,
    tree.GrantRole: role_grants.grant_role,
    tree.GrantServiceRole: role_grants.grant_service_role,
    tree.ShowGrants: show_grants.show_grants,
    tree.Undrop: undrop.undrop,
    tree.Use: session.use,
    tree.SetParameters: session.set_parameters,
    tree.UnsetParameters: session.unset_parameters,
    tree.ShowParameters: parameters.show_parameters,
    tree.SystemCall: system_functions.call,
    tree.ServiceCall: waiting.call,
    tree.AlterToken: access_tokens.alter_token,
    tree.ShowTokens: access_tokens.show_tokens,
}
_QUERIES = (tree.SystemCall, tree.ServiceCall)
_CREATES = (tree.Create, tree.CreateService, tree.CreateFunction, tree.ExecuteJob)
_TAGGING = (tree.Action.SET_TAG, tree.Action.UNSET_TAG)


def handler_of(statement: tree.Statement) -> Handler:
    """Raises Unsupported where the parser knows more than we can do."""
    match statement:
        case tree.Create():
            found = _CREATE.get(statement.domain)
        case tree.Alter() if statement.action in _TAGGING:
            return tags.alter_tags_of
        case tree.Alter(action=tree.Action.RENAME):
            return renames.rename
        case tree.Alter():
            found = _ALTER.get(statement.domain)
        case tree.Drop():
            found = _DROP.get(statement.domain)
        case tree.Describe():
            found = _DESCRIBE.get(statement.domain)
        case tree.Show():
            found = _SHOW.get(statement.kind)
        case _:
            found = _OTHERS.get(cast(type, type(statement)))
    if found is None:
        raise Unsupported(type(statement).__name__.upper())
    return found


class Runner:
    """A `StatementRunner`."""

    def __init__(
        self,
        catalog: Catalog,
        ports: Ports,
        mesh: Mesh,
        *,
        clock: Clock,
        rng: random.Random,
        settings: StatementSettings | None = None,
    ) -> None:
        self._catalog = catalog
        self._ports = ports
        self._mesh = mesh
        self._clock = clock
        self._rng = rng
        self._settings = settings or StatementSettings()

    async def run(self, sql: str, context: SessionContext, query: QueryHandle) -> Outcome:
        given = await self._given(sql, context, query)
        statement = parse(sql, given)
        if statement is None:
            statement = event_tables.said_of_one(sql, given, self._work(context, query))
        if statement is None or functions.is_foreign(statement, self._work(context, query)):
            return await to_warehouse(sql, given, self._work(context, query))
        if query.describe_only and not isinstance(statement, (tree.Show, tree.Describe)):
            # Nothing is done for a client that only asks what the columns would be.
            return Done(Rows(()), context)
        return await self.perform(statement, context, query)

    async def perform(
        self, statement: tree.Statement, context: SessionContext, query: QueryHandle
    ) -> Done:
        kind = SELECT_STATEMENT if isinstance(statement, _QUERIES) else 0
        handler = handler_of(statement)

        async def attempt(work: Work) -> Done:
            if isinstance(statement, _CREATES):
                work.tags.update(tags.resolved(work, statement.options.tags))
            rows = await handler(statement, work)
            if isinstance(rows, Transfer):
                return Done(Rows(()), work.context, transfer=rows)
            done = Done(rows, work.context)
            return Done(rows, work.context, kind) if kind else done

        return await self._attempts(context, query, attempt)

    async def _attempts(
        self,
        context: SessionContext,
        query: QueryHandle,
        attempt: Callable[[Work], Awaitable[T]],
    ) -> T:
        pause = self._settings.pause
        for _ in range(self._settings.attempts - 1):
            try:
                return await attempt(self._work(context, query))
            except Moved:
                # The mirrors are behind what the store already knows; full jitter keeps rivals apart.
                await self._clock.sleep(self._rng.uniform(0, pause))
                pause *= 2
        return await attempt(self._work(context, query))

    def _work(self, context: SessionContext, query: QueryHandle) -> Work:
        own = context.copy()
        return Work(
            self._catalog,
            caller_of(self._catalog, own),
            own,
            query,
            self._ports,
            self._mesh,
            self._settings,
            self._clock,
            self._rng,
        )

    async def _given(self, sql: str, context: SessionContext, query: QueryHandle) -> Given:
        """What stands for the statement's placeholders, as far as it may be ours."""
        bound = literals(query)
        if not variables_in(sql):
            return Given(bound)
        return Given(bound, await self._ports.variables.read(context))

"""Statements as text again, in one canonical spelling: parsing what is printed gives the same statement.

One module for each family, and here the table of them all; a statement type without a printer is a bug that
the tests find.
"""

from collections.abc import Callable
from typing import Any

from snowcave.api.sql import tree
from snowcave.api.sql.printing import (
    calls,
    files,
    grants,
    objects,
    services,
    sessions,
    shows,
    tokens,
)

PRINTERS: dict[type, Callable[[Any], str]] = {
    tree.Create: objects.create,
    tree.Alter: objects.alter,
    tree.Drop: objects.drop,
    tree.Undrop: objects.undrop,
    tree.Describe: objects.describe,
    tree.CreateService: services.create_service,
    tree.ExecuteJob: services.execute_job,
    tree.RestoreVolume: services.restore_volume,
    tree.CreateFunction: services.create_function,
    tree.CreateSnapshot: services.create_snapshot,
    tree.Show: shows.show,
    tree.ShowParameters: shows.show_parameters,
    tree.GrantPrivileges: grants.grant_privileges,
    tree.GrantCaller: grants.grant_caller,
    tree.ShowCallerGrants: grants.show_caller_grants,
    tree.GrantRole: grants.grant_role,
    tree.GrantServiceRole: grants.grant_service_role,
    tree.ShowGrants: grants.show_grants,
    tree.Use: sessions.use,
    tree.SetParameters: sessions.set_parameters,
    tree.UnsetParameters: sessions.unset_parameters,
    tree.PutFiles: files.put_files,
    tree.GetFiles: files.get_files,
    tree.ListFiles: files.list_files,
    tree.RemoveFiles: files.remove_files,
    tree.SystemCall: calls.system_call,
    tree.ServiceCall: calls.service_call,
    tree.AlterToken: tokens.alter_token,
    tree.ShowTokens: tokens.show_tokens,
}


def text_of(statement: tree.Statement) -> str:
    """Secrets included: what is to be shown to others goes through `queries.masking.without_secrets`."""
    return PRINTERS[type(statement)](statement)

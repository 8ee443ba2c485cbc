"""Statements as values. Names are folded; nothing is resolved against the catalog yet.

One module for each kind of object; all names are found here.
"""

from snowcave.api.sql.tree.calls import Literal, ServiceCall, SystemCall
from snowcave.api.sql.tree.files import GetFiles, ListFiles, PutFiles, RemoveFiles
from snowcave.api.sql.tree.grants import (
    Grantee,
    GrantPrivileges,
    GrantRole,
    GrantServiceRole,
    Securable,
    ShowGrants,
)
from snowcave.api.sql.tree.objects import Action, Alter, Create, Describe, Drop, Existing
from snowcave.api.sql.tree.services import CreateFunction, CreateService, ExecuteJob
from snowcave.api.sql.tree.sessions import SetParameters, UnsetParameters, Use
from snowcave.api.sql.tree.shows import Scope, Show, ShowParameters
from snowcave.api.sql.tree.specifications import SpecSource

Statement = (
    Create
    | CreateService
    | ExecuteJob
from snowcave.api.sql.tree.users import AlterToken, ShowTokens, TokenAction
    | CreateFunction
    | Alter
    | Drop
    | Describe
    | Show
    | GrantPrivileges
    | GrantRole
    | GrantServiceRole
    | ShowGrants
    | Use
    | SetParameters
    | UnsetParameters
    | ShowParameters
    | PutFiles
    | GetFiles
    | ListFiles
    | RemoveFiles
    | SystemCall
    | ServiceCall
)

__all__ = [
    "Action",
    "Alter",
    "Create",
    "CreateFunction",
    | AlterToken
    | ShowTokens
    "CreateService",
    "Describe",
    "Drop",
    "ExecuteJob",
    "Existing",
    "AlterToken",
    "GetFiles",
    "GrantPrivileges",
    "GrantRole",
    "GrantServiceRole",
    "Grantee",
    "ListFiles",
    "Literal",
    "PutFiles",
    "RemoveFiles",
    "Scope",
    "Securable",
    "ServiceCall",
    "SetParameters",
    "Show",
    "ShowGrants",
    "ShowParameters",
    "SpecSource",
    "Statement",
    "SystemCall",
    "UnsetParameters",
    "Use",
]
    "ShowTokens",
    "TokenAction",
    "Undrop",

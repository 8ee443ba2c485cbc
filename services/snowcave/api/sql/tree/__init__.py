"""Statements as values. Names are folded; nothing is resolved against the catalog yet.

One module for each kind of object; all names are found here.
"""

from snowcave.api.sql.tree.calls import Literal, ServiceCall, SystemCall
from snowcave.api.sql.tree.files import GetFiles, ListFiles, PutFiles, RemoveFiles
from snowcave.api.sql.tree.grants import (
    GrantCaller,
    Grantee,
    GrantPrivileges,
    GrantRole,
    GrantServiceRole,
    Securable,
    ShowCallerGrants,
    ShowGrants,
)
from snowcave.api.sql.tree.objects import Action, Alter, Create, Describe, Drop, Existing, Undrop
from snowcave.api.sql.tree.services import (
    CreateFunction,
    CreateService,
    ExecuteJob,
    RestoreVolume,
)
from snowcave.api.sql.tree.sessions import SetParameters, UnsetParameters, Use
from snowcave.api.sql.tree.shows import Scope, Show, ShowParameters
from snowcave.api.sql.tree.snapshots import CreateSnapshot
from snowcave.api.sql.tree.specifications import SpecSource
from snowcave.api.sql.tree.users import AlterToken, ShowTokens, TokenAction

Statement = (
    Create
    | CreateService
    | ExecuteJob
    | RestoreVolume
    | CreateFunction
    | CreateSnapshot
    | Alter
    | Drop
    | Undrop
    | Describe
    | Show
    | GrantPrivileges
    | GrantCaller
    | GrantRole
    | GrantServiceRole
    | ShowCallerGrants
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
    | AlterToken
    | ShowTokens
)

__all__ = [
    "Action",
    "Alter",
    "AlterToken",
    "Create",
    "CreateFunction",
    "CreateService",
    "CreateSnapshot",
    "Describe",
    "Drop",
    "ExecuteJob",
    "Existing",
    "GetFiles",
    "GrantCaller",
    "GrantPrivileges",
    "GrantRole",
    "GrantServiceRole",
    "Grantee",
    "ListFiles",
    "Literal",
    "PutFiles",
    "RemoveFiles",
    "RestoreVolume",
    "Scope",
    "Securable",
    "ServiceCall",
    "SetParameters",
    "Show",
    "ShowCallerGrants",
    "ShowGrants",
    "ShowParameters",
    "ShowTokens",
    "SpecSource",
    "Statement",
    "SystemCall",
    "TokenAction",
    "Undrop",
    "UnsetParameters",
    "Use",
]

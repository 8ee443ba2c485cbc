"""The bodies of tables and their columns."""

from snowcave.api.rest.models import Field, Model, fields

_KINDS = (
    "",
    "PERMANENT",
    "TRANSIENT",
    "TEMPORARY",
    "transient",
    "temporary",
    "permanent",
    "TABLE",
)
_KEY = fields("name column_names:strings constraint_type!")
_CONSTRAINT = Model(
    "Constraint",
    tag="constraint_type",
    one_of={
        "PRIMARY KEY": Model("PrimaryKey", _KEY),
        "UNIQUE": Model("UniqueKey", _KEY),
        "FOREIGN KEY": Model(
            "ForeignKey",
            (*_KEY, *fields("referenced_table_name! referenced_column_names!:strings")),
        ),
    },
)
COLUMN = Model(
    "TableColumn",
    (
        *fields(
            "name! datatype! nullable:boolean collate default autoincrement:boolean "
            "autoincrement_start:integer autoincrement_increment:integer comment"
        ),
        Field("constraints", [_CONSTRAINT]),
    ),
)
TABLE = Model(
    "Table",
    (
        *fields("name!"),
        Field("kind", choices=_KINDS),
        Field("columns", [COLUMN]),
        Field("constraints", [_CONSTRAINT]),
        *fields(
            "comment created_on~:datetime database_name~ schema_name~ rows~:integer "
            "bytes~:integer owner~ dropped_on~:datetime owner_role_type~ budget~ table_type~ "
            "cluster_by:strings enable_schema_evolution:boolean change_tracking:boolean "
            "data_retention_time_in_days:integer max_data_extension_time_in_days:integer "
            "default_ddl_collation"
        ),
    ),
)
AS_SELECT = Model("TableAsSelect", (*fields("name!"), Field("columns", [COLUMN])))
LIKE = Model("TableLike", fields("name!"))
CLONE = Model("TableClone", (*fields("name!"), Field("point_of_time", "any")))

"""Stages in ordinary SQL: `@db.schema.stage/path` becomes what the engine knows the stage's folder by.

The engine has names of its own for stages, made of their uid, so that a stage that was dropped or renamed
never leads to another one's files.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sqlglot import Expr, exp

from snowcave.model.errors import Kind as ErrorKind
from snowcave.model.errors import RemoteError, Unsupported, ValueInvalid
from snowcave.model.stage_path import StagePath, checked, joined, parse_stage_path
from snowcave.v1 import warehouse_pb2 as pb
from snowcave.warehouse.engine.api import Relation
from snowcave.warehouse.stages import schemas
from snowcave.warehouse.stages.files import StageFiles
from snowcave.warehouse.stages.loading import name_fields
from snowcave.warehouse.stages.queries import read_files
from snowcave.warehouse.stages.service import matching

# A prefix that no file has.
_NOTHING = "\x7fnothing"


class Pointing:
    """`know` tells the engine of a stage. Blocking."""

    def __init__(self, files: StageFiles, know: Callable[[int], None]) -> None:
        self._files = files
        self._know = know

    def point(self, statement: Expr, stages: Sequence[pb.StageBinding]) -> list[Relation]:
        """Changes the statement; answers what it reads of files now. Raises SnowcaveError.

        `stages`: those that api found and allowed, by how they are written.
        """
        found = {one.spelling: one.stage for one in stages}
        relations: list[Relation] = []
        for asked in schemas.inferences(statement):
            path = parse_stage_path(asked.location)
            files = self._named(_allowed(path, found), path.path, asked.files)
            relations.append(schemas.answer(asked, f"_SC_STAGE_{len(relations)}", files))
        for table in list(statement.find_all(exp.Table)):
            text = _reference(table)
            if not text:
                continue
            path = parse_stage_path(text)
            stage = _allowed(path, found)
            copy = table.find_ancestor(exp.Copy)
            if copy is None:
                files = self._matching(stage, path.path, table.args.get("pattern"))
                relations.append(read_files(table, f"_SC_STAGE_{len(relations)}", files))
                continue
            self._know(stage)
            if copy.this is table:
                raise Unsupported("COPY INTO a stage")
            if isinstance(copy.args["files"][0], exp.Subquery):
                name_fields(copy)
            self._source(copy, table, stage, path.path)
        return relations

    def _matching(self, stage: int, prefix: str, pattern: Expr | None) -> list[Path]:
        paths = sorted(self._files.paths(stage, prefix))
        folder = self._files.data(stage)
        return [folder / path for path in matching(paths, _text(pattern) if pattern else "")]

    def _named(self, stage: int, prefix: str, wanted: Sequence[str] | None) -> dict[str, Path]:
        """Files by their paths in the stage; `wanted` are names below the prefix."""
        folder, paths = self._files.data(stage), self._files.paths(stage, prefix)
        if wanted is not None:
            names = {joined(prefix, name) for name in wanted}
            paths = [path for path in paths if path in names]
        return {path: folder / path for path in sorted(paths)}

    def _source(self, copy: exp.Copy, table: exp.Table, stage: int, prefix: str) -> None:
        names = _taken_files(copy)
        _checked(prefix, names or ())
        pattern = _take(copy, "PATTERN")
        if pattern is not None:
            paths = matching(sorted(self._files.paths(stage, prefix)), _text(pattern))
            names = [path[len(prefix) :] for path in paths]
        if names is None:
            table.set(
                "this", exp.Var(this=f"@{stage}.DATA.STAGE" + (f"/{prefix}" if prefix else ""))
            )
        elif not names:
            table.set("this", exp.Var(this=f"@{stage}.DATA.STAGE/{_NOTHING}"))
        else:
            folder: Path = self._files.data(stage)
            table.set("this", exp.Var(this=f"file://{folder}/{prefix}"))
            listed = exp.Tuple(expressions=[exp.Literal.string(name) for name in names])
            copy.append("params", exp.CopyParameter(this=exp.Var(this="FILES"), expression=listed))


def _reference(table: exp.Table) -> str:
    """`@…`, where the table is a stage."""
    this = table.this
    if isinstance(this, exp.Var) or (isinstance(this, exp.Literal) and this.is_string):
        return this.name if this.name.startswith("@") else ""
    return ""


def _allowed(path: StagePath, found: Mapping[str, int]) -> int:
    if path.spelling not in found:
        raise RemoteError(
            ErrorKind.NOT_FOUND,
            2003,
            "02000",
            f"SQL compilation error:\nStage '{path.stage}' does not exist or not authorized.",
        )
    return found[path.spelling]


def _take(copy: exp.Copy, name: str) -> Expr | None:
    """The parameter's value; the statement goes on without it."""
    for parameter in copy.args.get("params") or []:
        if parameter.this.name.upper() == name:
            parameter.pop()
            return parameter.args.get("expression") or parameter
    return None


def _taken_files(copy: exp.Copy) -> list[str] | None:
    given = _take(copy, "FILES")
    return None if given is None else [one.name for one in given.find_all(exp.Literal)]


def _checked(prefix: str, names: Sequence[str]) -> None:
    """No name leads out of the stage. Raises ValueInvalid."""
    for name in names:
        checked(prefix + name)


def _text(value: Expr) -> str:
    if not isinstance(value, exp.Literal):
        raise ValueInvalid("SQL compilation error:\ninvalid value for property 'PATTERN'")
    return value.name

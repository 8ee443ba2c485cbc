"""Where a service's specification comes from: the statement's text or a file on a stage, rendered or not."""

from snowcave.api.sql.tree import SpecSource
from snowcave.api.statements.stage_files import read_text
from snowcave.api.statements.work import Work
from snowcave.model.errors import (
    NotAuthorized,
    ObjectNotFound,
    StageFileNotFound,
    TemplateFailed,
    ValueInvalid,
)
from snowcave.model.stage_path import parse_stage_path

# Bytes of a specification file.
_MOST = 1 << 20


async def spec_text(source: SpecSource, work: Work) -> str:
    """The specification as YAML. Raises TemplateFailed where it is a template, or StageFileNotFound."""
    if source.values is None:
        return await _written(source, work)
    try:
        template = await _written(source, work)
    except (ObjectNotFound, NotAuthorized, StageFileNotFound) as error:
        raise TemplateFailed(error.message.removeprefix("SQL compilation error:\n")) from error
    return await work.ports.renderer.render(template, source.values)


async def _written(source: SpecSource, work: Work) -> str:
    if not source.file:
        return source.text
    if source.stage is not None:
        return await read_text(source.stage, source.file, work, most=_MOST)
    if not source.file.startswith("@"):
        raise ValueInvalid(
            f"SQL compilation error:\nthe file '{source.file}' needs a stage: FROM @stage."
        )
    # The whole of it in the file's place: '@stage/dir/spec.yaml'.
    where = parse_stage_path(source.file)
    folder, _, name = where.path.rpartition("/")
    return await read_text(
        type(where)(where.stage, folder, where.spelling), name, work, most=_MOST
    )

"""Files of stages: what PUT and GET let the client do, LIST, REMOVE, and what other statements read."""

from snowcave.api.contract import Cell, Rows, Transfer
from snowcave.api.sql.lexer import Kind, tokens
from snowcave.api.sql.options import Options, invalid_value
from snowcave.api.sql.tree import GetFiles, ListFiles, PutFiles, RemoveFiles
from snowcave.api.statements.filters import columns
from snowcave.api.statements.work import Work, moment
from snowcave.model import stage_path
from snowcave.model.errors import Exhausted, ObjectNotFound, StageFileNotFound, ValueInvalid
from snowcave.model.stage_path import StagePath, parse_stage_path
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse

_LISTED = columns("name", "size:fixed", "md5", "last_modified")
_REMOVED = columns("name", "result")
_MODIFIED = "%a, %d %b %Y %H:%M:%S GMT"
_MOST_PARALLEL = 99
_COMPRESSIONS = (
    "AUTO_DETECT",
    "GZIP",
    "BZ2",
    "BROTLI",
    "ZSTD",
    "DEFLATE",
    "RAW_DEFLATE",
    "NONE",
)
# Files that one GET or REMOVE takes.
_MOST_FILES = 10_000
# The first generation of clients that wants a token beside a file's address.
_WITH_TOKENS = 5


async def put_files(statement: PutFiles, work: Work) -> Transfer:
    stage = find_stage(statement.stage, work, "WRITE")
    folder = statement.stage.path.rstrip("/")
    prefix = f"{folder}/" if folder else ""
    name = statement.local.replace("\\", "/").rpartition("/")[2]
    # Any name that this can give: a path that is no path is refused here, not by the last file.
    stage_path.joined(prefix, name or "x")
    options = statement.options
    compression = options.text("SOURCE_COMPRESSION", "AUTO_DETECT")
    if compression not in _COMPRESSIONS:
        raise invalid_value(compression, "SOURCE_COMPRESSION")
    overwrite = options.boolean("OVERWRITE")
    opened = state.Transfer(stage=stage.uid, prefix=prefix, upload=True, overwrite=overwrite)
    return Transfer(
        upload=True,
        stage=stage.uid,
        token=await work.ports.tickets.ticket(work.context.session_id, opened),
        prefix=prefix,
        local=statement.local,
        presigned=_wants_addresses(work),
        parallel=_parallel(options, 4),
        auto_compress=options.boolean("AUTO_COMPRESS", True),
        overwrite=overwrite,
        source_compression=compression,
    )


async def get_files(statement: GetFiles, work: Work) -> Transfer:
    stage = find_stage(statement.stage, work, "READ")
    prefix = statement.stage.path
    found = await work.ports.stages.files(stage.uid, prefix, statement.options.text("PATTERN"))
    if len(found) > _MOST_FILES:
        raise Exhausted(f"More than {_MOST_FILES} files; name a path or a pattern of fewer.")
    opened = state.Transfer(stage=stage.uid, prefix=prefix)
    return Transfer(
        upload=False,
        stage=stage.uid,
        token=await work.ports.tickets.ticket(work.context.session_id, opened),
        prefix="",
        local=statement.local,
        files=tuple(one.path for one in found),
        presigned=_wants_addresses(work),
        parallel=_parallel(statement.options, 10),
    )


def _wants_addresses(work: Work) -> bool:
    generation = work.context.client_version.partition(".")[0]
    return not (generation.isdecimal() and int(generation) >= _WITH_TOKENS)


def _parallel(options: Options, default: int) -> int:
    value = options.integer("PARALLEL", default)
    if not 1 <= value <= _MOST_PARALLEL:
        raise invalid_value(value, "PARALLEL")
    return value


async def list_files(statement: ListFiles, work: Work) -> Rows:
    stage = find_stage(statement.stage, work, "READ")
    found = await work.ports.stages.files(stage.uid, statement.stage.path, statement.pattern)
    rows: list[tuple[Cell, ...]] = []
    for one in found:
        modified = moment(one.modified_on)
        shown = modified.strftime(_MODIFIED) if modified else ""
        rows.append((_shown(stage, one.path), one.size, one.md5, shown))
    return Rows(_LISTED, rows)


async def remove_files(statement: RemoveFiles, work: Work) -> Rows:
    stage = find_stage(statement.stage, work, "WRITE")
    found = await work.ports.stages.files(stage.uid, statement.stage.path, statement.pattern)
    paths = [one.path for one in found]
    removed: list[str] = []
    for start in range(0, len(paths), _MOST_FILES):
        removed += await work.ports.stages.remove(stage.uid, paths[start : start + _MOST_FILES])
    return Rows(_REMOVED, [(_shown(stage, path), "removed") for path in removed])


def _shown(stage: state.Object, path: str) -> str:
    return f"{stage.name.lower()}/{path}"


def find_stage(path: StagePath, work: Work, privilege: str) -> state.Object:
    """Raises ObjectNotFound, NotAuthorized."""
    found = work.caller.find("stage", path.stage).message
    work.caller.need(privilege, found)
    return found


async def read_text(where: StagePath, file: str, work: Work, *, most: int) -> str:
    """A file below a stage's path. Raises StageFileNotFound, ValueInvalid where it is no text."""
    stage = find_stage(where, work, "READ")
    path = stage_path.joined(where.path, file)
    try:
        content = await work.ports.stages.read(stage.uid, path, most=most)
    except ObjectNotFound:
        raise StageFileNotFound(f"{where.spelling}/{path}") from None
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueInvalid(f"The file '{path}' is not a text in UTF-8.") from None


def stage_bindings(sql: str, work: Work) -> tuple[warehouse.StageBinding, ...]:
    """Stages that ordinary SQL reads, looked up and allowed. Raises what `find_stage` raises."""
    if "@" not in sql:
        return ()
    found: dict[str, warehouse.StageBinding] = {}
    for token in tokens(sql):
        quoted = token.kind is Kind.STRING and token.value.startswith("@")
        if token.kind is not Kind.STAGE and not quoted:
            continue
        try:
            path = parse_stage_path(token.value if quoted else token.text)
        except ValueInvalid:
            # Not what we know as a stage: the warehouse may know better, or say what is wrong.
            continue
        if quoted and work.catalog.named("stage", _holder(path, work), path.stage.name) is None:
            # A text that only looks like one.
            continue
        stage = find_stage(path, work, "READ")
        found[path.spelling] = warehouse.StageBinding(spelling=path.spelling, stage=stage.uid)
    return tuple(found.values())


def _holder(path: StagePath, work: Work) -> int:
    try:
        return work.caller.holder(path.stage).message.uid
    except (ObjectNotFound, ValueInvalid):
        return -1

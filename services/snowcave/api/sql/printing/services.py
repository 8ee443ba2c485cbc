"""Services, jobs, service functions, and snapshots of their volumes."""

from collections.abc import Mapping

from snowcave.api.sql.lexer import literal
from snowcave.api.sql.printing import words
from snowcave.api.sql.printing.words import (
    given,
    identifier,
    if_new,
    joined,
    name,
    options,
    or_what,
)
from snowcave.api.sql.tree import (
    CreateFunction,
    CreateService,
    CreateSnapshot,
    ExecuteJob,
    RestoreVolume,
    SpecSource,
)


def source(of: SpecSource) -> str:
    template = given(of.values is not None, "_TEMPLATE")
    stage = words.stage(of.stage) if of.stage else ""
    if of.stage or of.file:
        what = f"SPECIFICATION{template}_FILE = {literal(of.file)}"
    else:
        what = f"SPECIFICATION{template} {literal(of.text)}"
    return joined("FROM", stage, what, _using(of.values or {}))


def _using(values: Mapping[str, tuple[str, bool]]) -> str:
    """Between quotes a key keeps its case; a value that had none must not get any."""
    pairs = (
        '"' + key.replace('"', '""') + '" => ' + (literal(text) if is_string else text)
        for key, (text, is_string) in values.items()
    )
    return given(values, f"USING ({', '.join(pairs)})")


def create_service(it: CreateService) -> str:
    return joined(
        "CREATE SERVICE",
        if_new(it.existing),
        name(it.name),
        "IN COMPUTE POOL",
        identifier(it.compute_pool),
        source(it.source),
        options(it.options),
    )


def execute_job(it: ExecuteJob) -> str:
    """Its name is one of the properties."""
    pool = identifier(it.compute_pool)
    what = source(it.source)
    return joined("EXECUTE JOB SERVICE IN COMPUTE POOL", pool, what, options(it.options))


def restore_volume(it: RestoreVolume) -> str:
    return joined(
        "ALTER SERVICE",
        given(it.if_exists, "IF EXISTS"),
        name(it.service),
        "RESTORE VOLUME",
        literal(it.volume),
        "INSTANCES",
        ", ".join(map(str, it.instances)),
        "FROM SNAPSHOT",
        name(it.snapshot),
    )


def create_function(it: CreateFunction) -> str:
    arguments = ", ".join(f"{identifier(n)} {kind.text}" for n, kind in it.arguments)
    return joined(
        "CREATE",
        or_what(it.existing),
        "FUNCTION",
        if_new(it.existing),
        f"{name(it.name)} ({arguments})",
        "RETURNS",
        it.returns.text,
        given(it.strict, "RETURNS NULL ON NULL INPUT"),
        given(it.immutable, "IMMUTABLE"),
        options(it.options),
        "AS",
        literal(it.path),
    )


def create_snapshot(it: CreateSnapshot) -> str:
    return joined(
        "CREATE",
        or_what(it.existing),
        "SNAPSHOT",
        if_new(it.existing),
        name(it.name),
        "FROM SERVICE",
        name(it.service),
        "VOLUME",
        literal(it.volume),
        f"INSTANCE {it.instance_id}",
        options(it.options),
    )

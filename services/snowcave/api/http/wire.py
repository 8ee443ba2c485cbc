"""The shapes of the session protocol's JSON. Pure: from what happened to what the clients read."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from snowcave.api.contract import SessionContext, Transfer
from snowcave.api.queries import encoding
from snowcave.api.queries.answer import Answer
from snowcave.api.sessions.book import Tokens
from snowcave.model.errors import SnowcaveError
from snowcave.v1 import state_pb2 as state
from snowcave.v1 import warehouse_pb2 as warehouse

Json = dict[str, Any]

IN_PROGRESS = "333333"
IN_PROGRESS_ASYNC = "333334"

# The connectors look these up without asking whether they are there.
DEFAULTS: dict[str, object] = {
    "AUTOCOMMIT": True,
    "TIMEZONE": "Etc/UTC",
    "CLIENT_SESSION_KEEP_ALIVE": False,
    "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY": 3600,
    "CLIENT_TELEMETRY_ENABLED": False,
    # Bound arrays come with the request, never through a stage.
    "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
    "CLIENT_PREFETCH_THREADS": 4,
    "QUERY_CONTEXT_CACHE_SIZE": 5,
    "PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON",
}
_JSON_TYPES = ("text", "variant", "object", "array", "binary")


def success(data: object = None) -> Json:
    return {"data": data, "code": None, "message": None, "success": True}


def code_text(error: SnowcaveError) -> str:
    return f"{error.code:06d}"


def failure(error: SnowcaveError, query_id: str | None = None) -> Json:
    """A refused request, or a failed statement."""
    code = code_text(error)
    data = {
        "internalError": False,
        "errorCode": code,
        "sqlState": error.sqlstate,
        "queryId": query_id,
        "line": getattr(error, "line", -1),
        "pos": getattr(error, "position", -1),
        "type": "COMPILATION" if error.code in (1003, 2003, 904) else "",
    }
    return {"data": data, "code": code, "message": error.message, "success": False}


def login(tokens: Tokens, session: state.Session, validity: float, master_validity: float) -> Json:
    return success(
        {
            "token": tokens.session,
            "masterToken": tokens.master,
            "validityInSeconds": int(validity),
            "masterValidityInSeconds": int(master_validity),
            "sessionId": tokens.session_id,
            "displayUserName": session.user_name,
            "serverVersion": "9.0.0",
            "firstLogin": False,
            "remMeToken": None,
            "remMeValidityInSeconds": 0,
            "healthCheckInterval": 45,
            "newClientForUpgrade": None,
            "idToken": None,
            "idTokenValidityInSeconds": 0,
            "mfaToken": None,
            "mfaTokenValidityInSeconds": 0,
            "responseData": None,
            "parameters": parameters(session.parameters),
            "sessionInfo": {
                "databaseName": session.database or None,
                "schemaName": session.schema or None,
                "warehouseName": session.warehouse or None,
                "roleName": session.role or None,
            },
        }
    )


def renewed(tokens: Tokens, validity: float, master_validity: float) -> Json:
    return success(
        {
            "sessionToken": tokens.session,
            "validityInSecondsST": int(validity),
            "masterToken": tokens.master,
            "validityInSecondsMT": int(master_validity),
            "sessionId": tokens.session_id,
        }
    )


def parameters(own: Mapping[str, str]) -> list[Json]:
    """The defaults, with the session's own values in the defaults' types."""
    merged: dict[str, object] = dict(DEFAULTS)
    for name, text in own.items():
        merged[name] = _typed(text, DEFAULTS.get(name))
    return [{"name": name, "value": value} for name, value in merged.items()]


def _typed(text: str, like: object) -> object:
    if isinstance(like, bool):
        return text.lower() == "true"
    if isinstance(like, int) and text.isdecimal():
        return int(text)
    return text


def column(one: warehouse.ColumnType) -> Json:
    kind = one.type.lower()
    sized = kind in _JSON_TYPES
    return {
        "name": one.name,
        "database": "",
        "schema": "",
        "table": "",
        "type": kind,
        "nullable": one.nullable,
        "length": (one.length or 16777216) if sized else None,
        "byteLength": (one.byte_length or one.length or 16777216) if sized else None,
        "precision": one.precision if kind == "fixed" else (None if sized else 0),
        "scale": None if sized else one.scale,
        "collation": None,
    }


def transfer(found: Transfer, query_id: str, context: SessionContext, base_url: str) -> Json:
    """What a client needs for PUT or GET: its file transfer takes us for a store of objects."""
    bucket = f"stages/{found.stage}/"
    data: Json = {
        "parameters": parameters(context.parameters),
        "queryId": query_id,
        "sqlState": "00000",
        "parallel": found.parallel,
        "threshold": 209715200,
        "encryptionMaterial": None,
        "stageInfo": {
            "locationType": "GCS",
            "location": bucket + found.prefix,
            "path": found.prefix,
            "region": "local",
            "storageAccount": None,
            "isClientSideEncrypted": False,
            "creds": {} if found.presigned else {"GCS_ACCESS_TOKEN": found.token},
            "presignedUrl": None,
            "endPoint": None if found.presigned else base_url,
        },
        **final_names(context),
    }

    def signed(path: str) -> str:
        return f"{base_url}/{bucket}{quote(path)}?ticket={found.token}"

    if not found.upload:
        data["command"] = "DOWNLOAD"
        data["localLocation"] = found.local
        data["src_locations"] = list(found.files)
        data["presignedUrls"] = [signed(path) for path in found.files] if found.presigned else None
        return success(data)
    data["command"] = "UPLOAD"
    data["src_locations"] = [found.local]
    data["autoCompress"] = found.auto_compress
    data["sourceCompression"] = found.source_compression.lower()
    data["overwrite"] = found.overwrite
    if found.presigned:
        # The client repeats its PUT for each file, with the name that the file will have.
        name = found.local.replace("\\", "/").rpartition("/")[2]
        data["stageInfo"]["presignedUrl"] = signed(found.prefix + name)
    return success(data)


def answer(found: Answer, chunk_rows: int, base_url: str) -> Json:
    if found.transfer is not None:
        return transfer(found.transfer, found.query_id, found.context, base_url)
    rows = encoding.rowset(found.table, found.columns)
    data: Json = {
        "parameters": parameters(found.context.parameters),
        "rowtype": [column(one) for one in found.columns],
        "rowset": rows,
        "total": found.total,
        "returned": found.total,
        "queryId": found.query_id,
        "databaseProvider": None,
        **final_names(found.context),
        "numberOfBinds": found.binds,
        "arrayBindSupported": found.array_binds,
        "statementTypeId": found.statement_type,
        "version": 1,
        "sqlState": "00000",
        "queryResultFormat": "json",
    }
    if found.total > len(rows) and found.chunk_secret:
        data["chunks"] = list(_chunks(found, len(rows), chunk_rows, base_url))
        data["chunkHeaders"] = {}
        data["qrmk"] = None
    return success(data)


def final_names(context: SessionContext) -> Json:
    """Sent each time: this is how USE and CREATE DATABASE reach the client."""
    return {
        "finalDatabaseName": context.database or None,
        "finalSchemaName": context.schema or None,
        "finalWarehouseName": context.warehouse or None,
        "finalRoleName": context.role or None,
    }


def _chunks(found: Answer, inline: int, chunk_rows: int, base_url: str) -> Iterable[Json]:
    for offset in range(inline, found.total, chunk_rows):
        count = min(chunk_rows, found.total - offset)
        where = f"{found.query_id}/{offset}/{count}/{found.chunk_secret}"
        yield {
            "url": f"{base_url}/results/{where}",
            "rowCount": count,
            # Not known before it is read; the clients use it for nothing that matters.
            "uncompressedSize": count,
            "compressedSize": count,
        }


def in_progress(query_id: str, *, in_background: bool, aborts_after: float) -> Json:
    return {
        "data": {
            "queryId": query_id,
            "getResultUrl": f"/queries/{query_id}/result",
            "queryAbortsAfterSecs": int(aborts_after),
            "progressDesc": None,
        },
        "code": IN_PROGRESS_ASYNC if in_background else IN_PROGRESS,
        "message": "Query execution in progress.",
        "success": True,
    }


_STATES = {
    state.Query.RUNNING: "RUNNING",
    state.Query.SUCCESS: "SUCCESS",
    state.Query.FAILED_WITH_ERROR: "FAILED_WITH_ERROR",
    state.Query.ABORTED: "ABORTED",
}


def monitoring(records: Sequence[state.Query]) -> Json:
    return success({"queries": [_monitored(one) for one in records]})


def _monitored(record: state.Query) -> Json:
    return {
        "id": record.id,
        "status": _STATES.get(record.state, "NO_DATA"),
        "state": _STATES.get(record.state, "NO_DATA"),
        "sqlText": record.sql_text,
        "sessionId": record.session,
        "startTime": record.started_on.ToMilliseconds(),
        "endTime": record.ended_on.ToMilliseconds() if record.HasField("ended_on") else 0,
        "errorCode": f"{record.error_code:06d}" if record.error_code else None,
        "errorMessage": record.error_message or None,
    }

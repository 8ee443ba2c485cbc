"""What a service is told of its caller where its function names CONTEXT_HEADERS. Pure."""

import json
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from snowcave.warehouse.engine.api import Context
from snowcave.warehouse.rewrite.session_values import VERSION

# Characters of a statement that a header is made of: servers refuse long ones.
_LONGEST_STATEMENT = 2048


def of(context: Context, now: datetime) -> Mapping[str, str]:
    """`now` in UTC. What has no value here is left out, and so sent empty."""
    here = now.astimezone(_zone(context.parameters.get("TIMEZONE") or "UTC"))
    day, time = f"{here:%Y-%m-%d}", f"{here:%H:%M:%S}"
    moment = f"{day} {time}.{here.microsecond // 1000:03d}"
    schema = f"{context.database}.{context.schema}" if context.schema else ""
    return {
        "CURRENT_DATABASE": context.database,
        "CURRENT_SCHEMA": context.schema,
        "CURRENT_SCHEMAS": json.dumps([schema] if schema else []),
        "CURRENT_WAREHOUSE": context.warehouse,
        "CURRENT_SESSION": str(context.session),
        "CURRENT_CLIENT": f"{context.client_app} {context.client_version}".strip(),
        "CURRENT_REGION": "LOCAL",
        "CURRENT_VERSION": VERSION,
        "CURRENT_STATEMENT": context.statement[:_LONGEST_STATEMENT],
        "CURRENT_DATE": day,
        "CURRENT_TIME": time,
        "LOCALTIME": time,
        "CURRENT_TIMESTAMP": f"{moment} {here:%z}",
        "LOCALTIMESTAMP": f"{moment} {here:%z}",
        "LAST_QUERY_ID": context.last_query_id,
    }


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")

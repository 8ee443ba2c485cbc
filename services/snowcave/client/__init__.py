"""Snowcave from Python programs, over gRPC: sessions and statements, what there is, service functions.

asyncio only. Errors are SnowcaveError with Snowflake's numbers. docs/grpc.md has examples, also for other
languages.
"""

from snowcave.client.session import Result, Session
from snowcave.client.target import Target, connect

__all__ = ["Result", "Session", "Target", "connect"]

"""The load client of the SQL benchmark: `HOST PORT SESSIONS SECONDS STATEMENT…`, statements a second out.

It speaks HTTP over bare sockets, so that it weighs as little as possible beside the server on one machine.
Each session logs in, keeps its one connection, says the statements once, and then sends them in turn, each
when the one before has been answered. `{n}` in a statement is a number of the session's own. Every answer
must be a success.
"""

import asyncio
import json
import sys
import uuid

import uvloop

_HEAD = (
    "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    'Accept: application/json\r\nAuthorization: Snowflake Token="{token}"\r\nContent-Length: {length}\r\n\r\n'
)


class Session:
    """One keep-alive connection."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self._token = "None"

    async def login(self, password: str) -> None:
        data = {"LOGIN_NAME": "ADMIN", "PASSWORD": password, "SESSION_PARAMETERS": {}}
        answer = json.loads(
            await self._send("/session/v1/login-request", json.dumps({"data": data}))
        )
        self._token = answer["data"]["token"]

    async def run(self, sql: str) -> bytes:
        """The answer, which is a success. A request id of its own: a repeated one would not run again."""
        body = json.dumps({"sqlText": sql, "asyncExec": False, "sequenceId": 1})
        answer = await self._send(f"/queries/v1/query-request?requestId={uuid.uuid4()}", body)
        if b'"success":true' not in answer:
            raise RuntimeError(f"{sql}: {answer[:400]!r}")
        return answer

    async def _send(self, path: str, body: str) -> bytes:
        head = _HEAD.format(path=path, host=self._host, token=self._token, length=len(body))
        self._writer.write(head.encode() + body.encode())
        head_bytes = await self._reader.readuntil(b"\r\n\r\n")
        length = head_bytes.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
        return await self._reader.readexactly(int(length))


async def main() -> None:
    host, port, sessions, seconds, *statements = sys.argv[1:]
    password = sys.stdin.readline().strip()
    opened: list[Session] = []
    for _ in range(int(sessions)):
        reader, writer = await asyncio.open_connection(host, int(port))
        session = Session(reader, writer, f"{host}:{port}")
        await session.login(password)
        opened.append(session)
    loop = asyncio.get_running_loop()
    if float(seconds):  # the first time in a session is another matter, on either side
        for number, session in enumerate(opened):
            for statement in statements:
                await session.run(statement.replace("{n}", str(number)))
    begin = loop.time()

    async def work(number: int, session: Session) -> int:
        done = 0
        while not done or loop.time() < begin + float(seconds):
            for statement in statements:
                await session.run(statement.replace("{n}", str(number)))
                done += 1
        return done

    done = sum(await asyncio.gather(*(work(n, one) for n, one in enumerate(opened))))
    print(json.dumps(done / (loop.time() - begin)))


uvloop.run(main())

"""A bare client of the session protocol: one HTTP request a method, the JSON as it came."""

import gzip
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import orjson

Json = dict[str, Any]


class Client:
    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.http = http
        self.url = url
        self.token = "None"
        self.master = "None"

    async def post(self, path: str, body: object = None, *, token: str | None = None) -> Json:
        data = gzip.compress(orjson.dumps({} if body is None else body))
        return await self.send("POST", path, data, token=token)

    async def get(self, path: str, *, token: str | None = None) -> Json:
        return await self.send("GET", path, None, token=token)

    async def send(
        self, method: str, path: str, data: bytes | None, *, token: str | None = None
    ) -> Json:
        headers = {
            "Authorization": f'Snowflake Token="{self.token if token is None else token}"',
            "Content-Type": "application/json",
        }
        async with self.http.request(
            method, self.url + path, data=data, headers=headers
        ) as answer:
            assert answer.content_type == "application/json", await answer.text()
            shown: Json = orjson.loads(await answer.read())
            shown["status"] = answer.status
            return shown

    async def login(self, password: str, user: str = "ADMIN", **more: object) -> Json:
        data = {"LOGIN_NAME": user, "PASSWORD": password, "CLIENT_APP_VERSION": "4.7.5", **more}
        answer = await self.post("/session/v1/login-request", {"data": data}, token="None")
        if answer["success"]:
            self.token = answer["data"]["token"]
            self.master = answer["data"]["masterToken"]
        return answer

    async def query(self, sql: str, *, request_id: str = "", **more: object) -> Json:
        wanted = request_id or str(uuid.uuid4())
        body = {"sqlText": sql, "asyncExec": False, "sequenceId": 1, **more}
        return await self.post(f"/queries/v1/query-request?requestId={wanted}", body)

    async def renew(self) -> Json:
        body = {"oldSessionToken": self.token, "requestType": "RENEW"}
        answer = await self.post("/session/token-request", body, token=self.master)
        if answer["success"]:
            self.token = answer["data"]["sessionToken"]
            self.master = answer["data"]["masterToken"]
        return answer

    async def to_the_end(self, answer: Json) -> Json:
        while answer["code"] in ("333333", "333334"):
            answer = await self.get(answer["data"]["getResultUrl"])
        return answer


@asynccontextmanager
async def client(url: str, password: str = "") -> AsyncGenerator[Client]:
    """Logged in as ADMIN where a password is given."""
    limit = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=limit) as http:
        made = Client(http, url)
        if password:
            assert (await made.login(password))["success"]
        yield made

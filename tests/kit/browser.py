"""A headless Chromium under test, driven by its own debugging protocol."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.kit.mesh import ROOT, clean_environment, eventually

OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)
_START = 45.0
_ANSWER = 30.0
_RELOADED = 0.5
_NETWORK_CHANGED = "net::ERR_NETWORK_CHANGED"
# What Chromium says of a question to a page that made way for the next one before it was answered.
_LEFT = (
    "Inspected target navigated or closed",
    "Cannot find context with specified id",
    "Cannot find default execution context",
    "Execution context was destroyed.",
)


def artefacts() -> Path:
    """The folder for what tests leave to be looked at."""
    named = os.environ.get("SNOWCAVE_TEST_ARTEFACTS")
    folder = Path(named) if named else ROOT / "build" / "artefacts"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


class PageLeft(Exception):
    """The page that was asked is shown no more: another is on its way."""


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._number = 0

    async def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        async with asyncio.timeout(_ANSWER):
            while (answer := await self._socket.receive_json()).get("id") != self._number:
                pass
        if answer.get("error", {}).get("message") in _LEFT:
            raise PageLeft(method)
        assert "error" not in answer, answer
        return answer["result"]

    async def open(self, url: str) -> None:
        """Asked for; `wait` says when it is there.

        Chromium gives up what it is loading whenever an interface of the machine comes or goes, as those of
        other tests do. A window that somebody looks at asks again by itself; this one has to be told.
        """
        async with asyncio.timeout(_ANSWER):
            while True:
                answer = await self._call("Page.navigate", url=url)
                if answer.get("errorText") != _NETWORK_CHANGED:
                    break
        assert "errorText" not in answer, answer

    async def evaluate(self, script: str) -> Any:
        answer = await self._call("Runtime.evaluate", expression=script, returnByValue=True)
        return answer["result"].get("value")

    async def screenshot(self, name: str) -> Path:
        """Of the whole page, kept as a test artefact."""
        answer = await self._call("Page.captureScreenshot", captureBeyondViewport=True)
        path = artefacts() / f"{name}.png"
        path.write_bytes(base64.b64decode(answer["data"]))
        return path

    async def wait(self, condition: str, seconds: float = 30.0) -> None:
        """Until the script is true in the page that is shown then."""
        try:
            async with asyncio.timeout(seconds):
                while not await self._shows(condition):
                    await asyncio.sleep(0.05)
        except TimeoutError:
            shown = await self.evaluate("location.href + '\\n' + document.body.innerText")
            raise AssertionError(f"never true: {condition}\n{shown}") from None

    async def _shows(self, condition: str) -> bool:
        try:
            if await self.evaluate("location.protocol") == "chrome-error:":
                # See `open`; what a form sent is sent again. It gets time to be there.
                await self._call("Page.reload")
                await asyncio.sleep(_RELOADED)
            return bool(await self.evaluate(f"document.readyState == 'complete' && ({condition})"))
        except PageLeft:
            return False

    async def fill(self, **fields: str) -> None:
        """Input fields by name; then the form is sent."""
        for name, text in fields.items():
            field = f"document.querySelector('input[name={name}]')"
            await self.evaluate(f"{field}.value = {json.dumps(text)}")
        await self.evaluate("document.querySelector('form button').click()")


@asynccontextmanager
async def chromium(folder: Path, *options: str) -> AsyncGenerator[Page]:
    """Its profile is in `folder`; left when the browser has ended."""
    process = await asyncio.create_subprocess_exec(
        "chromium",
        *OPTIONS,
        *options,
        "--remote-debugging-port=0",
        f"--user-data-dir={folder}",
        "about:blank",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        port = await _port(folder / "DevToolsActivePort", process)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                tabs = [tab for tab in await answer.json() if tab["type"] == "page"]
            async with session.ws_connect(tabs[0]["webSocketDebuggerUrl"]) as socket:
                yield Page(socket)
    finally:
        if process.returncode is None:
            process.terminate()
        async with asyncio.timeout(_ANSWER):
            await process.wait()


async def _port(path: Path, process: asyncio.subprocess.Process) -> int:
    def look() -> str:
        assert process.returncode is None, "chromium ended"
        return path.read_text() if path.exists() else ""

    return int((await eventually(look, _START)).split()[0])

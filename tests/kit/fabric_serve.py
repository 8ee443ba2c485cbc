"""An instance: tells its name and the caller's address to whoever connects, then echoes lines."""

import asyncio
import sys


async def serve(name: str, *ports: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{name} {writer.get_extra_info('peername')[0]}\n".encode())
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    servers = [await asyncio.start_server(answer, "0.0.0.0", int(port)) for port in ports]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(serve(*sys.argv[1:]))

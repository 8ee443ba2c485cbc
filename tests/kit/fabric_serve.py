"""An instance: tells its name and the caller's address to whoever connects, then echoes lines.

After the line `push` it sends lines of its own without end.
"""

import asyncio
import sys


async def serve(name: str, *ports: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{name} {writer.get_extra_info('peername')[0]}\n".encode())
        while line := await reader.readline():
            writer.write(line)
            while line == b"push\n" and not writer.is_closing():
                writer.write(b"pushed\n")
                await writer.drain()
                await asyncio.sleep(0.05)
        writer.close()

    servers = [await asyncio.start_server(answer, "0.0.0.0", int(port)) for port in ports]
    print("ready", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


asyncio.run(serve(*sys.argv[1:]))

"""Our DNS server over made-up services, without a store; prints its port. `dns_child.py ZONE NAMES`"""

import asyncio
import random
import signal
import sys

import structlog
import uvloop

from snowcave.dns.directory import Directory
from snowcave.dns.responder import Responder
from snowcave.dns.server import AnswerCache, serve_dns
from snowcave.dns.settings import DnsSettings
from snowcave.dns.upstream import Upstream
from snowcave.runtime.mesh import Mesh


async def main(zone: str, names: int) -> None:
    directory = Directory("10.245.0.2")
    directory.hashes.put(1, zone.split(".")[0])
    for number in range(names):
        directory.services.put(100 + number, (1, f"svc-{number}"))
        directory.service_addresses.put(100 + number, None, f"10.245.1.{number + 1}")
    settings = DnsSettings(Mesh())
    judge = Responder(directory, settings.ttl, settings.udp_size, random.Random(1))
    cache = AnswerCache(settings.cache_entries)
    nobody = Upstream((), deadline=1.0, outstanding=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with serve_dns(["127.0.0.1"], 0, settings, judge, cache, nobody) as port:
        print(port, flush=True)
        await stop.wait()


structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
uvloop.install()
asyncio.run(main(sys.argv[1], int(sys.argv[2])))

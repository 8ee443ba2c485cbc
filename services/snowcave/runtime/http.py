"""aiohttp's server, hardened: a connection that sent what cannot be parsed is read no further.

aiohttp answers it with 400, but goes on reading meanwhile, and keeps every piece in the frames of a
failure each, in a circle of references: megabytes for a request until the collector comes by.
"""

from aiohttp import web


class Connection(web.RequestHandler):
    __slots__ = ()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        for message, _ in self._messages:
            failure: BaseException | None = getattr(message, "exc", None)
            if failure is not None:
                failure.__traceback__ = None
                if self.transport is not None:
                    self.transport.pause_reading()


class Server(web.Server):
    def __call__(self) -> web.RequestHandler:
        return Connection(self, loop=self._loop, **self._kwargs)


class AppRunner(web.AppRunner):
    __slots__ = ()

    async def _make_server(self) -> web.Server:
        # An application makes its server by itself, of a class that nobody can choose.
        server = await super()._make_server()
        server.__class__ = Server
        return server

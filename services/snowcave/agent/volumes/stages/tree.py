"""A stage as a file system: names and folders over a flat list of paths.

A folder is there as long as a file lies below it; one that a container has made is remembered until then.
Nothing is kept for longer than the volume's metadata cache says: what others do to the stage shows at once.
"""

import errno
import itertools
import os
import stat
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from snowcave.agent.volumes.stages import wire
from snowcave.agent.volumes.stages.files import Handle, Reading, Stage, Writing
from snowcave.agent.volumes.stages.nodes import Nodes
from snowcave.agent.volumes.stages.wire import Attributes, Op, Request
from snowcave.model.errors import Kind, SnowcaveError

_FILE, _FOLDER = stat.S_IFREG | 0o644, stat.S_IFDIR | 0o755
_ALL = 0
_PIECE = 4 << 20


@dataclass
class StageTree:
    """`valid`: how long the kernel may remember what it was told, in whole seconds."""

    stage: Stage
    spool: Path
    uid: int = 0
    gid: int = 0
    valid: int = 0
    writable: bool = True
    _nodes: Nodes = field(default_factory=Nodes)
    _made: set[str] = field(default_factory=set[str])
    _handles: dict[int, Handle | list[tuple[str, bool]]] = field(
        default_factory=dict[int, Handle | list[tuple[str, bool]]]
    )
    _next: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def answer(self, request: Request) -> bytes:
        verb = _VERBS.get(request.opcode)
        if verb is None:
            raise OSError(errno.ENOSYS, "not a thing of stages")
        if request.opcode in _CHANGING and not self.writable:
            raise OSError(errno.EROFS, "the owner of the service may not write to the stage")
        return await verb(self, request)

    # ------------------------------------------------------------ what is there

    async def lookup(self, request: Request) -> bytes:
        path = self._below(request.node, request.name)
        found = await self._attributes(path)
        self._nodes.looked_up(path)
        return wire.entry(found, self.valid)

    async def forget(self, request: Request) -> bytes:
        for node, lookups in wire.forgotten(request):
            self._nodes.forget(node, lookups)
        return b""

    async def getattr(self, request: Request) -> bytes:
        path = self._nodes.path(request.node)
        return wire.attributes_reply(await self._attributes(path), self.valid)

    async def _attributes(self, path: str) -> Attributes:
        """Raises FileNotFoundError."""
        writing = self._being_written(path)
        if writing is not None:
            return self._shape(path, _FILE, writing.size)
        if not path or path in self._made:
            return self._shape(path, _FOLDER)
        try:
            about = await self.stage.describe(path)
        except SnowcaveError as error:
            if error.kind is not Kind.NOT_FOUND:
                raise
            if await self.stage.files(path + "/", 1):
                return self._shape(path, _FOLDER)
            raise FileNotFoundError(errno.ENOENT, path) from None
        return self._shape(path, _FILE, about.size, about.modified_on.ToNanoseconds())

    def _being_written(self, path: str) -> Writing | None:
        for handle in self._handles.values():
            if isinstance(handle, Writing) and handle.path == path:
                return handle
        return None

    def _shape(self, path: str, mode: int, size: int = 0, modified: int = 0) -> Attributes:
        return Attributes(self._nodes.number(path), mode, size, modified, self.uid, self.gid)

    async def opendir(self, request: Request) -> bytes:
        path = self._nodes.path(request.node)
        return wire.opened(self._keep(await self._children(path)))

    async def _children(self, folder: str) -> list[tuple[str, bool]]:
        """Names, and whether each is a folder."""
        top = folder + "/" if folder else ""
        found: dict[str, bool] = {}
        for path in self._made:
            self._add_child(found, top, path + "/")
        for about in await self.stage.files(top, _ALL):
            self._add_child(found, top, about.path)
        return [(".", True), ("..", True), *sorted(found.items())]

    def _add_child(self, found: dict[str, bool], top: str, path: str) -> None:
        if path.startswith(top) and path != top:
            name, slash, _ = path[len(top) :].partition("/")
            found[name] = found.get(name, False) or bool(slash)

    async def readdir(self, request: Request) -> bytes:
        handle, offset, room = request.numbers("QQI")
        found = self._handles[handle]
        assert isinstance(found, list)
        return wire.dirents(found, offset, room)

    # ------------------------------------------------------------ files

    async def open(self, request: Request) -> bytes:
        path = self._nodes.path(request.node)
        (flags, _) = request.numbers("II")
        if flags & os.O_ACCMODE == os.O_RDONLY:
            return wire.opened(
                self._keep(Reading(self.stage, path, await self.stage.describe(path)))
            )
        if not self.writable:
            raise OSError(errno.EROFS, "the owner of the service may not write to the stage")
        if flags & os.O_APPEND or not flags & os.O_TRUNC:
            # There is no changing a part of a file.
            raise OSError(errno.EOPNOTSUPP, "a stage's files are written whole")
        return wire.opened(self._keep(Writing(self.stage, path, self.spool)))

    async def create(self, request: Request) -> bytes:
        path = self._below(request.node, wire.text(request.body[16:]))
        handle = self._keep(Writing(self.stage, path, self.spool))
        found = self._shape(path, _FILE)
        self._nodes.looked_up(path)
        return wire.entry(found, self.valid) + wire.opened(handle)

    async def read(self, request: Request) -> bytes:
        handle, offset, size = request.numbers("QQI")
        return await self._file(handle).read(offset, size)

    async def write(self, request: Request) -> bytes:
        handle, offset, size = request.numbers("QQI")
        await self._file(handle).write(offset, request.body[40 : 40 + size])
        return wire.written(size)

    async def flush(self, request: Request) -> bytes:
        await self._file(request.numbers("Q")[0]).flush()
        return b""

    async def release(self, request: Request) -> bytes:
        found = self._handles.pop(request.numbers("Q")[0], None)
        if found is not None and not isinstance(found, list):
            await found.close()
        return b""

    async def setattr(self, request: Request) -> bytes:
        """Owners, modes and times are the volume's; a size may only become none."""
        path = self._nodes.path(request.node)
        size = wire.truncation(request)
        if size is not None:
            await self._truncate(path, size)
        return wire.attributes_reply(await self._attributes(path), self.valid)

    async def _truncate(self, path: str, size: int) -> None:
        if size:
            raise OSError(errno.EOPNOTSUPP, "a stage's files are written whole")
        if (writing := self._being_written(path)) is not None:
            return await writing.truncate()
        emptied = Writing(self.stage, path, self.spool)
        try:
            await emptied.flush()
        finally:
            await emptied.close()

    # ------------------------------------------------------------ names

    async def mkdir(self, request: Request) -> bytes:
        path = self._below(request.node, wire.text(request.body[8:]))
        self._made.add(path)
        found = self._shape(path, _FOLDER)
        self._nodes.looked_up(path)
        return wire.entry(found, self.valid)

    async def rmdir(self, request: Request) -> bytes:
        path = self._below(request.node, request.name)
        if len(await self._children(path)) > 2:
            raise OSError(errno.ENOTEMPTY, path)
        self._made.discard(path)
        return b""

    async def unlink(self, request: Request) -> bytes:
        path = self._below(request.node, request.name)
        await self._remove(path)
        return b""

    async def _remove(self, path: str) -> None:
        # Its folder stays, as folders do, though nothing may be left in it.
        if folder := path.rpartition("/")[0]:
            self._made.add(folder)
        if not await self.stage.remove(path):
            raise FileNotFoundError(errno.ENOENT, path)

    async def rename(self, request: Request) -> bytes:
        skipped = 8 if request.opcode == Op.RENAME else 16
        if request.opcode == Op.RENAME2 and request.numbers("QI")[1]:
            raise OSError(errno.EINVAL, "neither exchange nor no-replace")
        names = wire.two_names(request.body[skipped:])
        old = self._below(request.node, names[0])
        new = self._below(request.numbers("Q")[0], names[1])
        found = await self._attributes(old)
        if found.is_folder:
            # The caller copies then, file by file.
            raise OSError(errno.EXDEV, "folders are not renamed")
        await self.stage.put(new, self._content(old, found.size))
        await self._remove(old)
        self._nodes.moved(old, new)
        return b""

    async def _content(self, path: str, size: int) -> AsyncIterator[bytes]:
        offset = 0
        while offset < size:
            _, piece = await self.stage.get(path, offset, min(_PIECE, size - offset))
            if not piece:
                raise OSError(errno.ESTALE, "the file was replaced")
            offset += len(piece)
            yield piece

    async def statfs(self, request: Request) -> bytes:
        return wire.statfs()

    async def nothing(self, request: Request) -> bytes:
        return b""

    def _below(self, node: int, name: str) -> str:
        folder = self._nodes.path(node)
        return f"{folder}/{name}" if folder else name

    def _keep(self, handle: "Handle | list[tuple[str, bool]]") -> int:
        number = next(self._next)
        self._handles[number] = handle
        return number

    def _file(self, handle: int) -> Handle:
        found = self._handles[handle]
        if isinstance(found, list):
            raise OSError(errno.EISDIR, "a folder")
        return found


_VERBS: dict[int, Callable[[StageTree, Request], Awaitable[bytes]]] = {
    Op.LOOKUP: StageTree.lookup,
    Op.FORGET: StageTree.forget,
    Op.BATCH_FORGET: StageTree.forget,
    Op.INTERRUPT: StageTree.nothing,
    Op.GETATTR: StageTree.getattr,
    Op.SETATTR: StageTree.setattr,
    Op.MKDIR: StageTree.mkdir,
    Op.UNLINK: StageTree.unlink,
    Op.RMDIR: StageTree.rmdir,
    Op.RENAME: StageTree.rename,
    Op.RENAME2: StageTree.rename,
    Op.OPEN: StageTree.open,
    Op.CREATE: StageTree.create,
    Op.READ: StageTree.read,
    Op.WRITE: StageTree.write,
    Op.FLUSH: StageTree.flush,
    Op.FSYNC: StageTree.flush,
    Op.RELEASE: StageTree.release,
    Op.OPENDIR: StageTree.opendir,
    Op.READDIR: StageTree.readdir,
    Op.RELEASEDIR: StageTree.release,
    Op.FSYNCDIR: StageTree.nothing,
    Op.ACCESS: StageTree.nothing,
    Op.STATFS: StageTree.statfs,
    Op.DESTROY: StageTree.nothing,
}
_CHANGING = frozenset(
    {Op.SETATTR, Op.MKDIR, Op.UNLINK, Op.RMDIR, Op.RENAME, Op.RENAME2, Op.CREATE}
)

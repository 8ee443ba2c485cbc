"""The sandbox's image, made without a registry: one static program of a few hundred bytes.

The program is an instance's first process. It ignores SIGCHLD with SA_NOCLDWAIT, so the kernel reaps
what is orphaned to it; it blocks SIGINT and SIGTERM, because a pid 1 does not get them otherwise, waits
for one of them and exits with 0.
"""

import io
import struct
import tarfile
from typing import Literal

Architecture = Literal["amd64", "arm64"]

PROGRAM = "pause"
_BASE = 0x400000
_ELF_HEADER = 64
_PROGRAM_HEADER = 56
_MACHINES: dict[Architecture, tuple[int, int]] = {"amd64": (62, 0x1000), "arm64": (183, 0x10000)}
_INTERRUPTED = -4  # EINTR


def image_tar(arch: Architecture) -> bytes:
    """What an engine imports as the image's file system; always the same bytes."""
    program = executable(arch)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        entry = tarfile.TarInfo(PROGRAM)
        entry.size = len(program)
        entry.mode = 0o755
        archive.addfile(entry, io.BytesIO(program))
    return buffer.getvalue()


def executable(arch: Architecture) -> bytes:
    """A static ELF with one segment, readable and executable."""
    machine, alignment = _MACHINES[arch]
    code = _AMD64 if arch == "amd64" else _ARM64
    offset = _ELF_HEADER + _PROGRAM_HEADER
    size = offset + len(code)
    identity = b"\x7fELF\x02\x01\x01" + bytes(9)
    header = struct.pack(
        "<HHIQQQIHHHHHH",
        *(2, machine, 1, _BASE + offset, _ELF_HEADER, 0, 0),
        *(_ELF_HEADER, _PROGRAM_HEADER, 1, 0, 0, 0),
    )
    segment = struct.pack("<IIQQQQQQ", 1, 5, 0, _BASE, _BASE, size, size, alignment)
    return identity + header + segment + code


def _amd64() -> bytes:
    call = "0f05"
    prepare = bytes.fromhex(
        "4883ec40"  # sub rsp, 64
        # struct sigaction at rsp: SIG_IGN, SA_NOCLDWAIT, no restorer, empty mask
        "48c7042401000000" "48c744240802000000" "48c744241000000000" "48c744241800000000"
        # rt_sigaction(SIGCHLD, rsp, 0, 8)
        "bf11000000" "4889e6" "31d2" "41ba08000000" "b80d000000" + call +
        # the set {SIGINT, SIGTERM} at rsp; rt_sigprocmask(SIG_BLOCK, rsp, 0, 8)
        "48c7042402400000" "31ff" "4889e6" "31d2" "41ba08000000" "b80e000000" + call
    )  # fmt: skip
    wait = bytes.fromhex(
        # rt_sigtimedwait(rsp, 0, 0, 8); cmp eax, EINTR
        "4889e7" "31f6" "31d2" "41ba08000000" "b880000000" + call
    ) + b"\x83\xf8" + struct.pack("b", _INTERRUPTED)  # fmt: skip
    again = b"\x74" + struct.pack("b", -(len(wait) + 2))  # je wait
    leave = bytes.fromhex("31ffb8e7000000" + call)  # exit_group(0)
    return prepare + wait + again + leave


def _arm64() -> bytes:
    call = 0xD4000001
    prepare = (
        0xD10103FF,  # sub sp, sp, 64
        # struct sigaction at sp: SIG_IGN, SA_NOCLDWAIT, no restorer, empty mask
        *(0xD2800020, 0xF90003E0, 0xD2800040, 0xF90007E0, 0xF9000BFF, 0xF9000FFF),
        # rt_sigaction(SIGCHLD, sp, 0, 8)
        *(0xD2800220, 0x910003E1, 0xD2800002, 0xD2800103, 0xD28010C8, call),
        # the set {SIGINT, SIGTERM} at sp; rt_sigprocmask(SIG_BLOCK, sp, 0, 8)
        *(0xD2880040, 0xF90003E0),
        *(0xD2800000, 0x910003E1, 0xD2800002, 0xD2800103, 0xD28010E8, call),
    )
    wait = (
        # rt_sigtimedwait(sp, 0, 0, 8); cmn x0, -EINTR
        *(0x910003E0, 0xD2800001, 0xD2800002, 0xD2800103, 0xD2801128, call),
        0xB100101F,
    )
    # b.eq wait: a signed distance in instructions, 19 bits from bit 5 on
    again = 0x54000000 | ((-len(wait) & 0x7FFFF) << 5)
    leave = (0xD2800000, 0xD2800BC8, call)  # exit_group(0)
    return b"".join(struct.pack("<I", word) for word in (*prepare, *wait, again, *leave))


_AMD64 = _amd64()
_ARM64 = _arm64()

"""Programs made with the last release's protos understand what the services say now."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2 as d

from tests.kit.compatible import PUBLIC, Known, breaks

PROTO = Path(__file__).parents[2] / "proto"
Text, Int32 = d.FieldDescriptorProto.TYPE_STRING, d.FieldDescriptorProto.TYPE_INT32


@pytest.fixture(scope="module")
def released() -> d.FileDescriptorSet:
    return d.FileDescriptorSet.FromString((PROTO / "released.binpb").read_bytes())


def test_nothing_that_clients_rely_on_has_changed(
    released: d.FileDescriptorSet, tmp_path: Path
) -> None:
    files = sorted(str(path) for path in (PROTO / "snowcave/v1").glob("*.proto"))
    out = tmp_path / "now.binpb"
    protoc = (sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTO}")
    command = [*protoc, f"--descriptor_set_out={out}", *files]
    subprocess.run(command, check=True, timeout=60)
    now = d.FileDescriptorSet.FromString(out.read_bytes())
    assert breaks(released, now) == []


def test_the_release_has_every_public_service(released: d.FileDescriptorSet) -> None:
    known = Known(released)
    assert set(PUBLIC) <= set(known.services)
    assert ".snowcave.v1.SqlReply" in known.reachable(PUBLIC)
    assert ".snowcave.v1.ColumnType" in known.reachable(PUBLIC)
    assert ".snowcave.v1.Object" not in known.reachable(PUBLIC)


# ---- the comparison can fail


def a_release() -> d.FileDescriptorSet:
    field = d.FieldDescriptorProto
    made = d.FileDescriptorSet()
    file = made.file.add(package="p")
    message = file.message_type.add(name="Ask")
    message.field.add(name="a", number=1, type=Text, label=field.LABEL_OPTIONAL)
    message.field.add(name="b", number=2, type=Int32, label=field.LABEL_OPTIONAL)
    message.field.add(
        name="kind",
        number=3,
        type=field.TYPE_ENUM,
        label=field.LABEL_OPTIONAL,
        type_name=".p.Kind",
    )
    message.reserved_range.add(start=9, end=10)
    kind = file.enum_type.add(name="Kind")
    kind.value.add(name="NONE", number=0)
    kind.value.add(name="SOME", number=1)
    file.message_type.add(name="Unseen")
    service = file.service.add(name="S")
    service.method.add(name="Do", input_type=".p.Ask", output_type=".p.Ask")
    return made


def renamed(file: d.FileDescriptorProto) -> None:
    file.message_type[0].field[0].name = "z"


def retyped(file: d.FileDescriptorProto) -> None:
    file.message_type[0].field[1].type = Text


def repeated(file: d.FileDescriptorProto) -> None:
    file.message_type[0].field[0].label = d.FieldDescriptorProto.LABEL_REPEATED


def removed(file: d.FileDescriptorProto) -> None:
    del file.message_type[0].field[0]


def renumbered(file: d.FileDescriptorProto) -> None:
    file.message_type[0].field[0].number = 7


def reused(file: d.FileDescriptorProto) -> None:
    file.message_type[0].field.add(name="new", number=9, type=Text)


def without_a_value(file: d.FileDescriptorProto) -> None:
    del file.enum_type[0].value[1]


def without_the_method(file: d.FileDescriptorProto) -> None:
    del file.service[0].method[0]


def streaming(file: d.FileDescriptorProto) -> None:
    file.service[0].method[0].server_streaming = True


def without_the_service(file: d.FileDescriptorProto) -> None:
    del file.service[0]


def without_the_message(file: d.FileDescriptorProto) -> None:
    del file.message_type[0]


@pytest.mark.parametrize(
    "change",
    [
        renamed,
        retyped,
        repeated,
        removed,
        renumbered,
        reused,
        without_a_value,
        without_the_method,
        streaming,
        without_the_service,
        without_the_message,
    ],
)
def test_what_breaks_clients_is_seen(change: Callable[[d.FileDescriptorProto], None]) -> None:
    now = a_release()
    change(now.file[0])
    assert breaks(a_release(), now, ("S",)) != []


def test_what_clients_do_not_notice_is_let_pass() -> None:
    now = a_release()
    (file,) = now.file
    ask = file.message_type[0]
    ask.field.add(name="new", number=4, type=Text)
    file.enum_type[0].value.add(name="MORE", number=2)
    file.service[0].method.add(name="Also", input_type=".p.Ask", output_type=".p.Ask")
    del file.message_type[1]
    # A field may go where nothing takes its place.
    del ask.field[1]
    ask.reserved_range.add(start=2, end=3)
    ask.reserved_name.append("b")
    assert breaks(a_release(), now, ("S",)) == []

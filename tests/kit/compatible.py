"""What must not change between releases in messages of public gRPC services: breaks(old, new) names it."""

from collections.abc import Iterable, Iterator

from google.protobuf import descriptor_pb2 as d

PUBLIC = ("SqlService", "ServiceCatalog", "NodeService", "FunctionService", "EventService")
# How daemons of one release speak with each other, though clients meet the service.
INTERNAL = frozenset({("EventService", "Append")})
Field = d.FieldDescriptorProto


class Known:
    """Messages, enumerations and services of a descriptor set, by their full names."""

    def __init__(self, found: d.FileDescriptorSet) -> None:
        self.messages: dict[str, d.DescriptorProto] = {}
        self.enums: dict[str, d.EnumDescriptorProto] = {}
        self.services: dict[str, d.ServiceDescriptorProto] = {}
        for file in found.file:
            scope = f".{file.package}"
            self._add(scope, file.message_type, file.enum_type)
            self.services |= {one.name: one for one in file.service}

    def _add(
        self,
        scope: str,
        messages: Iterable[d.DescriptorProto],
        enums: Iterable[d.EnumDescriptorProto],
    ) -> None:
        for enum in enums:
            self.enums[f"{scope}.{enum.name}"] = enum
        for message in messages:
            name = f"{scope}.{message.name}"
            self.messages[name] = message
            self._add(name, message.nested_type, message.enum_type)

    def reachable(self, services: tuple[str, ...]) -> set[str]:
        """Types that a client of the services meets."""
        waiting = [
            name
            for service in services
            if service in self.services
            for method in self.services[service].method
            if (service, method.name) not in INTERNAL
            for name in (method.input_type, method.output_type)
        ]
        found: set[str] = set()
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            if name in self.messages:
                waiting += [one.type_name for one in self.messages[name].field if one.type_name]
        return found


def breaks(
    old: d.FileDescriptorSet, new: d.FileDescriptorSet, services: tuple[str, ...] = PUBLIC
) -> list[str]:
    """Why a client made with `old` would misunderstand a server of `new`, or the other way round."""
    was, now = Known(old), Known(new)
    found = [text for name in services for text in _service(name, was, now)]
    for name in sorted(was.reachable(services)):
        if name in was.enums:
            found += _enum(name, was.enums[name], now.enums.get(name))
        elif name in was.messages:
            found += _message(name, was.messages[name], now.messages.get(name))
    return found


def _service(name: str, was: Known, now: Known) -> Iterator[str]:
    if name not in was.services:
        return
    if name not in now.services:
        yield f"{name} is gone"
        return
    methods = {one.name: one for one in now.services[name].method}
    for method in was.services[name].method:
        if (name, method.name) in INTERNAL:
            continue
        if method.name not in methods:
            yield f"{name}.{method.name} is gone"
        elif methods[method.name] != method:
            yield f"{name}.{method.name} takes or gives something else"


def _message(name: str, was: d.DescriptorProto, now: d.DescriptorProto | None) -> Iterator[str]:
    if now is None:
        yield f"{name} is gone"
        return
    fields = {one.number: one for one in now.field}
    for field in was.field:
        kept = fields.get(field.number)
        if kept is None:
            if not _is_reserved(now, field):
                yield f"{name}.{field.name} is gone and its number and name are not reserved"
        elif _shape(kept, now) != _shape(field, was):
            yield f"{name}.{field.name} is another field now"
    numbers = {one.number for one in was.field}
    for field in now.field:
        if field.number not in numbers and any(
            span.start <= field.number < span.end for span in was.reserved_range
        ):
            yield f"{name}.{field.name} has a number that was reserved"


def _shape(field: Field, message: d.DescriptorProto) -> tuple[object, ...]:
    """What is on the wire, and what programs call it."""
    oneof = message.oneof_decl[field.oneof_index].name if field.HasField("oneof_index") else ""
    return field.name, field.type, field.label, field.type_name, oneof


def _is_reserved(message: d.DescriptorProto, field: Field) -> bool:
    number = any(span.start <= field.number < span.end for span in message.reserved_range)
    return number and field.name in message.reserved_name


def _enum(
    name: str, was: d.EnumDescriptorProto, now: d.EnumDescriptorProto | None
) -> Iterator[str]:
    values = {one.number: one.name for one in now.value} if now else {}
    for value in was.value:
        if values.get(value.number) != value.name:
            yield f"{name}.{value.name} is gone or means another number"

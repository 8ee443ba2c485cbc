from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class SignInRequest(_message.Message):
    __slots__ = ("user", "password", "host", "peer")
    USER_FIELD_NUMBER: _ClassVar[int]
    PASSWORD_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    PEER_FIELD_NUMBER: _ClassVar[int]
    user: str
    password: str
    host: str
    peer: str
    def __init__(self, user: _Optional[str] = ..., password: _Optional[str] = ..., host: _Optional[str] = ..., peer: _Optional[str] = ...) -> None: ...

class SignInReply(_message.Message):
    __slots__ = ("token", "valid_for")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALID_FOR_FIELD_NUMBER: _ClassVar[int]
    token: str
    valid_for: float
    def __init__(self, token: _Optional[str] = ..., valid_for: _Optional[float] = ...) -> None: ...

class SignOutRequest(_message.Message):
    __slots__ = ("token",)
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    token: str
    def __init__(self, token: _Optional[str] = ...) -> None: ...

class SignOutReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class CallerTokenRequest(_message.Message):
    __slots__ = ("credential", "host", "service")
    CREDENTIAL_FIELD_NUMBER: _ClassVar[int]
    HOST_FIELD_NUMBER: _ClassVar[int]
    SERVICE_FIELD_NUMBER: _ClassVar[int]
    credential: str
    host: str
    service: int
    def __init__(self, credential: _Optional[str] = ..., host: _Optional[str] = ..., service: _Optional[int] = ...) -> None: ...

class CallerTokenReply(_message.Message):
    __slots__ = ("token", "valid_for")
    TOKEN_FIELD_NUMBER: _ClassVar[int]
    VALID_FOR_FIELD_NUMBER: _ClassVar[int]
    token: str
    valid_for: float
    def __init__(self, token: _Optional[str] = ..., valid_for: _Optional[float] = ...) -> None: ...

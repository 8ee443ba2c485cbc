"""Every failure a caller can be told about, and the code each surface gives it.

Domain code raises these and knows no transport. Edges translate: the table below is the one
place where a Snowflake code, a gRPC status and an HTTP status meet. Sources of the numbers are
named in docs/errors.md, which is generated from this module.
"""

from dataclasses import dataclass
from enum import Enum, unique
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Surface:
    grpc: str
    http: int
    retryable: bool
    # Keeps two kinds with equal codes distinct members of the enum.
    note: str = ""


@unique
class Kind(Enum):
    INVALID = Surface("INVALID_ARGUMENT", 400, retryable=False)
    UNSUPPORTED = Surface("UNIMPLEMENTED", 422, retryable=False)
    NOT_FOUND = Surface("NOT_FOUND", 404, retryable=False)
    EXISTS = Surface("ALREADY_EXISTS", 409, retryable=False)
    DENIED = Surface("PERMISSION_DENIED", 403, retryable=False)
    UNAUTHENTICATED = Surface("UNAUTHENTICATED", 401, retryable=False)
    CONFLICT = Surface("ABORTED", 409, retryable=True)
    EXHAUSTED = Surface("RESOURCE_EXHAUSTED", 429, retryable=True)
    UNAVAILABLE = Surface("UNAVAILABLE", 503, retryable=True)
    TIMEOUT = Surface("DEADLINE_EXCEEDED", 504, retryable=True)
    INTERNAL = Surface("INTERNAL", 500, retryable=False)


class SnowcaveError(Exception):
    """Base of everything that a caller may be told."""

    kind: ClassVar[Kind] = Kind.INTERNAL
    code: int = 370001
    sqlstate: str = "XX000"

    @property
    def message(self) -> str:
        return str(self)


class RemoteError(SnowcaveError):
    """Another daemon's failure, with its own codes."""

    def __init__(self, kind: Kind, code: int, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind  # type: ignore[misc]
        self.code = code
        self.sqlstate = sqlstate


class SyntaxInvalid(SnowcaveError):
    """`syntax error line 1 at position 7 unexpected 'X'.`"""

    kind = Kind.INVALID
    code = 1003
    sqlstate = "42000"

    def __init__(self, line: int, position: int, unexpected: str, expected: str = "") -> None:
        tail = f"\nexpecting {expected}." if expected else ""
        super().__init__(
            "SQL compilation error:\n"
            f"syntax error line {line} at position {position} unexpected '{unexpected}'.{tail}"
        )
        self.line = line
        self.position = position


class ValueInvalid(SnowcaveError):
    kind = Kind.INVALID
    code = 1008
    sqlstate = "22023"


class OptionMissing(SnowcaveError):
    kind = Kind.INVALID
    code = 2029
    sqlstate = "42601"

    def __init__(self, *names: str) -> None:
        super().__init__(f"SQL compilation error:\nMissing option(s): [{', '.join(names)}]")


class Unsupported(SnowcaveError):
    kind = Kind.UNSUPPORTED
    code = 2
    sqlstate = "0A000"

    def __init__(self, feature: str) -> None:
        super().__init__(f"SQL compilation error:\nUnsupported feature '{feature}'.")


class SpecInvalid(SnowcaveError):
    """395018: the service specification is refused; the text names the place."""

    kind = Kind.INVALID
    code = 395018
    sqlstate = "22023"

    def __init__(self, what: str) -> None:
        super().__init__(f"Invalid spec: {what}")


class TemplateFailed(SnowcaveError):
    """395069: a specification's template could not be rendered, or not be read."""

    kind = Kind.INVALID
    code = 395069
    sqlstate = "23001"

    def __init__(self, why: str) -> None:
        super().__init__(f"Unable to render service spec from given template: {why}")


class ObjectNotFound(SnowcaveError):
    kind = Kind.NOT_FOUND
    code = 2003
    sqlstate = "02000"

    def __init__(self, domain: str, name: str) -> None:
        super().__init__(
            f"SQL compilation error:\n{domain} '{name}' does not exist or not authorized."
        )
        self.domain = domain
        self.name = name


class ObjectPurged(ObjectNotFound):
    """UNDROP of what is not there to come back. Shares 2003 with ObjectNotFound; wording from memory."""

    def __init__(self, domain: str, name: str) -> None:
        SnowcaveError.__init__(
            self, f"SQL compilation error:\n{domain} '{name}' did not exist or was purged."
        )
        self.domain = domain
        self.name = name


class ImageNotFound(ObjectNotFound):
    """Shares 2003 with ObjectNotFound: an image is an object that is not in the catalog."""

    def __init__(self, repository_path: str, image: str, reference: str) -> None:
        mark = "@" if reference.startswith("sha256:") else ":"
        SnowcaveError.__init__(
            self,
            f"Failed to retrieve image {repository_path}/{image}{mark}{reference} from the image "
            "repository. Either the image doesn't exist or is not authorized.",
        )
        self.domain = "Image"
        self.name = f"{repository_path}/{image}{mark}{reference}"


class StageFileNotFound(SnowcaveError):
    """A statement needs a file that is not on its stage."""

    kind = Kind.NOT_FOUND
    code = 91016
    sqlstate = "22000"

    def __init__(self, path: str) -> None:
        super().__init__(f"Remote file '{path}' was not found. The file might not exist.")


class ObjectExists(SnowcaveError):
    kind = Kind.EXISTS
    code = 2002
    sqlstate = "42710"

    def __init__(self, name: str) -> None:
        super().__init__(f"SQL compilation error:\nObject '{name}' already exists.")
        self.name = name


class ContextMissing(SnowcaveError):
    """90105: a name is not qualified and the session has no database or schema in use."""

    kind = Kind.INVALID
    code = 90105
    sqlstate = "22000"

    def __init__(self, domain: str) -> None:
        super().__init__(
            f"Cannot perform operation. This session does not have a current {domain}. "
            f"Call 'USE {domain.upper()}', or use a qualified name."
        )


class NotAuthorized(SnowcaveError):
    kind = Kind.DENIED
    code = 3001
    sqlstate = "42501"

    def __init__(self, what: str = "") -> None:
        super().__init__(
            "SQL access control error:\nInsufficient privileges to operate on "
            + (what or "object")
            + "."
        )


class LoginFailed(SnowcaveError):
    kind = Kind.UNAUTHENTICATED
    code = 390100
    sqlstate = "28000"

    def __init__(self, message: str = "Incorrect username or password was specified.") -> None:
        super().__init__(message)


class SessionExpired(SnowcaveError):
    kind = Kind.UNAUTHENTICATED
    code = 390112
    sqlstate = "08001"

    def __init__(self) -> None:
        super().__init__("Session token expired.")


class SessionGone(SnowcaveError):
    kind = Kind.UNAUTHENTICATED
    code = 390104
    sqlstate = "08001"

    def __init__(self) -> None:
        super().__init__("Authentication token is invalid.")


class MasterTokenExpired(SnowcaveError):
    kind = Kind.UNAUTHENTICATED
    code = 390114
    sqlstate = "08001"

    def __init__(self) -> None:
        super().__init__("Authentication token has expired. The user must authenticate again.")


class RoleNotGranted(SnowcaveError):
    """The role of a connect string. 390189 from memory."""

    kind = Kind.UNAUTHENTICATED
    code = 390189
    sqlstate = "28000"

    def __init__(self, role: str) -> None:
        super().__init__(
            f"Role '{role}' specified in the connect string does not exist or not authorized. "
            "Contact your local system administrator, or attempt to login with another role."
        )


class UserLocked(SnowcaveError):
    """Too many wrong passwords. 390102 from memory."""

    kind = Kind.UNAUTHENTICATED
    code = 390102
    sqlstate = "28000"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            "Your user account has been temporarily locked due to too many failed attempts. "
            f"Try again after {seconds:.0f} second(s)."
        )


class JwtInvalid(SnowcaveError):
    """A key-pair login's token is no good; why is for the log, not for who shows it."""

    kind = Kind.UNAUTHENTICATED
    code = 390144
    sqlstate = "28000"

    def __init__(self) -> None:
        super().__init__("JWT token is invalid.")


class AccessTokenInvalid(SnowcaveError):
    """A programmatic access token is unknown, expired or disabled. 394400 from memory."""

    kind = Kind.UNAUTHENTICATED
    code = 394400
    sqlstate = "28000"

    def __init__(self) -> None:
        super().__init__("Programmatic access token is invalid.")


class PublicKeyInvalid(SnowcaveError):
    """3562 from memory."""

    kind = Kind.INVALID
    code = 3562
    sqlstate = "22023"

    def __init__(self) -> None:
        super().__init__(
            "SQL compilation error:\n"
            "New public key rejected by current policy. Reason: 'Invalid public key'"
        )


class DependentGrant(SnowcaveError):
    """GRANT OWNERSHIP while others hold privileges on the object, and nothing said of them."""

    kind = Kind.INVALID
    code = 3036
    sqlstate = "23001"

    def __init__(self, privilege: str, securable: str, role: str) -> None:
        super().__init__(
            f"SQL execution error: Dependent grant of privilege '{privilege}' on securable "
            f"'{securable}' to role '{role}' exists.  It must be revoked first.  More than one dependent "
            "grant may exist: use 'SHOW GRANTS' command to view them.  To revoke all dependent grants "
            "while transferring object ownership, use convenience command 'GRANT OWNERSHIP ON "
            "<target_objects> TO <target_role> REVOKE CURRENT GRANTS'."
        )


class LoginMethodUnsupported(SnowcaveError):
    """`code` is what the clients know of that method's failures."""

    kind = Kind.UNAUTHENTICATED
    sqlstate = "28000"

    def __init__(self, method: str, code: int) -> None:
        super().__init__(f"Authentication with {method} is not supported. Use a password.")
        self.code = code


class TokenInvalid(SnowcaveError):
    """What a client shows as its OAuth token is none. The clients know 390303."""

    kind = Kind.UNAUTHENTICATED
    code = 390303
    sqlstate = "28000"

    def __init__(self) -> None:
        super().__init__("Invalid OAuth access token.")


class TokenExpired(SnowcaveError):
    """The clients know 390318."""

    kind = Kind.UNAUTHENTICATED
    code = 390318
    sqlstate = "28000"

    def __init__(self) -> None:
        super().__init__("OAuth access token expired.")


class StatementNotFound(SnowcaveError):
    """709 from memory."""

    kind = Kind.NOT_FOUND
    code = 709
    sqlstate = "02000"

    def __init__(self, query_id: str) -> None:
        super().__init__(f"Statement {query_id} not found")


class StatementTimeout(SnowcaveError):
    kind = Kind.TIMEOUT
    code = 630
    sqlstate = "57014"

    def __init__(self, seconds: float) -> None:
        super().__init__(
            f"Statement reached its statement or warehouse timeout of {seconds:.0f} second(s) "
            "and was canceled."
        )


class QueryCancelled(SnowcaveError):
    kind = Kind.CONFLICT
    code = 604
    sqlstate = "57014"

    def __init__(self) -> None:
        super().__init__("SQL execution canceled")


class Conflict(SnowcaveError):
    """Somebody else changed it meanwhile; look again."""

    kind = Kind.CONFLICT


class Unavailable(SnowcaveError):
    """A part that is needed does not answer now."""

    kind = Kind.UNAVAILABLE


class SealBroken(SnowcaveError):
    """A secret does not open: the home has another key than the one that it was sealed with. Number ours."""

    code = 395094
    sqlstate = "58000"

    def __init__(self, what: str) -> None:
        super().__init__(f"The content of {what} cannot be opened with this installation's key.")


class Exhausted(SnowcaveError):
    kind = Kind.EXHAUSTED


class DeadlinePassed(SnowcaveError):
    kind = Kind.TIMEOUT


class EngineUnavailable(Unavailable):
    """The container engine is away or does not answer in time."""


class EngineRefused(SnowcaveError):
    """The container engine will not do what it was asked; the text is its own."""


class ContainerGone(SnowcaveError):
    kind = Kind.NOT_FOUND
    code = 2003
    sqlstate = "02000"

    def __init__(self, container: str) -> None:
        super().__init__(f"Container '{container}' does not exist.")


class ImageMissing(SnowcaveError):
    """The engine does not have the image: it has to be pulled first."""

    kind = Kind.NOT_FOUND
    code = 2003
    sqlstate = "02000"

    def __init__(self, reference: str) -> None:
        super().__init__(f"Image '{reference}' is not on this node.")


class ImagePullFailed(SnowcaveError):
    kind = Kind.UNAVAILABLE

    def __init__(self, reference: str, reason: str) -> None:
        super().__init__(f"Failed to pull image '{reference}': {reason}")


class ServiceFunctionFailed(SnowcaveError):
    """A batch of a service function had no good answer. Worded as external functions word it; number ours."""

    kind = Kind.INVALID
    code = 395090
    sqlstate = "22000"

    def __init__(
        self, function: str, reason: str, *, batch_id: str, rows: int, retries: int
    ) -> None:
        super().__init__(
            f"Request failed for service function {function}: {reason}; "
            f"requests batch-id: {batch_id}; request batch size: {rows} rows; "
            f"request retries: {retries}"
        )


class JobFailed(SnowcaveError):
    """A job that was waited for did not come to DONE. Wording and number ours: no source found."""

    kind = Kind.INVALID
    code = 395092
    sqlstate = "22000"

    def __init__(self, job: str, status: str, reason: str) -> None:
        tail = f" {reason.rstrip('.')}." if reason else ""
        super().__init__(f"Job {job} failed with status: {status}.{tail}")
        self.status = status


class ServiceNotReached(SnowcaveError):
    """Somebody waited for a status in vain. Wording and number ours: no source found."""

    kind = Kind.INVALID
    code = 395093
    sqlstate = "22000"

    def __init__(self, service: str, wanted: str, status: str) -> None:
        super().__init__(
            f"Service '{service}' has not reached status {wanted}: its status is {status}."
        )


class ServiceNotReady(SnowcaveError):
    """No instance can be called now. Number ours: no source found."""

    kind = Kind.UNAVAILABLE
    code = 395091
    sqlstate = "55000"

    def __init__(self, service: str, status: str, ready: int, needed: int) -> None:
        """`needed`: instances that have to be ready, as its owner says; one at least."""
        super().__init__(
            f"Service '{service}' is not ready to be called: its status is {status} "
            f"({ready} of {max(needed, 1)} instance(s) ready)."
        )
        self.service = service
        self.status = status

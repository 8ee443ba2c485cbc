"""Signs people in and out at the api, and asks it for tokens that only it may make."""

import grpc.aio

from snowcave.ingress.visits import Visit
from snowcave.runtime.outcomes import translated
from snowcave.v1 import identity_pb2 as v1
from snowcave.v1 import identity_pb2_grpc


class ApiSessions:
    def __init__(self, channel: grpc.aio.Channel, deadline: float) -> None:
        self._stub = identity_pb2_grpc.IdentityServiceStub(channel)
        self._deadline = deadline

    async def login(self, user: str, password: str, visit: Visit) -> str:
        """A token that counts at the visit's host. Raises LoginFailed's kin, Unavailable."""
        request = v1.SignInRequest(
            user=user, password=password, host=visit.host, peer=visit.visitor.address
        )
        with translated("The api"):
            return (await self._stub.SignIn(request, timeout=self._deadline)).token

    async def logout(self, token: str) -> None:
        with translated("The api"):
            await self._stub.SignOut(v1.SignOutRequest(token=token), timeout=self._deadline)

    async def caller_token(self, credential: str, host: str, service: int) -> tuple[str, float]:
        request = v1.CallerTokenRequest(credential=credential, host=host, service=service)
        with translated("The api"):
            reply = await self._stub.IssueCallerToken(request, timeout=self._deadline)
        return reply.token, reply.valid_for

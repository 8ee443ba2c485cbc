"""IdentityService: what the ingress gateway asks about people."""

from typing import Any

import structlog

from snowcave.api.sessions.endpoint_tokens import EndpointTokens
from snowcave.api.sessions.proof import Proof
from snowcave.api.settings import SessionSettings
from snowcave.v1 import identity_pb2 as v1
from snowcave.v1 import identity_pb2_grpc as stubs

log = structlog.get_logger()

IDENTITY_SERVICE = "snowcave.v1.IdentityService"


class IdentityServicer(stubs.IdentityServiceServicer):
    def __init__(self, proof: Proof, tokens: EndpointTokens, settings: SessionSettings) -> None:
        self._proof = proof
        self._tokens = tokens
        self._settings = settings

    async def SignIn(self, request: v1.SignInRequest, context: Any) -> v1.SignInReply:  # noqa: N802
        who = await self._proof.by_password(request.user, request.password, request.peer)
        token = await self._tokens.for_browser(who, request.host)
        log.info("signed_in", user=who.user_name, host=request.host, peer=request.peer)
        return v1.SignInReply(token=token, valid_for=self._settings.browser_token)

    async def SignOut(  # noqa: N802
        self, request: v1.SignOutRequest, context: Any
    ) -> v1.SignOutReply:
        await self._tokens.revoke(request.token)
        return v1.SignOutReply()

    async def IssueCallerToken(  # noqa: N802
        self, request: v1.CallerTokenRequest, context: Any
    ) -> v1.CallerTokenReply:
        who = await self._tokens.identity.by_token(request.credential, request.host)
        token = await self._tokens.for_service(who, request.service)
        return v1.CallerTokenReply(token=token, valid_for=self._settings.caller_token)

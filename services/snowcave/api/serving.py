"""The ports of api: gRPC for the other daemons and for programs, HTTP for clients and people."""

import ipaddress
from functools import partial

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.following import Following
from snowcave.api.ground import Answers, Ground, Neighbours
from snowcave.api.grpc.callers import GrpcCallers
from snowcave.api.grpc.catalog import CATALOG_SERVICE, CatalogServicer
from snowcave.api.grpc.functions import FUNCTION_SERVICE, FunctionProxy
from snowcave.api.grpc.identity import IDENTITY_SERVICE, IdentityServicer
from snowcave.api.grpc.node_stages import STAGE_SERVICE, NodeStageServicer
from snowcave.api.grpc.shown import (
    NODE_SERVICE,
    SERVICE_CATALOG,
    NodeServicer,
    ServiceCatalogServicer,
    Shows,
)
from snowcave.api.grpc.sql import SQL_SERVICE, SqlServicer
from snowcave.api.http import server
from snowcave.api.http.front import Front
from snowcave.api.http.oauth import OAuth
from snowcave.api.http.root import Root
from snowcave.api.http.transfers import Transfers
from snowcave.api.rest.catalog import OPERATIONS
from snowcave.api.rest.operations import Routes
from snowcave.api.rest.results import Results as RestResults
from snowcave.api.rest.server import RestApi
from snowcave.api.rest.sessions import Sessions
from snowcave.api.secrets.reading import SecretReader
from snowcave.api.sessions.oauth import TokenExchange
from snowcave.model.keys import Role
from snowcave.runtime.grpc import AddServicer, serve, serve_public
from snowcave.runtime.listen import node_addresses
from snowcave.runtime.mesh import Mesh
from snowcave.runtime.replicas import connect_all
from snowcave.v1 import (
    catalog_pb2_grpc,
    functions_pb2_grpc,
    identity_pb2_grpc,
    sql_pb2_grpc,
    stages_pb2_grpc,
)

Servicer = tuple[str, AddServicer]


# Who may call what, by the names of the services. Operators may call everything.
_CALLERS = {
    SQL_SERVICE: {Role.ADMIN},
    SERVICE_CATALOG: {Role.ADMIN},
    NODE_SERVICE: {Role.ADMIN},
    FUNCTION_SERVICE: {Role.ADMIN},
    CATALOG_SERVICE: {Role.ADMIN, Role.INGRESS, Role.SCHEDULER, Role.AGENT},
    IDENTITY_SERVICE: {Role.ADMIN, Role.INGRESS},
    STAGE_SERVICE: {Role.ADMIN, Role.AGENT},
}


async def serve_grpc(ground: Ground, neighbours: Neighbours, answers: Answers) -> None:
    mesh = ground.mesh
    callers = GrpcCallers(answers.book, answers.directory, answers.callers)
    public = [
        *_for_programs(ground, neighbours, answers, callers),
        (FUNCTION_SERVICE, await _functions(ground, answers, callers)),
    ]
    servicers = [*_for_daemons(ground, neighbours, answers), *public]
    inside = [f"{host}:{mesh.grpc_port(Role.API)}" for host in node_addresses(mesh)]
    server = serve(Role.API, inside, mesh.folder("tls"), servicers, callers=_CALLERS)
    await ground.parts.enter("grpc", server)
    plain, encrypted = addresses(mesh, "grpc", "grpc-tls")
    for_all = serve_public(
        Role.API,
        public,
        plain=_texts(plain),
        encrypted=_texts(encrypted),
        tls_folder=mesh.folder("tls"),
        bounds=ground.settings.grpc,
    )
    await ground.parts.enter("public grpc", for_all)


def _texts(found: list[tuple[str, int]]) -> list[str]:
    return [f"[{host}]:{port}" if ":" in host else f"{host}:{port}" for host, port in found]


def _for_daemons(ground: Ground, neighbours: Neighbours, answers: Answers) -> list[Servicer]:
    catalog = Catalog(ground.store, ground.mirrors.catalog)
    secrets = SecretReader(catalog, answers.tokens, ground.sealer)
    backups = ground.backups()
    errands = CatalogServicer(ground.store, answers.tokens, secrets, backups, ground.clock)
    of_nodes = NodeStageServicer(catalog, answers.tokens, neighbours.stages)
    people = IdentityServicer(answers.proof, answers.ends, ground.settings.sessions)
    return [
        (CATALOG_SERVICE, partial(sql_pb2_grpc.add_CatalogServiceServicer_to_server, errands)),
        (STAGE_SERVICE, partial(stages_pb2_grpc.add_StageServiceServicer_to_server, of_nodes)),
        (
            IDENTITY_SERVICE,
            partial(identity_pb2_grpc.add_IdentityServiceServicer_to_server, people),
        ),
    ]


def _for_programs(
    ground: Ground, neighbours: Neighbours, answers: Answers, callers: GrpcCallers
) -> list[Servicer]:
    mirrors = ground.mirrors
    sql = SqlServicer(
        answers.login,
        callers,
        answers.ending,
        answers.queries,
        answers.results,
        neighbours.warehouse,
        ground.settings.queries,
        Catalog(ground.store, mirrors.catalog),
        Following(ground.mesh, mirrors.assignments, mirrors.nodes, mirrors.catalog.services),
    )
    shows = Shows(callers, answers.runner, ground.settings.rest.read)
    services, nodes = ServiceCatalogServicer(shows), NodeServicer(shows)
    return [
        (SQL_SERVICE, partial(sql_pb2_grpc.add_SqlServiceServicer_to_server, sql)),
        (
            SERVICE_CATALOG,
            partial(catalog_pb2_grpc.add_ServiceCatalogServicer_to_server, services),
        ),
        (NODE_SERVICE, partial(catalog_pb2_grpc.add_NodeServiceServicer_to_server, nodes)),
    ]


async def _functions(ground: Ground, answers: Answers, callers: GrpcCallers) -> AddServicer:
    mesh, settings = ground.mesh, ground.settings
    routers = await ground.parts.enter(
        "functions",
        connect_all(
            settings.functions_address or mesh.grpc_address(Role.FUNCTIONS),
            mesh.folder("tls"),
            functions_pb2_grpc.FunctionServiceStub,
            me=Role.API,
            to=Role.FUNCTIONS,
        ),
    )
    proxy = FunctionProxy(
        callers,
        answers.runner,
        routers,
        settings.rest.read,
        settings.relay,
    )
    return partial(functions_pb2_grpc.add_FunctionServiceServicer_to_server, proxy)


async def serve_http(ground: Ground, neighbours: Neighbours, answers: Answers) -> None:
    settings, mesh, book = ground.settings, ground.mesh, answers.book
    front = Front(
        settings,
        book,
        answers.login,
        answers.ending,
        answers.directory,
        answers.queries,
        answers.results,
    )
    transfers = Transfers(settings.http, book, ground.mirrors.catalog.objects, neighbours.stages)
    exchange = TokenExchange(answers.proof, answers.ends, settings.sessions.endpoint_token)
    oauth = OAuth(exchange, settings.http)
    rest = _rest(ground, neighbours, answers)
    plain, encrypted = addresses(mesh, "api", "api-tls")
    tls = mesh.folder("tls")
    await ground.parts.enter(
        "http",
        server.serve(
            [
                *front.routes(),
                *oauth.routes(),
                *Root(mesh).routes(),
                *transfers.routes(),
                *rest.routes(),
            ],
            settings.http,
            plain=plain,
            encrypted=encrypted,
            certificate=(tls / "api.pem", tls / "api.key"),
        ),
    )


def _rest(ground: Ground, neighbours: Neighbours, answers: Answers) -> RestApi:
    settings = ground.settings
    return RestApi(
        sessions=Sessions(answers.callers, answers.directory),
        runner=answers.runner,
        queries=answers.queries,
        results=RestResults(answers.results, neighbours.warehouse, settings.rest),
        settings=settings.rest,
        http=settings.http,
        routes_of=Routes(OPERATIONS),
    )


def addresses(
    mesh: Mesh, plain_port: str, tls_port: str
) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Where to listen in the clear, and where with TLS: only loopback is ever served in the clear."""
    loopback = ipaddress.ip_address(mesh.listen).is_loopback
    plain = [(mesh.listen if loopback else "127.0.0.1", mesh.port(plain_port))]
    hosts = node_addresses(mesh, mesh.listen)
    return plain, [(host, mesh.port(tls_port)) for host in hosts]

"""The ports of api: gRPC for the other daemons and for programs, HTTP for clients and people."""

import ipaddress
from functools import partial

from snowcave.api.catalog.catalog import Catalog
from snowcave.api.following import Following
from snowcave.api.ground import Answers, Ground, Neighbours
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
from snowcave.runtime.grpc import connect, serve
from snowcave.runtime.listen import node_addresses
from snowcave.runtime.mesh import Mesh
from snowcave.v1 import (
    catalog_pb2_grpc,
    functions_pb2_grpc,
    identity_pb2_grpc,
    sql_pb2_grpc,
    stages_pb2_grpc,
)


async def serve_grpc(ground: Ground, neighbours: Neighbours, answers: Answers) -> None:
    mirrors = ground.mirrors
    catalog = Catalog(ground.store, mirrors.catalog)
    sql = SqlServicer(
        answers.login,
        answers.book,
        answers.ending,
        answers.directory,
        answers.queries,
        answers.results,
        neighbours.warehouse,
        ground.settings.queries,
        catalog,
        Following(ground.mesh, mirrors.assignments, mirrors.nodes, mirrors.catalog.services),
    )
    secrets = SecretReader(catalog, answers.tokens, ground.sealer)
    backups = ground.backups()
    errands = CatalogServicer(ground.store, answers.tokens, secrets, backups, ground.clock)
    of_nodes = NodeStageServicer(catalog, answers.tokens, neighbours.stages)
    people = IdentityServicer(answers.proof, answers.ends, ground.settings.sessions)
    mesh = ground.mesh
    add_people = partial(identity_pb2_grpc.add_IdentityServiceServicer_to_server, people)
    add_sql = partial(sql_pb2_grpc.add_SqlServiceServicer_to_server, sql)
    add_stages = partial(stages_pb2_grpc.add_StageServiceServicer_to_server, of_nodes)
    add_errands = partial(sql_pb2_grpc.add_CatalogServiceServicer_to_server, errands)
    looking = ground.settings.rest.read
    shows = Shows(answers.book, answers.directory, answers.runner, looking)
    add_services = partial(
        catalog_pb2_grpc.add_ServiceCatalogServicer_to_server, ServiceCatalogServicer(shows)
    )
    add_nodes = partial(catalog_pb2_grpc.add_NodeServiceServicer_to_server, NodeServicer(shows))
    functions_at = mesh.grpc_address(Role.FUNCTIONS)
    router = await ground.parts.enter(
        "functions",
        connect(functions_at, mesh.folder("tls"), me=Role.API, to=Role.FUNCTIONS),
    )
    proxy = FunctionProxy(
        answers.book,
        answers.directory,
        answers.runner,
        functions_pb2_grpc.FunctionServiceStub(router),
        looking,
    )
    add_functions = partial(functions_pb2_grpc.add_FunctionServiceServicer_to_server, proxy)
    await ground.parts.enter(
        "grpc",
        serve(
            Role.API,
            [f"{host}:{mesh.grpc_port(Role.API)}" for host in node_addresses(mesh)],
            mesh.folder("tls"),
            [
                (SQL_SERVICE, add_sql),
                (CATALOG_SERVICE, add_errands),
                (STAGE_SERVICE, add_stages),
                (IDENTITY_SERVICE, add_people),
                (SERVICE_CATALOG, add_services),
                (NODE_SERVICE, add_nodes),
                (FUNCTION_SERVICE, add_functions),
            ],
            callers=[Role.ADMIN, Role.INGRESS, Role.SCHEDULER, Role.AGENT],
        ),
    )


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
    plain, encrypted = addresses(mesh)
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
    most = settings.rest.sessions
    return RestApi(
        sessions=Sessions(answers.book, answers.directory, answers.login, most),
        runner=answers.runner,
        queries=answers.queries,
        results=RestResults(answers.results, neighbours.warehouse, settings.rest),
        settings=settings.rest,
        http=settings.http,
        routes_of=Routes(OPERATIONS),
    )


def addresses(mesh: Mesh) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Where to listen in the clear, and where with TLS: only loopback is ever served in the clear."""
    loopback = ipaddress.ip_address(mesh.listen).is_loopback
    plain = [(mesh.listen if loopback else "127.0.0.1", mesh.port("api"))]
    hosts = node_addresses(mesh, mesh.listen)
    return plain, [(host, mesh.port("api-tls")) for host in hosts]

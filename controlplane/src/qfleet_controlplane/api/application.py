"""The application: every route, one error form, an OpenAPI schema without outside addresses."""

from litestar import Litestar, Router
from litestar.config.app import AppConfig
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, SecurityScheme

from qfleet_controlplane.api import devices, fleet, jobs, keys, network, operations, problems
from qfleet_controlplane.api.backends import Backends

_OPENAPI_PATH = "/api/v1/openapi"


def make(backends: Backends, *, version: str, max_body_bytes: int) -> Litestar:
    """Make the application over its backends.

    ``max_body_bytes`` bounds every request's body; a longer one is answered 413.
    """

    def keep(config: AppConfig) -> AppConfig:
        config.state.backends = backends
        return config

    return Litestar(
        route_handlers=[
            Router(
                "/api/v1",
                route_handlers=[*jobs.ROUTES, *devices.ROUTES, *fleet.ROUTES, *network.ROUTES, *keys.ROUTES],
            ),
            operations.healthz,
            operations.readyz,
            operations.metrics,
        ],
        exception_handlers={Exception: problems.answer, 500: problems.answer},
        request_max_body_size=max_body_bytes,
        openapi_config=_openapi(version),
        on_app_init=[keep],
        logging_config=None,
        debug=False,
    )


def _openapi(version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title="qfleet control plane",
        version=version,
        description="Times are milliseconds since the epoch, UTC. Every error answer is a Problem.",
        path=_OPENAPI_PATH,
        render_plugins=[JsonRenderPlugin(path="/")],
        components=Components(security_schemes={"bearer": SecurityScheme(type="http", scheme="bearer")}),
        security=[{"bearer": []}],
    )

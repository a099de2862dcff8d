"""The connection to a Dask scheduler, and what its workers say of themselves, in our terms.

Lives in the bridge's process only.
"""

import logging
from typing import Any

import msgspec
from dask import config
from distributed import Client, Security

from qfleet_agent.workers.bridge_frames import Connect
from qfleet_agent.workers.errors import ClusterLost
from qfleet_agent.workers.site import Report

ANSWER_S = 15.0
"""How long the scheduler may take to answer before it counts as lost."""


async def connect(wanted: Connect) -> Any:
    """Connect an asynchronous client. Raises ``ClusterLost``."""
    _hush()
    security = None
    if wanted.ca_file:
        security = Security(
            require_encryption=True,
            tls_ca_file=wanted.ca_file,
            tls_client_cert=wanted.cert_file or None,
            tls_client_key=wanted.key_file or None,
        )
    # A client that has lost its scheduler has lost its tasks too: begin anew instead.
    config.set({"distributed.comm.timeouts.connect": f"{ANSWER_S}s"})
    try:
        return await Client(
            wanted.address or None,
            scheduler_file=wanted.scheduler_file or None,
            security=security,
            asynchronous=True,
            set_as_default=False,
            timeout=ANSWER_S,
        )
    except (OSError, TimeoutError, ValueError) as error:
        raise ClusterLost(f"the scheduler at {wanted.name} does not take clients: {error}") from error


def report(said: object) -> Report | str:
    """Read what ``remote.report`` returned or raised on a worker; text says why it is of no use."""
    if isinstance(said, ModuleNotFoundError | AttributeError | ImportError):
        return f"it has no qfleet-agent that can serve a cluster ({said})"
    if isinstance(said, BaseException):
        return f"it cannot say what it has ({type(said).__name__}: {said})"
    try:
        return msgspec.convert(said, Report)
    except msgspec.ValidationError as error:
        return f"what it says of itself cannot be read ({error})"


def _hush() -> None:
    """Keep Dask's own log out of the agent's: what matters of it is said in words."""
    for name, logger in tuple(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == "distributed" and isinstance(logger, logging.Logger):
            logger.setLevel(logging.CRITICAL + 1)

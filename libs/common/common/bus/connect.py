"""Choose a transport by its address."""

from common.bus import Bus
from common.bus.postgres import PostgresBus
from common.events.topology import Topology
from common.retry import Retry
from common.stopping import FINISH_SECONDS


def connect(
    url: str,
    topology: Topology,
    *,
    namespace: str = "",
    retry: Retry | None = None,
    lease: float = 15.0,
    grace: float = FINISH_SECONDS,
) -> Bus:
    """Return the bus at `url`: `amqp(s)://` is RabbitMQ, any Postgres scheme the database.

    Nothing is opened yet. `namespace` keeps systems that share a server apart. `lease`: seconds
    after which Postgres gives a silent worker's message to another (RabbitMQ knows by the
    connection). `grace`: seconds that handlers get to finish when a subscription closes.
    """
    scheme, _, rest = url.partition("://")
    match scheme:
        case "postgres" | "postgresql" | "postgresql+asyncpg":
            dsn = f"postgresql://{rest}"
            return PostgresBus(
                dsn, topology, namespace=namespace, retry=retry, lease=lease, grace=grace
            )
        case "amqp" | "amqps":
            # Here, so that a start without RabbitMQ does not wait for its client to be imported.
            from common.bus.rabbitmq import RabbitBus

            return RabbitBus(url, topology, namespace=namespace, retry=retry, grace=grace)
        case _:
            raise ValueError(f"no transport for {scheme!r}: use amqp://, amqps:// or postgresql://")

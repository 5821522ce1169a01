"""Running the emulator on a real socket."""

import contextlib
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import uvicorn

from airflow_provider_kognic.emulator import demo
from airflow_provider_kognic.emulator.admin.bodies import Seed
from airflow_provider_kognic.emulator.admin.seeding import plant
from airflow_provider_kognic.emulator.api.bodies import require_openlabel_extra
from airflow_provider_kognic.emulator.faults.plan import Faults
from airflow_provider_kognic.emulator.faults.settings import Settings
from airflow_provider_kognic.emulator.serving.app import build_app
from airflow_provider_kognic.emulator.serving.hosts import Hosts, is_loopback, name_in
from airflow_provider_kognic.emulator.serving.protocol import BoundedProtocol
from airflow_provider_kognic.emulator.state import State
from airflow_provider_kognic.emulator.storage import clients
from airflow_provider_kognic.emulator.storage.database import Database
from airflow_provider_kognic.emulator.storage.schema import SCHEMA
from airflow_provider_kognic.emulator.storage.tokens import Tokens


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, state: State) -> None:
        super().__init__(config)
        self._state = state

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to whoever runs the emulator: uvicorn would raise them again after a clean stop."""
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let go of what hangs, then stop as uvicorn does."""
        self._state.stopping.set()
        await super().shutdown(sockets)


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to start an emulator.

    Attributes:
        host: The address to bind to.
        port: The TCP port; 0 picks a free one.
        database: The SQLite file; None for a temporary one that goes with the emulator.
        seed_demo: Make the demo datasets and client where they are missing.
        token_ttl: Seconds that an access token is valid for.
        seed: What there is to be besides, None for nothing.
        base: The settings to come back to when they are cleared.
        settings: The settings to begin with, ``base`` when None.
        allow_hosts: Names that a request may call it by besides those of this machine. Without any, an emulator
            that is bound to an address of elsewhere answers to all.
        clients: Pairs of client id and secret to let in.
    """

    host: str = "127.0.0.1"
    port: int = 0
    database: Path | None = None
    seed_demo: bool = False
    token_ttl: float = 3600.0
    seed: Seed | None = None
    base: Settings = field(default_factory=Settings)
    settings: Settings | None = None
    allow_hosts: tuple[str, ...] = ()
    clients: tuple[tuple[str, str], ...] = ()


class EmulatorServer:
    """An emulator bound to its port; ``run`` serves until ``stop`` is called from another thread or a signal.

    Args:
        options: How to start it.

    Raises:
        RuntimeError: ``kognic-openlabel`` is not installed.
        Refused: The seed cannot be planted.
        OSError: The address cannot be bound.
        sqlite3.Error: The database cannot be opened.
    """

    def __init__(self, options: Options) -> None:
        require_openlabel_extra()
        self._socket = _listen(options.host, options.port)
        self.host = options.host
        self.port: int = self._socket.getsockname()[1]
        try:
            self._database = Database(options.database, SCHEMA)
        except BaseException:
            self._socket.close()
            raise
        if options.seed_demo:
            self._database.write_and_wait(demo.seed)
        for client_id, client_secret in options.clients:
            self._database.write_and_wait(clients.add_client, client_id, client_secret)
        if options.seed is not None:
            try:
                self._database.write_and_wait(plant, options.seed)
            except BaseException:
                self._socket.close()
                self._database.close()
                raise
        state = State(
            database=self._database,
            tokens=Tokens(self._database, options.token_ttl),
            faults=Faults(options.base, options.settings),
        )
        config = uvicorn.Config(
            cast("Any", build_app(state, _hosts(self._socket, options.allow_hosts))),
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            # The admin endpoints trust the peer's address, so no header may replace it.
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=None,
            # Longer than clients keep idle connections: none shall meet one that is just being closed.
            timeout_keep_alive=600,
            timeout_graceful_shutdown=1,
        )
        self._server = _Server(config, state)

    @property
    def url(self) -> str:
        """Where it can be reached from this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)  # noqa: S104 (compared, not bound)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    def run(self) -> None:
        """Serve until told to stop, then close everything."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._socket.close()
            self._database.close()

    def stop(self) -> None:
        """Tell it to stop, from any thread; takes a few tenths of a second to be done."""
        self._server.should_exit = True


def _hosts(listening: socket.socket, allowed: tuple[str, ...]) -> Hosts:
    names = frozenset(name for given in allowed if (name := name_in(given)) is not None)
    everybody = not names and not is_loopback(listening.getsockname()[0])
    return Hosts(None if everybody else names)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        # Connections wait from now on, so nobody who reads the URL is turned away before the loop runs.
        listening.listen(1024)
    except OSError:
        listening.close()
        raise
    return listening

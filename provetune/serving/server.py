"""The process that listens: one port, bundles loaded before it opens, and an end in which nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn

from provetune.core.errors import EnvironmentFault
from provetune.serving.app import Application
from provetune.serving.service import Service

_BACKLOG = 2048


def bind(host: str, port: int) -> socket.socket:
    """A socket at an address, not listening yet; port 0 takes any that is free.

    Raises:
        EnvironmentFault: the port is taken, or the address is not this machine's.
    """
    place = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EnvironmentFault(f"There is no such address ({error.strerror}).", where=place) from error
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind(address)
    except (OSError, OverflowError) as error:
        found.close()
        raise EnvironmentFault(
            f"The port cannot be used ({getattr(error, 'strerror', None) or error}).",
            where=place,
            hint="Choose another with --port.",
        ) from error
    return found


def run(
    service: Service,
    app: Application,
    listener: socket.socket,
    *,
    options: Mapping[str, Any] | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Load the bundles, listen, and answer until a signal ends it. Returns once everything accepted is answered.

    Args:
        options: of `uvicorn.Config`, e.g. how long a caller may take.
        on_ready: called when requests are taken.

    Raises:
        ProvetuneError: a bundle cannot be loaded.
        EnvironmentFault: another server listens there.
    """
    with asyncio.Runner(loop_factory=_quick_loop()) as runner:
        runner.run(_serve(service, app, listener, dict(options or {}), on_ready))


async def _serve(
    service: Service,
    app: Application,
    listener: socket.socket,
    options: dict[str, Any],
    on_ready: Callable[[], None],
) -> None:
    config = uvicorn.Config(
        _closing(service, app),
        lifespan="off",
        timeout_graceful_shutdown=int(service.settings.drain_s),
        **{"log_config": None, "access_log": False, "server_header": False, "backlog": _BACKLOG, **options},
    )
    server = _Server(config, service, on_ready)
    with _ended_while_loading(asyncio.current_task()):
        await service.start()
    try:
        await server.serve(sockets=[listener])
    except OSError as error:
        raise EnvironmentFault(
            f"The port cannot be used ({error.strerror}).", hint="Choose another with --port."
        ) from error
    finally:
        await service.close()


class _Server(uvicorn.Server):
    """uvicorn's server, which at a signal first lets callers know and then stops listening.

    For `Settings.grace_s` it still answers, each answer closing its connection, so that nobody sends a request into a
    connection that is being closed.
    """

    def __init__(self, config: uvicorn.Config, service: Service, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._service, self._on_ready = service, on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._loop = asyncio.get_running_loop()
        self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop listening, and answer what is there.

        A caller whose connection the system has taken, but we have not, would be cut off: such connections are taken
        now, and have the grace to send their request.
        """
        waiting = [each for listener in sockets or [] for each in _accept_all(listener)]
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in waiting:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        await asyncio.sleep(self._service.settings.grace_s)
        await super().shutdown()

    def _make_protocol(self) -> asyncio.Protocol:
        protocol: Any = self.config.http_protocol_class
        made: asyncio.Protocol = protocol(
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made

    def handle_exit(self, sig: int, frame: Any) -> None:
        if self._service.draining:
            self.should_exit = True
            self.force_exit = sig == signal.SIGINT
            return
        self._service.draining = True
        self._loop.call_soon_threadsafe(self._loop.call_later, self._service.settings.grace_s, self._leave)

    def _leave(self) -> None:
        self.should_exit = True


def _accept_all(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait at a socket."""
    found: list[socket.socket] = []
    listener.setblocking(False)
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:  # none is left, or the socket is closed
            return found
        connection.setblocking(False)
        found.append(connection)


def _closing(service: Service, app: Application) -> Application:
    """The application; while the server shuts down each answer closes its connection."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if not service.draining:
            await app(scope, receive, send)
            return

        async def last(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, last)

    return answer


@contextlib.contextmanager
def _ended_while_loading(task: Any) -> Any:
    """A service manager's signal ends a server that is still loading as Ctrl-C does."""
    loop = asyncio.get_running_loop()
    try:
        loop.add_signal_handler(signal.SIGTERM, task.cancel)
    except (NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
        yield
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGTERM)


def _quick_loop() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's loop where it is there."""
    try:
        import uvloop
    except ImportError:
        return None
    found: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return found

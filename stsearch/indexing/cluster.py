"""Ray: connects to a cluster, or starts one of this machine, and asks actors; nothing else here knows Ray."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from stsearch.errors import DeviceError, UsageError
from stsearch.indexing.sources import SentSource
from stsearch.indexing.worker import Worker
from stsearch.objects.url import Location
from stsearch.worker_process import Message, NoAnswerError

LOCAL = "ray"
"""The address of a Ray that is started on this machine, and ends with the context."""

_URL = "ray://"
_PORT = 10001  # of the server for clients, on the head
_REACHED_S = 10.0
_STORE_BYTES = 256_000_000  # for photographs between processes of this machine; more go to the disk
_SETTINGS = {
    "RAY_USAGE_STATS_ENABLED": "0",  # nothing is reported to anybody
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # as Ray will do; without it, it warns
    "RAY_SCHEDULER_EVENTS": "0",  # else a cluster that grows talks in the terminal,
    "RAY_CLIENT_RECONNECT_GRACE_PERIOD": "5",  # seconds in which a head that is gone may come back
    "RAY_ENABLE_AUTO_CONNECT": "0",  # else the next question starts a Ray of this machine instead
    "GRPC_VERBOSITY": "NONE",
    "GRPC_ENABLE_FORK_SUPPORT": "0",  # it writes to the terminal, and no child uses it
    "RAY_DEDUP_LOGS_SKIP_REGEX": ".",  # and so does one that lost an actor, whatever log_to_driver says
}


def is_ray(engine: str) -> bool:
    """Return whether ``engine`` is an address: ``LOCAL``, or the URL of the head of a cluster."""
    return engine == LOCAL or engine.startswith(_URL)


def check_address(address: str) -> None:
    """Check what can be checked without starting anything.

    Raises:
        UsageError: ``address`` is none, or Ray is not installed.
    """
    if address != LOCAL:
        _host_and_port(address)
    _import_ray(address)


class SpotterActor:
    """What runs in a process of Ray: a worker, whose files come with their bytes."""

    def __init__(self) -> None:
        self._worker = Worker(_sent)

    def answer(self, request: Message, payload: bytes) -> tuple[Message, bytes]:
        """Answer as :class:`Worker` does."""
        return self._worker.answer(request, payload)


class Actor:
    """An actor that was asked for; Ray starts it where there is room."""

    def __init__(self, ray: ModuleType, handle: Any) -> None:  # Any: a class that Ray makes
        self._ray = ray
        self._handle = handle

    def ask(self, request: Message, payload: bytes = b"") -> tuple[Message, bytes]:
        """Return the answer to ``request``, once the actor has started and has time.

        Raises:
            NoAnswerError: it died.
            DeviceError: the cluster cannot be reached any more.
            UsageError: stsearch is not installed where it started.
        """
        try:
            message, found = self._ray.get(self._handle.answer.remote(dict(request), payload))
        except self._ray.exceptions.RayError as error:
            if "No module named" in str(error):
                raise UsageError(
                    "the machines of Ray lack stsearch: install the version of this machine on each"
                ) from error
            raise NoAnswerError("an actor of Ray") from error
        except Exception as error:  # its client raises anything when its server is gone
            raise _lost(error) from error
        return message, found

    def kill(self) -> None:
        """End the actor, or do not start it."""
        with suppress(Exception):  # whatever Ray raises where it is gone already
            self._ray.kill(self._handle)


class Cluster:
    """Machines that run actors.

    Attributes:
        cores: of all of them.
        gpus: of all of them.
    """

    def __init__(self, ray: ModuleType) -> None:
        self._ray = ray
        resources = ray.cluster_resources()
        self.cores = int(resources.get("CPU", 0))
        self.gpus = int(resources.get("GPU", 0))

    def start(self, gpus: float) -> Actor:
        """Ask for an actor with a core of its own, and with so many GPUs, or such a part of one."""
        try:
            remote = self._ray.remote(SpotterActor)
            return Actor(self._ray, remote.options(num_cpus=1, num_gpus=gpus).remote())
        except Exception as error:
            raise _lost(error) from error


@contextmanager
def connect(address: str, cores: int) -> Iterator[Cluster]:
    """Reach a cluster, or start a Ray of this machine that takes ``cores`` actors.

    A program that uses Ray already goes on using it afterwards.

    Raises:
        DeviceError: it cannot be reached, or started.
        UsageError: Ray is not installed, or its versions differ.
    """
    ray = _import_ray(address)
    if ray.is_initialized():
        yield Cluster(ray)
        return
    with _passing_folder() as folder:
        try:
            _init(ray, address, cores, folder)
            yield Cluster(ray)
        finally:
            ray.shutdown()


def _init(ray: ModuleType, address: str, cores: int, folder: str) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL, "configure_logging": False}
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address == LOCAL:
            ray.init(
                address="local",
                num_cpus=cores,
                include_dashboard=False,
                object_store_memory=_STORE_BYTES,
                _node_ip_address="127.0.0.1",
                _temp_dir=folder,
                **quiet,
            )
        else:
            _check_reached(address)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ray.init(address, **quiet)
    except (ConnectionError, TimeoutError) as error:
        raise DeviceError(
            f"Ray at {address} does not answer: {_first_line(error)}; if it asks for a token, set"
            " RAY_AUTH_MODE=token"
        ) from error
    except (RuntimeError, ValueError, OSError) as error:
        raise DeviceError(f"Ray cannot be used ({address}): {_first_line(error)}") from error
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, before)  # Ray has put its own there


def _check_reached(address: str) -> None:
    """Raise at once what Ray would say after half a minute."""
    host, port = _host_and_port(address)
    try:
        socket.create_connection((host, port), _REACHED_S).close()
    except OSError as error:
        raise DeviceError(
            f"no Ray is reached at {address}: {error.strerror or error}; its head serves clients on port"
            f" {_PORT}, once it was started with: ray start --head --ray-client-server-port {_PORT}"
        ) from error


def _host_and_port(address: str) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise UsageError(f"no head of a Ray cluster: {address!r}; write ray://HOST:{_PORT}")
    return host, port or _PORT


@contextmanager
def _passing_folder() -> Iterator[str]:
    """Yield a folder for logs and sockets; its path is short, as those of sockets must be."""
    folder = tempfile.mkdtemp(prefix="stsearch-ray-", dir="/tmp")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _import_ray(address: str) -> ModuleType:
    for name, value in _SETTINGS.items():  # read when Ray is imported, and by the processes it starts
        os.environ.setdefault(name, value)
    if address == LOCAL and "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ["RAY_AUTH_MODE"] = "token"
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else it puts one in the home
    try:
        import ray
    except ImportError as error:
        raise UsageError("Ray is not installed: pip install 'stsearch[ray]'") from error
    logging.getLogger("ray").setLevel(logging.CRITICAL)
    module: ModuleType = ray
    return module


def _sent(_: Location) -> SentSource:
    return SentSource()


def _lost(error: Exception) -> DeviceError:
    return DeviceError(f"Ray cannot be reached any more: {_first_line(error)}")


def _first_line(error: BaseException) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__)

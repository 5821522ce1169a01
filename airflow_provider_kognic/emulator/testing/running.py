"""How an emulator runs beside a test: in a thread, or in a process that can be killed."""

import selectors
import subprocess
import sys
import threading
from typing import IO, Any

from airflow_provider_kognic.emulator.serving.server import EmulatorServer, Options

# A process has to import everything first, on a machine that may be busy.
_START_SECONDS = 60.0
_STOP_SECONDS = 15.0


class InThread:
    """An emulator in a thread of this process."""

    def __init__(self, options: Options) -> None:
        self._server = EmulatorServer(options)
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.run, name="emulator", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        self._server.stop()
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            raise RuntimeError(f"The emulator has not stopped within {_STOP_SECONDS:g} s")

    def kill(self) -> None:
        """Refuse to."""
        raise RuntimeError("A thread cannot be killed; start the emulator with process=True")


class InProcess:
    """An emulator as a user starts it."""

    def __init__(self, options: Options, settings: str) -> None:
        command = [sys.executable, "-m", "airflow_provider_kognic.emulator", "--host", options.host]
        command += ["--port", str(options.port), "--database", str(options.database)]
        command += ["--token-ttl", str(options.token_ttl), "--faults", settings]
        command += ["--seed-demo"] if options.seed_demo else []
        command += ["--switches", options.base.model_dump_json(exclude_unset=True)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)  # noqa: S603 (our own)
        stdout = self._process.stdout
        if stdout is None or not _has_come(stdout, _START_SECONDS):
            self.kill()
            raise RuntimeError(f"The emulator has not started within {_START_SECONDS:g} s")
        line = stdout.readline()
        if not line:
            self.kill()
            raise RuntimeError("The emulator has not started: see its standard error")
        self.port = int(line.rstrip().rpartition(":")[2])

    def stop(self) -> None:
        """Stop it as SIGTERM does, and wait until it has."""
        self._end(self._process.terminate)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._end(self._process.kill)

    def _end(self, end: Any) -> None:
        end()
        self._process.wait(_STOP_SECONDS)
        if self._process.stdout is not None:
            self._process.stdout.close()


def _has_come(stream: IO[str], seconds: float) -> bool:
    """Whether there is something to read, or its end, within that time."""
    with selectors.DefaultSelector() as selector:  # `select.select` takes no file of a number above 1,023
        selector.register(stream, selectors.EVENT_READ)
        return bool(selector.select(seconds))

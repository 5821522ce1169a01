"""A Google Cloud Storage in a process of its own: prints its port, and ends with its standard input."""

import sys
import threading
from functools import partial
from http.server import HTTPServer


def main() -> None:
    from gcp_storage_emulator.server import RequestHandler
    from gcp_storage_emulator.storage import Storage

    server = HTTPServer(("127.0.0.1", 0), partial(RequestHandler, Storage(use_memory_fs=True)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)  # noqa: T201 - to who started it
    sys.stdin.read()


if __name__ == "__main__":
    main()

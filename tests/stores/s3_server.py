"""An S3 in a process of its own, moto's: `python s3_server.py` prints its port and ends with its standard input.

In a process of its own because moto changes what botocore does in the process that imports it, and because our
tests take warnings for errors, also those of others' servers.
"""

import sys
import threading


def main() -> None:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's name for it
            """Say nothing."""

    application = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.port, flush=True)  # noqa: T201 - to who started it
    sys.stdin.read()


if __name__ == "__main__":
    main()

"""A process that has the server loaded, and forks one for each connection that `start.py` makes.

It begins `connectconformance` and ends with its status:

    python -m tests.conformance.prepared <folder of the suite's .proto files> <connectconformance and its options>
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from tests.conformance import contract, handlers, server

START = Path(__file__).with_name("start.py")


def main(protos: Path, command: list[str]) -> int:
    """Run the suite against this server."""
    # Before any thread and any use of gRPC, whose state does not survive a fork.
    service = handlers.service(contract.load(protos))
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        address = f"{folder}/prepared"
        listening.bind(address)
        listening.listen(64)
        begun = [*command, "--", sys.executable, "-S", "-E", str(START), address]
        with subprocess.Popen(begun) as suite:
            forking = threading.Thread(target=answer, args=(listening, service), daemon=True)
            forking.start()
            return suite.wait()


def answer(listening: socket.socket, service) -> None:
    """Fork a server for each connection, for ever."""
    while True:
        connection, _ = listening.accept()
        _, streams, _, _ = socket.recv_fds(connection, 16, 3)
        child = os.fork()
        if child == 0:
            run(connection, listening, streams, service)
        for stream in streams:
            os.close(stream)
        threading.Thread(target=end_together, args=(connection, child), daemon=True).start()


def run(connection: socket.socket, listening: socket.socket, streams: list[int], service) -> None:
    """Serve with the streams of the one that asked; never returns."""
    status = 1
    try:
        listening.close()
        connection.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        asyncio.run(server.serve(service))
        status = 0
    except BaseException:  # noqa: BLE001 - a forked process must not go on where its parent does
        traceback.print_exc()
    finally:
        os._exit(status)


def end_together(connection: socket.socket, child: int) -> None:
    """Stop the server when the one that asked is told to stop, or is gone, and tell it the status."""
    watching = threading.Thread(target=lambda: (connection.recv(1), stop(child)), daemon=True)
    watching.start()
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        connection.sendall(bytes([os.waitstatus_to_exitcode(status) & 0xFF]))
    connection.close()


def stop(child: int) -> None:
    """Send SIGTERM to a server that may have ended."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))

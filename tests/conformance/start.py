"""What the suite starts as its server: hands its streams to `tests.conformance.prepared`, which has everything loaded
already, and ends as the server ends. A server that began here would spend seconds on imports each time, on a busy
machine more than the ten that the suite waits.

    python -S -E tests/conformance/start.py <socket of the prepared server>
"""

import signal
import socket
import sys

connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
socket.send_fds(connection, [b"start"], [0, 1, 2])


def stop(_number: int, _frame: object) -> None:
    connection.shutdown(socket.SHUT_WR)


for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, stop)
# The status, when the server has ended; empty when it was killed.
status = connection.recv(1)
sys.exit(status[0] if status else 1)

"""Find out before the start whether the ports of a component are free."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from local.component import StackError
from local.config import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port of the local address."""
    with socket.socket() as probe:
        # As servers do: connections of a former server that are still timing out do not count as busy.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
        return True


def require_free(component: str, ports: Mapping[str, int], port_base: int) -> None:
    """Raise StackError naming the first busy port of a component, and the way out."""
    for purpose, port in ports.items():
        if not is_free(port):
            raise StackError(
                f"port {port} ({component}, {purpose}) is in use by another program. Stop it, or choose other ports "
                f"for the stack, which uses 30 from PORT_BASE (now {port_base}): make up PORT_BASE={port_base + 1000}"
            )


def accepts(port: int, seconds: float = 1.0) -> bool:
    """Tell whether something accepts connections on the port of the local address."""
    try:
        with socket.create_connection((HOST, port), timeout=seconds):
            return True
    except OSError:
        return False

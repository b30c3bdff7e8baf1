"""What the front can be told at its start."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_DATABASE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
# The machine is shared with a broker, a Flink cluster and the tests; the engine's own default is 90 % of its memory.
DEFAULT_MEMORY_MIB = 4096
DEFAULT_HOST = "127.0.0.1"
DEFAULT_DATABASE = "tributary"
# Below this the engine cannot load its own system tables and run a merge at the same time.
_LEAST_MEMORY_MIB = 512
_HIGHEST_PORT = 65535


class OptionError(ValueError):
    """An option has a value that is not allowed; the message names the option, the value and what is allowed."""


@dataclass(frozen=True, slots=True)
class FrontOptions:
    """The options of one front; raises OptionError when made with a bad value."""

    path: Path
    """Data directory; made if absent, held by one process at a time."""
    port: int
    """Port of the HTTP interface; 0 takes a free one."""
    host: str = DEFAULT_HOST
    database: str = DEFAULT_DATABASE
    """Made at the start if absent."""
    memory_mib: int = DEFAULT_MEMORY_MIB
    """Limit of all statements together; one statement may take half of it."""

    def __post_init__(self) -> None:
        """Check every option."""
        if "?" in str(self.path):
            raise OptionError(f"--path is {str(self.path)!r}; allowed: a folder without a question mark in its name")
        if not 0 <= self.port <= _HIGHEST_PORT:
            raise OptionError(f"--port is {self.port}; allowed: 0 to {_HIGHEST_PORT}")
        if not _DATABASE_NAME.fullmatch(self.database):
            raise OptionError(
                f"--database is {self.database!r}; allowed: a letter or underscore, then letters, digits, underscores"
            )
        if self.memory_mib < _LEAST_MEMORY_MIB:
            raise OptionError(f"--memory-mib is {self.memory_mib}; allowed: {_LEAST_MEMORY_MIB} and more")

    @classmethod
    def parse(cls, arguments: Sequence[str] | None) -> FrontOptions:
        """Read the command line; raises OptionError, or ends the process with a usage message."""
        parser = argparse.ArgumentParser(
            prog="python -m local.clickhouse",
            description="The ClickHouse engine (chDB) behind ClickHouse's HTTP interface.",
        )
        parser.add_argument(
            "--path", required=True, type=Path, help="data directory; made if absent, held by one process"
        )
        parser.add_argument("--port", required=True, type=int, help="HTTP port; 0 takes a free one and prints it")
        parser.add_argument(
            "--host", default=DEFAULT_HOST, help=f"address to listen on (default: {DEFAULT_HOST}; no passwords)"
        )
        parser.add_argument(
            "--database", default=DEFAULT_DATABASE, help=f"made at the start (default: {DEFAULT_DATABASE})"
        )
        parser.add_argument(
            "--memory-mib",
            default=DEFAULT_MEMORY_MIB,
            type=int,
            help=f"limit of all statements together; one may take half (default: {DEFAULT_MEMORY_MIB})",
        )
        return cls(**vars(parser.parse_args(arguments)))

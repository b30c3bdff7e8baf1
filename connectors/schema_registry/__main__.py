"""Check the schemas before a merge, and publish them to a Schema Registry server."""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from connectors.schema_registry.compatibility import check_published, check_registry
from connectors.schema_registry.file_registry import FileRegistry
from connectors.schema_registry.git_revision import registry_at
from connectors.schema_registry.http_registry import HttpRegistry
from connectors.schema_registry.registry import RegistryError

_SCHEMAS = Path(__file__).resolve().parents[2] / "avro"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command. Returns the exit code: 0 done, 1 refused or failed, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m connectors.schema_registry", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    check = commands.add_parser("check", help="refuse changes that old readers or writers could not live with")
    check.add_argument("--against", metavar="REVISION", help="git revision whose schemas count as published")
    publish = commands.add_parser("publish", help="register every version with a server, in order; may be repeated")
    publish.add_argument("--url", required=True, help="http(s)://[user:password@]host[:port] of the server")
    for command in (check, publish):
        command.add_argument("--schemas", type=Path, default=_SCHEMAS, metavar="FOLDER", help="default: avro/")
    asked = parser.parse_args(arguments)
    try:
        registry = FileRegistry(asked.schemas)
        if asked.command == "check":
            return _check(registry, registry_at(asked.schemas, asked.against) if asked.against else None)
        return _check(registry, None) or _publish(registry, HttpRegistry(asked.url))
    except (RegistryError, ValueError, OSError, subprocess.TimeoutExpired) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _check(registry: FileRegistry, published: FileRegistry | None) -> int:
    problems = check_registry(registry)
    if published is not None:
        problems += check_published(registry, published)
    for problem in problems:
        print(problem, file=sys.stderr)
    subjects = registry.subjects()
    print(f"{len(subjects)} subjects, {len(registry.schemas())} schemas: {len(problems) or 'no'} problems")
    return 1 if problems else 0


def _publish(registry: FileRegistry, server: HttpRegistry) -> int:
    for subject, versions in registry.subjects().items():
        server.demand_compatibility(subject)
        for number, schema in versions.items():
            print(f"{subject} version {number}: id {server.register(subject, schema.definition)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Schemas by id: a registry in files by default, a Confluent Schema Registry server in production."""

from connectors.schema_registry.file_registry import FileRegistry
from connectors.schema_registry.http_registry import HttpRegistry
from connectors.schema_registry.registry import (
    IncompatibleSchemaError,
    InvalidSchemaError,
    RegisteredSchema,
    RegistryError,
    RegistryRefusedError,
    RegistryUnavailableError,
    SchemaRegistry,
    UnknownSchemaError,
)

__all__ = [
    "FileRegistry",
    "HttpRegistry",
    "IncompatibleSchemaError",
    "InvalidSchemaError",
    "RegisteredSchema",
    "RegistryError",
    "RegistryRefusedError",
    "RegistryUnavailableError",
    "SchemaRegistry",
    "UnknownSchemaError",
    "open_registry",
]


def open_registry(url_or_path: str) -> FileRegistry | HttpRegistry:
    """The registry at an http(s) address, else the one in a folder. InvalidSchemaError if the folder holds none."""
    if url_or_path.startswith(("http://", "https://")):
        return HttpRegistry(url_or_path)
    return FileRegistry(url_or_path)

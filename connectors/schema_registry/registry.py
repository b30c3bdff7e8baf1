"""What a schema registry answers, and how it fails."""

from dataclasses import dataclass
from typing import Any, Protocol

Definition = dict[str, Any]
"""An Avro schema as parsed JSON, every named type expanded at its first use, names in full."""


class RegistryError(Exception):
    """Base of everything a registry raises."""


class UnknownSchemaError(RegistryError):
    """The registry answered: there is no such schema id, subject or version."""


class InvalidSchemaError(RegistryError):
    """A stored schema cannot be used: not JSON, not Avro, or a reference that leads nowhere."""


class IncompatibleSchemaError(RegistryError):
    """The registry refused a new version because old readers or writers could not live with it."""


class RegistryUnavailableError(RegistryError):
    """No usable answer within the time and attempts allowed. Nothing is known about the schema asked for."""


class RegistryRefusedError(RegistryUnavailableError):
    """The server will not answer, and asking again does not help: wrong credentials, or no schema registry at all."""


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """A schema with the id that frames its messages."""

    schema_id: int
    definition: Definition

    @property
    def full_name(self) -> str:
        """Name of the schema with its namespace, or its type when it is not a named one."""
        return str(self.definition.get("name", self.definition["type"]))


class SchemaRegistry(Protocol):
    """Read access to registered schemas.

    Every method may raise UnknownSchemaError, InvalidSchemaError or RegistryUnavailableError. The last says nothing
    about the message that named the id: it must not send a message to quarantine.
    """

    def schema(self, schema_id: int) -> RegisteredSchema:
        """The schema with this id."""

    def version(self, subject: str, version: int) -> RegisteredSchema:
        """One version of a subject, counted from 1."""

    def latest(self, subject: str) -> RegisteredSchema:
        """The newest version of a subject."""

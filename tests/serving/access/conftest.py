"""The relational database, once as SQLite and once as PostgreSQL."""

from __future__ import annotations

import uuid

import psycopg
import pytest
from psycopg import sql

from serving.relational.database import Database
from tests.serving.access.oidc_client import OidcServer
from tests.serving.access.postgresql_server import PostgresqlServer, binaries
from tests.serving.access.sign_in_site import site

__all__ = ["site"]


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory):
    programs = binaries()
    if programs is None:
        pytest.skip("the PostgreSQL server is not installed")
    server = PostgresqlServer(tmp_path_factory.mktemp("relational"), programs)
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/relational.sqlite"
    server = request.getfixturevalue("postgresql")
    name = f"test_{uuid.uuid4().hex}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return server.url.replace("/postgres", f"/{name}")


@pytest.fixture
def database(database_url):
    """A database with the schema."""
    made = Database(database_url)
    made.migrate()
    yield made
    made.close()


@pytest.fixture
def sqlite_database(tmp_path):
    made = Database(f"sqlite:///{tmp_path}/relational.sqlite")
    made.migrate()
    yield made
    made.close()


@pytest.fixture(scope="session")
def oidc_process(tmp_path_factory):
    server = OidcServer(tmp_path_factory.mktemp("oidc"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def oidc(oidc_process):
    """The provider, well behaved."""
    if oidc_process.process.poll() is not None:
        oidc_process.start()
    oidc_process.thaw()
    oidc_process.tell("set", delay_seconds=0.0, status=0, requests={}, user={"sub": "ann"}, expires_in=300)
    return oidc_process

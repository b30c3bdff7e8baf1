"""Tenants, users, roles, service keys and the audit log from the command line: `python -m serving.access --help`."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from serving.access.roles import GRANTABLE, PERMISSIONS, Permission, Role
from serving.access.service_keys import new_key
from serving.access.tenancy import TENANT_ID
from serving.relational import audit_log, service_keys, users
from serving.relational.audit_log import Action, Entry
from serving.relational.database import DEFAULT_URL, Database

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.engine import Connection

DAY_MS = 24 * 3600 * 1000
# Whoever may run this may read the database itself: there is no user to name.
OPERATOR = "operator"


class CommandError(Exception):
    """A command cannot be done; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; prints one JSON line a thing. Returns the exit status."""
    chosen = _parser().parse_args(arguments)
    try:
        database = Database(chosen.relational_url, os.environ.get("TRIBUTARY_RELATIONAL_PASSWORD"))
    except ValueError as error:
        sys.stderr.write(f"--relational-url: {error}\n")
        return 2
    try:
        database.migrate()
        with database.transaction() as connection:
            for line in chosen.run(connection, chosen):
                sys.stdout.write(json.dumps(line) + "\n")
    except (CommandError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except SQLAlchemyError as error:
        # The text of the error may hold values.
        sys.stderr.write(f"the relational database refused: {type(error).__name__}\n")
        return 1
    finally:
        database.close()
    return 0


def _create_key(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    now = _now()
    expires_at = None if chosen.days == 0 else now + chosen.days * DAY_MS
    key, stored = new_key(chosen.tenant, chosen.name, [Permission(scope) for scope in chosen.scope], now, expires_at)
    try:
        service_keys.add_key(connection, stored)
    except IntegrityError:
        raise CommandError(f"there is no tenant {chosen.tenant}: `tenants add {chosen.tenant}`") from None
    _note(connection, chosen.tenant, f"keys create {stored.key_id}")
    # The only time that the key can be seen.
    return [_shown(stored) | {"key": key}]


def _list_keys(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    return [_shown(key) for key in service_keys.keys_of(connection, chosen.tenant)]


def _revoke_key(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    if not service_keys.revoke_key(connection, chosen.tenant, chosen.key_id, _now()):
        raise CommandError(f"{chosen.tenant} has no key {chosen.key_id} that is not revoked")
    _note(connection, chosen.tenant, f"keys revoke {chosen.key_id}")
    return [{"key_id": chosen.key_id, "revoked": True}]


def _put_tenant(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    users.put_tenant(connection, chosen.tenant, _now(), chosen.calls_per_second, chosen.burst)
    _note(connection, chosen.tenant, "tenants add")
    stored = users.tenant(connection, chosen.tenant)
    return [asdict(stored)] if stored else []


def _add_user(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    return [{"user_id": users.find_or_add_user(connection, chosen.issuer, chosen.subject, _now()).user_id}]


def _list_users(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    names = ("user_id", "issuer", "subject", "role", "disabled")
    return [dict(zip(names, row, strict=True)) for row in users.users_of(connection, chosen.tenant)]


def _disable(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    return _changed(connection, chosen, "users disable", users.disable(connection, chosen.user_id, _now()))


def _enable(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    return _changed(connection, chosen, "users enable", users.enable(connection, chosen.user_id))


def _sign_out(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    found = users.sign_out_everywhere(connection, chosen.user_id, _now())
    return _changed(connection, chosen, "users sign-out", found)


def _revoke_token(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    users.revoke_token(connection, chosen.issuer, chosen.token_id, _now())
    return [{"token_id": chosen.token_id, "revoked": True}]


def _grant(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    try:
        users.grant(connection, chosen.user_id, chosen.tenant, chosen.role, _now())
    except IntegrityError:
        raise CommandError(f"there is no user {chosen.user_id} or no tenant {chosen.tenant}") from None
    _note(connection, chosen.tenant, f"roles grant {chosen.role} {chosen.user_id}")
    return [{"user_id": chosen.user_id, "tenant_id": chosen.tenant, "role": chosen.role}]


def _withdraw(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    if not users.withdraw(connection, chosen.user_id, chosen.tenant, chosen.role):
        raise CommandError(f"{chosen.user_id} does not have the role {chosen.role} at {chosen.tenant}")
    _note(connection, chosen.tenant, f"roles withdraw {chosen.role} {chosen.user_id}")
    return [{"user_id": chosen.user_id, "tenant_id": chosen.tenant, "withdrawn": chosen.role}]


def _roles(_connection: Connection, _chosen: argparse.Namespace) -> list[dict[str, Any]]:
    return [{"role": role, "permissions": sorted(PERMISSIONS[role])} for role in Role]


def _audit(connection: Connection, chosen: argparse.Namespace) -> list[dict[str, Any]]:
    now = _now()
    begin = now - round(chosen.days * DAY_MS)
    return [asdict(entry) for entry in audit_log.entries_of(connection, chosen.tenant, begin, now + 1, chosen.limit)]


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m serving.access", description=__doc__, allow_abbrev=False)
    made.add_argument(
        "--relational-url",
        default=os.environ.get("TRIBUTARY_RELATIONAL_URL") or DEFAULT_URL,
        help="sqlite:///file or postgresql://user@host:port/database; also TRIBUTARY_RELATIONAL_URL. The password is "
        "read from TRIBUTARY_RELATIONAL_PASSWORD (default: %(default)s)",
    )
    topics = made.add_subparsers(required=True, metavar="TOPIC")

    keys = _topic(topics, "keys", "keys of service accounts")
    create = _command(keys, "create", _create_key, "make a key; it is shown this once", tenant=True)
    create.add_argument("--name", required=True, help="what the key is for")
    create.add_argument(
        "--scope",
        action="append",
        required=True,
        choices=sorted(PERMISSIONS[Role.SERVICE_ACCOUNT]),
        help="what it permits; may be given several times",
    )
    create.add_argument("--days", type=_whole, default=365, help="days until it expires; 0: never (default: 365)")
    _command(keys, "list", _list_keys, "list a tenant's keys", tenant=True)
    _command(keys, "revoke", _revoke_key, "refuse a key from now on", tenant=True).add_argument("key_id")

    tenants = _topic(topics, "tenants", "tenants and their limits")
    add = _command(tenants, "add", _put_tenant, "add a tenant, or set its limits")
    add.add_argument("tenant", type=_tenant_id)
    add.add_argument("--calls-per-second", type=_positive, help="instead of the server's limit")
    add.add_argument("--burst", type=_whole, help="calls that may come at once, instead of the server's limit")

    people = _topic(topics, "users", "users of the identity provider")
    person = _command(people, "add", _add_user, "find a user's id, or add a user before the first sign-in")
    person.add_argument("--issuer", required=True)
    person.add_argument("--subject", required=True, help="the `sub` of the provider's tokens")
    _command(people, "list", _list_users, "list who has a stored role at a tenant", tenant=True)
    for name, run, description in (
        ("disable", _disable, "refuse a user from now on"),
        ("enable", _enable, "let a disabled user in again"),
        ("sign-out", _sign_out, "refuse every token and session that a user has until now"),
    ):
        _command(people, name, run, description).add_argument("user_id")

    tokens = _topic(topics, "tokens", "tokens of the identity provider")
    token = _command(tokens, "revoke", _revoke_token, "refuse one token from now on")
    token.add_argument("--issuer", required=True)
    token.add_argument("token_id", help="the token's `jti`")

    roles = _topic(topics, "roles", "roles, and who has them")
    _command(roles, "list", _roles, "list what each role permits")
    for name, run, description in (
        ("grant", _grant, "give a user a role at a tenant"),
        ("withdraw", _withdraw, "take it away"),
    ):
        command = _command(roles, name, run, description, tenant=True)
        command.add_argument("role", choices=sorted(GRANTABLE))
        command.add_argument("user_id")

    audit = topics.add_parser("audit", help="print a tenant's audit log, the newest first", allow_abbrev=False)
    audit.add_argument("--tenant", required=True, type=_tenant_id)
    audit.add_argument("--days", type=_positive, default=1.0, help="how far back (default: 1)")
    audit.add_argument("--limit", type=_whole, default=1_000, help="most entries (default: 1000)")
    audit.set_defaults(run=_audit)
    return made


def _topic(topics: Any, name: str, description: str) -> Any:
    return topics.add_parser(name, help=description, allow_abbrev=False).add_subparsers(
        required=True, metavar="COMMAND"
    )


def _command(topic: Any, name: str, run: Any, description: str, *, tenant: bool = False) -> argparse.ArgumentParser:
    made: argparse.ArgumentParser = topic.add_parser(name, help=description, allow_abbrev=False)
    if tenant:
        made.add_argument("--tenant", required=True, type=_tenant_id)
    made.set_defaults(run=run)
    return made


def _tenant_id(text: str) -> str:
    if not TENANT_ID.fullmatch(text):
        raise argparse.ArgumentTypeError("1 to 64 of the characters A-Z a-z 0-9 . _ -")
    return text


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError("a whole number, 0 or more")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError("a number above 0")
    return value


def _shown(key: service_keys.StoredKey) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "secret_hash"}


def _changed(connection: Connection, chosen: argparse.Namespace, what: str, found: bool) -> list[dict[str, Any]]:
    """Note a change of a user in the log of every tenant at which they have a stored role."""
    stored = users.user(connection, chosen.user_id)
    if not found or stored is None:
        raise CommandError(f"there is no user {chosen.user_id}")
    for tenant_id in sorted({tenant_id for tenant_id, _ in stored.grants}):
        _note(connection, tenant_id, f"{what} {chosen.user_id}")
    return [{"user_id": chosen.user_id, "changed": True}]


def _note(connection: Connection, tenant_id: str, what: str) -> None:
    entry = Entry(
        entry_id=uuid.uuid4().hex,
        at=_now(),
        caller_kind=OPERATOR,
        caller_id=OPERATOR,
        tenant_id=tenant_id,
        action=Action.MANAGE,
        method=what,
    )
    audit_log.append(connection, [entry])


def _now() -> int:
    return int(time.time() * 1000)


if __name__ == "__main__":
    sys.exit(main())

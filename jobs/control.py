"""A tenant's attribution settings, put into force in the running job without a restart.

    python -m jobs.control settings put  --tenant acme --file acme.json [--dry-run]
    python -m jobs.control settings show --tenant acme
    python -m jobs.control settings list

The file is the value of `settings` in a record of the control topic; docs/attribution.md names its keys. Conversions
whose credits change are attributed anew, as a new revision.
"""

from __future__ import annotations

import argparse
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import orjson

from connectors.kafka.control import ControlTopic, ControlTopicError
from connectors.kafka.settings import KafkaSettings, KafkaSettingsError, add_arguments
from connectors.kafka.topics import Topics
from jobs.attribution_control import JOB, ConflictError, TenantRecord, put_settings, read_all, read_one
from udfs.attribution.settings import SettingsError
from udfs.attribution.tenant_settings import settings_of

TENANT = re.compile(r"[A-Za-z0-9._-]{1,64}")


def _parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="python -m jobs.control", description="Attribution settings of tenants.")
    add_arguments(made)
    made.add_argument("--topic-prefix", default="", help="as given to the job")
    subjects = made.add_subparsers(dest="subject", required=True)
    settings = subjects.add_parser("settings", help="models, look-back, transforms, touch filter, parameters")
    commands = settings.add_subparsers(dest="command", required=True)
    put = commands.add_parser("put", help="replace the settings of a tenant; its models stay")
    put.add_argument("--tenant", required=True, help="tenant id")
    put.add_argument("--file", required=True, help="JSON file with the settings; - reads standard input")
    put.add_argument("--dry-run", action="store_true", help="check the file against the tenant's models, put nothing")
    show = commands.add_parser("show", help="settings and models of a tenant")
    show.add_argument("--tenant", required=True, help="tenant id")
    commands.add_parser("list", help="one line a tenant")
    return made


def main(arguments: list[str] | None = None) -> int:
    """Command line; returns 0 when it was done, 1 when the topic or another writer stood in the way, 2 when refused."""
    chosen = _parser().parse_args(arguments)
    try:
        topic = ControlTopic(KafkaSettings.of(chosen), Topics(chosen.topic_prefix).control)
        if chosen.command == "list":
            for record in read_all(topic).values():
                print(line(record))
            return 0
        check_tenant(chosen.tenant)
        if chosen.command == "show":
            print(shown(read_one(topic, chosen.tenant)))
            return 0
        document = _document(chosen.file)
        if chosen.dry_run:
            known = read_one(topic, chosen.tenant)
            settings_of(document, JOB, known.version + 1, known.models)
            print(f"would be version {known.version + 1} of {chosen.tenant}")
            return 0
        topic.create()
        put = put_settings(topic, chosen.tenant, document)
    except (SettingsError, KafkaSettingsError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ControlTopicError, ConflictError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"version {put.version} of {put.tenant_id} is in force")
    return 0


def check_tenant(tenant_id: str) -> None:
    """Raise SettingsError when this cannot be a tenant's id."""
    if not TENANT.fullmatch(tenant_id):
        raise SettingsError("--tenant", tenant_id, "1 to 64 letters, digits, dots, underscores, hyphens")


def line(record: TenantRecord) -> str:
    """Return one line about a tenant."""
    settings = settings_of(record.document or {}, JOB, max(1, record.version), record.models)
    newest = max(record.models, key=lambda model: model.in_force_from).version if record.models else "no model"
    return (
        f"{record.tenant_id:24}  version {record.version:5}  {_moment(record.updated_at)}  "
        f"{','.join(settings.rules.models)}  {newest}"
    )


def shown(record: TenantRecord) -> str:
    """Return all about a tenant."""
    if not record.version:
        return f"{record.tenant_id} has no settings of its own: the job's are in force"
    settings = orjson.dumps(record.document or {}, option=orjson.OPT_INDENT_2).decode()
    lines = [f"{record.tenant_id}, version {record.version} of {_moment(record.updated_at)}", settings]
    for model in record.models:
        effects = ", ".join(f"{channel} {effect:.4f}" for channel, effect in model.effects.items())
        types = model.conversion_type or "all conversion types"
        lines.append(f"model {model.version} for {types}, in force from {_moment(model.in_force_from)}: {effects}")
    return "\n".join(lines)


def _document(name: str) -> object:
    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise SettingsError("--file", name, f"JSON ({error})") from None


def _moment(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%F %T}"


if __name__ == "__main__":
    sys.exit(main())

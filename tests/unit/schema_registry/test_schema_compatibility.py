"""Which schema changes are refused, with the field and the reason; ours are not."""

from __future__ import annotations

import copy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors.schema_registry import FileRegistry, InvalidSchemaError
from connectors.schema_registry.__main__ import main
from connectors.schema_registry.compatibility import check_published, check_registry, check_versions
from tests.unit.schema_registry.registry_server import running

SCHEMAS = Path(__file__).resolve().parents[3] / "avro"
LAUNCH = "marketing-events-tributary.events.CampaignLaunch"
TOUCH = "marketing-events-tributary.events.TouchpointInteraction"

Change = Callable[[dict[str, Any]], None]


def launch() -> dict[str, Any]:
    return copy.deepcopy(FileRegistry(SCHEMAS).version(LAUNCH, 1).definition)


def field(definition: dict[str, Any], path: str) -> dict[str, Any]:
    """The field at a path such as `metrics.clicks`."""
    found: dict[str, Any] = {"type": definition}
    for name in path.split("."):
        found = next(entry for entry in found["type"]["fields"] if entry["name"] == name)
    return found


def add(path: str, **new: Any) -> Change:
    def change(definition: dict[str, Any]) -> None:
        record = field(definition, path)["type"] if path else definition
        record["fields"].append({"doc": "A new field."} | new)

    return change


def remove(path: str) -> Change:
    def change(definition: dict[str, Any]) -> None:
        parent, _, name = path.rpartition(".")
        record = field(definition, parent)["type"] if parent else definition
        record["fields"] = [entry for entry in record["fields"] if entry["name"] != name]

    return change


def retype(path: str, kind: Any) -> Change:
    return lambda definition: field(definition, path).update(type=kind)


def symbols(path: str, names: list[str]) -> Change:
    return lambda definition: field(definition, path)["type"].update(symbols=names)


def problems(*changes: Change) -> list[str]:
    """What is said about version 2, made from version 1 by the changes."""
    newer = launch()
    for change in changes:
        change(newer)
    return [str(problem) for problem in check_versions(LAUNCH, {"version 1": launch(), "version 2": newer})]


def test_our_own_schemas_are_compatible() -> None:
    assert check_registry(FileRegistry(SCHEMAS)) == []


@pytest.mark.parametrize(
    "change",
    [
        add("", name="agency", type=["null", "string"], default=None),
        add("", name="priority", type="int", default=0),
        add("metrics", name="video_views", type="long", default=0),
        add("envelope.consent", name="profiling", type="boolean", default=False),
        lambda definition: definition.update(doc="Better words."),
        lambda definition: field(definition, "duration_days").update(default=30),
    ],
)
def test_fields_with_defaults_and_better_words_are_welcome(change: Change) -> None:
    assert problems(change) == []


CHANNELS = ["email", "social", "display", "search", "video", "native"]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (
            add("", name="agency", type="string"),
            ["field agency: version 2 cannot read version 1: it is not there and has no default"],
        ),
        (
            add("metrics", name="video_views", type="long"),
            ["field metrics.video_views: version 2 cannot read version 1: it is not there and has no default"],
        ),
        (
            remove("campaign.channel"),
            [
                "field campaign.channel: version 1 cannot read version 2: it is not there and has no default",
                "field campaign.channel: it is removed between version 1 and version 2",
            ],
        ),
        # It has a default, so Avro would let it go; the columns are made from it.
        (
            remove("envelope.created_at"),
            ["field envelope.created_at: it is removed between version 1 and version 2"],
        ),
        (
            retype("metrics.clicks", "string"),
            [
                "field metrics.clicks: version 2 cannot read version 1: type mismatch",
                "field metrics.clicks: version 1 cannot read version 2: type mismatch",
            ],
        ),
        # Only one direction breaks: a long does not fit an int.
        (
            retype("duration_days", "long"),
            [
                (
                    "field duration_days: version 1 cannot read version 2: type mismatch: "
                    "reader type: int not compatible with writer type: long"
                )
            ],
        ),
        (
            retype("target_audience", ["null", "string"]),
            ["field target_audience: version 1 cannot read version 2: type mismatch"],
        ),
        (
            symbols("campaign.channel", [*CHANNELS, "audio"]),
            ["field campaign.channel: version 1 cannot read version 2: missing enum symbols: {'audio'}"],
        ),
        (
            symbols("campaign.channel", CHANNELS[:-1]),
            ["field campaign.channel: version 2 cannot read version 1: missing enum symbols: {'native'}"],
        ),
        (
            retype("envelope.event_time", {"type": "long", "logicalType": "timestamp-micros"}),
            ["field envelope.event_time: its logical type changes between version 1 and version 2"],
        ),
        (
            lambda definition: field(definition, "metrics")["type"].update(name="tributary.events.Numbers"),
            ["field metrics: version 2 cannot read version 1: name mismatch"],
        ),
        (
            lambda definition: definition.update(name="tributary.events.Launch"),
            ["version 2 cannot read version 1: name mismatch"],
        ),
    ],
)
def test_a_breaking_change_is_refused_with_field_and_reason(change: Change, expected: list[str]) -> None:
    found = problems(change)
    for line in expected:
        assert any(entry.startswith(f"{LAUNCH}: {line}") for entry in found), found


def test_every_pair_of_versions_must_agree_not_only_neighbours() -> None:
    # Each step is fine by itself: a field comes with one type, goes, and comes back with another.
    first, third = launch(), launch()
    add("", name="score", type=["null", "long"], default=None)(first)
    add("", name="score", type=["null", "string"], default=None)(third)
    versions = {"version 1": first, "version 2": launch(), "version 3": third}
    found = [str(problem) for problem in check_versions(LAUNCH, versions)]
    assert f"{LAUNCH}: field score: it is removed between version 1 and version 2" in found
    assert any("field score: version 3 cannot read version 1" in line for line in found)


def test_an_enum_with_a_default_may_grow() -> None:
    registry = FileRegistry(SCHEMAS)
    newer = copy.deepcopy(registry.version(TOUCH, 2).definition)
    field(newer, "touchpoint.interaction_type")["type"]["symbols"].insert(0, "podcast")
    versions = {"version 2": registry.version(TOUCH, 2).definition, "version 3": newer}
    assert check_versions(TOUCH, versions) == []


def test_what_is_no_avro_is_said() -> None:
    with pytest.raises(InvalidSchemaError, match="version 1"):
        check_versions("s", {"version 1": {"type": "record", "name": "R", "fields": [{"name": "x", "type": "what"}]}})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SCHEMAS, tmp_path / "avro"))


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_gap_in_the_versions_is_refused(folder: Path) -> None:
    edit(folder / "registry.json", '"version": 2', '"version": 3')
    assert [str(problem) for problem in check_registry(FileRegistry(folder))] == [
        f"{TOUCH}: versions must count from 1 without a gap, found [1, 3]"
    ]


def test_a_published_schema_stays_as_it_was(folder: Path) -> None:
    edit(
        folder / "shared" / "campaign_metrics.avsc",
        '"name": "clicks", "type": "long"',
        '"name": "clicks", "type": "int"',
    )
    found = [str(problem) for problem in check_published(FileRegistry(folder), FileRegistry(SCHEMAS))]
    # A shared type is part of every schema that names it.
    assert len(found) == 3
    assert found[0] == (
        f"{LAUNCH}: version 1 (id 1) was published and has changed; leave it as it was and add a version"
    )


def test_a_published_schema_stays(folder: Path) -> None:
    lines = (folder / "registry.json").read_text().splitlines()
    kept = [line.removesuffix(",") if '"id": 10' in line else line for line in lines if '"id": 11' not in line]
    (folder / "registry.json").write_text("\n".join(kept))
    found = [str(problem) for problem in check_published(FileRegistry(folder), FileRegistry(SCHEMAS))]
    assert found == [f"{TOUCH}: version 2 (id 11) was published and is gone; messages with its id remain"]


def test_better_words_are_no_change(folder: Path) -> None:
    edit(folder / "shared" / "consent.avsc", "What the person allowed", "What this person allowed")
    assert check_published(FileRegistry(folder), FileRegistry(SCHEMAS)) == []


def test_the_command_accepts_our_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check"]) == 0
    assert capsys.readouterr().out == "10 subjects, 11 schemas: no problems\n"


def test_the_command_refuses_and_names_what_is_wrong(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder / "touchpoint_interaction" / "v2.avsc", ', "default": null', "")
    assert main(["check", "--schemas", str(folder)]) == 1
    printed = capsys.readouterr()
    assert printed.out == "10 subjects, 11 schemas: 1 problems\n"
    assert printed.err == (
        f"{TOUCH}: field session_id: version 2 cannot read version 1: it is not there and has no default\n"
    )


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True, timeout=60)


def test_the_command_compares_with_a_revision(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(folder.parent, "init", "-q", ".")
    git(folder.parent, "add", "avro")
    git(folder.parent, "commit", "-q", "-m", "published")
    assert main(["check", "--schemas", str(folder), "--against", "HEAD"]) == 0
    edit(folder / "campaign_termination" / "v1.avsc", '"name": "reason"', '"name": "why"')
    capsys.readouterr()
    assert main(["check", "--schemas", str(folder), "--against", "HEAD"]) == 1
    assert "CampaignTermination: version 1 (id 3) was published and has changed" in capsys.readouterr().err


@pytest.mark.parametrize("revision", ["no-such-revision", "--output=x"])
def test_a_revision_that_is_none_is_said(folder: Path, revision: str, capsys: pytest.CaptureFixture[str]) -> None:
    git(folder.parent, "init", "-q", ".")
    assert main(["check", "--schemas", str(folder), f"--against={revision}"]) == 1
    assert capsys.readouterr().err.startswith("error: ")


def test_publishing_registers_every_version_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as server:
        assert main(["publish", "--url", server.url]) == 0
        assert main(["publish", "--url", server.url]) == 0
        registered = {subject: len(versions) for subject, versions in server.subjects.items()}
        levels = set(server.compatibility.values())
    assert registered == {subject: len(versions) for subject, versions in FileRegistry(SCHEMAS).subjects().items()}
    assert levels == {"FULL_TRANSITIVE"}
    assert f"{TOUCH} version 2: id " in capsys.readouterr().out


def test_publishing_stops_at_a_refusal(capsys: pytest.CaptureFixture[str]) -> None:
    with running() as server:
        server.refuse_with = (409, 409, "incompatible with an earlier schema")
        assert main(["publish", "--url", server.url]) == 1
    assert "incompatible with an earlier schema" in capsys.readouterr().err


def test_publishing_checks_first(folder: Path) -> None:
    edit(folder / "touchpoint_interaction" / "v2.avsc", ', "default": null', "")
    with running() as server:
        assert main(["publish", "--schemas", str(folder), "--url", server.url]) == 1
        assert server.requests == []

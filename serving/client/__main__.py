"""Ask the serving process from the command line: `python -m serving.client --help`."""

from __future__ import annotations

import argparse
import os
import re
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import message_factory
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToJson
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped] # ships no types
from tributary.v1 import alerts_pb2 as alerts_pb
from tributary.v1 import (
    alerts_pb2_grpc,
    attribution_pb2_grpc,
    campaign_metrics_pb2_grpc,
    freshness_pb2,
    quality_pb2_grpc,
)
from tributary.v1 import attribution_pb2 as attribution_pb
from tributary.v1 import campaign_metrics_pb2 as campaign_pb
from tributary.v1 import quality_pb2 as quality_pb

from serving.client import tables
from serving.client.connection import connect
from serving.errors import STATUS_DETAILS_KEY, ServingError
from serving.transports.charts import CHARTS, LIVE
from serving.transports.query_parameters import read_request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message

CREDENTIALS = "TRIBUTARY_CREDENTIALS"
"""Where a token or service key is read from: a process list shows options."""
UNIT_SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
LENGTH = re.compile(r"(\d+)([smhdw])")
GRAINS = {
    "window": campaign_pb.GRAIN_SLIDING_WINDOW,
    "minute": campaign_pb.GRAIN_MINUTE,
    "hour": campaign_pb.GRAIN_HOUR,
    "day": campaign_pb.GRAIN_DAY,
    "week": campaign_pb.GRAIN_WEEK,
}
DIMENSIONS = {"campaign": campaign_pb.DIMENSION_CAMPAIGN, "channel": campaign_pb.DIMENSION_CHANNEL}
CREDIT_DIMENSIONS = {
    "channel": attribution_pb.CREDIT_DIMENSION_CHANNEL,
    "campaign": attribution_pb.CREDIT_DIMENSION_CAMPAIGN,
}
# Pauses of a watch whose server went away, doubled each time.
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 10.0


def length(text: str) -> Duration:
    """Read a length of time such as 30s, 15m, 6h, 7d, 2w."""
    found = LENGTH.fullmatch(text)
    if not found:
        raise argparse.ArgumentTypeError("allowed: a number and s, m, h, d or w, such as 15m")
    return Duration(seconds=int(found[1]) * UNIT_SECONDS[found[2]])


def moment(text: str) -> Timestamp:
    """Read a time such as 2026-03-01T12:00:00Z."""
    made = Timestamp()
    try:
        made.FromJsonString(text)
    except ValueError:
        raise argparse.ArgumentTypeError("allowed: a UTC time such as 2026-03-01T12:00:00Z") from None
    return made


def one_of(names: Sequence[str]) -> Callable[[str], list[str]]:
    """Return a reader of comma-separated names."""

    def read(text: str) -> list[str]:
        values = [name for name in text.split(",") if name]
        if not set(values) <= set(names):
            raise argparse.ArgumentTypeError(f"allowed: {', '.join(names)}, separated by commas")
        return values

    return read


def parameter(text: str) -> tuple[str, str]:
    """Read a parameter written as name=value."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError("allowed: name=value")
    return name, value


def time_range(chosen: argparse.Namespace) -> freshness_pb2.TimeRange:
    """Return the range of --last, or of --from and --to."""
    if chosen.start is None:
        return freshness_pb2.TimeRange(last=chosen.last)
    return freshness_pb2.TimeRange(start_time=chosen.start, end_time=chosen.end)


def selection(chosen: argparse.Namespace) -> campaign_pb.CampaignSelection:
    """Return the selection of --campaign, --channel and --currency."""
    return campaign_pb.CampaignSelection(
        campaign_ids=chosen.campaign, channels=chosen.channel, currencies=chosen.currency
    )


class Client:
    """Makes the calls of one command and prints what comes."""

    def __init__(self, channel: grpc.Channel, chosen: argparse.Namespace) -> None:
        """Keep the channel and the command's options."""
        self.chosen = chosen
        self.channel = channel
        self.campaigns = campaign_metrics_pb2_grpc.CampaignMetricsServiceStub(channel)
        self.attribution_service = attribution_pb2_grpc.AttributionServiceStub(channel)
        self.alert_service = alerts_pb2_grpc.AlertServiceStub(channel)
        self.quality = quality_pb2_grpc.QualityServiceStub(channel)

    def show(self, response: Message, rows: Callable[[Any], Iterable[tables.Row]], header: Sequence[str]) -> None:
        """Print a response as one line of JSON, or as a table."""
        if self.chosen.json:
            print(MessageToJson(response, preserving_proto_field_name=True, indent=None), flush=True)
        else:
            tables.show(response, list(rows(response)), header)

    def pages(self, call: Any, request: Any, rows: Any, header: Sequence[str]) -> None:
        """Print every page of an answer."""
        while True:
            response = call(request, timeout=self.chosen.timeout)
            self.show(response, rows, header)
            request.page_token = response.next_page_token
            if not request.page_token:
                return

    def follow(self, call: Any, request: Any, rows: Any, header: Sequence[str]) -> None:
        """Print a live stream until interrupted; goes on from the last cursor when the server goes away."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                for response in call(request):
                    request.resume_cursor = response.resume_cursor
                    pause = FIRST_PAUSE_SECONDS
                    if self.chosen.json or response.WhichOneof("update") != "heartbeat":
                        self.show(response, rows, header)
            except grpc.RpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE or self.chosen.once:
                    raise
                print(f"{explain(error)}; again in {pause:.1f} s", file=sys.stderr)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)

    def metrics(self) -> None:
        """Sums and KPIs of a range."""
        request = campaign_pb.GetCampaignMetricsRequest(
            tenant_id=self.chosen.tenant,
            range=time_range(self.chosen),
            selection=selection(self.chosen),
            group_by=[DIMENSIONS[name] for name in self.chosen.by],
        )
        self.pages(self.campaigns.GetCampaignMetrics, request, tables.metrics, tables.METRICS)

    def series(self) -> None:
        """Sums and KPIs per step."""
        request = campaign_pb.ListTimeSeriesRequest(
            tenant_id=self.chosen.tenant,
            range=time_range(self.chosen),
            grain=GRAINS[self.chosen.grain],
            selection=selection(self.chosen),
            group_by=[DIMENSIONS[name] for name in self.chosen.by],
        )
        self.pages(self.campaigns.ListTimeSeries, request, tables.series, tables.SERIES)

    def current(self) -> None:
        """The newest windows."""
        request = campaign_pb.GetCurrentCampaignMetricsRequest(
            tenant_id=self.chosen.tenant, selection=selection(self.chosen)
        )
        response = self.campaigns.GetCurrentCampaignMetrics(request, timeout=self.chosen.timeout)
        self.show(response, tables.windows, tables.WINDOWS)

    def watch(self) -> None:
        """The newest windows, live."""
        request = campaign_pb.WatchCampaignMetricsRequest(
            tenant_id=self.chosen.tenant, selection=selection(self.chosen), resume_cursor=self.chosen.cursor
        )
        self.follow(self.campaigns.WatchCampaignMetrics, request, tables.watched_windows, tables.WINDOWS)

    def attribution(self) -> None:
        """Credit by channel and campaign."""
        request = attribution_pb.GetAttributionSummaryRequest(
            tenant_id=self.chosen.tenant,
            range=time_range(self.chosen),
            model=self.chosen.model,
            group_by=[CREDIT_DIMENSIONS[name] for name in self.chosen.by],
        )
        self.pages(self.attribution_service.GetAttributionSummary, request, tables.credit, tables.CREDIT)

    def explain(self) -> None:
        """One conversion with its credits."""
        request = attribution_pb.ExplainConversionRequest(
            tenant_id=self.chosen.tenant, conversion_id=self.chosen.conversion
        )
        response = self.attribution_service.ExplainConversion(request, timeout=self.chosen.timeout)
        self.show(response, tables.explained, tables.TOUCHES)

    def watch_attribution(self) -> None:
        """Conversions as they are attributed."""
        request = attribution_pb.WatchAttributionRequest(
            tenant_id=self.chosen.tenant, model=self.chosen.model, resume_cursor=self.chosen.cursor
        )
        self.follow(self.attribution_service.WatchAttribution, request, tables.watched_conversions, tables.TOUCHES)

    def alerts(self) -> None:
        """Alerts, newest first."""
        request = alerts_pb.ListAlertsRequest(tenant_id=self.chosen.tenant, range=time_range(self.chosen))
        self.pages(self.alert_service.ListAlerts, request, tables.alerts, tables.ALERTS)

    def watch_alerts(self) -> None:
        """Alerts as they are raised, change and clear."""
        request = alerts_pb.WatchAlertsRequest(tenant_id=self.chosen.tenant, resume_cursor=self.chosen.cursor)
        self.follow(self.alert_service.WatchAlerts, request, tables.watched_alerts, tables.ALERTS)

    def counts(self) -> None:
        """What became of the records that came in."""
        request = quality_pb.GetCountsRequest(tenant_id=self.chosen.tenant, range=time_range(self.chosen))
        self.show(self.quality.GetCounts(request, timeout=self.chosen.timeout), tables.counts, tables.COUNTS)

    def freshness(self) -> None:
        """How old the newest figures are."""
        request = quality_pb.GetFreshnessRequest(tenant_id=self.chosen.tenant)
        self.show(self.quality.GetFreshness(request, timeout=self.chosen.timeout), tables.stages, tables.STAGES)

    def ask(self) -> None:
        """Any answer, as JSON: a chart of REST with its parameters."""
        request, call = self.named(CHARTS[self.chosen.chart], self.channel.unary_unary)
        response = call(request, timeout=self.chosen.timeout)
        print(MessageToJson(response, preserving_proto_field_name=True, indent=None if self.chosen.json else 2))

    def listen(self) -> None:
        """Any live stream, as JSON, one message a line: a stream of REST with its parameters."""
        self.chosen.json = True
        request, call = self.named(LIVE[self.chosen.stream], self.channel.unary_stream)
        request.resume_cursor = self.chosen.cursor
        self.follow(call, request, None, ())

    def named(self, method: MethodDescriptor, kind: Callable[..., Any]) -> tuple[Any, Any]:
        """Return the request that the parameters of the command make, and the call of a method."""
        request = read_request(method.input_type, self.chosen.parameters, {"tenant_id": self.chosen.tenant})
        path = f"/{method.containing_service.full_name}/{method.name}"
        response = message_factory.GetMessageClass(method.output_type)
        return request, kind(path, type(request).SerializeToString, response.FromString)


def explain(error: grpc.RpcError) -> str:
    """Return one line for a refused call: code, message, reason, and what is wrong with which field."""
    parts = [f"{error.code().name}: {error.details()}"]
    trailing: Any = error.trailing_metadata()
    for key, value in trailing or ():
        if key == STATUS_DETAILS_KEY:
            for packed in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if packed.Unpack(info):
                    parts.append(f"reason {info.reason}")
                    parts += [f"{name} {text}" for name, text in info.metadata.items()]
    return ", ".join(parts)


# Command, and the groups of options that it takes.
COMMANDS = {
    "metrics": ("range", "selection", "by"),
    "series": ("range", "selection", "by", "grain"),
    "current": ("selection",),
    "watch": ("selection", "cursor"),
    "attribution": ("range", "model", "credit_by"),
    "explain": ("conversion",),
    "watch-attribution": ("any_model", "cursor"),
    "alerts": ("range",),
    "watch-alerts": ("cursor",),
    "counts": ("range",),
    "freshness": (),
    "ask": ("chart",),
    "listen": ("stream", "cursor"),
}


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    made = argparse.ArgumentParser(
        prog="python -m serving.client",
        description=__doc__,
        epilog=f"A token or service key is read from {CREDENTIALS}.",
        allow_abbrev=False,
    )
    commands = made.add_subparsers(dest="command", required=True, metavar="command")
    for name, groups in COMMANDS.items():
        doc = getattr(Client, name.replace("-", "_")).__doc__ or ""
        command = commands.add_parser(name, help=doc, description=doc, allow_abbrev=False)
        command.add_argument(
            "--address", default="127.0.0.1:50051", help="host:port of the server (default: %(default)s)"
        )
        command.add_argument("--tls", action="store_true", help="over TLS, trusting the system's authorities")
        command.add_argument("--authority", type=Path, help="over TLS, trusting the authorities in this PEM file")
        command.add_argument("--tenant", required=True, help="whose figures")
        command.add_argument("--timeout", type=float, default=10.0, help="deadline in seconds (default: %(default)s)")
        command.add_argument("--json", action="store_true", help="print one JSON object a line")
        for group in groups:
            _add(command, group)
    return made


def _add(command: argparse.ArgumentParser, group: str) -> None:
    """Add one group of options to a command."""
    if group == "range":
        command.add_argument(
            "--last", type=length, default=length("1h"), help="the range of this length until now (default: 1h)"
        )
        command.add_argument("--from", dest="start", type=moment, help="start of the range, instead of --last")
        command.add_argument("--to", dest="end", type=moment, help="end of the range (default: now)")
    elif group == "selection":
        for name in ("campaign", "channel", "currency"):
            command.add_argument(f"--{name}", action="append", default=[], help="only this one; may be given again")
    elif group in {"by", "credit_by"}:
        names = tuple(DIMENSIONS if group == "by" else CREDIT_DIMENSIONS)
        command.add_argument(
            "--by", type=one_of(names), default=list(names), help=f"split by {' and '.join(names)} (default: both)"
        )
    elif group == "grain":
        command.add_argument("--grain", choices=GRAINS, default="minute", help="width of a step (default: %(default)s)")
    elif group in {"model", "any_model"}:
        default = "linear" if group == "model" else ""
        command.add_argument("--model", default=default, help=f"attribution model (default: {default or 'all'})")
    elif group in {"chart", "stream"}:
        known = CHARTS if group == "chart" else LIVE
        command.add_argument(group, choices=sorted(known), help="what to ask for")
        command.add_argument(
            "parameters",
            nargs="*",
            type=parameter,
            metavar="name=value",
            help="as in REST, such as last=7d dimensions=campaign 'order_by=roas desc'",
        )
    elif group == "conversion":
        command.add_argument("--conversion", required=True, help="id of the conversion")
    else:
        command.add_argument("--cursor", default="", help="go on after this cursor")
        command.add_argument(
            "--once", action="store_true", help="end when the server goes away, instead of connecting anew"
        )


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    chosen = parser().parse_args(arguments)
    try:
        connected = connect(
            chosen.address, tls=chosen.tls, authority=chosen.authority, credentials=os.environ.get(CREDENTIALS, "")
        )
    except OSError as error:
        print(f"--authority: {error.strerror}", file=sys.stderr)
        return 2
    with connected as channel:
        try:
            getattr(Client(channel, chosen), chosen.command.replace("-", "_"))()
        except grpc.RpcError as error:
            print(explain(error), file=sys.stderr)
            return 1
        except ServingError as error:
            # Parameters are read here, by the rules of the server.
            print(f"{error.reason}: {error.message}", file=sys.stderr)
            return 1
        except (KeyboardInterrupt, BrokenPipeError):
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())

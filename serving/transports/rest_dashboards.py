"""Custom dashboards over REST: paths with the usual verbs, JSON in and out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from google.protobuf import message_factory
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from starlette.responses import JSONResponse
from starlette.routing import Route

from serving.errors import ServingError, invalid
from serving.transports.charts import BODILESS, DASHBOARD_PATHS
from serving.transports.query_parameters import read_request
from serving.transports.rest import read_body, refusal, unless_disconnected

if TYPE_CHECKING:
    from google.protobuf.descriptor import MethodDescriptor
    from google.protobuf.message import Message
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute

    from serving.transports.dispatch import Dispatch

# What Google's parser says of JSON that does not fit holds names of Python and of the contract's types.
_FIELD = re.compile(r"(?:Failed to parse (?P<failed>[\w.\[\]]+) field|no field named \"(?P<unknown>[^\"]{1,100})\")")


class RestDashboards:
    """Handlers of the paths. `routes` lists them."""

    def __init__(self, dispatch: Dispatch, max_request_bytes: int) -> None:
        """Keep what answers are made by."""
        self._dispatch = dispatch
        self._max_request_bytes = max_request_bytes

    def routes(self) -> list[BaseRoute]:
        """Return the routes of every path."""
        paths = dict.fromkeys(path for _, path in DASHBOARD_PATHS)
        return [
            Route(path, self.answer, methods=[verb for verb, known in DASHBOARD_PATHS if known == path])
            for path in paths
        ]

    async def answer(self, request: Request) -> Response:
        """Answer with the method of the verb and the path."""
        path = request.scope["route"].path
        verb = "GET" if request.method == "HEAD" else request.method
        method = DASHBOARD_PATHS[verb, path]
        try:
            asked = await self._read(request, method, verb)
            headers = dict(request.headers.items())
            answer = await unless_disconnected(request, self._dispatch.answer(method, asked, headers, None))
        except ServingError as error:
            return refusal(error)
        return JSONResponse(MessageToDict(answer, preserving_proto_field_name=True))

    async def _read(self, request: Request, method: MethodDescriptor, verb: str) -> Message:
        if verb in BODILESS:
            return read_request(method.input_type, request.query_params.multi_items(), request.path_params)
        body: dict[str, Any] = await read_body(request, self._max_request_bytes)
        for name in request.path_params:
            if name in body:
                raise invalid(name, "is given by the path")
        asked = message_factory.GetMessageClass(method.input_type)()
        try:
            return ParseDict(body | request.path_params, asked)
        except (ParseError, RecursionError) as error:
            found = _FIELD.search(str(error))
            field = (found["failed"] or found["unknown"]) if found else "body"
            raise invalid(field, f"does not fit {method.input_type.name}; see /api/openapi.json") from None

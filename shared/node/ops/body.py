"""Bodies of the operator plane: read by the same parser as those of the protocol, and with the same limit of size."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute

from shared.node.ops.views import Mistake
from shared.protocol.encoding import EncodingError, parse_json_object
from shared.protocol.phases import MAX_BODY_BYTES


class StrictRequest(Request):
    """A request of bounded size whose JSON has no repeated members and whose decimal numbers stay decimal."""

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Read the body piece by piece.

        Raises:
            HTTPException: 413, when more has been read than is taken.
        """
        size = 0
        async with aclosing(super().stream()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > MAX_BODY_BYTES:
                    raise HTTPException(413, f"The body is larger than {MAX_BODY_BYTES} bytes; send no more than that.")
                yield piece

    async def json(self) -> Any:
        """Parse the body.

        Raises:
            HTTPException: 422, saying why it is no JSON object.
        """
        try:
            return parse_json_object(await self.body())
        except EncodingError as error:
            raise HTTPException(422, f"body: {error}; send one JSON object.") from error


class StrictRoute(APIRoute):
    """A route that reads its body as a `StrictRequest`, if that says that it is JSON, and documents what it refuses."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        reads = self.dependant.path_params or self.dependant.query_params
        refused = (413, 415, 422) if self.body_field is not None else (422,) if reads else ()
        self.responses = {**{status: {"model": Mistake} for status in refused}, **self.responses}

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Hand the route's own handler a strict request."""
        handle = super().get_route_handler()
        has_body = self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if has_body and media_type != "application/json":
                raise HTTPException(415, "The body has to be JSON; send the header Content-Type: application/json.")
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly

"""The refusals in the OpenAPI documents: said once in the components, and referred to by every route."""

from itertools import groupby
from typing import Any

from fastapi.routing import APIRoute

from shared.node.receive.examples import ack_payload
from shared.node.receive.wire_forms import WireForm
from shared.node.receive.wire_models import ANSWERED, WrappedAck, refused_ack
from shared.protocol.problems import Problem


def references_to_refusals(form: WireForm, is_wrapped: bool) -> dict[int | str, dict[str, Any]]:
    """Return what a route says of its refusals."""
    components = f"#/components/responses/{_name(form, is_wrapped)}"
    return {
        status: {"$ref": f"{components}-{status}", "description": _described(problems)}
        for status, problems in _problems_by_status(form)
    }


def refusals_route(form: WireForm, is_wrapped: bool) -> APIRoute:
    """Return a route that is not served: FastAPI describes its responses, and `document.py` moves them."""
    return APIRoute(
        f"/{_name(form, is_wrapped)}",
        lambda: None,
        name=_name(form, is_wrapped),
        responses={status: _refusal(form, problems, is_wrapped) for status, problems in _problems_by_status(form)},
    )


def _refusal(form: WireForm, problems: list[Problem], is_wrapped: bool) -> dict[str, Any]:
    model = refused_ack(problems[0].status)
    examples = {
        problem.code: next(iter(form.examples(ack_payload(problem, is_wrapped=is_wrapped)).values()))
        for problem in problems
    }
    headers = {**form.signature_headers, **_http_headers(form, problems)}
    return {
        "model": form.model(WrappedAck[model] if is_wrapped else model),  # type: ignore[valid-type]
        "description": _described(problems),
        "content": {"application/json": {"examples": examples}},
    } | ({"headers": headers} if headers else {})


def _problems_by_status(form: WireForm) -> list[tuple[int, list[Problem]]]:
    answered = [problem for problem in ANSWERED if form.profile.wants_token or problem is not Problem.TOKEN]
    return [(status, list(problems)) for status, problems in groupby(answered, key=lambda problem: problem.status)]


def _described(problems: list[Problem]) -> str:
    return " ".join(["Refused, signed.", *(f"{problem.code}: {problem.meaning}" for problem in problems)])


def _http_headers(form: WireForm, problems: list[Problem]) -> dict[str, Any]:
    text = {"schema": {"type": "string"}}
    if Problem.METHOD_NOT_ALLOWED in problems:
        return {"Allow": text}
    if Problem.UNAVAILABLE in problems:
        return {"Retry-After": text}
    if form.profile.wants_token and problems[0].status in (401, 403):
        return {"WWW-Authenticate": text}
    return {}


def _name(form: WireForm, is_wrapped: bool) -> str:
    return f"{form.profile.name}-wrapped" if is_wrapped else form.profile.name

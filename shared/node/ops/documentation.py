"""The pages of an operator plane for a browser: Swagger UI over OpenAPI documents that the packages carry.

Nothing is made here while requests wait, and a page loads nothing from elsewhere.
"""

from html import escape
from importlib.metadata import PackageNotFoundError, version
from typing import Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from shared.node.ops.guard import PAGE_FILES

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/docs/swagger-ui.css">
<div id="swagger-ui"><noscript>Switch scripts on, or read <a href="{document}">{document}</a>.</noscript></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js" data-document="{document}" data-tries="{tries}"></script>
</html>
"""


def documentation_routes(package: str, operator: str, protocol: str, name: str) -> APIRouter:
    """Return the routes of both pages and of what they load.

    `operator` and `protocol` are the documents of the two planes in the folder `static` of `package`; `name` says whose
    planes they are. Only the operator plane's page sends requests: what the protocol plane takes a browser cannot sign.
    """
    routes = APIRouter(include_in_schema=False)
    files = StaticFiles(packages=[(package, "static"), (__package__, "static"), ("fastapi_offline", "static")])
    documents = {"/openapi.json": operator, "/protocol/openapi.json": protocol}
    for path in (*documents, *PAGE_FILES):
        _serve(routes, files, path, documents.get(path, path.removeprefix("/docs/")))

    @routes.get("/docs")
    async def docs() -> Response:
        return _page(f"Operator plane of {name}", "/openapi.json", tries=True)

    @routes.get("/protocol/docs")
    async def protocol_docs() -> Response:
        return _page(f"Protocol plane of {name}", "/protocol/openapi.json", tries=False)

    return routes


def package_version() -> str:
    """Return the version of this package as it is installed."""
    try:
        return version("ocen-reference-pair")
    except PackageNotFoundError:
        return "not installed"


def _serve(routes: APIRouter, files: StaticFiles, path: str, file: str) -> None:
    @routes.get(path)
    async def serve(request: Request) -> Response:
        response = await files.get_response(file, request.scope)
        response.headers["cache-control"] = "no-cache"  # ask each time: a newer version is told by its ETag
        return response


def _page(title: str, document: str, *, tries: bool) -> HTMLResponse:
    page = _PAGE.format(title=escape(title), document=document, tries=str(tries).lower())
    return HTMLResponse(page, headers={"content-security-policy": _POLICY})

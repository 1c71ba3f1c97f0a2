"""An OpenAPI document as one HTML page: no script and nothing from elsewhere, so that it shows in any sandbox."""

import json
import re
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any, Final

from fastapi.responses import HTMLResponse

_STYLE: Final = """
:root { color-scheme: light dark; --line: light-dark(#d8dee6, #333c48); --soft: light-dark(#f5f7fa, #1a212b);
  --ink: light-dark(#1c2733, #dde5ee); --dim: light-dark(#5a6878, #93a1b1); --blue: light-dark(#0b57b7, #7db4ff) }
body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 6rem; font: 16px/1.55 system-ui, sans-serif;
  color: var(--ink); background: light-dark(#fff, #11161d) }
h1 { font-size: 1.7rem } h2 { font-size: 1.05rem; margin: 0 } h3 { font-size: .85rem; margin: 1rem 0 0 }
a { color: var(--blue); text-decoration: none } a:hover { text-decoration: underline } small { color: var(--dim) }
nav { columns: 2 20rem; padding: 1rem 0; border-block: 1px solid var(--line) } nav a { display: block }
article { border: 1px solid var(--line); border-radius: 10px; padding: 1.1rem 1.3rem; margin: 1.2rem 0 }
code, pre { font: 13px/1.5 ui-monospace, monospace; overflow-wrap: anywhere }
pre { background: var(--soft); padding: .8rem 1rem; border-radius: 8px; overflow: auto; max-height: 30rem }
b { font: 700 12px ui-monospace, monospace; color: var(--blue); border: 1px solid; border-radius: 5px; padding: 0 .4em }
table { border-collapse: collapse; width: 100% } summary { cursor: pointer } p, details { margin: .5rem 0 }
td { border-top: 1px solid var(--line); padding: .4rem .8rem .4rem 0; vertical-align: top }
"""

_CODE: Final = re.compile(r"`([^`]+)`")
_PAGE: Final = re.compile(r"`((?:/\w+)?/docs)`")
_REFERENCE: Final = re.compile(r"&quot;#/components/schemas/([\w.-]+)&quot;")


def docs_page(document: Mapping[str, Any]) -> str:
    """Show an OpenAPI document: operations with parameters, bodies, answers, callbacks; then what they share."""
    info, components = document["info"], document.get("components", {})
    operations = list(_operations(document["paths"]))
    links = "".join(f"<a href='#{_anchor(method, path)}'>{_title(method, path)}</a>" for path, method, _ in operations)
    body = "".join(_operation(document, *operation) for operation in operations)
    answers = "".join(_named(name, shared, _response(shared)) for name, shared in _sorted(components, "responses"))
    schemas = "".join(_named(name, schema, _json(schema)) for name, schema in _sorted(components, "schemas"))
    return (
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
        f"<title>{escape(info['title'])}</title><style>{_STYLE}</style>"
        f"<h1>{escape(info['title'])} <small>{escape(info['version'])}</small></h1>{_text(info.get('description', ''))}"
        f"<nav>{links}</nav><main>{body}<h2>Shared answers and schemas</h2>{answers}{schemas}</main></html>"
    )


def page_response(document: Mapping[str, Any]) -> HTMLResponse:
    """Answer with the page, and forbid the browser to fetch anything for it."""
    policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return HTMLResponse(docs_page(document), headers=policy)


def _operations(paths: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for path, methods in paths.items():
        for method, operation in methods.items():
            yield path, method, operation


def _operation(document: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    callbacks = (
        f"<h3>Callback {escape(name)}</h3>" + "".join(_operation(document, *called) for called in _operations(paths))
        for name, paths in operation.get("callbacks", {}).items()
    )
    needs = {name for requirement in operation.get("security", document.get("security", [])) for name in requirement}
    return (
        f"<article id='{_anchor(method, path)}'><h2>{_title(method, path)}</h2>"
        f"<p>{escape(operation.get('summary', ''))} <small>{escape(', '.join(sorted(needs)))}</small></p>"
        f"{_text(operation.get('description', ''))}{_parameters(operation)}{_body(operation.get('requestBody', {}))}"
        f"{_responses(document, operation)}{''.join(callbacks)}</article>"
    )


def _parameters(operation: Mapping[str, Any]) -> str:
    rows = [
        (f"{one['name']}{'' if one.get('required') else '?'}", f"{one['in']} {_inline(one.get('schema', {}))}")
        for one in operation.get("parameters", [])
    ]
    return _table("Parameters", rows)


def _body(body: Mapping[str, Any]) -> str:
    return "".join(_content("Body", content) for content in body.get("content", {}).values())


def _responses(document: Mapping[str, Any], operation: Mapping[str, Any]) -> str:
    rows = []
    for status, stated in operation["responses"].items():
        shared = stated.get("$ref", "").rpartition("/")[2]
        described = escape((document["components"]["responses"][shared] if shared else stated)["description"])
        rows.append(
            (status, f"<a href='#{escape(shared)}'>{described}</a>" if shared else f"{described} {_response(stated)}")
        )
    return _table("Answers", rows)


def _response(response: Mapping[str, Any]) -> str:
    return "".join(_content("", content) for content in response.get("content", {}).values())


def _content(title: str, content: Mapping[str, Any]) -> str:
    examples = "".join(
        _folded(f"Example {escape(name)}", _text(example.get("description", "")) + _json(example["value"]))
        for name, example in content.get("examples", {}).items()
    )
    schema = content.get("schema", {})
    shown = _inline(schema) if set(schema) <= {"$ref"} else _folded("Schema", _json(schema))
    return (f"<h3>{title}</h3>" if title else "") + shown + examples


def _sorted(components: Mapping[str, Any], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    return sorted(components.get(kind, {}).items())


def _named(name: str, component: Mapping[str, Any], content: str) -> str:
    shown = _folded(f"<code>{escape(name)}</code>", _text(component.get("description", "")) + content)
    return f"<div id='{escape(name)}'>{shown}</div>"


def _folded(title: str, content: str) -> str:
    return f"<details><summary>{title}</summary>{content}</details>"


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    """Make a table of two columns; the second is HTML already."""
    cells = "".join(f"<tr><td>{escape(first)}<td>{second}" for first, second in rows)
    return f"<h3>{title}</h3><table>{cells}</table>" if rows else ""


def _inline(schema: Mapping[str, Any]) -> str:
    return f"<code>{_linked(json.dumps(schema))}</code>"


def _json(value: Any) -> str:
    return f"<pre>{_linked(json.dumps(value, indent=2, ensure_ascii=False))}</pre>"


def _linked(text: str) -> str:
    return _REFERENCE.sub(r'<a href="#\1">\1</a>', escape(text))


def _text(markdown: str) -> str:
    """Show the little of Markdown that is used here: paragraphs, code between backticks, a page's path as a link."""
    marked = _PAGE.sub(r"<a href='\1'><code>\1</code></a>", escape(markdown))
    marked = _CODE.sub(r"<code>\1</code>", marked)
    return "".join(f"<p>{paragraph}</p>" for paragraph in marked.split("\n\n") if paragraph)


def _title(method: str, path: str) -> str:
    return f"<b>{method.upper()}</b> <code>{escape(path)}</code>"


def _anchor(method: str, path: str) -> str:
    return re.sub(r"\W+", "-", f"{method}-{path}")

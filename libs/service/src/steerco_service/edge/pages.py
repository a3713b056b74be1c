"""The pages that show a service's OpenAPI description. They load what the service has itself, and nothing else."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi import FastAPI, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from starlette.responses import HTMLResponse

ASSETS = "/static-offline-docs"

_INLINE = re.compile(rb"<script>(.*?)</script>", re.DOTALL)


def serve_pages(app: FastAPI) -> None:
    """Give an application its `/docs` and `/redoc`."""

    async def swagger_ui(request: Request) -> HTMLResponse:
        root = request.scope["root_path"]
        page = get_swagger_ui_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            swagger_js_url=f"{root}{ASSETS}/swagger-ui-bundle.js",
            swagger_css_url=f"{root}{ASSETS}/swagger-ui.css",
            swagger_favicon_url=f"{root}{ASSETS}/favicon.png",
        )
        return _with_policy(page)

    async def redoc(request: Request) -> HTMLResponse:
        root = request.scope["root_path"]
        page = get_redoc_html(
            openapi_url=f"{root}{app.openapi_url}",
            title=app.title,
            redoc_js_url=f"{root}{ASSETS}/redoc.standalone.js",
            redoc_favicon_url=f"{root}{ASSETS}/favicon.png",
            with_google_fonts=False,
        )
        return _with_policy(page, "worker-src blob:")  # its search

    app.mount(ASSETS, StaticFiles(packages=[("fastapi_offline", "static")]))
    app.add_route("/docs", swagger_ui, include_in_schema=False)
    app.add_route("/redoc", redoc, include_in_schema=False)


def _with_policy(page: HTMLResponse, *more: str) -> HTMLResponse:
    """Of inline scripts only the page's own may run: nothing in it comes from who asks. Both write styles into it."""
    inline = (b64encode(sha256(script).digest()).decode() for script in _INLINE.findall(page.body))
    rules = [
        "default-src 'none'",
        " ".join(["script-src 'self'", *(f"'sha256-{each}'" for each in inline)]),
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "connect-src 'self'",
        *more,
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ]
    page.headers["Content-Security-Policy"] = "; ".join(rules)
    return page

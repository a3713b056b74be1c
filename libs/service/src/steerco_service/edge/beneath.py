"""An application at a path of its own, also before a gateway that leaves that path in the requests it passes on."""

from starlette.types import ASGIApp, Receive, Scope, Send


def beneath(root_path: str, app: ASGIApp) -> ASGIApp:
    """The application, asked for `/x` as well as for `<root_path>/x`.

    The server says `root_path` before every path, as ASGI wants it; where it is there already, it is said once. So no
    path of the application itself may begin with it.
    """
    if not root_path:
        return app
    twice = f"{root_path}{root_path}/".encode()

    async def asked(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (scope["raw_path"] + b"/").startswith(twice):
            said = len(root_path)
            scope = {**scope, "path": scope["path"][said:], "raw_path": scope["raw_path"][said:]}
        await app(scope, receive, send)

    return asked

"""Who asks, and which service they asked: dependencies of every route."""

from typing import Annotated

from fastapi import Depends, Header, Request

from steerco_service.identity import Principal
from steerco_service.runtime import Runtime


def runtime_of(request: Request) -> Runtime:
    """The runtime of the service that a request reached."""
    runtime: Runtime = request.app.state.runtime
    return runtime


async def principal_of(request: Request, authorization: Annotated[str | None, Header()] = None) -> Principal:
    """Who asks. Raises a 401 `Problem`."""
    return runtime_of(request).authenticator.principal(authorization)


type Asker = Annotated[Principal, Depends(principal_of)]
"""The principal of a request: every route has one."""

"""The portfolio over HTTP."""

import httpx


async def test_show(reporting: httpx.AsyncClient) -> None:
    answer = await reporting.get("/portfolio?by=month&over=true")
    assert answer.status_code == 200

"""How a browser gets its session: the one-time link, or the token pasted into a form.

Looking at the link spends nothing, so that a program that fetches links ahead does no harm; the code
is spent by the button on its page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.access import FAILED_PAUSE_S, cookie_name
from stratvisor.http.answers import see
from stratvisor.http.doors import SESSION_NS
from stratvisor.http.errors import RequestError
from stratvisor.http.front import front
from stratvisor.http.negotiate import HTML
from stratvisor.http.parameters import text
from stratvisor.http.route import Answer, Asked, Needs, Route
from stratvisor.spec import SECOND

if TYPE_CHECKING:
    from aiohttp import web

    from stratvisor.http.doors import Doors

CODE = text("code", "The code of a login link, or the token of keys/api.token")


def login_link(doors: Doors, host: str, port: int, base_path: str) -> str:
    """A fresh link that opens one session, for `up` to print."""
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{port}{base_path.rstrip('/')}/login?code={doors.mint_code()}"


async def show(request: web.Request, asked: Asked) -> web.Response:
    """The form."""
    return front(request).pages.answer(request, "login.html", {"code": asked["code"] or "", "detail": ""})


async def log_in(request: web.Request, asked: Asked) -> web.Response:
    """Spend the code; the cookie that it buys is out of reach for scripts and for other sites."""
    here = front(request)
    cookie = here.doors.log_in(asked["code"] or "")
    if cookie is None:
        await here.pause(FAILED_PAUSE_S)
        raise RequestError(
            401,
            "this code is spent, too old or mistyped; paste the token that `stratvisor token` prints, "
            "or start the daemon again for a new link",
        )
    answer = see(f"{here.base}/")
    answer.set_cookie(
        cookie_name(request),
        cookie,
        max_age=SESSION_NS // SECOND,
        path=here.base or "/",
        httponly=True,
        samesite="Strict",
    )
    return answer


async def log_out(request: web.Request, _asked: Asked) -> web.Response:
    """End the session."""
    here = front(request)
    name = cookie_name(request)
    here.doors.log_out(request.cookies.get(name, ""))
    answer = see(f"{here.base}/login")
    answer.del_cookie(name, path=here.base or "/", httponly=True, samesite="Strict")
    return answer


ROUTES = (
    Route(
        "GET",
        "/login",
        show,
        "The login form; looking at it spends no code",
        {200: Answer("a page", others=(HTML,))},
        (CODE,),
        needs=Needs.LOCAL_NAME,
    ),
    Route(
        "POST",
        "/login",
        log_in,
        "Open a session in this browser",
        {303: Answer("logged in: see there")},
        (CODE,),
        {401: "the code is spent, too old or wrong"},
        needs=Needs.LOCAL_NAME,
    ),
    Route("POST", "/logout", log_out, "End this browser's session", {303: Answer("see there")}),
)

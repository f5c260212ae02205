"""How a browser gets its session: the one-time link, or a token pasted into a form.

Looking at the link spends nothing, so that a program that fetches links ahead does no harm; the code
is spent by the button on its page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.http.access import Caller, caller, cookie_name, where_from, wrong_secret
from stratvisor.http.answers import json_answer, see
from stratvisor.http.audited import note
from stratvisor.http.doors import CODE_NS, SESSION_NS
from stratvisor.http.errors import RequestError
from stratvisor.http.front import front
from stratvisor.http.negotiate import HTML
from stratvisor.http.parameters import choice, text
from stratvisor.http.roles import Needs, Role
from stratvisor.http.route import Answer, Asked, Route
from stratvisor.spec import SECOND

if TYPE_CHECKING:
    from aiohttp import web

CODE = text("code", "The code of a login link, or a token")
ROLE = choice("role", "What the session may do (admin)", *Role)


async def show(request: web.Request, asked: Asked) -> web.Response:
    """The form."""
    return front(request).pages.answer(request, "login.html", {"code": asked["code"] or "", "detail": ""})


async def log_in(request: web.Request, asked: Asked) -> web.Response:
    """Spend the code; the cookie that it buys is out of reach for scripts and for other sites."""
    here = front(request)
    opened = here.doors.log_in(asked["code"] or "")
    if opened is None:
        raise await wrong_secret(
            request,
            "this code is spent, too old or mistyped; paste the token that `stratvisor token` prints, "
            "or have a new link made by `stratvisor open`",
            for_people=True,
        )
    cookie, session = opened
    who = Caller(session.by, where_from(request), session.role, session)
    note(request, "log in", after={"role": session.role}, who=who)
    answer = see(f"{here.base}/")
    answer.set_cookie(
        cookie_name(request),
        cookie,
        max_age=SESSION_NS // SECOND,
        path=here.base or "/",
        httponly=True,
        samesite="Strict",
        secure=here.names.is_secure(request),
    )
    return answer


async def log_out(request: web.Request, _asked: Asked) -> web.Response:
    """End the session."""
    here = front(request)
    name = cookie_name(request)
    here.doors.log_out(request.cookies.get(name, ""))
    note(request, "log out")
    answer = see(f"{here.base}/login")
    answer.del_cookie(name, path=here.base or "/", httponly=True, samesite="Strict")
    return answer


async def open_page(request: web.Request, asked: Asked) -> web.Response:
    """A login link that somebody may be given."""
    role = Role(asked["role"] or Role.ADMIN)
    link = front(request).login_link(role, f"a login link of {caller(request).by}")
    if link is None:
        raise RequestError(
            409,
            "there is no page to open: [http] port is 0, or not to be had now; log/stratvisor.log says why",
        )
    note(request, "make a login link", after={"role": role})
    return json_answer({"link": link, "role": role, "good_for_s": CODE_NS // SECOND})


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
        {401: "the code is spent, too old or wrong", 429: "too many wrong ones"},
        needs=Needs.LOCAL_NAME,
    ),
    Route(
        "POST",
        "/logout",
        log_out,
        "End this browser's session",
        {303: Answer("see there")},
        needs=Needs.LOGIN,
    ),
    Route(
        "POST",
        "/open",
        open_page,
        "Make a link that opens one session, once and soon",
        {200: Answer("the link", "Link")},
        (ROLE,),
        {409: "there is no page on TCP"},
    ),
)

"""Who may do what: the roles that a token or a session has, and what a route asks for.

The one place that says so. A route that does not say what it needs lets every role but `panic` look, and
`admin` alone change: a new route is never open by omission.
"""

from __future__ import annotations

from enum import Enum, StrEnum


class Role(StrEnum):
    """What somebody was let in as."""

    VIEW = "view"
    OPERATE = "operate"
    ADMIN = "admin"
    PANIC = "panic"
    """For a telephone that may get lost: it stops strategies, and looks at none."""


class Needs(Enum):
    """What a request has to bring. Its value is how the answer to one that lacks it names it."""

    NOTHING = "nothing"
    LOCAL_NAME = "a Host header that no foreign page can make a browser send"
    LOGIN = "a token or a session of any role"
    LOOK = "look"
    STOP = "stop"
    OPERATE = "start, stop and restart"
    ADMINISTER = "do this"


_GRANTS = {
    Role.VIEW: frozenset({Needs.LOGIN, Needs.LOOK}),
    Role.OPERATE: frozenset({Needs.LOGIN, Needs.LOOK, Needs.STOP, Needs.OPERATE}),
    Role.ADMIN: frozenset({Needs.LOGIN, Needs.LOOK, Needs.STOP, Needs.OPERATE, Needs.ADMINISTER}),
    Role.PANIC: frozenset({Needs.LOGIN, Needs.STOP}),
}
NEED_NOBODY = frozenset({Needs.NOTHING, Needs.LOCAL_NAME})
"""What strangers may ask for."""


def may(role: Role, needs: Needs) -> bool:
    """Whether a role is enough."""
    return needs in NEED_NOBODY or needs in _GRANTS[role]


def roles_for(needs: Needs) -> list[Role]:
    """The roles that are enough; none where nobody is asked who he is."""
    return [] if needs in NEED_NOBODY else [role for role in Role if may(role, needs)]

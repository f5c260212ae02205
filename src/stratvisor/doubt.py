"""What to begin with where the operator's word was lost: run/state.json and its copy are both damaged.

Pure. Rule: nothing that may have been held down starts by surprise, and nothing that runs is stopped
for it. Either is a hold of its own, so it is told in `why`, outlives the daemon, and ends like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor import machine
from stratvisor.state import Because, Hold, State, Until, Wants

if TYPE_CHECKING:
    from stratvisor.spec import Spec
    from stratvisor.state import Now, Run

BY = "stratvisor, which lost run/state.json and its copy"
"""Who holds: nobody else is called so."""


def state_of(now: Now, spec: Spec, run: Run | None) -> State:
    """The state of a strategy of which nothing is known but the run that lives, if any."""
    wish = machine.wish(now, spec, State())
    if run is not None:
        if wish.up or run.told.stop is not None:
            return State()
        return State(hold=Hold(Wants.UP, BY, now.wall, Until.WINDOW_END))
    if wish.because in {Because.MANUAL, Because.DISABLED}:
        return State()  # it starts for nobody but the operator anyway
    return State(hold=Hold(Wants.DOWN, BY, now.wall, Until.OPERATOR))


def is_doubtful(state: State) -> bool:
    """Whether the operator has not said yet what he wants of it."""
    return state.hold is not None and state.hold.by == BY

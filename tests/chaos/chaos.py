"""`make chaos SECONDS=600 SEED=7`: kill everything at random for a while, and see that nothing is the worse.

Twenty strategies of all temperaments on one home of their own; a deed every quarter of a second, drawn
from the seed; one look at all processes some twenty times a second. In the end all is let come to rest,
judged to the line, and cleared away. The exit code is 0 if every promise was kept; otherwise the home stays
to be looked at.
"""

from __future__ import annotations

import argparse
import os
import random
import select
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path

_TESTS = Path(__file__).resolve().parent.parent
for _folder in (_TESTS / "support", _TESTS / "chaos"):
    sys.path.insert(0, str(_folder))

from cast import CAST, Role  # noqa: E402
from deeds import Deeds, Diary  # noqa: E402
from stage import Stage, now_ns  # noqa: E402
from verdict import Figures, descriptors, judge, litter  # noqa: E402
from witness import Violation, Witness  # noqa: E402

from stratvisor.shim import kernel  # noqa: E402

SECOND_NS = 1_000_000_000
LOOK_NS = SECOND_NS // 20
TAIL = 40
PATIENCE_S = 180
"""For anything to come to rest; a hang, not a pace."""


class Chaos:
    """One run."""

    def __init__(self, home: Path, seed: int, seconds: float) -> None:
        self._seconds = seconds
        self._diary = Diary(home / "diary")
        self._stage = Stage(home, seed)
        self._witness = Witness(self._stage)
        self._deeds = Deeds(self._stage, self._diary, random.Random(seed))

    def run(self) -> Figures:
        """From the first start to the last thing cleared away. Raises Violation where a promise is broken."""
        self._deeds.begin_daemon()
        self._until(self._deeds.daemon_serves, "the daemon serves")
        self._expect_no_problem()
        self._act()
        self._come_to_rest()
        self._stop_all()
        figures = judge(self._stage, self._deeds.may_lose, self._deeds.hits)
        self._leave_nothing()
        self._tell(figures)
        if figures.wrong:
            raise Violation("\n".join(figures.wrong))
        return figures

    def close(self) -> None:
        """Whatever came of it, nothing of it lives on."""
        self._witness.bystanders.close()
        if self._stage.has_daemon:
            self._stage.kill()
        self._stage.kill_all()
        self._diary.close()

    def _act(self) -> None:
        end_ns = now_ns() + int(self._seconds * SECOND_NS)
        next_ns = now_ns()
        while now_ns() < end_ns:
            self._deeds.do_due()
            if now_ns() >= next_ns:
                self._deeds.do_one()
                next_ns = now_ns() + self._deeds.next_in_ns()
            self._look()
            _wait_until(min(next_ns, now_ns() + LOOK_NS))

    def _look(self) -> None:
        self._stage.reap()
        self._witness.look()

    def _come_to_rest(self) -> None:
        """All is as the files say, nobody is held, and every strategy comes to what its policy says."""
        self._deeds.calm()
        self._until(self._deeds.daemon_serves, "the daemon serves")
        self._expect_no_problem()
        self._stage.post("start/all")
        for role in CAST:
            self._until_it_ends_well(role)
        self._diary.note("calm", "every strategy is as it should be")

    def _expect_no_problem(self) -> None:
        if problems := self._stage.post("reload?force=1")["problems"]:
            raise Violation(f"the files are right, and yet: {problems}")

    def _until_it_ends_well(self, role: Role) -> None:
        try:
            self._until(lambda: self._stage.state(role.name) in role.ends, f"{role.name} in {set(role.ends)}")
        except Violation as violation:
            raise Violation(f"{violation}; it is: {self._stage.show(role.name)['why']}") from violation

    def _until(self, condition: Callable[[], object], what: str) -> None:
        end_ns = now_ns() + PATIENCE_S * SECOND_NS
        while not condition():
            if now_ns() > end_ns:
                raise Violation(f"{what}: not within {PATIENCE_S} s")
            self._look()
            _wait_until(now_ns() + LOOK_NS)

    def _stop_all(self) -> None:
        stage = self._stage
        stage.post("stop/all")
        live = {"stopping", "running", "starting"}
        self._until(
            lambda: not stage.living() and not live & stage.get("status")["counts"].keys(), "a full stop"
        )

    def _leave_nothing(self) -> None:
        """The descriptors of this daemon are those of a fresh one; then all is shut down."""
        stage = self._stage
        old = descriptors(stage.daemon_pid)
        stage.kill(signal.SIGTERM)
        stage.up()
        fresh = descriptors(stage.daemon_pid)
        self._diary.note("descriptors", f"{old} after all, {fresh} of a fresh daemon")
        if old > fresh + 2:
            raise Violation(f"the daemon's descriptors grew from {fresh} to {old}")
        stage.post("start/all")
        stage.post("shutdown?stop_strategies=1")
        assert stage.daemon is not None
        stage.daemon.wait(PATIENCE_S)
        self._until(lambda: not list(litter(stage)), "nothing is left")

    def _tell(self, figures: Figures) -> None:
        told = Counter(self._diary.counts)
        print(
            f"{self._seconds:g} s: {sum(told.values())} deeds; {self._witness.looks} looks at all processes"
        )
        print("  " + ", ".join(f"{count} x {kind}" for kind, count in sorted(told.items())))
        print(f"runs {figures.runs}, at most {self._witness.most_copies} at a time of each strategy")
        print(
            f"lines written {figures.written:,}, found {figures.found:,}, lost and said so {figures.lost:,}"
        )
        print(f"ends unknown and said so: {figures.unknown}")

    def explain(self, what: str) -> None:
        """The last deeds, and what the daemon's log says of the strategies concerned."""
        print("\n".join(self._diary.lines[-TAIL:]))
        log = (self._stage.home / "log" / "stratvisor.log").read_text("utf-8").splitlines()
        for role in CAST:
            if role.name in what:
                print("\n".join([line for line in log if role.name in line][-TAIL // 2 :]))


def _wait_until(at_ns: int) -> None:
    """The pace of things: nothing else is waited for."""
    select.select([], [], [], max(0, at_ns - now_ns()) / 1e9)


def main() -> int:
    """One run by arguments."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--seconds", type=float, default=60)
    asked.add_argument("--seed", type=int, default=None)
    asked.add_argument("--home", type=Path, default=None, help="a folder that does not exist yet")
    wanted = asked.parse_args()
    seed = random.SystemRandom().randrange(10**6) if wanted.seed is None else wanted.seed
    home = wanted.home or Path(tempfile.mkdtemp(prefix="chaos-"))
    home.mkdir(exist_ok=True)
    kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and what was started is ended
    print(f"seed {seed}, home {home}", flush=True)
    chaos = Chaos(home.resolve(), seed, wanted.seconds)
    try:
        chaos.run()
    except Exception as error:  # noqa: BLE001  the outermost edge: everything is told, with the seed
        if not isinstance(error, Violation):
            traceback.print_exc()
        chaos.explain(str(error))
        print(f"BROKEN with seed {seed}: {error}\nthe home stays: {home}")
        return 1
    finally:
        chaos.close()
    shutil.rmtree(home)
    return 0


if __name__ == "__main__":
    os.nice(5)
    sys.exit(main())

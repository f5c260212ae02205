"""What is done to a home in a chaos run: every deed, how often each, and its undoing.

All is drawn from one random.Random, so that a seed names a course of deeds; how far the processes had
come when a deed reached them is the machine's part. Everything goes into the diary.
"""

from __future__ import annotations

import heapq
import itertools
import random
import shutil
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from cast import CAST, Role
from stage import Run, Stage, is_well, now_ns, signal_exactly
from witness import Violation

from stratvisor.shim import rundir

SECOND_NS = 1_000_000_000
STARTING_S = 180
"""A daemon that does not answer by then will not."""

PACE_S = 0.25
"""Between two deeds, on average."""

YOUNG = 0.2
"""The share of kills that also meets a daemon that has not served yet."""

FATAL = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)
"""None of those of which Python tells on standard error."""


class Diary:
    """What was done and when, in a file and by its last lines."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8", buffering=1)
        self._began_ns = now_ns()
        self.lines: list[str] = []
        self.counts: Counter[str] = Counter()

    def note(self, kind: str, text: str) -> None:
        """One line."""
        self.counts[kind] += 1
        line = f"{(now_ns() - self._began_ns) / 1e9:8.3f} {kind}: {text}"
        self.lines.append(line)
        self._file.write(line + "\n")

    def close(self) -> None:
        """No more to tell."""
        self._file.close()


class Deeds:
    """Everything that is done, on one stage."""

    def __init__(self, stage: Stage, diary: Diary, rng: random.Random) -> None:
        self.hits: dict[Run, set[int]] = {}
        """Signals sent to processes of each run."""
        self.may_lose: set[Run] = set()
        """Runs of which at some time neither daemon nor shim nor strategy lived."""
        self._stage = stage
        self._diary = diary
        self._rng = rng
        self._later: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._generation = 0
        self._starting_ns: int | None = None
        self._shims_killed: set[Run] = set()
        self._ending = False
        """Whether the daemon was told to end, and will."""
        self._exposed: set[Run] = set()
        """Those that were without a shim while no daemon served."""
        self._choices: tuple[tuple[int, Callable[[], None]], ...] = (
            (10, self.kill_strategy),
            (3, self.kill_anyone),
            (6, self.kill_shim),
            (3, self.kill_shim_and_strategy),
            (4, self.kill_daemon),
            (1, self.end_daemon_politely),
            (1, self.kill_everybody),
            (3, self.kill_zygote),
            (5, self.pause_somebody),
            (3, self.edit),
            (3, self.edit_logs),
            (1, self.comment),
            (2, self.spoil),
            (2, self.take_away),
            (2, self.replace_conf_d),
            (3, self.step_clock),
            (6, self.order),
            (1, self.second_daemon),
            (2, self.reload),
        )

    # The course of it.

    def next_in_ns(self) -> int:
        """The pause before the next deed."""
        return int(self._rng.expovariate(1 / PACE_S) * SECOND_NS)

    def do_one(self) -> None:
        """Draw a deed and do it."""
        weights = [weight for weight, _deed in self._choices]
        self._rng.choices([deed for _weight, deed in self._choices], weights)[0]()

    def do_due(self) -> None:
        """What was put off until now; and see that the daemon is as it should be."""
        while self._later and self._later[0][0] <= now_ns():
            heapq.heappop(self._later)[2]()
        self._see_to_daemon()

    def daemon_serves(self) -> bool:
        """Whether it does by now."""
        self.do_due()
        return self._stage.served

    def calm(self) -> None:
        """Undo all at once: nothing is stopped, every file is right, the clock is the machine's."""
        while self._later:
            heapq.heappop(self._later)[2]()
        self._remove_lock()
        if self._ending:
            self._stage.kill(signal.SIGTERM)
            self._after_daemon()
        (self._stage.home / "conf.d").mkdir(exist_ok=True)
        self._stage.write_all()
        if not self._stage.has_daemon:
            self.begin_daemon()
        self._stage.step_clock(0)

    def _in(self, most_s: float, undo: Callable[[], None]) -> None:
        """Do that after a drawn time."""
        at_ns = now_ns() + int(self._rng.uniform(0, most_s) * SECOND_NS)
        heapq.heappush(self._later, (at_ns, next(self._order), undo))

    def _role(self) -> Role:
        return self._rng.choice(CAST)

    # The daemon.

    def _see_to_daemon(self) -> None:
        """One that ended by itself, or does not come up, is a finding."""
        stage = self._stage
        if self._starting_ns is None:
            return
        if not stage.has_daemon and self._ending:
            self._after_daemon()
            return
        if not stage.has_daemon:
            raise Violation(f"the daemon ended by itself: {stage.daemon and stage.daemon.returncode}")
        if stage.served or self._ending or not is_well(stage.daemon_pid):
            return
        if stage.answers():
            self._diary.note("daemon serves", f"pid {stage.daemon_pid}")
            self._note_losses()
            stage.tell_of_step()
        elif now_ns() - self._starting_ns > STARTING_S * SECOND_NS:
            raise Violation(f"the daemon does not answer within {STARTING_S} s")

    def begin_daemon(self) -> None:
        """Where none lives; it is not waited for."""
        if self._stage.has_daemon:
            return
        self._note_exposed()
        self._stage.begin()
        self._starting_ns = now_ns()
        self._diary.note("daemon started", f"pid {self._stage.daemon_pid}")

    def _note_exposed(self) -> None:
        """Those without a shim, as a daemon dies or begins."""
        self._exposed |= {run for run in self._shims_killed if not self._stage.is_finished(run)}

    def _note_losses(self) -> None:
        """A daemon serves: who had neither shim nor daemon, and has died, may have lost its last words."""
        self.may_lose |= self._exposed - self._stage.living().keys()
        self._exposed.clear()

    def _after_daemon(self) -> None:
        """It is dead; another comes in a while."""
        self._starting_ns = None
        self._ending = self._stage.served = False
        self._note_exposed()
        self._in(2.5, self.begin_daemon)

    def kill_daemon(self) -> None:
        """At any time, but seldom while it starts: on a busy machine it would never get farther."""
        if self._stage.has_daemon and (self._stage.served or self._rng.random() < YOUNG):
            self._diary.note("kill daemon", f"pid {self._stage.daemon_pid}")
            self._stage.kill(signal.SIGKILL)
            self._after_daemon()

    def end_daemon_politely(self) -> None:
        """As an upgrade would."""
        if self._stage.daemon_is_well() and not self._ending:
            self._diary.note("end daemon", f"pid {self._stage.daemon_pid}")
            self._ending = True
            self._stage.daemon_signal(signal.SIGTERM)

    def kill_everybody(self) -> None:
        """Daemon and all shims at once, in some order, and some strategies."""
        targets: list[Callable[[], None]] = [self.kill_daemon]
        targets += [partial(self._kill_shim, role) for role in CAST]
        targets += [partial(self._kill_strategy, role) for role in self._rng.sample(CAST, len(CAST) // 3)]
        self._rng.shuffle(targets)
        for deed in targets:
            deed()

    def kill_zygote(self) -> None:
        """The shims' common parent."""
        for one in self._stage.zygotes():
            self._diary.note("kill zygote", f"pid {one.pid}")
            signal_exactly(one, signal.SIGKILL)

    def second_daemon(self) -> None:
        """It is refused, and names the first."""
        if self._ending or not self._stage.daemon_is_well():
            return
        code, said = self._stage.second_daemon()
        self._diary.note("second daemon", said.strip())
        if code != 1 or f"(pid {self._stage.daemon_pid})" not in said:
            raise Violation(f"a second daemon was not refused, or does not name the first: {code}, {said!r}")

    # Shims and strategies.

    def kill_strategy(self) -> None:
        """Its main process, by one signal or another."""
        self._kill_strategy(self._role())

    def kill_shim(self) -> None:
        """The parent of one run."""
        self._kill_shim(self._role())

    def kill_shim_and_strategy(self) -> None:
        """In this order or in that."""
        role = self._role()
        both = [self._kill_shim, self._kill_strategy]
        self._rng.shuffle(both)
        for kill in both:
            kill(role)

    def kill_anyone(self) -> None:
        """Any process of a strategy."""
        everyone = [(run, one) for run, people in sorted(self._stage.living().items()) for one in people]
        if everyone:
            self._hit(*self._rng.choice(everyone), signal.SIGKILL)

    def _kill_strategy(self, role: Role) -> None:
        number = self._rng.choice(FATAL)
        for run in self._stage.runs_of(role.name)[-1:]:
            people = self._stage.people_of(run)
            if people:
                self._hit(run, people[1], number)

    def _hit(self, run: Run, who: rundir.Identity, number: signal.Signals) -> None:
        self.hits.setdefault(run, set()).add(number)
        sent = signal_exactly(who, number)
        self._diary.note("kill strategy", f"{run.strategy}/{run.number} pid {who.pid} {number.name} {sent}")

    def _kill_shim(self, role: Role) -> None:
        for run in self._stage.runs_of(role.name)[-1:]:
            people = self._stage.people_of(run)
            if people:
                self._shims_killed.add(run)
                if not self._stage.served:
                    self._exposed.add(run)
                sent = signal_exactly(people[0], signal.SIGKILL)
                self._diary.note("kill shim", f"{run.strategy}/{run.number} pid {people[0].pid} {sent}")

    def pause_somebody(self) -> None:
        """SIGSTOP, and SIGCONT after a while."""
        kind, who = self._rng.choice(("daemon", "zygote", "shim", "strategy")), None
        role = self._role()
        if kind == "daemon":
            who = rundir.identify(self._stage.daemon_pid) if self._stage.has_daemon else None
        elif kind == "zygote":
            who = next(iter(self._stage.zygotes()), None)
        else:
            for run in self._stage.runs_of(role.name)[-1:]:
                people = self._stage.people_of(run)
                who = people[kind == "strategy"] if people else None
        if who is not None and signal_exactly(who, signal.SIGSTOP):
            self._diary.note(
                "pause", f"{kind} {role.name if kind in {'shim', 'strategy'} else ''} pid {who.pid}"
            )
            self._in(3, lambda: _go_on(who))

    # Files.

    def _rewrite(self, role: Role) -> None:
        rng = self._rng
        self._stage.texts[role.name] = self._stage.text_of(
            role,
            self._generation,
            timestamps=rng.random() < 0.5,
            max_size=rng.choice(("100KB", "1MB", "10MB")),
        )
        with suppress(FileNotFoundError):  # conf.d is away
            self._stage.path_of(role.name).write_text(self._stage.texts[role.name])

    def edit(self) -> None:
        """What the process is made of."""
        role = self._role()
        self._generation += 1
        self._rewrite(role)
        self._diary.note("edit", f"{role.name} generation {self._generation}")

    def edit_logs(self) -> None:
        """What changes under it; the generation may, too, where another edit came before."""
        role = self._role()
        self._rewrite(role)
        self._diary.note("edit logs", role.name)

    def comment(self) -> None:
        """What changes nothing."""
        role = self._role()
        with suppress(FileNotFoundError):
            self._stage.path_of(role.name).write_text("# nothing\n" + self._stage.texts[role.name])
        self._diary.note("comment", role.name)

    def spoil(self) -> None:
        """A file that cannot be read, for a while."""
        role = self._role()
        with suppress(FileNotFoundError):
            self._stage.path_of(role.name).write_text(
                self._rng.choice(("restart: {polcy: always}\n", "[", ""))
            )
        self._diary.note("spoil", role.name)
        self._in(3, lambda: self._put_back(role))

    def take_away(self) -> None:
        """A file that is gone, for a while."""
        role = self._role()
        self._stage.path_of(role.name).unlink(missing_ok=True)
        self._diary.note("take away", role.name)
        self._in(3, lambda: self._put_back(role))

    def _put_back(self, role: Role) -> None:
        with suppress(FileNotFoundError):
            self._stage.path_of(role.name).write_text(self._stage.texts[role.name])

    def replace_conf_d(self) -> None:
        """As a checkout does it: under a lock, the old ones away, the new ones one by one."""
        home = self._stage.home
        (home / ".git" / "index.lock").touch()
        (home / "conf.d").rename(home / "conf.d.old")
        (home / "conf.d").mkdir()
        self._stage.write_all()
        shutil.rmtree(home / "conf.d.old")
        self._diary.note("replace conf.d", "")
        self._in(1.5, self._remove_lock)

    def _remove_lock(self) -> None:
        (self._stage.home / ".git" / "index.lock").unlink(missing_ok=True)

    # Time.

    def step_clock(self) -> None:
        """By seconds or by hours, to and fro."""
        offset_s = self._rng.choice((0, self._rng.uniform(-90, 90), self._rng.uniform(-7200, 7200)))
        self._stage.step_clock(int(offset_s * SECOND_NS))
        self._diary.note("step clock", f"{offset_s:+.3f} s")

    # Orders.

    def order(self) -> None:
        """start, stop or restart; but who is to follow a window alone gets none."""
        verb, role = self._rng.choice(("start", "start", "stop", "restart")), self._role()
        if role.by_window or self._ending or not self._stage.daemon_is_well():
            return
        status, _body = self._stage.ask("POST", f"/python/{verb}/{role.name}")
        self._diary.note(f"order {verb}", f"{role.name}: {status}")
        if status not in {200, 202, 404, 409}:
            raise Violation(f"{verb} {role.name}: answered {status}")

    def reload(self) -> None:
        """By hand."""
        if self._stage.daemon_is_well() and not self._ending:
            status, _body = self._stage.ask("POST", "/python/reload")
            self._diary.note("reload", str(status))


def _go_on(who: rundir.Identity) -> None:
    signal_exactly(who, signal.SIGCONT)

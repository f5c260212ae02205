"""The shim: parent and subreaper of exactly one run, from its first byte to its last.

It makes the strategy's process, moves its output to the log, stops it when want.json or the clock
says so, clears up its tree, and records how it ended. It holds no opinion about restarts, and it does
not need the daemon: want.json is the truth about what is wanted, and the end of the window in it is
kept with no daemon alive.

The order of the end closes a hole at each step: see the main process dead without reaping it (a
reaped pid could be anybody's), KILL what is left of its tree, drain the FIFO (nobody is left to write
more), sync the log, rename exit.json, reap. Killed anywhere in between, the next reader finds either
exit.json or a dead main process whose code is still to be had.

Started by `run` in a fork of the zygote, or by `python -I -S main.py REQUEST FD...` where there is none.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # -I leaves no other way to one's own package; last, so it shadows nothing
    sys.path.append(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))

import contextlib
import fcntl
import json
import select
import signal
import socket
import time
from typing import Any, NoReturn

from stratvisor.shim import child, kernel, rundir, tree
from stratvisor.shim.arrivals import Arrivals
from stratvisor.shim.ending import Ending, describe_end
from stratvisor.shim.logfile import Limits, Log
from stratvisor.shim.redaction import Redactor
from stratvisor.shim.stopping import Stopper

FLOOD_NS = 1_000_000
"""Output that comes again this soon is a flood."""

NAP_S = 0.0005
NAP_BELOW = 32_768
"""In a flood, half a millisecond for each piece that is not worth waking up for: half a pipe."""

REAPING_MS = 2_000
"""How long to wait for another process to reap an orphan that is its child."""

SIGNALS = (signal.SIGCHLD, signal.SIGTERM)


def run(request: dict[str, Any], descriptors: list[int]) -> NoReturn:
    """Be the shim of the run directory that `request` names, until its run is over."""
    try:
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)  # its memory has the run's secrets in it
        os.chdir(request["dir"])
        _keep(descriptors)
        lock, reply, given, *rest = descriptors
        resumed = "kept" in request
        shim = Shim(lock, _receive(given), resumed=resumed)
        if resumed:
            shim.resume(request["status"], rest[0] if rest else -1, kept=request["kept"])
        else:
            shim.launch(rest[0], reply)
        with contextlib.suppress(BrokenPipeError):  # the daemon that asked is gone; the run is not
            os.write(reply, rundir.WORD_UP)
        os.close(reply)
        shim.supervise()
        shim.finish()
    except BaseException:  # noqa: BLE001  the outermost edge of the process
        sys.excepthook(*sys.exc_info())
        os._exit(70)
    os._exit(0)


class Shim:
    """One run. The working directory is its run directory.

    `secrets`: values by variable; None: the run has some, but they are not to be had any more.
    """

    def __init__(self, lock: int, secrets: dict[str, str] | None, *, resumed: bool) -> None:
        self._lock = lock
        self._secrets = secrets
        kernel.prctl(kernel.PR_SET_CHILD_SUBREAPER, 1)
        self._spec = rundir.must_read(rundir.SPEC)
        self._want = rundir.must_read(rundir.WANT)
        kernel.set_name(f"shim {self._spec['strategy']}")
        os.environ["TZ"] = self._spec["env"]["TZ"]
        time.tzset()
        self._signals = _signal_pipe()
        # With a writer of its own the FIFO never hangs up, as it would for good under a strategy that
        # sends its output elsewhere, and poll would return at once for ever.
        self._writer = os.open(rundir.OUT, os.O_RDWR | os.O_CLOEXEC)
        self._out = os.open(rundir.OUT, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        self._arrivals = Arrivals(self._out)
        self._ctl = os.open(rundir.CTL, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        with contextlib.suppress(OSError):  # only to spare the user's pipe pages
            fcntl.fcntl(self._ctl, fcntl.F_SETPIPE_SZ, rundir.CTL_SIZE)
        self._notify = _notify_socket(self._spec["env"].get("NOTIFY_SOCKET"))
        self._log = Log(
            self._spec["log"],
            _limits(self._want),
            self._title,
            resumed=resumed,
            redactor=Redactor(secrets) if secrets else None,
        )
        if secrets is None:
            self._log.withhold("the secrets that it was given are not to be had any more, to redact it by")
        self._errors = -1
        self._main = -1
        self._watched = -1
        self._seen = -1
        self._status: int | None = None
        self._moved_ns = 0
        self._began_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        self._began_wall_ns = 0
        self._stopper: Stopper

    @property
    def _title(self) -> str:
        return f"run {self._spec['run']} of {self._spec['strategy']}"

    def launch(self, lock_strategy: int, reply: int) -> None:
        """Make the strategy's process, which runs once pid.json stands; or say why to `reply`."""
        held = os.open(rundir.HELD, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        gate_read, gate = os.pipe2(os.O_CLOEXEC)
        self._errors, errors_write = os.pipe2(os.O_CLOEXEC)
        self._began_wall_ns = time.time_ns()
        try:
            main = os.fork()
        except OSError as error:
            rundir.say_why(reply, f"cannot make its process: {error.strerror}")
            raise
        if main == 0:
            os.close(gate)
            spec = {**self._spec, "env": {**self._spec["env"], **(self._secrets or {})}}
            kept = child.Descriptors(self._writer, lock_strategy, held, gate_read, errors_write)
            child.become(spec, kept)
        for one in (held, gate_read, errors_write, lock_strategy):
            os.close(one)
        self._main = main
        os.read(self._errors, 1)  # child.OWN: before that, its group does not exist and its signals are ours
        strategy = rundir.identify(main) or rundir.Identity(main, 0)
        rundir.write(
            rundir.PID,
            {
                "boot_id": rundir.boot_id(),
                "shim": rundir.identify(os.getpid()),
                "strategy": strategy,
                "began_ns": self._began_wall_ns,
                "began_boot_ns": self._began_ns,
                "log": self._spec["log"],
            },
        )
        if os.path.basename(os.getcwd()) != str(self._spec["run"]):
            raise rundir.Unreadable("whoever ordered this run gave it up and removed its directory")
        self._log.note(
            f"{self._title} begins {_clock(self._began_wall_ns)}: pid {main}: {' '.join(self._spec['argv'])}"
        )
        if self._spec["sandbox"]:
            self._log.note(self._spec["sandbox"]["words"])
        self._stopper = Stopper(main)
        with contextlib.suppress(BrokenPipeError):  # killed before it was let go: an end like any other
            os.write(gate, b"g")
        os.close(gate)

    def resume(self, status: int | None, seen: int, *, kept: bool) -> None:
        """Take over a run whose shim is dead: the strategy is somebody else's child by now.

        `status` is its wait status where it has ended and the daemon knows it; `seen`, the daemon's pidfd of
        it, which tells even if it is reaped before this process looks, or -1; `kept`, whether a daemon has
        kept the FIFOs open all the time.
        """
        self._status, self._seen = status, seen
        who = rundir.must_read(rundir.PID)
        self._began_ns, self._began_wall_ns = who["began_boot_ns"], who["began_ns"]
        shim = rundir.identify(os.getpid())
        rundir.write(rundir.PID, {**who, "shim": shim})
        pid, start_time = who["strategy"]
        self._log.recover(self._out)
        strategy = rundir.Identity(pid, start_time)
        self._watched = _pidfd_of(strategy)
        unseen = not kept and not rundir.is_alive(strategy)
        lost = "; it had ended, too, and what it printed last may be lost" if unseen else ""
        self._log.note(f"{self._title}: its shim died and was replaced {_clock(time.time_ns())}{lost}")
        self._stopper = Stopper(pid, pidfd=self._watched)

    def supervise(self) -> None:
        """Until the main process is dead: move output, obey, keep the clock."""
        poll = select.poll()
        inputs = [self._arrivals.fd, self._ctl, self._signals, *self._stopper.timers]
        inputs += [self._notify, self._watched]
        for descriptor in inputs:
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        self._obey()
        self._log.prune()
        while not self._ended():
            ready = {descriptor for descriptor, _event in poll.poll()}
            if self._arrivals.fd in ready:
                self._move_output()
            if self._signals in ready:
                self._on_signals()
            if self._ctl in ready:
                _discard(self._ctl)
                self._obey()
            if self._notify in ready:
                self._on_notify()
            if ready.intersection(self._stopper.timers):
                self._stopper.act()

    def _move_output(self) -> None:
        """A strategy that prints line after line is let fill its pipe a little, not read line by line."""
        now_ns = time.monotonic_ns()
        flooding = now_ns - self._moved_ns < FLOOD_NS
        if self._arrivals.take(lambda: self._log.pump(self._out)) < NAP_BELOW and flooding:
            time.sleep(NAP_S)
        self._moved_ns = time.monotonic_ns()

    def _ended(self) -> bool:
        if self._main > 0:
            return os.waitid(os.P_PID, self._main, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        return self._watched < 0 or bool(select.select([self._watched], [], [], 0)[0])

    def _obey(self) -> None:
        """Read again what is wanted. A want.json that cannot be read leaves the last one in force."""
        try:
            self._want = rundir.must_read(rundir.WANT)
        except (rundir.Unreadable, OSError) as error:
            self._log.note(f"cannot obey: {error}")
        self._log.limits = _limits(self._want)
        self._stopper.obey(self._want)

    def _on_signals(self) -> None:
        if signal.SIGTERM in _drain_signals(self._signals):
            self._stopper.begin_now("shutdown")  # whoever ends this process means its run
        if self._main > 0:
            tree.reap_strays(self._main)

    def _on_notify(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                message = os.read(self._notify, 4096)
                if b"READY=1" in message.split(b"\n"):
                    os.close(os.open(rundir.READY, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
                    self._tell_daemon()

    def _tell_daemon(self) -> None:
        """Say "look again"; a daemon that is not there looks when it comes."""
        text = f"{self._spec['strategy']} {self._spec['run']}".encode()
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news:
            news.sendto(text, socket.MSG_DONTWAIT, f"../../{rundir.NEWS}")

    def finish(self) -> None:
        """The main process is dead: clear its tree, drain, sync, record, reap."""
        ended_ns = time.time_ns()
        ran_ns = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - self._began_ns
        if self._main > 0:
            tree.clear(self._main)
        else:
            tree.clear_marked(self._spec["env"]["STRATVISOR_RUN"])
        self._log.finish(self._out)
        ending = self._ending()
        last_line = self._log.last_line()
        self._log.conclude(f"{self._title} ended {_clock(ended_ns)}: {describe_end(ending)}")
        self._log.sync()
        self._log.close()
        rundir.write_exit(
            {
                "run": self._spec["run"],
                **ending._asdict(),
                "began_ns": self._began_wall_ns,
                "ended_ns": ended_ns,
                "ran_ns": ran_ns,
                "stopped": self._stopper.because,
                "dropped": self._log.dropped,
                "last_line": last_line,
                "log": self._spec["log"],
            }
        )
        if self._main > 0:
            os.waitpid(self._main, 0)

    def _ending(self) -> Ending:
        failure = _exec_failure(self._errors)
        failure = failure and self._log.redacted(failure)
        if self._main > 0:
            return Ending.of_child(self._main, self._spec, self._stopper, failure)
        if self._status is None:
            _await_reaping(self._watched)
            told = (kernel.pidfd_exit_status(one) for one in (self._watched, self._seen) if one >= 0)
            self._status = next((status for status in told if status is not None), None)
        return Ending.of_stranger(self._status, self._stopper)


def _keep(given: list[int]) -> None:
    """Nothing but these is this run's: an exec passes on what whoever started the daemon left open in it."""
    for one in map(int, os.listdir("/proc/self/fd")):
        if one in given:
            os.set_inheritable(one, False)
        elif one > 2:
            with contextlib.suppress(OSError):  # the listing's own is closed already
                os.close(one)


def _receive(given: int) -> dict[str, str] | None:
    """The secrets, from the pipe that the daemon closes behind them.

    Where it died over them there is no run yet, or one that goes on: the next daemon asks for a shim again.
    """
    with open(given, "rb") as pipe:
        try:
            secrets: dict[str, str] | None = json.load(pipe)
        except ValueError:
            os._exit(0)
    return secrets


def _await_reaping(pidfd: int) -> None:
    """Until somebody has reaped the process: only then does the kernel tell others how it ended."""
    if pidfd < 0:
        return
    poll = select.poll()
    poll.register(pidfd, 0)  # POLLHUP alone, which is always reported
    poll.poll(REAPING_MS)


def _pidfd_of(identity: rundir.Identity) -> int:
    """A handle on exactly this process, dead or alive; -1: it is gone, and its pid may be another's."""
    try:
        pidfd = os.pidfd_open(identity.pid)
    except OSError:
        return -1
    if rundir.identify_dead_or_alive(identity.pid) == identity:
        return pidfd
    os.close(pidfd)
    return -1


def _limits(want: dict[str, Any]) -> Limits:
    return Limits(**{name: want["logs"][name] for name in Limits._fields})


def _signal_pipe() -> int:
    """A descriptor that becomes readable with one byte a signal; no signal ends this process but KILL."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN)
    for number in SIGNALS:
        signal.signal(number, lambda _number, _frame: None)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    return reader


def _drain_signals(reader: int) -> set[int]:
    seen: set[int] = set()
    with contextlib.suppress(BlockingIOError):
        while True:
            seen.update(os.read(reader, 512))
    return seen


def _discard(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, rundir.CTL_SIZE):
            pass


def _notify_socket(address: str | None) -> int:
    """The strategy's $NOTIFY_SOCKET, in the abstract namespace: no path to be too long or left behind."""
    if address is None:
        return -1
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as server:
        server.bind("\0" + address[1:])
        return server.detach()


def _exec_failure(errors: int) -> str | None:
    """What the child said before it could become the strategy."""
    if errors < 0:
        return None
    os.set_blocking(errors, False)
    try:
        text = os.read(errors, 4096)
    except BlockingIOError:
        return None
    if not text:
        return None
    said = json.loads(text)
    return f"cannot {said['step']} the strategy: {said['why']}"


def _clock(wall_ns: int) -> str:
    local = time.localtime(wall_ns // 1_000_000_000)
    return time.strftime("%Y-%m-%d %H:%M:%S.", local) + f"{wall_ns // 1_000_000 % 1000:03d} {local.tm_zone}"


if __name__ == "__main__":
    run(json.loads(sys.argv[1]), [int(number) for number in sys.argv[2:]])

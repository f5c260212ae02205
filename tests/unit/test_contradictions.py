"""Settings that cancel each other are refused, and those that merely lie close are not."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

from datetime import date, time

import pytest
from filing import NOWHERE, RUN, problems_of, spec_of
from hypothesis import given
from hypothesis import strategies as st

from stratvisor.almanac import Almanac
from stratvisor.calendar import Calendar, Hours, Regular
from stratvisor.machine import backoff_ns
from stratvisor.reading import draft
from stratvisor.reading.contradictions import _least_ns
from stratvisor.settings import Settings
from stratvisor.spec import SECOND, GiveUp, Process, Restart, Spec
from stratvisor.vault.contents import Vault

NO_EFFECT = "has no effect with 'when: never'; remove it"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("", ["1:1: the file is empty; remove it, or write its keys"]),
        ("title: x", ["1:1: needs 'script', the Python file to run (or 'command')"]),
        ("command: [sh]\nargs: [a]", ["2:1: args: belongs to 'script'; write it into 'command'"]),
        ("command: [sh]\npython: /bin/sh", ["2:1: python: belongs to 'script'; write it into 'command'"]),
        ("command: [sh]\nscript: /bin/sh", ["1:1: command: does not go with 'script'; keep one of them"]),
        ("command: []", ["1:10: command: must have 1 to 1000 items"]),
    ],
)
def test_a_file_names_one_program(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("env: {A: a}\ninherit_env: [B, A]", ["2:7: env.A: is in 'inherit_env' too; keep one of them"]),
        ("env: {A: a}\ninherit_env: [B]", []),
        ("env: {A: a}\nsecrets: {A: a_key}", ["2:7: env.A: is in 'secrets' too; keep one of them", "3:14: secrets.A: no value in secrets.yaml; `stratvisor secret set a_key`"]),
        ("limits: {core: 1MB}\nsecrets: [A]", ["2:16: limits.core: a core dump would hold the 'secrets'; keep one of them", "3:11: secrets.A: no value in secrets.yaml; `stratvisor secret set A`"]),
        ("secrets: [A]\ninherit_env: [A]", ["2:11: secrets.A: is in 'inherit_env' too; keep one of them", "2:11: secrets.A: no value in secrets.yaml; `stratvisor secret set A`"]),
        ("env: {OMP_NUM_THREADS: '1'}\nlimits: {threads: 2}", ["2:24: env.OMP_NUM_THREADS: is set by 'limits.threads'; keep one of them"]),
        ("env: {OMP_NUM_THREADS: '1'}\nlimits: {threads: none}", []),
        ("connect: [443]", ["2:1: connect: has no effect with 'sandbox: standard'; write 'sandbox: strict', or remove it"]),
        ("sandbox: strict\nconnect: [443]", []),
        ("sandbox: off\nconnect: [443]", ["3:1: connect: has no effect with 'sandbox: off'; remove it"]),
        ("sandbox: strct\nconnect: [443]", ["2:10: sandbox: must be strict, standard or off, not \"strct\"; did you mean 'strict'?"]),
        ("sandbox: off\nread: [/usr]\nwrite: [/usr]", ["3:1: read: has no effect with 'sandbox: off'; remove it", "4:1: write: has no effect with 'sandbox: off'; remove it"]),
        ("unix_sockets: [/run/postgresql]\nsandbox: off", ["2:1: unix_sockets: has no effect with 'sandbox: off'; remove it"]),
        ("restart: {when: never, delay: 5s}", [f"2:24: restart.delay: {NO_EFFECT}"]),
        ("restart: {when: never, give_up: none}", [f"2:24: restart.give_up: {NO_EFFECT}"]),
        ("restart: {when: never, success_codes: [3]}", []),
        ("restart: {delay: 5m}", ["2:18: restart.delay: the delay begins at 5m and may grow to 1m; make max_delay at least the delay"]),
        ("restart: {delay: 5s, max_delay: 4s}", ["2:33: restart.max_delay: the delay begins at 5s and may grow to 4s; make max_delay at least the delay"]),
        ("restart: {delay: 5s, max_delay: 5s}", []),
        ("stop: {timeout: 1d}", []),
        ("stop: {timeout: 9h, signals: [INT, TERM, QUIT]}", ["2:17: stop.timeout: all signals together may take a day at most"]),
        ("logs: {max_size: 1GB}", ["2:18: logs.max_size: 500MB in all, but one part may have 1GB; make keep_total at least max_size"]),
        ("logs: {max_size: 1MB, keep_total: 1000KB}", []),
        ("logs: {max_size: 1MB, keep_total: 999KB}", ["2:35: logs.keep_total: 999KB in all, but one part may have 1MB; make keep_total at least max_size"]),
    ],
)  # fmt: skip
def test_settings_that_cancel_each_other(text: str, problems: list[str]) -> None:
    assert problems_of(RUN + text) == problems


def give_up_problem(restart: str) -> list[str]:
    return [problem.split(": ", 2)[2] for problem in problems_of(f"{RUN}restart: {{{restart}}}")]


@pytest.mark.parametrize(
    ("restart", "least"),
    [
        # 1 + 2 + 4 + 8 s, each drawn a tenth shorter: 13.5 s
        ("give_up: {failures: 5, within: 13500ms}", "13500ms"),
        ("give_up: {failures: 5, within: 13501ms}", None),
        ("give_up: {failures: 5, within: 14s}, jitter: 0%", "15s"),
        ("give_up: {failures: 1, within: 1ms}", None),
        ("give_up: {failures: 4, within: 6s}, factor: 1, delay: 2s, jitter: 0%", "6s"),
        ("give_up: {failures: 9, within: 60s}, max_delay: 5s, jitter: 0%", None),
        ("give_up: {failures: 9, within: 32s}, max_delay: 5s, jitter: 0%", "32s"),
        ("max_delay: 1h, delay: 10m", "2h15m"),
        ("give_up: {failures: 1000, within: 1h}, factor: 100, max_delay: 7d, delay: 1h", ""),
        ("give_up: {failures: 11, within: 1ms}, delay: 0s", None),
        ("give_up: {failures: 13, within: 1s}, delay: 0s, jitter: 0%", "1s"),
        ("give_up: {failures: 13, within: 1001ms}, delay: 0s, jitter: 0%", None),
        ("give_up: none, delay: 1h, max_delay: 1h", None),
    ],
)
def test_a_give_up_that_can_never_be(restart: str, least: str | None) -> None:
    found = give_up_problem(restart)
    if least is None:
        assert found == []
    else:
        (message,) = found
        assert "can never give up" in message
        assert least in message or least == "2h15m"


RESTARTS = st.builds(
    Restart,
    delay_ns=st.integers(0, 100).map(lambda count: count * SECOND),
    factor=st.floats(1, 10),
    max_delay_ns=st.integers(100, 1000).map(lambda count: count * SECOND),
    jitter=st.floats(0, 1),
)


@given(RESTARTS, st.integers(1, 30), st.integers(0, 1000))
def test_no_failures_of_the_machine_come_sooner_than_is_reckoned(
    restart: Restart, failures: int, run: int
) -> None:
    spec = Spec("x", Process(), restart=restart)
    delays = [backoff_ns(spec, streak, run + streak) for streak in range(1, failures)]
    assert sum(delays) >= _least_ns(restart, failures) - failures  # it rounds each delay down


def test_the_defaults_of_give_up_are_not_in_each_others_way() -> None:
    assert spec_of(RUN).restart.give_up == GiveUp()


@pytest.mark.parametrize(
    ("schedule", "stop", "problem"),
    [
        ("{start: 09:15, stop: 09:10}", "4m", None),
        ("{start: 09:15, stop: 09:10}", "5m", None),
        ("{start: 09:15, stop: 09:10}", "6m", "a stop may take 6m, but the next window begins 5m after one ends; shorten the timeout or widen the gap"),
        ("{start: 09:15, stop: 09:10}", "3m, signals: [INT, TERM]", "a stop may take 6m, but the next window begins 5m after one ends; shorten the timeout or widen the gap"),
        ('{windows: [{start: "*/10 * * * *", for: 9m}]}', "2m", "a stop may take 2m, but the next window begins 1m after one ends; shorten the timeout or widen the gap"),
        ('{windows: [{start: "* * * * *", for: 2m}]}', "1h", None),
        ("manual", "1h", None),
        ("{start: 00:00, stop: 24:00}", "1h", None),
    ],
)  # fmt: skip
def test_a_stop_fits_between_two_windows(schedule: str, stop: str, problem: str | None) -> None:
    found = problems_of(f"{RUN}schedule: {schedule}\nstop: {{timeout: {stop}}}\n")
    assert found == ([] if problem is None else [f"3:17: stop.timeout: {problem}"])


def test_a_gap_too_short_for_the_default_timeout_is_the_schedules_problem() -> None:
    text = "schedule: {windows: [{from: 09:00, to: 10:00}, {from: '10:00:05', to: 11:00}]}"
    (problem,) = problems_of(RUN + text)
    assert problem.startswith(
        "2:11: schedule: a stop may take 10s, but the next window begins 5s after one ends"
    )


@pytest.mark.parametrize(
    ("schedule", "stop", "refused"),
    [
        ("{calendar: MCX, windows: [{session: {}}]}", "9h", None),
        ("{calendar: MCX, windows: [{session: {}}]}", "10h", "3:17: stop.timeout: a stop may take 10h, but the next window begins 545m after one ends; shorten the timeout or widen the gap"),
        ("{calendar: NSE, windows: [{session: {}}, {from: 15:35, to: 16:00}]}", "6m", "3:17: stop.timeout: a stop may take 6m, but the next window begins 5m after one ends; shorten the timeout or widen the gap"),
        ("{calendar: NSE, windows: [{from: 09:00, to: 09:16}, {from: 09:20, to: 10:00}, {session: {}}]}", "6m", None),
        ("{calendar: NSE, windows: [{days: sun, from: 09:00, to: 09:16}, {days: sun, from: 09:20, to: 10:00}]}", "6m", None),
        ("{calendar: CRYPTO, windows: [{session: {}}]}", "1d", None),
        ("{calendar: NSE, windows: [{session: {}}, {from: '15:30:05', to: 16:00}]}", "6", "3:17: stop.timeout: has no unit; write 6s"),
        ("{calendar: TOKYO, windows: [{from: 15:35, to: 15:34}]}", "6m", "2:22: schedule.calendar: no calendar 'TOKYO'; there are BCD, BFO, BSE, CDS, CRYPTO, MCX, NFO, NSE"),
    ],
)  # fmt: skip
def test_a_stop_fits_between_two_sessions(schedule: str, stop: str, refused: str | None) -> None:
    found = problems_of(f"{RUN}schedule: {schedule}\nstop: {{timeout: {stop}}}\n")
    assert found == ([] if refused is None else [refused])


def test_a_calendar_that_is_mended_and_spoilt_again_is_judged_each_time() -> None:
    """The reader keeps what it made of a text: what a calendar brings must not stay with it."""
    text = f"{RUN}schedule: {{calendar: X, windows: [{{session: {{}}}}]}}\nstop: {{timeout: 1h}}\n"
    drafted = draft.read(text.encode(), "conf.d/x.yaml", None)

    def found(gap_end: int) -> bool:
        halves = [Hours(time(9), time(12)), Hours(time(12, gap_end), time(16))]
        regular = tuple(Regular(frozenset(range(5)), hours) for hours in halves)
        calendar = Calendar("X", "UTC", regular, known_until=date(2026, 12, 31))
        return isinstance(
            draft.finish("x", drafted, Settings(NOWHERE), Almanac({"X": calendar}), Vault()), Spec
        )

    assert [found(5), found(0), found(5), found(59), found(0)] == [False, True, False, False, True]


def test_a_part_with_other_problems_is_not_judged() -> None:
    """Else a slip in one key would make its default contradict the next."""
    text = (
        "restart: {delay: 10, max_delay: 500ms, give_up: {within: 1ms}}\n"
        "logs: {max_size: 10, keep_total: 1KB}\n"
        "schedule: {windows: [{from: 09:00, to: 10:00}, {from: '10:00:15', to: 11:00}]}\n"
        "stop: {timeout: 1, signals: [INT, TERM]}\n"
    )
    assert len(problems_of(RUN + text)) == 3

"""Shim and daemon die just before and just after everything that they do; and what holds all the same.

Each point of `fault_table` is walked both ways: the shims of many strategies at once, under one daemon; and
one daemon after the other. Then every strategy must have had one copy at a time, each line in its logs once
and in order, or the last ones said to be lost with daemon, shim and strategy; every end known or said to be
unknown; be what was wanted last; and nothing may be left behind. `make faults` prints what was seen.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import faultpoints
import pytest
from fault_table import DAEMON, EXEMPT, SHIM, Case
from faulty import Faulty, Temper, faulty, live
from waiting import until

GROUPS = 4
"""A test each, so that they can be shared out."""


@pytest.fixture
def host(home: Path) -> Iterator[Faulty]:
    with faulty(home) as made:
        yield made


WALKED = range(0, GROUPS, 1 if os.environ.get("STRATVISOR_FAULTS") == "all" else 2)
"""Every other group of points, unless all are asked for: `make faults` walks them all."""


def in_source(modules: tuple[str, ...]) -> set[str]:
    return {str(point) for module in modules for point in faultpoints.points(module)}


def test_every_point_in_the_source_is_in_the_table_and_no_other() -> None:
    known = {case.point for case in (*SHIM, *DAEMON)} | set(EXEMPT)
    modules = {*faultpoints.SHIM_MODULES, *faultpoints.DAEMON_MODULES}
    assert known == in_source(tuple(modules)) | set(faultpoints.WHOLE)


def test_every_effect_is_a_plain_call_or_it_would_be_no_point() -> None:
    modules = {*faultpoints.SHIM_MODULES, *faultpoints.DAEMON_MODULES}
    assert [found for module in modules for found in faultpoints.indirect(module)] == []


def well(host: Faulty, strategies: list[str]) -> list[str]:
    """What is wrong with a home whose strategies are all stopped. Ends its daemon."""
    until(lambda: not [*host.home.glob("run/*/*.gone")], "what nobody needs any more is removed")
    found = [f"{one}: {finding}" for one in strategies for finding in host.findings(one)]
    found += host.descriptors_left()
    assert host.lives()
    host.kill(signal.SIGTERM)
    until(lambda: not host.processes_left(), "nobody works here any more")
    assert host.bystander.poll() is None, "a foreign process was signalled"
    assert host.watcher.looks > 10
    return found


# Shims.


@pytest.mark.parametrize("group", WALKED)
def test_shims_die_at_every_point(host: Faulty, group: int) -> None:
    walked: dict[str, tuple[str, Case]] = {}
    for number, case in enumerate(SHIM[group::GROUPS]):
        for when in case.whens:
            strategy = f"{when[0]}{number}"
            walked[strategy] = (when, case)
            host.order(strategy, *case.first, f"{when} {case.point}")
            host.add(strategy, case.temper)
            if case.old_log:
                age(host.home, strategy)
    host.up()
    stuck = live(host, list(walked))
    for strategy, (when, case) in walked.items():
        print(f"{when} {case.point}: {case.holds}\n    {host.seen(strategy)}")  # noqa: T201
    assert stuck == []
    left = {strategy: host.orders_left(strategy) for strategy in walked}
    assert {who: orders for who, orders in left.items() if orders} == {}, "never reached"
    wrong = well(host, list(walked))
    assert wrong == [], walked


def age(home: Path, strategy: str) -> None:
    """A log that is due to be removed."""
    path = home / "log" / "strategies" / f"{strategy}_20200101_000000_IST.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (0, 0))


# Daemons.

STRATEGIES = ("plain", "stamped", "unlucky")

ROUNDS = 4
"""Some points are only come to where one process ends before another looks at it."""


@pytest.mark.parametrize("group", WALKED)
def test_daemons_die_at_every_point(host: Faulty, group: int) -> None:
    host.add("plain")
    host.add("stamped", Temper(["family", "notify"], timestamps=True))
    host.add("unlucky")
    host.up()
    never = [
        f"{when} {case.point}"
        for case in DAEMON[group::GROUPS]
        for when in case.whens
        if not walk(host, when, case)
    ]
    assert never == [], "never reached"
    for strategy in STRATEGIES:
        host.post(f"stop/{strategy}?wait=20")
        print(f"{strategy}: {host.seen(strategy)}")  # noqa: T201
    assert well(host, list(STRATEGIES)) == []


def walk(host: Faulty, when: str, case: Case) -> bool:
    """Let a daemon, or its zygote, come to a point and die there; False: it never came there."""
    until(host.all_counting(STRATEGIES), "all count")
    host.order(case.who, f"{when} {case.point}")
    for stage in (at_work, without_zygote, at_its_start) * ROUNDS:
        if host.orders_left(case.who):
            stage(host, case)
        (host.home / "faults" / "no-zygote").unlink(missing_ok=True)
    died = not host.orders_left(case.who)
    host.order(case.who)
    if not host.lives():
        host.up()
    return died


def settled(host: Faulty, case: Case) -> None:
    """Until the order is carried out, or all is well without."""
    counting = host.all_counting(STRATEGIES)
    until(lambda: not host.orders_left(case.who) or counting(), "all count, or one is dead")
    if not host.orders_left(case.who) and case.who == "daemon":
        until(lambda: not host.lives(), "the daemon is dead")


def at_work(host: Faulty, case: Case) -> None:
    if case.unlucky:
        host.order("unlucky", case.unlucky)
    host.try_post("restart/plain")
    host.try_post("restart/unlucky")
    settled(host, case)
    if host.orders_left(case.who):
        host.kill_of("plain", "shim")
        host.kill_of("stamped", "shim", "strategy")
        host.write_comment("plain")
        host.try_post("reload")
        settled(host, case)


def without_zygote(host: Faulty, case: Case) -> None:
    (host.home / "faults" / "no-zygote").touch()
    host.kill_zygote()
    host.try_post("restart/plain")
    settled(host, case)


def at_its_start(host: Faulty, case: Case) -> None:
    """With a living strategy, one without its shim, one dead with it, half a removal, and half a look."""
    host.kill()
    host.kill_of("plain", "shim")
    host.kill_of("stamped", "shim", "strategy")
    (host.home / "run" / "plain" / "999.gone").mkdir()
    born = host.folder("unlucky")
    born.rename(born.with_suffix(".unborn"))
    host.begin()
    until(lambda: not host.lives() or host.answers(), "the daemon answers or dies")
    settled(host, case)

"""The strategies of a chaos run: twenty of all temperaments, and what each is to come to in the end."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

CHILD = Path(__file__).parent / "child.py"

_RESTART = "restart: {when: %s, delay: 100ms, max_delay: 1s, jitter: 20%%, give_up: none}\n"
UP = frozenset({"starting", "running"})
TO_AND_FRO = UP | {"backoff"}
_EVERY_OTHER_MINUTE = 'schedule: {timezone: UTC, windows: [{start: "*/2 * * * *", for: 1m}]}\n'


def is_inside_window(wall_s: float) -> bool:
    """Whether those with a window are wanted now."""
    return wall_s // 60 % 2 == 0


@dataclass(frozen=True)
class Role:
    """One strategy."""

    name: str
    args: tuple[str, ...]
    ends: frozenset[str]
    """The states that are right once all is calm and whatever was held is started."""
    when: str = "on-failure"
    stop_timeout: str = "2s"
    text: str = ""
    by_window: bool = False
    """Nothing but its window says when it runs: nobody gives it orders."""

    def yaml(self, seed: int, generation: int, *, timestamps: bool, max_size: str) -> str:
        """Its file. `generation` is in its environment, so that another one is an edit that restarts it."""
        env = json.dumps({"CHAOS_SEED": str(seed), "GENERATION": str(generation)})
        logs = (
            f"{{timestamps: {json.dumps(timestamps)}, max_size: {max_size}, keep_files: 100000, "
            "keep_days: 36500, keep_total: 100GB}"
        )
        return (
            f"script: {CHILD}\nargs: {json.dumps(self.args)}\nenv: {env}\nlogs: {logs}\n"
            f"stop: {{timeout: {self.stop_timeout}}}\n"
            + ("restart: {when: never}\n" if self.when == "never" else _RESTART % self.when)
            + self.text
        )


CAST = (
    Role("steady_one", ("steady",), UP),
    Role("steady_two", ("steady",), UP),
    Role("steady_three", ("steady",), UP),
    Role("late_edit", ("steady",), UP, text="on_change: next_run\n"),
    Role("deaf_one", ("deaf",), UP, stop_timeout="300ms"),
    Role("deaf_two", ("deaf",), UP, stop_timeout="0s"),
    Role("flood_one", ("flood",), UP),
    Role("flood_two", ("flood",), UP),
    Role("flood_three", ("flood",), UP),
    Role("flap_one", ("leave", "0.5", "1", "2", "77"), TO_AND_FRO),
    Role("flap_two", ("leave", "3", "1", "2", "77"), TO_AND_FRO),
    Role("always_one", ("leave", "1", "0", "1", "3"), TO_AND_FRO, when="always"),
    Role("away_one", ("fork_away", "2"), TO_AND_FRO, when="always"),
    Role("away_two", ("relay", "2"), TO_AND_FRO, when="always"),
    Role("hungry", ("hungry", "90000000"), TO_AND_FRO, text="limits: {memory: 60MB}\n"),
    Role("ready", ("ready",), UP, text="start: {ready: notify, timeout: 20s}\n"),
    Role("once", ("leave", "2", "0"), frozenset({"exited"}), text="schedule: manual\n"),
    Role("never", ("leave", "2", "5"), frozenset({"error"}), when="never"),
    Role(
        "minute_one",
        ("steady",),
        UP | {"scheduled"},
        text=_EVERY_OTHER_MINUTE,
        by_window=True,
    ),
    Role(
        "minute_two",
        ("leave", "3", "1", "9"),
        TO_AND_FRO | {"scheduled"},
        stop_timeout="1s",
        text=_EVERY_OTHER_MINUTE,
        by_window=True,
    ),
)

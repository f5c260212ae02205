"""When to speak of a calendar that ends soon, to those who read the log: once, each day, and when it changes.

Pure but for what it has said. It has no clock of its own: whoever looks at the config again anyway asks it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from stratvisor.spec import Schedule, Timed
from stratvisor.why import calendar_end, ends_soon

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date, datetime

    from stratvisor.calendar import Calendar


class CalendarEnds:
    """What has been said of calendars that end soon, or have ended."""

    def __init__(self) -> None:
        self._said: set[tuple[Calendar, date]] = set()

    def to_say(self, schedules: Iterable[Schedule], at: datetime) -> list[str]:
        """A sentence for each calendar in use that has not been spoken of on this day, as it now is."""
        used = {schedule.calendar for schedule in schedules if isinstance(schedule, Timed)} - {None}
        ending = {
            (calendar, at.astimezone(ZoneInfo(calendar.timezone)).date())
            for calendar in used
            if calendar is not None and ends_soon(calendar, at)
        }
        new, self._said = ending - self._said, ending
        return sorted(calendar_end(calendar) for calendar, _ in new)

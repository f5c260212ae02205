"""conf.d: what each strategy is to be, by the calendars there are, with the last good version of bad files.

Knows the folder, and which changes need a new run. A file harms only itself: whatever is wrong with
one, the others are read, and its strategy stays as it last was. Reads, and changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from stratvisor import almanac
from stratvisor.almanac import Almanac
from stratvisor.reading import draft, nodes, source
from stratvisor.reading.draft import Draft
from stratvisor.spec import ID, RESERVED_IDS, Problem, Process, Spec, Timed
from stratvisor.vault import contents
from stratvisor.wording import file_name

if TYPE_CHECKING:
    from stratvisor.settings import Settings
    from stratvisor.vault.contents import Vault

FOLDER = "conf.d"
SUFFIX = ".yaml"


@dataclass(frozen=True, slots=True)
class Config:
    """What conf.d says, with what is wrong with it."""

    strategies: Mapping[str, Spec] = field(default_factory=dict)
    """What is to be in force: the good, and of the bad their last good version where there is one."""
    problems: tuple[Problem, ...] = ()
    """Of all files, in the order of files and lines; those of stratvisor.toml only where it takes a
    strategy's file to see them."""
    sources: Mapping[str, bytes] = field(default_factory=dict)
    """The text of each file that is good."""
    bad: frozenset[str] = frozenset()
    """Strategies whose file is bad."""
    causes: Mapping[str, tuple[Problem, ...]] = field(default_factory=dict)
    """Of each bad strategy, what makes it so: in its own file, in [defaults], in its env_file."""
    has_folder: bool = True
    """Whether there is a conf.d at all."""
    almanac: Almanac = field(default_factory=Almanac)
    """The calendars that the strategies may name; its problems stand in `problems` too, as those of
    secrets.yaml do."""


@dataclass(frozen=True, slots=True)
class Diff:
    """What becomes of each strategy when one config follows another."""

    added: frozenset[str]
    removed: frozenset[str]
    replaced: frozenset[str]
    """What their process is made of differs: they need a new run."""
    live: frozenset[str]
    """Anything else differs: it takes effect with the same process."""
    same: frozenset[str]


def diff(old: Mapping[str, Spec], new: Mapping[str, Spec]) -> Diff:
    """Sort all strategies by what a change from `old` to `new` means for them."""
    both = old.keys() & new.keys()
    replaced = {name for name in both if old[name].process.fingerprint != new[name].process.fingerprint}
    same = {name for name in both if old[name] == new[name]}
    return Diff(
        added=frozenset(new.keys() - old.keys()),
        removed=frozenset(old.keys() - new.keys()),
        replaced=frozenset(replaced),
        live=frozenset(both - replaced - same),
        same=frozenset(same),
    )


def parse(
    strategy: str,
    text: bytes,
    file: str,
    settings: Settings,
    calendars: Almanac | None = None,
) -> Spec | tuple[Problem, ...]:
    """One strategy from its text, or all that is wrong with it; `file` is how problems name the text.

    `calendars` None: the shipped ones. Secrets are those of the home.
    """
    known = calendars or Almanac(almanac.shipped())
    secrets = contents.read(settings.home)
    return draft.finish(strategy, draft.read(text, file, settings.defaults), settings, known, secrets)


def recall(strategy: str, text: bytes, settings: Settings, calendars: Almanac, secrets: Vault) -> Spec | None:
    """A version that was good once, though its script may be gone by now; None: it is not good by itself."""
    drafted = draft.read(text, strategy, settings.defaults)
    return draft.recall(strategy, drafted, settings, calendars, secrets)


def read(home: Path, settings: Settings, last_good: Mapping[str, Spec]) -> Config:
    """All of conf.d and calendars/, once. Who reads them again and again keeps a `Reader`."""
    return Reader().read(home, settings, last_good)


class Reader:
    """Reads config again and again, and parses a file only where its text or [defaults] changed.

    `calendars`: texts of calendar files that were good once, for those that are bad from the first.
    `fingerprint_key`: finds the key that makes the fingerprints of secrets comparable with earlier ones.
    """

    def __init__(
        self,
        calendars: Mapping[str, bytes] | None = None,
        fingerprint_key: Callable[[Path], bytes] = contents.no_key,
    ) -> None:
        self._fingerprint_key = fingerprint_key
        self._drafts: dict[str, _Kept] = {}
        self._calendars = almanac.Reader(calendars)

    def read(self, home: Path, settings: Settings, last_good: Mapping[str, Spec]) -> Config:
        """All of conf.d and calendars/ as they are now. Never raises."""
        calendars = self._calendars.read(home)
        secrets = contents.read(home, self._fingerprint_key)
        found = self._read_strategies(home, settings, last_good, calendars, secrets)
        problems = (*calendars.problems, *secrets.problems, *found.problems)
        return replace(found, problems=problems, almanac=calendars)

    def wanted_secrets(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """The (variable, secret) pairs of each strategy, as far as its file could be read the last time."""
        return {name: kept.draft.facts.get(Process, "secrets") for name, kept in self._drafts.items()}

    def problem(self, strategy: str, path: str, message: str) -> Problem:
        """One that was found later in a good file of the last reading; the key of the path was given."""
        return draft.problem(self._drafts[strategy].draft, path, message)

    def _read_strategies(
        self,
        home: Path,
        settings: Settings,
        last_good: Mapping[str, Spec],
        calendars: Almanac,
        secrets: Vault,
    ) -> Config:
        try:
            names = sorted(entry.name for entry in (home / FOLDER).iterdir())
        except FileNotFoundError:
            missing = "is missing: make the folder; each file ID.yaml in it is a strategy"
            return Config(problems=(Problem(FOLDER, 1, 1, "", missing),), has_folder=False)
        except OSError as error:
            why = f"cannot be read: {error.strerror}"
            kept = {name: _by_now(spec, calendars) for name, spec in last_good.items()}
            return Config(kept, (Problem(FOLDER, 1, 1, "", why),), has_folder=False)
        look = _Look(settings, last_good, self._drafts, calendars, secrets)
        for name in filter(_is_meant, names):
            look.at(home / FOLDER / name, has_twin=Path(name).with_suffix(SUFFIX).name in names)
        self._drafts = look.drafts
        return look.config()


def _is_meant(name: str) -> bool:
    """Whether a file is meant as a strategy: YAML by its name, and not hidden as what editors keep is."""
    return not name.startswith(".") and name.lower().endswith((SUFFIX, ".yml"))


@dataclass(frozen=True, slots=True)
class _Kept:
    """A draft, and what it was made of."""

    text: bytes
    defaults: nodes.Mapping | None
    draft: Draft


class _Look:
    """One look at the folder, file by file."""

    def __init__(
        self,
        settings: Settings,
        last_good: Mapping[str, Spec],
        drafts: Mapping[str, _Kept],
        calendars: Almanac,
        secrets: Vault,
    ) -> None:
        self.drafts: dict[str, _Kept] = {}
        self._settings = settings
        self._last_good = last_good
        self._before = drafts
        self._calendars = calendars
        self._secrets = secrets
        self._strategies: dict[str, Spec] = {}
        self._sources: dict[str, bytes] = {}
        self._problems: list[Problem] = []
        self._causes: dict[str, tuple[Problem, ...]] = {}

    def at(self, path: Path, *, has_twin: bool) -> None:
        """Read one file. `has_twin`: there is a file of the same stem with the right suffix."""
        strategy = path.stem
        wrong_stem = _wrong_stem(strategy)
        if wrong_stem:
            self._problem(path, wrong_stem)
        elif path.suffix != SUFFIX:
            self._problem(path, f"the name must end in {SUFFIX}; rename it to {strategy}{SUFFIX}")
            if not has_twin:
                self._keep_last_good(strategy, self._problems[-1:])
        else:
            self._read(strategy, path)

    def config(self) -> Config:
        """What was found. What is wrong in [defaults] was told with the settings, and is not told again."""
        told = set(map(_spot, self._settings.problems))
        found = sorted({one for one in self._problems if _spot(one) not in told}, key=_spot)
        bad = frozenset(self._causes)
        return Config(self._strategies, tuple(found), self._sources, bad, self._causes)

    def _read(self, strategy: str, path: Path) -> None:
        try:
            text = source.read(path)
        except source.MissingError:
            return  # it went while we looked
        except source.CannotReadError as error:
            self._problem(path, str(error))
            self._keep_last_good(strategy, self._problems[-1:])
            return
        drafted = self._draft(strategy, text, path)
        spec = draft.finish(strategy, drafted, self._settings, self._calendars, self._secrets)
        if isinstance(spec, Spec):
            self._strategies[strategy] = spec
            self._sources[strategy] = text
        else:
            self._problems += spec
            self._keep_last_good(strategy, spec)

    def _draft(self, strategy: str, text: bytes, path: Path) -> Draft:
        kept = self._before.get(strategy)
        defaults = self._settings.defaults
        if kept is None or (kept.text, kept.defaults) != (text, defaults):
            kept = _Kept(text, defaults, draft.read(text, f"{FOLDER}/{path.name}", defaults))
        self.drafts[strategy] = kept
        return kept.draft

    def _keep_last_good(self, strategy: str, causes: Iterable[Problem]) -> None:
        self._causes[strategy] = tuple(causes)
        if strategy in self._last_good:
            self._strategies[strategy] = _by_now(self._last_good[strategy], self._calendars)

    def _problem(self, path: Path, message: str) -> None:
        self._problems.append(Problem(f"{FOLDER}/{file_name(path.name)}", 1, 1, "", message))


def _by_now(spec: Spec, calendars: Almanac) -> Spec:
    """An older version, by its calendar as that is now: a holiday counts for it too."""
    schedule = spec.schedule
    if not isinstance(schedule, Timed) or schedule.calendar is None:
        return spec
    calendar = calendars.calendars.get(schedule.calendar.name, schedule.calendar)
    return replace(spec, schedule=replace(schedule, calendar=calendar))


def _spot(problem: Problem) -> tuple[str, int, int, str]:
    return problem.file, problem.line, problem.column, problem.key


def _wrong_stem(stem: str) -> str | None:
    if stem in RESERVED_IDS:
        return f"{stem!r} means every strategy in commands; rename the file"
    if ID.fullmatch(stem):
        return None
    rule = "lower-case letters, digits, _ and -, at most 64, the first no _ or -"
    return f"the name is the strategy's id, which must be {rule}; rename the file"

"""secrets.yaml and its keys: what is kept, what is refused, and what a broken-off change leaves."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from filing import RUN

from stratvisor import config, replacing
from stratvisor.settings import Settings
from stratvisor.spec import Process, Spec
from stratvisor.vault import contents, keeping, keymaking, keyring, sealing
from stratvisor.vault.contents import NoValue, Spot
from stratvisor.vault.keeping import CannotKeep

KEY = "hK7bQ2vT9xLmZr4WcN8pYd3F"
A = Spot(None, "A")
B = Spot("ema", "A")


@pytest.fixture(autouse=True)
def _no_key_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (keyring.KEY_FILE, keyring.CREDENTIALS):
        monkeypatch.delenv(name, raising=False)


def lines(home: Path) -> list[str]:
    return [line for line in (home / "secrets.yaml").read_text().splitlines() if not line.startswith("#")]


def value(home: Path, strategy: str, name: str) -> str:
    return contents.read(home).value(strategy, name)


# Keeping.


def test_the_first_secret_makes_the_key_and_the_file_for_their_owner_alone(home: Path) -> None:
    assert keeping.put(home, {A: KEY}) == [A]
    assert value(home, "any", "A") == KEY
    for path, mode in (("keys", 0o700), ("keys/encryption.key", 0o600), ("secrets.yaml", 0o600)):
        assert stat.S_IMODE((home / path).stat().st_mode) == mode
    assert KEY not in (home / "secrets.yaml").read_text()


def test_one_change_is_one_line_and_no_change_is_none(home: Path) -> None:
    keeping.put(home, {A: KEY, Spot(None, "no"): "no-is-a-name-too", B: "another-value"})
    (home / "secrets.yaml").chmod(0o644)
    before = lines(home)
    assert keeping.put(home, {A: KEY}) == []
    assert lines(home) == before
    keeping.put(home, {A: "a-new-value"})
    assert [old == new for old, new in zip(before, lines(home), strict=True)].count(False) == 1
    assert (value(home, "x", "A"), value(home, "ema", "A")) == ("a-new-value", "another-value")
    assert value(home, "x", "no") == "no-is-a-name-too"
    assert stat.S_IMODE((home / "secrets.yaml").stat().st_mode) == 0o644  # as git made it


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ("", "fewer than 8"),
        ("1234567", "fewer than 8"),
        ("x" * 1025, "more than 1024"),
        ("two\nlines", "line break"),
        ("a\0nought!", "line break"),
        (" spaced out", "begins or ends"),
        ("spaced out ", "begins or ends"),
    ],
)
def test_what_no_log_could_be_kept_free_of_is_refused(home: Path, bad: str, why: str) -> None:
    with pytest.raises(CannotKeep, match=why) as caught:
        keeping.put(home, {A: KEY, B: bad})
    assert not bad or bad not in str(caught.value)
    assert not (home / "secrets.yaml").exists()


def test_a_secret_is_removed_where_it_is(home: Path) -> None:
    keeping.put(home, {A: KEY, B: "another-value"})
    with pytest.raises(
        CannotKeep, match=r"cannot remove A \(for orb\): there is none; there is A \(shared\)"
    ):
        keeping.remove(home, Spot("orb", "A"))
    keeping.remove(home, B)
    assert value(home, "ema", "A") == KEY
    keeping.remove(home, A)
    with pytest.raises(NoValue, match=r"no value in secrets\.yaml; `stratvisor secret set A`"):
        value(home, "ema", "A")
    assert lines(home) == ["shared: {}"]


# Keys.


def test_the_key_may_lie_elsewhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(keyring.KEY_FILE, str(tmp_path / "usb" / "my.key"))
    keeping.put(home, {A: KEY})
    assert (tmp_path / "usb" / "my.key").is_file()
    assert not (home / "keys" / "encryption.key").exists()
    assert value(home, "ema", "A") == KEY


def test_a_credential_of_systemd_is_taken_as_it_is(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeping.put(home, {A: KEY})
    (tmp_path / "credentials").mkdir()
    credential = tmp_path / "credentials" / "encryption.key"
    (home / "keys" / "encryption.key").rename(credential)
    credential.chmod(0o440)  # as stat(2) shows a file with an access list
    monkeypatch.setenv(keyring.CREDENTIALS, str(credential.parent))
    assert value(home, "ema", "A") == KEY


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620])
def test_a_key_open_to_others_is_refused_and_left_as_it_is(home: Path, mode: int) -> None:
    keeping.put(home, {A: KEY})
    key = home / "keys" / "encryption.key"
    key.chmod(mode)
    with pytest.raises(NoValue, match=f"has mode {mode:04o}, open to others; `chmod 600` it"):
        value(home, "ema", "A")
    with pytest.raises(CannotKeep, match="open to others"):
        keeping.put(home, {B: KEY})
    assert stat.S_IMODE(key.stat().st_mode) == mode


def _missing(key: Path) -> None:
    key.unlink()


def _wrong(key: Path) -> None:
    key.write_text(sealing.new_key())


def _torn(key: Path) -> None:
    key.write_text(key.read_text()[:-10])


def _binary(key: Path) -> None:
    key.write_bytes(bytes(range(256)))


def _empty(key: Path) -> None:
    key.write_text("# no key\n")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (_missing, "is missing; bring it back"),
        (_wrong, "was sealed with another key"),
        (_torn, "holds no key; bring back the right one"),
        (_binary, "holds no key; bring back the right one"),
        (_empty, "holds no key; bring back the right one"),
    ],
)
def test_without_its_key_nothing_is_read_and_nothing_written_over(
    home: Path, damage: object, why: str
) -> None:
    keeping.put(home, {A: KEY})
    kept = (home / "secrets.yaml").read_bytes()
    assert callable(damage)
    damage(home / "keys" / "encryption.key")
    with pytest.raises(NoValue, match=why):
        value(home, "ema", "A")
    assert why in contents.read(home).problems[0].message
    with pytest.raises(CannotKeep, match=why):
        keeping.put(home, {B: KEY})
    with pytest.raises(CannotKeep, match=why):
        keeping.rotate(home)
    assert (home / "secrets.yaml").read_bytes() == kept


def test_a_link_to_the_key_stays_one(home: Path, tmp_path: Path) -> None:
    (home / "keys").mkdir(mode=0o700)
    (home / "keys" / "encryption.key").symlink_to(tmp_path / "real.key")
    keeping.put(home, {A: KEY})
    keeping.rotate(home)
    assert (home / "keys" / "encryption.key").is_symlink()
    assert value(home, "ema", "A") == KEY


# Changing the key.


def test_a_change_of_the_key_leaves_values_times_and_fingerprints(home: Path) -> None:
    keeping.put(home, {A: KEY, B: "another-value"})
    before, key = contents.read(home), (home / "keys" / "encryption.key").read_text()
    assert keeping.rotate(home) == 2
    after = contents.read(home)
    assert {spot: after.open(sealed) for spot, sealed in after.values.items()} == {A: KEY, B: "another-value"}
    for spot, sealed in after.values.items():
        assert sealed.text != before.values[spot].text
        assert sealing.sealed_at(sealed.text) == sealing.sealed_at(before.values[spot].text)
    assert before.ring is not None
    assert before.ring.keys[0] not in (home / "keys" / "encryption.key").read_text() != key


class Killed(BaseException):
    """Stands for SIGKILL."""


@pytest.mark.parametrize("step", range(6))
def test_a_change_of_the_key_that_is_killed_at_any_step_is_taken_up_again(
    home: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """Three files are replaced; each time it dies before the rename, or after it."""
    keeping.put(home, {A: KEY, B: "another-value"})
    first = contents.read(home).ring
    rename, calls = Path.replace, []

    def dying(self: Path, target: Path) -> Path:
        calls.append(target)
        if len(calls) == step // 2 + 1:
            if step % 2:
                rename(self, target)
            raise Killed
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(Killed):
        keeping.rotate(home)
    monkeypatch.undo()
    assert (value(home, "x", "A"), value(home, "ema", "A")) == (KEY, "another-value")
    assert contents.read(home).problems == ()
    keeping.put(home, {Spot(None, "C"): "set-in-between"})
    keeping.rotate(home)
    found = contents.read(home)
    assert found.ring is not None
    assert first is not None
    assert len(found.ring.keys) == 1
    assert found.ring.keys != first.keys
    assert (value(home, "x", "A"), value(home, "ema", "A"), value(home, "x", "C")) == (
        KEY,
        "another-value",
        "set-in-between",
    )


def test_all_that_is_changed_is_changed_by_one_at_a_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written stands on what was read, so that both happen under the lock."""
    replaced: list[str] = []

    def locked(path: Path, *rest: object) -> None:
        other = os.open(home / "keys", os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
        replaced.append(path.name)
        replacing.replace(path, *rest)  # type: ignore[arg-type]

    for module in (keeping, keymaking):
        monkeypatch.setattr(module, "replace", locked)
    keeping.put(home, {A: KEY, B: "another-value"})
    keeping.rotate(home)
    keeping.remove(home, B)
    keymaking.fingerprint_key(home)
    key, kept = "encryption.key", "secrets.yaml"
    assert replaced == [key, kept, key, kept, key, kept, "fingerprint.key"]


def test_who_waits_for_another_to_make_a_fingerprint_key_takes_his(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changing = keymaking.changing

    @contextlib.contextmanager
    def after_another(place: Path) -> Iterator[None]:
        with changing(place):
            replacing.replace(place / "keys" / "fingerprint.key", b"his")
            yield

    monkeypatch.setattr(keymaking, "changing", after_another)
    assert keymaking.fingerprint_key(home) == b"his"


def test_a_fingerprint_key_open_to_others_is_refused(home: Path) -> None:
    keymaking.fingerprint_key(home)
    (home / "keys" / "fingerprint.key").chmod(0o644)
    with pytest.raises(keyring.KeyProblem, match="open to others"):
        keymaking.fingerprint_key(home)


def test_who_reads_in_the_middle_of_a_change_reads_again(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keeping.put(home, {A: KEY})
    read = keyring.read

    def late(place: Path) -> sealing.Ring:
        monkeypatch.setattr(keyring, "read", read)
        keeping.rotate(home)  # after secrets.yaml was read, before the key is
        return read(place)

    monkeypatch.setattr(keyring, "read", late)
    assert contents.read(home).problems == ()


# secrets.yaml, as people spoil it.


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("shared: {A: hunter2-in-plain}\n", "secrets.yaml:1:13: shared.A: is no sealed value; remove the line, and `stratvisor secret set A`"),
        ("shared: {A: 12345678}\n", "secrets.yaml:1:13: shared.A: is no sealed value; remove the line, and `stratvisor secret set A`"),
        ("shared: {A: [1]}\n", "secrets.yaml:1:13: shared.A: must be one value, not a list"),
        ("sharde: {}\n", "secrets.yaml:1:1: sharde: unknown key; did you mean 'shared'?"),
        ("strategies: {Ema: {}}\n", 'secrets.yaml:1:14: strategies.Ema: must be the id of a strategy, not "Ema"'),
        ("", "secrets.yaml:1:1: the file is empty; remove it, or write its keys"),
        ("shared:\n  A: gAAAA\n  A: b\n", "secrets.yaml:3:3: shared.A: given twice, first on line 2; keep one"),
    ],
)  # fmt: skip
def test_a_bad_file_is_named_with_its_place_and_not_its_content(home: Path, text: str, problem: str) -> None:
    (home / "secrets.yaml").write_text(text)
    found = contents.read(home)
    assert problem in [str(one) for one in found.problems]
    assert "hunter2" not in str(found.problems)
    assert "12345678" not in str(found.problems)
    with pytest.raises(NoValue, match=r"secrets.yaml:\d+:\d+ is bad; mend it"):
        found.value("ema", "A")
    with pytest.raises(CannotKeep, match=r"cannot change secrets\.yaml: secrets\.yaml:"):
        keeping.put(home, {A: KEY})
    assert (home / "secrets.yaml").read_text() == text


def test_a_damaged_value_harms_no_other(home: Path) -> None:
    keeping.put(home, {A: KEY, Spot(None, "Z"): "another-value"})
    path = home / "secrets.yaml"
    text = path.read_text()
    sealed = contents.read(home).values[A].text
    path.write_text(text.replace(sealed, sealed[:-8] + "AAAAAAA="))
    assert [str(one).split(": does")[0] for one in contents.read(home).problems] == [
        "secrets.yaml:4:6: shared.A"
    ]
    assert value(home, "ema", "Z") == "another-value"
    with pytest.raises(NoValue, match=r"the value at secrets\.yaml:4:6 does not open"):
        value(home, "ema", "A")


# What it means to a strategy.


def spec(home: Path, text: str) -> Spec:
    (home / "conf.d" / "ema.yaml").write_text(RUN + text)
    read = config.Reader(fingerprint_key=keymaking.fingerprint_key).read(home, Settings(home), {})
    return read.strategies["ema"]


def test_a_list_and_a_mapping_say_which_variables_there_are(home: Path) -> None:
    keeping.put(home, {A: KEY, Spot(None, "zerodha"): "another-value"})
    assert spec(home, "secrets: [A]").process.secrets == (("A", "A"),)
    assert spec(home, "secrets: {Z: zerodha, K: A}").process.secrets == (("K", "A"), ("Z", "zerodha"))
    assert spec(home, "secrets: []").process == Process(command=("sh",))


def test_a_changed_value_is_a_changed_process_and_a_changed_key_is_none(home: Path) -> None:
    keeping.put(home, {A: KEY})
    first = spec(home, "secrets: [A]")
    assert first.process.secrets_fingerprint is not None
    assert KEY not in repr(first)
    keeping.rotate(home)
    assert spec(home, "secrets: [A]") == first
    keeping.put(home, {Spot("orb", "A"): "for-somebody-else"})
    assert spec(home, "secrets: [A]") == first
    keeping.put(home, {B: "a-value-of-its-own"})
    second = spec(home, "secrets: [A]")
    assert second.process.fingerprint != first.process.fingerprint
    assert replace(second, process=first.process) == first


def test_a_fingerprint_is_nothing_to_guess_by(home: Path) -> None:
    keeping.put(home, {A: KEY})
    first = spec(home, "secrets: [A]").process.secrets_fingerprint
    assert stat.S_IMODE((home / "keys" / "fingerprint.key").stat().st_mode) == 0o600
    (home / "keys" / "fingerprint.key").unlink()
    assert spec(home, "secrets: [A]").process.secrets_fingerprint != first


def test_looking_makes_no_keys(home: Path) -> None:
    keeping.put(home, {A: KEY})
    config.read(home, Settings(home), {})
    assert [path.name for path in (home / "keys").iterdir()] == ["encryption.key"]


def test_an_env_file_and_a_secret_do_not_set_one_variable(home: Path) -> None:
    keeping.put(home, {A: KEY})
    (home / "own.env").write_text("A=1\n")
    (home / "conf.d" / "ema.yaml").write_text(RUN + "env_file: own.env\nsecrets: [A]\n")
    (problem,) = config.read(home, Settings(home), {}).problems
    assert str(problem) == "conf.d/ema.yaml:2:11: env_file: sets A, as 'secrets' does; keep one of them"


def test_the_readers_of_this_machine_are_who_they_are_expected_to_be(home: Path) -> None:
    keeping.put(home, {A: KEY})
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    os.chown(home / "keys" / "encryption.key", 12345, -1)
    with pytest.raises(NoValue, match="belongs to uid 12345, who may read and replace it"):
        value(home, "ema", "A")

"""What the doors keep, after any accident: tokens, secrets and the trail are read, or said to be bad."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from fake_daemon import run_cli
from fuzzing import ODD_BYTES, a_folder, bounded, damaged, damaged_json, examples
from hypothesis import given
from hypothesis import strategies as st
from serving import FakeClock

from stratvisor import audit
from stratvisor.audit import Audit, Change
from stratvisor.http.keyring import Keyring
from stratvisor.http.roles import Role
from stratvisor.vault import contents, keeping
from stratvisor.vault.contents import Spot

AT = datetime(2026, 11, 23, 4, tzinfo=UTC)


@contextmanager
def a_home() -> Iterator[Path]:
    with a_folder() as home:
        (home / "keys").mkdir(mode=0o700)
        (home / "stratvisor.toml").touch()
        yield home


def good_tokens() -> bytes:
    with a_home() as home:
        keys = Keyring("api", home / "tokens.json", FakeClock())
        keys.make("phone", Role.PANIC)
        keys.make("desk", Role.OPERATE)
        keys.write()
        return (home / "tokens.json").read_bytes()


TOKENS = good_tokens()


@examples(150)
@given(
    content=damaged([TOKENS])
    | ODD_BYTES
    | damaged_json(json.loads(TOKENS)).map(lambda value: json.dumps(value).encode())
)
def test_any_file_of_tokens_opens_nothing_new_and_keeps_nobody_out(content: bytes) -> None:
    with a_home() as home, bounded():
        path = home / "tokens.json"
        path.write_bytes(content)
        path.chmod(0o600)
        keys = Keyring("api", path, FakeClock())
        found = keys.find("api")
        assert found is not None
        assert found.role is Role.ADMIN
        assert keys.find("") is None
        assert all(token.name.isprintable() for token in keys.listed())
        assert keys.problem is None or keys.problem.isprintable()


def good_secrets() -> dict[str, bytes]:
    with a_home() as home:
        keeping.put(home, {Spot(None, "KEY"): "a-value-of-some-length", Spot("ema", "KEY"): "another-value"})
        return {name: (home / name).read_bytes() for name in ("secrets.yaml", "keys/encryption.key")}


SECRETS = good_secrets()


@examples(120)
@given(
    secrets=damaged([SECRETS["secrets.yaml"]]) | st.just(SECRETS["secrets.yaml"]) | ODD_BYTES,
    key=damaged([SECRETS["keys/encryption.key"]]) | st.just(SECRETS["keys/encryption.key"]) | ODD_BYTES,
)
def test_any_secrets_are_opened_or_said_not_to_open(secrets: bytes, key: bytes) -> None:
    with a_home() as home, bounded():
        (home / "secrets.yaml").write_bytes(secrets)
        (home / "keys" / "encryption.key").write_bytes(key)
        (home / "keys" / "encryption.key").chmod(0o600)
        vault = contents.read(home)
        assert all(str(problem).isprintable() for problem in vault.problems)
        for name in ("KEY", "OTHER"):
            with suppress(contents.NoValue):
                assert vault.value("ema", name) in {"a-value-of-some-length", "another-value"}


async def good_trail() -> dict[Path, bytes]:
    with a_home() as home:
        trail = Audit(home)
        for number in range(3):
            trail.record(Change(AT, "token 'api'", "127.0.0.1", f"stop {number}", "ema", None, {"a": 1}))
        await trail.close()
        return {name: (home / name).read_bytes() for name in (audit.FILE, audit.HEAD)}


@examples(60)
@given(data=st.data())
async def test_any_trail_is_gone_on_with_and_shown(data: st.DataObject) -> None:
    good = await good_trail()
    line = json.loads(good[audit.FILE].splitlines()[1])
    content = data.draw(
        damaged([good[audit.FILE]])
        | ODD_BYTES
        | damaged_json(line).map(lambda value: json.dumps(value).encode() + b"\n" + good[audit.FILE])
    )
    with a_home() as home, bounded():
        for name, text in (
            (audit.FILE, content),
            (audit.HEAD, data.draw(damaged([good[audit.HEAD]]) | ODD_BYTES)),
        ):
            (home / name).parent.mkdir(exist_ok=True)
            (home / name).write_bytes(text)
        trail = Audit(home)
        await trail.record(Change(AT, "token 'api'", "127.0.0.1", "start"))
        await trail.close()
        assert b'"start"' in (home / audit.FILE).read_bytes().splitlines()[-1]
        for words in (["audit"], ["audit", "verify"]):
            code, out, err = run_cli(*words, home=home)
            assert code in {0, 1}
            assert "this is a bug" not in out + err

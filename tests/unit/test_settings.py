"""stratvisor.toml: every key has a default and its effect, and what is wrong has its line."""

# ruff: noqa: E501  tables have one case a row

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from filing import NOWHERE, settings_of, told
from hypothesis import given
from hypothesis import strategies as st

from stratvisor import schema, settings
from stratvisor.settings import Http, Logging, LogLevel, Settings, find_home

DEFAULTS = Settings(NOWHERE)


def problems_of(text: str) -> list[str]:
    return told(settings.parse(text.encode(), NOWHERE)[1])


def test_a_missing_file_is_all_defaults(tmp_path: Path) -> None:
    assert settings.read(tmp_path) == (Settings(tmp_path), ())


def test_an_empty_file_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "stratvisor.toml").touch()
    assert settings.read(tmp_path) == (Settings(tmp_path), ())


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "stratvisor.toml")
    found, problems = settings.read(tmp_path)
    assert found == Settings(tmp_path, problems=problems)
    assert told(problems) == [
        "stratvisor.toml:1:1: cannot be read: it is not a regular file; remove or rename it"
    ]


EFFECTS = {
    "timezone": ('timezone = "Europe/Berlin"', replace(DEFAULTS, timezone="Europe/Berlin")),
    "http.host": ('http.host = "::1"', replace(DEFAULTS, http=Http(host="::1"))),
    "http.port": ("[http]\nport = 0", replace(DEFAULTS, http=Http(port=0))),
    "http.base_path": ('http.base_path = "/a/b-c"', replace(DEFAULTS, http=Http(base_path="/a/b-c"))),
    "http.public_urls": (
        'http.public_urls = ["https://bots.example.com"]',
        replace(DEFAULTS, http=Http(public_urls=("https://bots.example.com",))),
    ),
    "logging.level": ('logging.level = "debug"', replace(DEFAULTS, logging=Logging(LogLevel.DEBUG))),
}


@pytest.mark.parametrize("key", EFFECTS)
def test_every_key_has_its_effect_and_no_other(key: str) -> None:
    text, found = EFFECTS[key]
    assert settings_of(text) == found != DEFAULTS


def test_no_key_is_left_out_above() -> None:
    groups = {"http", "logging", "defaults"}
    tls = {"http.tls_cert", "http.tls_key"}  # in test_certificate: they need files
    assert {row.key for row in schema.rows("settings")} == EFFECTS.keys() | groups | tls


def test_the_defaults_are_kept_for_the_strategies() -> None:
    defaults = settings_of('[defaults]\nrestart.delay = "2s"').defaults
    assert defaults is not None
    assert defaults.names() == {"restart"}
    assert DEFAULTS.defaults is None


HOST = 'must be an IP address of this machine such as 127.0.0.1, not "{}"'
OUTSIDE = (
    "{} can be reached from outside, where tokens must not travel in the clear: add 'tls_cert' and 'tls_key', or "
    "write 127.0.0.1 and put a proxy with TLS in front"
)
URL = 'must be http(s)://NAME or http(s)://NAME:PORT, not "{}"'
PATH = 'must be a path that begins with / and does not end with it, not "{}"'


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        ("port = 1", ["stratvisor.toml:1:1: port: unknown key; did you mean 'http.port'?"]),
        ("restart.delay = 1", ["stratvisor.toml:1:1: restart: unknown key; did you mean 'defaults.restart'?"]),
        ("# x\n\n[htpp]\nport = 1", ["stratvisor.toml:3:1: htpp: unknown key; did you mean 'http'?"]),
        ("[http]\nprot = 1", ["stratvisor.toml:2:1: http.prot: unknown key; did you mean 'port'?"]),
        ('[http]\nport = "9770"', ["stratvisor.toml:2:1: http.port: is text; remove the quotes: 9770"]),
        ("[http]\nport = 65536", ["stratvisor.toml:2:1: http.port: must be a whole number, 0 to 65535, not 65536"]),
        ("[http]\nport = 1.0", ["stratvisor.toml:2:1: http.port: must be a whole number, 0 to 65535, not 1.0"]),
        ("[http]\nport = true", ["stratvisor.toml:2:1: http.port: must be a whole number, 0 to 65535, not true"]),
        ('[http]\nhost = "0.0.0.0"', [f"stratvisor.toml:2:1: http.host: {OUTSIDE.format('0.0.0.0')}"]),  # noqa: S104  refused
        ('[http]\nhost = "192.0.2.7"', [f"stratvisor.toml:2:1: http.host: {OUTSIDE.format('192.0.2.7')}"]),
        ('[http]\ntls_cert = "c.pem"', ["stratvisor.toml:2:1: http.tls_cert: does nothing without 'tls_key'; add it"]),
        ('[http]\ntls_key = "k.pem"', ["stratvisor.toml:2:1: http.tls_key: does nothing without 'tls_cert'; add it"]),
        ('[http]\ntls_cert = "no.pem"\ntls_key = "k.pem"', ["stratvisor.toml:2:1: http.tls_cert: cannot be read: No such file or directory"]),
        ('[http]\npublic_urls = ["https://x.example/python"]', [f"stratvisor.toml:2:1: http.public_urls[0]: {URL.format('https://x.example/python')}"]),
        ('[http]\npublic_urls = ["https://a", "https://a"]', ["stratvisor.toml:2:1: http.public_urls[1]: given twice; keep one"]),
        ('[http]\nhost = "example.org"', [f"stratvisor.toml:2:1: http.host: {HOST.format('example.org')}"]),
        ('[http]\nbase_path = "/"', [f"stratvisor.toml:2:1: http.base_path: {PATH.format('/')}"]),
        ('[http]\nbase_path = "python"', [f"stratvisor.toml:2:1: http.base_path: {PATH.format('python')}"]),
        ('[http]\nbase_path = "/a/"', [f"stratvisor.toml:2:1: http.base_path: {PATH.format('/a/')}"]),
        ('[http]\nbase_path = "/a/../b"', [f"stratvisor.toml:2:1: http.base_path: {PATH.format('/a/../b')}"]),
        ("[logging]\nlevel = 'warn'", ["stratvisor.toml:2:1: logging.level: must be debug, info, warning or error, not \"warn\"; did you mean 'warning'?"]),
        ("http = 1", ["stratvisor.toml:1:1: http: must be keys and values, not 1"]),
        ("timezone = 'IST'", ['stratvisor.toml:1:1: timezone: must be an IANA time zone such as Asia/Kolkata, not "IST"']),
        ("[defaults]\ntitle = 'x'", ["stratvisor.toml:2:1: defaults.title: belongs into each strategy's own file"]),
        ("[defaults]\nscript = 'x'", ["stratvisor.toml:2:1: defaults.script: belongs into each strategy's own file"]),
        ("[defaults]\ndelay = '1s'", ["stratvisor.toml:2:1: defaults.delay: unknown key; did you mean 'restart.delay'?"]),
        ("[defaults.restart]\ndelay = 5", ["stratvisor.toml:2:1: defaults.restart.delay: has no unit; write 5s"]),
        ("[defaults.restart]\nwhen = 'never'\ndelay = '5s'", ["stratvisor.toml:3:1: defaults.restart.delay: has no effect with 'when: never'; remove it"]),
        ("[defaults.logs]\nmax_size = '1GB'", ["stratvisor.toml:2:1: defaults.logs.max_size: 500MB in all, but one part may have 1GB; make keep_total at least max_size"]),
        ("[defaults]\nenv = {A = 1}", ['stratvisor.toml:2:1: defaults.env.A: is a whole number; quote it: "1"']),
        ("[defaults.schedule]\nstart = 09:15:00\nstop = 15:30:00", []),
        ("timezone = ", ["stratvisor.toml:1:1: not TOML: Invalid value (at end of document)"]),
    ],
)  # fmt: skip
def test_problems(text: str, problems: list[str]) -> None:
    assert problems_of(text) == problems


def test_all_problems_at_once_and_the_rest_is_read() -> None:
    found, problems = settings.parse(b'timezone = 5\n[http]\nport = "x"\nbase_path = "/x"\n[nope]\n', NOWHERE)
    assert [problem.line for problem in problems] == [1, 3, 5]
    assert found == replace(DEFAULTS, http=Http(base_path="/x"), problems=problems)


def test_what_is_no_toml_is_all_defaults() -> None:
    found, problems = settings.parse(b"timezone = ", NOWHERE)
    assert found == Settings(NOWHERE, problems=problems)


def test_the_home_is_the_nearest_folder_with_settings(tmp_path: Path) -> None:
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    assert find_home(inner) == inner
    (tmp_path / "stratvisor.toml").touch()
    assert find_home(inner) == find_home(tmp_path) == tmp_path
    (inner / "stratvisor.toml").touch()
    assert find_home(inner) == inner


@given(st.binary(max_size=50) | st.text("[]=.'\"ahtpdefults 1\n", max_size=50).map(str.encode))
def test_any_bytes(content: bytes) -> None:
    found, problems = settings.parse(content, NOWHERE)
    assert found.home == NOWHERE
    assert all(str(problem).isprintable() for problem in problems)

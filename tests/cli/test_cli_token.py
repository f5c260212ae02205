"""`token`, `open` and `audit` as people type them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stratvisor import trail
from stratvisor.cli import token
from stratvisor.cli.main import main
from stratvisor.http.roles import Role

if TYPE_CHECKING:
    from pathlib import Path

    from fake_daemon import FakeDaemon


def run(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["--home", str(home), *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_roles_are_those_of_the_daemon() -> None:
    assert set(token.ROLES) == {role.value for role in Role}


def test_a_new_token_is_printed_alone(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.says("POST", "/tokens", {"name": "phone", "role": "panic", "token": "s3cret"}, 201)
    assert run(daemon.home, capsys, "token", "new", "phone", "--role", "panic") == (0, "s3cret\n", "")
    assert daemon.next_asked().form == {"name": "phone", "role": "panic"}


def test_tokens_are_listed(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.says(
        "GET",
        "/tokens",
        {
            "tokens": [
                {"name": "api", "role": "admin", "made": None, "used": None},
                {
                    "name": "phone",
                    "role": "panic",
                    "made": "2026-11-23T06:12:10+00:00",
                    "used": "2026-11-24T06:12:00+00:00",
                },
            ]
        },
    )
    code, out, _ = run(daemon.home, capsys, "token", "list")
    assert code == 0
    assert out.splitlines() == [
        "TOKEN  ROLE   MADE                        LAST USED",
        "api    admin  with the instance           never",
        "phone  panic  Mon 23 Nov 06:12:10 +00:00  Tue 24 Nov 06:12 +00:00",
    ]


def test_a_token_is_revoked(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.says("POST", "/tokens/phone/revoke", {"name": "phone"})
    assert run(daemon.home, capsys, "token", "rm", "phone") == (0, "phone is revoked\n", "")
    daemon.refuses("POST", "/tokens/fone/revoke", 404, "no token fone; did you mean 'phone'?")
    assert run(daemon.home, capsys, "token", "rm", "fone") == (
        1,
        "",
        "cannot revoke the token fone: no token fone; did you mean 'phone'?\n",
    )


@pytest.mark.parametrize(
    ("words", "right"),
    [
        (("new",), "token new NAME --role ROLE"),
        (("new", "phone"), "token new NAME --role ROLE"),
        (("rm",), "token rm NAME"),
        (("rm", "phone", "--role", "view"), "token rm NAME"),
        (("list", "phone"), "token list"),
        (("--role", "view"), "token"),
    ],
)
def test_words_that_do_not_go_together(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], right: str
) -> None:
    code, out, err = run(home, capsys, "token", *words)
    assert (code, out) == (2, "")
    assert err == f"cannot do that with these words; write `stratvisor {right}`\n"


def test_open_prints_the_link_alone(daemon: FakeDaemon, capsys: pytest.CaptureFixture[str]) -> None:
    daemon.says("POST", "/open", {"link": "http://127.0.0.1:9770/python/login?code=x", "role": "view"})
    code, out, _ = run(daemon.home, capsys, "open", "--role", "view")
    assert (code, out) == (0, "http://127.0.0.1:9770/python/login?code=x\n")
    assert daemon.next_asked().form == {"role": "view"}


# The trail.


def write(home: Path, count: int) -> list[bytes]:
    lines, head = [], trail.NO_HEAD
    for number in range(count):
        facts = {
            "at": "2026-11-23T06:12:10.000+00:00",
            "who": "token 'phone'",
            "where": "192.0.2.7",
            "what": f"stop{number}",
            "strategy": "ema",
            "before": {"state": "running", "hold": None},
            "after": {"state": "stopping", "hold": {"wants": "down", "until": None}},
        }
        line, head = trail.seal(head, facts)
        lines.append(line)
    for folder in ("log", "run"):
        (home / folder).mkdir()
    (home / "log" / "audit.jsonl").write_bytes(b"".join(lines))
    (home / "run" / "audit.head").write_text(trail.head_text(head))
    return lines


def test_the_trail_is_shown_without_a_daemon(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, capsys, "audit") == (0, "nothing was changed through the doors yet\n", "")
    write(home, 3)
    code, out, _ = run(home, capsys, "audit", "-n", "2")
    assert code == 0
    assert out.splitlines() == [
        f"Mon 23 Nov 06:12:10 +00:00  token 'phone' from 192.0.2.7: stop{number} ema"
        "  [state: running -> stopping, hold: none -> down]"
        for number in (1, 2)
    ]


def test_a_trail_that_nobody_touched(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(home, capsys, "audit", "verify")[0] == 0
    lines = write(home, 3)
    digest = trail.check(lines).head.hash
    told = f"3 records; the last has the hash {digest}\n"
    assert run(home, capsys, "audit", "verify") == (0, told, "")
    assert run(home, capsys, "audit", "verify", "--head", digest[:12]) == (0, told, "")


def test_what_was_done_to_a_trail_is_found(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = write(home, 4)
    path = home / "log" / "audit.jsonl"
    for changed, words in (
        ([lines[0], lines[1].replace(b"stop1", b"stop9"), *lines[2:]], "line 2, record 2: it was edited"),
        ([lines[0], *lines[2:]], "line 2, record 3: it does not follow record 1"),
        ([lines[0], lines[2], lines[1], lines[3]], "line 2, record 3: it does not follow record 1"),
        (lines[:3], "the end was cut off or made anew: record 4"),
        ([], "the end was cut off or made anew: record 4"),
    ):
        path.write_bytes(b"".join(changed))
        code, out, _ = run(home, capsys, "audit", "verify")
        assert code == 1
        assert words in out


def test_a_line_that_is_being_written_is_no_finding(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(home, 3)
    with (home / "log" / "audit.jsonl").open("ab") as file:
        file.write(b'{"n":4')
    assert run(home, capsys, "audit", "verify")[0] == 0


def test_without_its_head_a_cut_end_is_a_warning_and_a_noted_hash_finds_it(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = write(home, 4)
    noted = trail.check(lines).head.hash
    (home / "run" / "audit.head").unlink()
    (home / "log" / "audit.jsonl").write_bytes(b"".join(lines[:2]))
    code, out, _ = run(home, capsys, "audit", "verify")
    assert code == 0
    assert "warning: run/audit.head is gone or damaged" in out
    code, out, _ = run(home, capsys, "audit", "verify", "--head", noted)
    assert code == 1
    assert f"no record has the hash {noted}" in out


@pytest.mark.parametrize("words", [("--head", "ab"), ("verify", "-n", "3")])
def test_audit_words_that_do_not_go_together(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    assert run(home, capsys, "audit", *words)[0] == 2


def test_what_somebody_put_into_the_trail_steers_no_terminal(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(home, 1)
    line, _ = trail.seal(
        trail.NO_HEAD, {"who": "\x1b[2J", "what": "\x07", "before": {"a": "\x1b"}, "after": 1}
    )
    edited, _ = trail.seal(trail.NO_HEAD, {"at": "yesterday", "who": "x", "what": "y"})
    (home / "log" / "audit.jsonl").write_bytes(line + edited + b"no record\n")
    code, out, _ = run(home, capsys, "audit")
    assert code == 0
    assert out.count("(a damaged line") == 2
    assert out.replace("\n", "").isprintable()
    assert "(a damaged line: `stratvisor audit verify`)" in out

"""A strategy of every temperament, named by its first argument. Standard library only."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable


def say(text: str) -> None:
    """One write a line: print makes two where nothing is buffered, and a signal may come in between."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def steady(*_: str) -> None:
    """Counts until ended; answers TERM."""
    number = 0
    while True:
        say(f"line {number}")
        number += 1
        time.sleep(0.01)


def lines(count: str, code: str = "0") -> None:
    """So many numbered lines as fast as it can, then an exit code."""
    for number in range(int(count)):
        print(f"line {number}")
    sys.stdout.flush()
    sys.exit(int(code))


def leave(code: str) -> None:
    """Exits with a code at once."""
    sys.exit(int(code))


def die(number: str) -> None:
    """Ends by a signal of its own."""
    os.kill(os.getpid(), int(number))


def traceback(*_: str) -> None:
    raise ModuleNotFoundError("No module named 'pandas'")


def deaf(*_: str) -> None:
    """Ignores what can be ignored."""
    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(one, signal.SIG_IGN)
    say("deaf")
    while True:
        time.sleep(60)


def deaf_family(*_: str) -> None:
    """Deaf, with a deaf grandchild in a session of its own that holds stdout."""
    child = subprocess.Popen([sys.executable, __file__, "grandparent"], start_new_session=True)
    say(f"child {child.pid}")
    deaf()


def grandparent(*_: str) -> None:
    grandchild = subprocess.Popen([sys.executable, __file__, "deaf"], start_new_session=True)
    say(f"grandchild {grandchild.pid}")
    deaf()


def fork_away(*_: str) -> None:
    """The main process ends and leaves a daemonised one behind, as soon as that has said so."""
    heard, said = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            say(f"left behind {os.getpid()}")
            os.close(said)
            time.sleep(600)
        os._exit(0)
    os.close(said)
    os.read(heard, 1)
    sys.exit(0)


def burst(size: str) -> None:
    """One write of so many bytes without a newline, then gone without a goodbye."""
    text = b"x" * int(size)
    while text:
        text = text[os.write(1, text) :]
    os._exit(0)


def half_line(*_: str) -> None:
    os.write(1, b"a whole line\nhalf a line")
    os._exit(7)


def progress(count: str) -> None:
    """A line that never ends, redrawn with carriage returns."""
    for number in range(int(count)):
        sys.stdout.write(f"\r{number:08d} of many")
    sys.stdout.flush()


def environment(*_: str) -> None:
    for name in sorted(os.environ):
        say(f"{name}={os.environ[name]}")


def betray(where: str = "") -> None:
    """Prints its environment in every way it can think of, and lastly as its traceback."""
    import base64
    import json
    import pprint
    import urllib.parse

    own = {name: os.environ[name] for name in ("API_KEY", "ODD") if name in os.environ}
    for name, value in own.items():
        pair, raw = f"{name}={value}", value.encode()
        for text in (
            pair,
            repr(value),
            ascii(value),
            repr(raw),
            json.dumps(own),
            json.dumps(own, ensure_ascii=False).replace("/", "\\/"),
            json.dumps(value).upper().replace("\\U", "\\u") if value.isupper() else "",
            pprint.pformat(dict(os.environ)),
            urllib.parse.quote(value),
            urllib.parse.quote_plus(value),
            urllib.parse.quote(value, safe=""),
            urllib.parse.urlencode(own),
            urllib.parse.quote(value, safe="").replace("%2F", "%2f"),
            *(
                base64.b64encode((front + value + back).encode()).decode()
                for front in ("", "a", "ab")
                for back in ("", "yz")
            ),
            *(base64.urlsafe_b64encode((front + pair).encode()).decode() for front in ("", "a", "ab")),
            urllib.parse.quote(base64.b64encode(pair.encode())),
            value[:8],
            value[:-1],
            f"...{value[:12]}...",
            value * 3,
        ):
            say(text)
        for byte in pair.encode() + b"\n":
            os.write(1, bytes([byte]))
            time.sleep(0.001)
        for size in (4096, 65536):
            for cut in range(1, len(raw)):
                os.write(1, b"." * (size - cut - 1) + b" " + raw + b"\n")
        os.write(2, pair.encode())  # the line stays open
        time.sleep(0.05)
        say("")
    if where:
        with open(where, "w", encoding="ascii") as file:
            file.write("done")
        time.sleep(600)
    raise RuntimeError(f"cannot log in: {own}")


def attributes(*_: str) -> None:
    """What a process can ask about itself."""
    import resource

    say(f"cwd={os.getcwd()}")
    say(f"umask={os.umask(0):04o}")
    say(f"sid={os.getsid(0) == os.getpid()}")
    say(f"nice={os.getpriority(os.PRIO_PROCESS, 0)}")
    say(f"files={resource.getrlimit(resource.RLIMIT_NOFILE)[0]}")
    say(f"core={resource.getrlimit(resource.RLIMIT_CORE)[0]}")
    with open("/proc/self/oom_score_adj", encoding="ascii") as file:
        say(f"oom={file.read().strip()}")
    with open("/proc/self/status", encoding="ascii") as file:
        for line in file:
            if line.startswith(("SigIgn", "SigBlk", "SigCgt")):
                say(line.strip())
    say(f"stdin={os.readlink('/proc/self/fd/0')}")
    say(f"fds={sorted(int(name) for name in os.listdir('/proc/self/fd'))}")
    say(f"uid={os.getuid()} gid={os.getgid()}")


def notify(delay: str = "0") -> None:
    """Says READY=1 and stays."""
    time.sleep(float(delay))
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.sendto(b"STATUS=fine\nREADY=1\n", "\0" + address[1:] if address[0] == "@" else address)
    steady()


def eat(size: str) -> None:
    """Takes so many bytes of memory and keeps them."""
    hoard = bytearray(int(size))
    for place in range(0, len(hoard), 4096):
        hoard[place] = 1
    say("full")
    time.sleep(600)


def spin(*_: str) -> None:
    while True:
        pass


def crowd(count: str) -> None:
    """So many children."""
    for _number in range(int(count)):
        subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
    say("crowded")
    time.sleep(600)


def reopen(*_: str) -> None:
    """Opens /dev/stdout anew, as shell scripts do."""
    with open("/dev/stdout", "w", encoding="ascii") as file:
        file.write("reopened\n")


def on_signal(*_: str) -> None:
    """Says which signal came, and goes on until USR1."""

    def heard(number: int, _frame: object) -> None:
        say(f"got {signal.Signals(number).name}")
        if number == signal.SIGUSR1:
            sys.exit(0)

    for one in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
        signal.signal(one, heard)
    say("listening")
    while True:
        time.sleep(60)


TEMPERS: dict[str, Callable[..., None]] = {
    name: found for name, found in globals().items() if callable(found) and not name.startswith("_")
}

if __name__ == "__main__":
    TEMPERS[sys.argv[1]](*sys.argv[2:])

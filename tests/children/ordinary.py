"""What honest strategies do of a day. Each must work inside a sandbox; what does not is printed."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import tempfile
import threading
import zoneinfo
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory
from pathlib import Path
from typing import Any

DATA = Path(os.environ["STRATEGY_DATA"])


def square(number: int) -> int:
    return number * number


def look_around(_: int) -> tuple[int | None, str, str]:
    """What a child asks of the machine."""
    Path("/dev/null").write_text("x")
    return os.cpu_count(), Path("/proc/cpuinfo").read_text()[:1], str(zoneinfo.ZoneInfo("Asia/Kolkata"))


def pool_by(method: str) -> None:
    context: Any = multiprocessing.get_context(method)
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]
        assert list(pool.map(look_around, range(2)))
    queue = context.Queue()
    child = context.Process(target=queue.put, args=("hello",))
    child.start()
    assert queue.get(timeout=60) == "hello"
    child.join()


def forked() -> None:
    pool_by("fork")


def spawned() -> None:
    pool_by("spawn")


def shared() -> None:
    block = shared_memory.SharedMemory(create=True, size=4096)
    block.close()
    block.unlink()
    multiprocessing.Semaphore().acquire()


def files() -> None:
    book = DATA / "book.csv"
    book.write_text("a,b\n")
    shutil.copy2(book, DATA / "copy.csv")
    (DATA / "copy.csv").touch()
    (DATA / "copy.csv").chmod(0o644)
    (DATA / "copy.csv").rename(DATA / "renamed.csv")
    (DATA / "folder").mkdir(exist_ok=True)
    (DATA / "renamed.csv").replace(DATA / "folder" / "moved.csv")
    (DATA / "link").symlink_to("book.csv")
    (DATA / "link").unlink()
    os.link(book, DATA / "hard")
    (DATA / "hard").unlink()
    shutil.rmtree(DATA / "folder")


def temporary() -> None:
    with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryDirectory() as folder:
        assert file.name.startswith(str(DATA))
        assert folder.startswith(str(DATA))


def database() -> None:
    with contextlib.closing(sqlite3.connect(DATA / "trades.db")) as connection:
        connection.execute("pragma journal_mode=wal")
        connection.execute("create table if not exists trades (price)")
        connection.execute("insert into trades values (1)")
        connection.commit()


def programs() -> None:
    assert subprocess.run(["/usr/bin/env", "true"], check=True).returncode == 0
    text = subprocess.run(
        ["/bin/sh", "-c", "echo said >/dev/stdout; cat </dev/null; ls /usr >/dev/null; date"],
        text=True,
        check=True,
        capture_output=True,
    ).stdout
    assert text.startswith("said")
    child = subprocess.run(
        [sys.executable, "-c", "import decimal, ssl; print(6)"], capture_output=True, check=True
    )
    assert child.stdout == b"6\n"


def asynchronous() -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec("/bin/true")
        assert await process.wait() == 0
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("localhost", port)
        assert await reader.read() == b""
        writer.close()
        server.close()

    asyncio.run(main())


def network() -> None:
    context = ssl.create_default_context()
    assert context.get_ca_certs() or Path(ssl.get_default_verify_paths().openssl_capath).is_dir()
    assert socket.getaddrinfo("localhost", 443)
    with contextlib.suppress(socket.gaierror):  # whether it is known is not the question
        socket.getaddrinfo("stratvisor.invalid", 443)
    Path("/etc/resolv.conf").read_text()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", ("127.0.0.1", 9))
    one, two = socket.socketpair()
    one.close()
    two.close()


def machine() -> None:
    assert os.cpu_count()
    assert os.sched_getaffinity(0)
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    os.sched_setaffinity(os.getpid(), os.sched_getaffinity(0))
    assert os.urandom(4)
    with Path("/dev/urandom").open("rb") as source:
        assert source.read(4)
    assert Path("/proc/self/status").read_text()
    assert os.listdir("/proc/self/fd")
    assert Path("/proc/self/maps").read_text()
    assert Path("/proc/meminfo").read_text()
    os.nice(1)
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, resource.getrlimit(resource.RLIMIT_NOFILE))
    started = threading.Thread(target=os.getpid)
    started.start()
    started.join()


def own_output() -> None:
    with open("/dev/stdout", "w", encoding="ascii") as file:
        file.write("reopened\n")


def libraries() -> None:
    """Those with parts in C, and of the virtual environment, where there are any."""
    for name in ("numpy", "pandas", "cryptography.fernet", "aiohttp", "psutil", "yaml"):
        with contextlib.suppress(ModuleNotFoundError):
            __import__(name)
    with contextlib.suppress(ModuleNotFoundError):
        import numpy as np

        np.linalg.inv(np.random.default_rng(0).random((200, 200)))
    with contextlib.suppress(ModuleNotFoundError):
        import pandas as pd

        pd.DataFrame({"a": [1, 2]}).to_csv(DATA / "frame.csv")
        assert len(pd.read_csv(DATA / "frame.csv")) == 2


HABITS: list[Callable[[], None]] = [
    forked,
    spawned,
    shared,
    files,
    temporary,
    database,
    programs,
    asynchronous,
    network,
    machine,
    own_output,
    libraries,
]

if __name__ == "__main__":
    for habit in HABITS:
        try:
            habit()
        except Exception as error:  # noqa: BLE001  whatever it is, it is what is looked for
            print(f"{habit.__name__}: {type(error).__name__}: {error}")
    print("the day is over")

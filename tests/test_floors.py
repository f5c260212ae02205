"""A file imports only from floors below its own, or from its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "stratvisor"

FLOORS: dict[str, int] = {}
for _floor, _names in enumerate(
    (
        """spec territory calendar state machine cron wallclock spans windows jobs timetable lookahead
        clock_changes calendar_ends skipped reasons simulation timeline trail why view wording selection doubt
        generate generate.record generate.sheet""",
        """config almanac settings schema reading.* generate.text vault vault.sealing vault.keyring
        vault.contents""",
        """ports clock tasks troubles runner.* shim.* store kept last_good audit history history_db
        history_rows logs watch quiet usage provenance daemon_log house systemd generate.library
        generate.program replacing vault.keeping vault.keymaking""",
        """supervisor recorder reloading metering retention newsroom news_socket host succession daemon
        http.* cli.* __main__""",
    )
):
    FLOORS.update(dict.fromkeys(_names.split(), _floor))

ONLY_IN = {
    "aiohttp": "http.",
    "jinja2": "http.",
    "yaml": "reading.document",
    "watchdog": "watch",
    "sqlite3": "history",
    "ctypes": "shim.",
    "exchange_calendars": "generate.program",
    "pandas": "generate.program",
    "cryptography": "vault.sealing",
}
"""A library, and the one place that may know it."""


def modules() -> list[str]:
    return [
        ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted(SOURCE.rglob("*.py"))
        if path != SOURCE / "__init__.py"
    ]


def floor(module: str) -> int:
    if module in FLOORS:
        return FLOORS[module]
    package = module.split(".", maxsplit=1)[0]
    return FLOORS[f"{package}.*"]


def imports(module: str) -> Iterator[str]:
    """What a module imports when it runs or when types are checked, wherever the import stands."""
    path = SOURCE / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(imported: str) -> str | None:
    """The module of ours that an import names; None: it is none of ours."""
    if not imported.startswith("stratvisor."):
        return None
    name = imported.removeprefix("stratvisor.")
    while name and name not in modules():
        name = name.rpartition(".")[0]
    return name or None


@pytest.mark.parametrize("module", modules())
def test_imports_go_down(module: str) -> None:
    higher = {name for found in imports(module) if (name := own(found)) and floor(name) > floor(module)}
    assert not higher, f"{module} is on floor {floor(module)} and imports from above: {sorted(higher)}"


@pytest.mark.parametrize("module", modules())
def test_a_library_is_known_in_one_place(module: str) -> None:
    for library, place in ONLY_IN.items():
        if any(found.split(".")[0] == library for found in imports(module)):
            assert module.startswith(place), f"{library} is for {place} alone"


@pytest.mark.parametrize("module", [name for name in modules() if name.startswith("shim")])
def test_a_shim_knows_the_standard_library_and_its_neighbours_alone(module: str) -> None:
    import sys

    for found in imports(module):
        top = found.split(".")[0]
        assert found.startswith("stratvisor.shim") or top in sys.stdlib_module_names, found


def test_nothing_imports_the_program_that_holds_180_mb() -> None:
    for module in modules():
        assert not any(found.startswith("stratvisor.generate.program") for found in imports(module)), module


def test_every_module_has_a_floor() -> None:
    for module in modules():
        floor(module)
    gone = {name for name in FLOORS if not name.endswith(".*")} - set(modules())
    assert not gone, f"the map names what is not there: {sorted(gone)}"

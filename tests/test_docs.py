"""What the documents say is so: commands, routes, keys, states and files."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import reference

from stratvisor import config, settings
from stratvisor.http import app
from stratvisor.spec import Spec

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = {path.name: path.read_text("utf-8") for path in ROOT.glob("*.md")}


def test_every_key_is_documented_once_and_as_the_code_has_it() -> None:
    assert reference.written(README) == README, "run `make docs`"


def test_the_example_of_the_readme_is_a_good_strategy(tmp_path: Path) -> None:
    example = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert example is not None
    known, _ = settings.read(ROOT)
    spec = config.parse("ema_crossover", example[1].encode(), "README.md", known)
    assert isinstance(spec, Spec), spec
    assert len([line for line in example[1].splitlines() if not line.startswith("#")]) <= 10


def test_the_instance_of_the_project_has_no_problem() -> None:
    known, problems = settings.read(ROOT)
    assert problems == ()
    read = config.read(ROOT, known, {})
    assert read.problems == ()
    assert len(read.strategies) >= 3


def curl_lines() -> list[str]:
    return re.findall(r"^\$ (curl .*)$", README, re.MULTILINE)


def test_there_are_five_lines_of_curl() -> None:
    assert len(curl_lines()) == 5


@pytest.mark.parametrize("line", curl_lines())
def test_curl_lines_name_real_routes(line: str) -> None:
    routes = {(route.method, f"/python{route.path}") for group in app._GROUPS for route in group.ROUTES}
    words = shlex.split(line)
    method = words[words.index("-X") + 1] if "-X" in words else "GET"
    url = next(word for word in words if word.startswith("http://localhost"))
    path = re.sub(r"\?.*", "", url.removeprefix("http://localhost"))
    path = re.sub(r"ema_crossover", "{id}", path)
    assert (method, path) in {(verb, re.sub(r"\{.*?\}", "{id}", known)) for verb, known in routes}


def test_make_targets_are_real() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    for name, text in DOCUMENTS.items():
        for target in re.findall(r"(?:^|`|\$ |    )make ([a-z]+)", text, re.MULTILINE):
            assert target in targets, f"{name} speaks of `make {target}`"


def test_commands_are_real() -> None:
    verbs = set(re.findall(r"`stratvisor ([a-z]+)", README)) | set(
        re.findall(r"^\$ stratvisor ([a-z]+)", README, re.MULTILINE)
    )
    assert verbs
    helped = subprocess.run(
        [sys.executable, "-m", "stratvisor", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for verb in verbs:
        assert re.search(rf"\b{verb}\b", helped), verb


def test_links_lead_somewhere() -> None:
    for name, text in DOCUMENTS.items():
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
            assert (ROOT / link).exists(), f"{name} links to {link}"


def test_documents_name_real_modules_and_tests() -> None:
    source = ROOT / "src" / "stratvisor"
    for name, text in DOCUMENTS.items():
        for path in re.findall(
            r"`((?:tests|shim|http|cli|reading|runner|benchmarks)/[a-z_/]*(?:\.py)?)`", text
        ):
            assert (ROOT / path).exists() or (source / path).exists(), f"{name} speaks of {path}"


def test_the_readme_explains_every_state() -> None:
    listed = re.findall(r"^\| (\w+) \|", README.split("## States")[1].split("##")[0], re.MULTILINE)
    view = (ROOT / "src" / "stratvisor" / "view.py").read_text("utf-8")
    assert len(listed) == 10
    assert all(f'"{state}"' in view for state in listed[1:])

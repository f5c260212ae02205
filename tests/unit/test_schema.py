"""What editors and the reference are told is what the reader does: both come from one declaration."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from filing import RUN, parsed, spec_of
from hypothesis import given
from spec_files import EFFECTS, FILES, NONSENSE, SPECS, written

from stratvisor import schema
from stratvisor.reading import document
from stratvisor.reading.nodes import Broken, Kind, Node, Scalar, Sequence
from stratvisor.spec import RestartWhen, Spec

STRATEGY = jsonschema.Draft202012Validator(schema.strategy())
SETTINGS = jsonschema.Draft202012Validator(schema.settings())


def value_of(node: Node) -> Any:
    """A node as an editor's reader of YAML 1.2 has it."""
    match node:
        case Scalar(kind=Kind.WHOLE):
            return int(node.text)
        case Scalar(kind=Kind.DECIMAL):
            return float(node.text)
        case Scalar(kind=Kind.TRUTH):
            return node.text == "true"
        case Scalar(kind=Kind.NOTHING) | Broken():
            return None
        case Scalar():
            return node.text
        case Sequence():
            return [value_of(item) for item in node.items]
        case _:
            return {entry.key: value_of(entry.value) for entry in node.entries}


def loaded(text: str | bytes) -> Any:
    root, _ = document.read(text if isinstance(text, bytes) else text.encode(), "f")
    return value_of(root) if root else None


@pytest.mark.parametrize("validator", [STRATEGY, SETTINGS])
def test_both_are_schemas(validator: jsonschema.Draft202012Validator) -> None:
    validator.check_schema(validator.schema)
    assert json.loads(json.dumps(validator.schema)) == validator.schema


def test_an_unknown_key_does_not_fit() -> None:
    assert not STRATEGY.is_valid({"script": "a.py", "nope": 1})
    assert not STRATEGY.is_valid({"script": "a.py", "restart": {"polcy": "always"}})
    assert not SETTINGS.is_valid({"port": 1})
    assert not SETTINGS.is_valid({"defaults": {"script": "a.py"}})


@pytest.mark.parametrize("key", [*EFFECTS, *FILES])
def test_what_the_reader_takes_fits(key: str) -> None:
    text = (EFFECTS | FILES)[key][0]
    STRATEGY.validate(loaded(text if key in FILES else RUN + text))


@given(SPECS)
def test_what_specs_are_written_as_fits(spec: Spec) -> None:
    spec = replace(spec, restart=replace(spec.restart, when=RestartWhen.ALWAYS))
    STRATEGY.validate(json.loads(json.dumps(written(spec))))


@given(NONSENSE)
def test_what_does_not_fit_is_not_read(text: bytes) -> None:
    if isinstance(parsed(text), Spec):
        STRATEGY.validate(loaded(text))


EXAMPLE = """
# yaml-language-server: $schema=../run/strategy.schema.json
title: EMA crossover on SBIN
command: [sh, -c, exit]
enabled: true
tags: [nifty, intraday]
env: {SYMBOL: SBIN}
inherit_env: [HTTPS_PROXY]
schedule:
  timezone: Asia/Kolkata
  windows:
    - {days: mon-fri, from: "09:15", to: "15:30"}
    - {start: "15 9 * * mon-fri", stop: "30 15 * * mon-fri"}
    - {start: "0 10 * * *", for: 2h}
restart:
  when: on-failure
  success_codes: [0]
  delay: 1s
  factor: 2
  max_delay: 1m
  jitter: 10%
  reset_after: 1m
  give_up: {failures: 5, within: 10m}
start: {ready_after: 1s}
stop: {signals: [TERM], timeout: 10s, to: group}
limits: {memory: 1GB, open_files: 1024, processes: 512, cpu_time: none, nice: 0, threads: none, core: 0}
logs: {max_size: 10MB, keep_files: 20, keep_days: 30, keep_total: 500MB, timestamps: false}
on_change: restart
"""


def test_an_example_with_every_default_written_out() -> None:
    spec = spec_of(EXAMPLE)
    plain = spec_of(RUN)
    assert (spec.restart, spec.start, spec.stop, spec.limits, spec.logs, spec.on_change) == (
        plain.restart,
        plain.start,
        plain.stop,
        plain.limits,
        plain.logs,
        plain.on_change,
    )
    STRATEGY.validate(loaded(EXAMPLE))


def test_the_defaults_of_the_settings_fit() -> None:
    text = (Path(__file__).parent.parent.parent / "stratvisor.toml").read_text()
    SETTINGS.validate(tomllib.loads(text))


def properties(shape: dict[str, Any], path: str = "") -> Iterator[str]:
    for name, below in shape.get("properties", {}).items():
        yield f"{path}{name}"
        yield from properties(below, f"{path}{name}.")
    for form in shape.get("anyOf", ()):
        yield from properties(form, path)
    if "items" in shape:
        yield from properties(shape["items"], f"{path.removesuffix('.')}[].")


def test_schema_and_reference_name_the_same_keys() -> None:
    assert set(properties(schema.strategy())) == {row.key for row in schema.rows("strategy")}
    named = {key for key in properties(schema.settings()) if not key.startswith("defaults.")}
    assert named == {row.key for row in schema.rows("settings")}


def test_every_row_says_what_it_is() -> None:
    for row in (*schema.rows("strategy"), *schema.rows("settings")):
        assert row.type
        assert row.meaning.endswith(".")
        assert "|" not in row.meaning


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("restart.delay", "1s"),
        ("restart.max_delay", "1m"),
        ("restart.success_codes", "[0]"),
        ("restart.factor", "2"),
        ("restart.jitter", "10%"),
        ("restart.give_up.within", "10m"),
        ("start.ready_after", "1s"),
        ("stop.signals", "[TERM]"),
        ("limits.memory", "1GB"),
        ("limits.cpu_time", "none"),
        ("limits.core", "0"),
        ("logs.keep_total", "500MB"),
        ("enabled", "true"),
        ("title", "the id"),
        ("schedule", "always on"),
        ("schedule.windows[].from", "required"),
        ("restart", ""),
    ],
)
def test_defaults_are_shown_as_they_would_be_written(key: str, default: str) -> None:
    assert {row.default for row in schema.rows("strategy") if row.key == key} == {default}


def test_no_key_has_two_rows() -> None:
    keys = [row.key for row in schema.rows("strategy")]
    assert [key for key in set(keys) if keys.count(key) > 1] == []

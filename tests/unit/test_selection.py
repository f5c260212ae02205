from __future__ import annotations

import pytest

from stratvisor.selection import NothingNamedError, select
from stratvisor.spec import Process, Spec

SPECS = {
    name: Spec(name, Process(), tags=tags)
    for name, tags in {"orb": ("nifty",), "ema": ("nifty", "demo")}.items()
}


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("ema", ("ema",)),
        ("all", ("ema", "orb")),
        ("@nifty", ("ema", "orb")),
        ("@demo", ("ema",)),
        ("bad", ("bad",)),
    ],
)
def test_an_id_a_tag_or_all(selector: str, names: tuple[str, ...]) -> None:
    assert select(selector, SPECS, unreadable=["bad"]) == names


def test_all_of_nothing_is_nothing() -> None:
    assert select("all", {}) == ()


@pytest.mark.parametrize(
    ("selector", "told"),
    [
        ("emma", "no strategy emma; did you mean 'ema'?"),
        ("bda", "no strategy bda; did you mean 'bad'?"),
        ("@nifti", "no strategy has the tag nifti; did you mean 'nifty'?"),
        ("@", "no strategy has the tag "),
    ],
)
def test_what_names_nothing_is_told_what_is_near(selector: str, told: str) -> None:
    with pytest.raises(NothingNamedError) as caught:
        select(selector, SPECS, unreadable=["bad"])
    assert str(caught.value) == told

"""Which strategies an id, `@TAG` or `all` names: one grammar for every verb.

Pure: what there is comes in, ids go out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.wording import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from stratvisor.spec import Spec

ALL = "all"


class NothingNamedError(LookupError):
    """There is no such strategy or tag; the text says so, and what may be meant."""


def select(selector: str, specs: Mapping[str, Spec], unreadable: Collection[str] = ()) -> tuple[str, ...]:
    """The ids that it names, in order. `unreadable`: those without a spec, which only their id names.

    Raises:
        NothingNamedError: it names none; `all` may, where there is none.
    """
    if selector == ALL:
        return tuple(sorted(specs))
    if selector.startswith("@"):
        return _tagged(selector[1:], specs)
    if selector in specs or selector in unreadable:
        return (selector,)
    raise NothingNamedError(f"no strategy {selector}{did_you_mean(selector, sorted({*specs, *unreadable}))}")


def _tagged(tag: str, specs: Mapping[str, Spec]) -> tuple[str, ...]:
    found = tuple(sorted(name for name, spec in specs.items() if tag in spec.tags))
    if found:
        return found
    tags = {known for spec in specs.values() for known in spec.tags}
    raise NothingNamedError(f"no strategy has the tag {tag}{did_you_mean(tag, sorted(tags))}")

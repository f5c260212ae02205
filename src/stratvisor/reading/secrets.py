"""The key `secrets` of a strategy file: which variables of its environment hold which secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stratvisor.reading.keys import Place
from stratvisor.reading.nodes import Node, Sequence
from stratvisor.reading.shapes import ListOf, Named
from stratvisor.reading.words import SECRET, VARIABLE

if TYPE_CHECKING:
    from stratvisor.reading.keys import At, Json

_LIST = ListOf(VARIABLE, repeats=False)
_MAPPING = Named(VARIABLE, SECRET)


@dataclass(frozen=True, slots=True)
class _Secrets:
    """Names, or secrets under the names of variables. Each variable's place is kept under its name."""

    name: str = "list of secret, or secret under names"

    def read(self, node: Node, at: At) -> tuple[tuple[str, str], ...]:
        """(variable, secret), sorted."""
        if not isinstance(node, Sequence):
            return _MAPPING.read(node, at)
        names = _LIST.read(node, at)
        for name, item in zip(names, node.items, strict=True):
            at.findings.places[at.key(name).path] = Place(item.mark, item.mark)
        return tuple(sorted((name, name) for name in names))

    def plain(self, value: Any) -> Any:
        """A list where no secret has another name than its variable."""
        if all(variable == name for variable, name in value):
            return [variable for variable, _ in value]
        return _MAPPING.plain(value)

    def schema(self) -> Json:
        """An array or an object."""
        return {"anyOf": [_LIST.schema(), _MAPPING.schema()]}


SECRETS = _Secrets()

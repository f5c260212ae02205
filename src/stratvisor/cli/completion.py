"""`completion`: scripts that let bash and zsh complete verbs, options and ids.

The scripts are made from the command line's own parser, so they cannot know a verb that it does not.
Ids, tags and `all` are asked of the daemon at each TAB; where none runs, there are none.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import Failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stratvisor.cli.verbs import Verbs

_SCRIPT = """\
# {shell} completion of stratvisor
{prelude}
_stratvisor() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local options="" words="" ask="" verb="" home="" word i
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${{COMP_WORDS[i]}}"
        case "$word" in
            --home) i=$((i + 1)); home="${{COMP_WORDS[i]}}" ;;
            -*) ;;
            *) [ -n "$verb" ] || verb="$word" ;;
        esac
    done
    case "$verb $previous" in
        *" --home") COMPREPLY=($(compgen -d -- "$current")); return ;;
{cases}
    esac
    case "$current" in
        -*) words="$options" ;;
        *) [ -z "$ask" ] ||
            words="$("${{COMP_WORDS[0]}}" ${{home:+--home "$home"}} completion --ask "$ask" 2>/dev/null)" ;;
    esac
    if [ -n "$BASH_VERSION" ] && {{ [ "$current" = @ ] || [ "$previous" = @ ]; }}; then
        # bash ends a word at @, and replaces only what stands behind it
        current="${{current#@}}"
        word=""
        for i in $words; do
            case "$i" in @*) word="$word ${{i#@}}" ;; esac
        done
        words="$word"
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _stratvisor stratvisor
"""
_PRELUDES = {"bash": ":", "zsh": "autoload -Uz bashcompinit && bashcompinit"}
_ASKED = {"id": "ids", "ids": "selectors", "crashes": "selectors"}
"""What stands for an argument of this name; of one with a time behind it, its beginning."""


def add(verbs: Verbs, parser: Callable[[], argparse.ArgumentParser]) -> None:
    """The verb. `parser` makes the whole command line."""
    verb = verbs.add(
        "completion",
        lambda arguments: _completion(arguments, parser()),
        does="print a script that completes verbs, options and ids in bash or zsh",
        examples=(
            "completion bash > ~/.local/share/bash-completion/completions/stratvisor",
            "completion zsh >> ~/.zshrc",
        ),
    )
    wanted = verb.add_mutually_exclusive_group(required=True)
    wanted.add_argument("shell", nargs="?", metavar="SHELL", choices=list(_PRELUDES), help="bash or zsh")
    wanted.add_argument("--ask", choices=list(_ASKED.values()), help=argparse.SUPPRESS)


def _completion(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if arguments.shell is not None:
        print(_script(arguments.shell, parser), end="")
        return 0
    try:
        status = Client(home.find(arguments.home)).get("complete", "status")
    except Failure:
        return 0
    ids = [one["id"] for one in status["strategies"]]
    tags = sorted({f"@{tag}" for one in status["strategies"] for tag in one["tags"]})
    print(*ids, *([*tags, "all"] if arguments.ask == "selectors" else []), sep="\n")
    return 0


def _script(shell: str, parser: argparse.ArgumentParser) -> str:
    cases = "\n".join(f"        {case}" for case in _cases(parser))
    return _SCRIPT.format(shell=shell, prelude=_PRELUDES[shell], cases=cases)


def _cases(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What may follow, as branches of a shell's `case "$verb $previous"`."""
    verbs = next(action.choices for action in _actions(parser) if isinstance(action.choices, dict))
    for name, verb in verbs.items():
        actions = list(_all_actions(verb))
        yield from _after_options(name, actions)
        yield _after_verb(name, actions)
    yield f'" "*) options="--home --version --help" words="{" ".join(verbs)}" ;;'


def _all_actions(verb: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """What it takes, and what the verbs below it take: which of them is meant, a script does not tell."""
    for action in _actions(verb):
        yield action
        if isinstance(action.choices, dict):
            for below in action.choices.values():
                yield from _all_actions(below)


def _actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    # argparse has no public way to list what it takes.
    return [action for action in parser._actions if action.help != argparse.SUPPRESS]  # noqa: SLF001


def _after_options(verb: str, actions: Iterable[argparse.Action]) -> Iterator[str]:
    """What may be the value of an option: never an id just because the verb takes ids."""
    for action in actions:
        for option in action.option_strings if action.nargs != 0 and action.dest != "home" else ():
            ask = _ASKED.get(action.dest, "")
            yield f'"{verb} {option}") words="{_joined(action.choices)}" ask="{ask}" ;;'


def _after_verb(verb: str, actions: Iterable[argparse.Action]) -> str:
    options = [option for action in actions for option in action.option_strings]
    arguments = [action for action in actions if not action.option_strings]
    words = [word for action in arguments for word in action.choices or ()]
    ask = [_ASKED[action.dest] for action in arguments if action.dest in _ASKED]
    return f'"{verb} "*) options="{_joined(options)}" words="{_joined(words)}" ask="{_joined(ask)}" ;;'


def _joined(words: Iterable[str] | None) -> str:
    return " ".join(dict.fromkeys(words or ()))

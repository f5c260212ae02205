"""`completion`: scripts that let bash and zsh complete verbs, options and ids.

The scripts are made from the command line's own parser, so they cannot know a verb that it does not.
Ids, tags and `all` are asked of the daemon at each TAB; where none runs, there are none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stratvisor.cli import home
from stratvisor.cli.client import Client
from stratvisor.cli.failure import Failure

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from stratvisor.cli.verbs import Verbs

_SCRIPT = """\
# {shell} completion of stratvisor
{prelude}
_stratvisor_ask() {{
    "${{COMP_WORDS[0]}}" ${{2:+--home "$2"}} completion "$1" 2>/dev/null
}}
_stratvisor() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}"
    local words="" verb="" home="" word i
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
    # bash ends a word at @, and replaces only what stands behind it
    case "$current $previous" in
        "@ "*) current=""; words="${{words//@/}}" ;;
        *" @") words="${{words//@/}}" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -F _stratvisor stratvisor
"""
_PRELUDES = {"bash": ":", "zsh": "autoload -Uz bashcompinit && bashcompinit"}
_ASKED = {"id": "ids", "ids": "selectors"}
"""What stands for an argument of this name."""


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
    verb.add_argument(
        "of",
        choices=[*_PRELUDES, *_ASKED.values()],
        help="a shell; ids and selectors are what its script asks for",
    )


def _completion(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    if arguments.of in _PRELUDES:
        print(_script(arguments.of, parser), end="")
        return 0
    try:
        status = Client(home.find(arguments.home)).get("complete", "status")
    except Failure:
        return 0
    ids = [one["id"] for one in status["strategies"]]
    tags = sorted({f"@{tag}" for one in status["strategies"] for tag in one["tags"]})
    print(*ids, *([*tags, "all"] if arguments.of == "selectors" else []), sep="\n")
    return 0


def _script(shell: str, parser: argparse.ArgumentParser) -> str:
    cases = "\n".join(f"        {case}" for case in _cases(parser))
    return _SCRIPT.format(shell=shell, prelude=_PRELUDES[shell], cases=cases)


def _cases(parser: argparse.ArgumentParser) -> Iterator[str]:
    """What may follow, as branches of a shell's `case "$verb $previous"`."""
    verbs = next(action.choices for action in parser._actions if isinstance(action.choices, dict))  # noqa: SLF001
    for name, verb in verbs.items():
        words = []
        for action in verb._actions:  # noqa: SLF001  argparse has no other way to list them
            words += action.option_strings
            if action.option_strings and action.choices:
                for option in action.option_strings:
                    yield f'"{name} {option}") words="{" ".join(action.choices)}" ;;'
            elif action.dest in _ASKED:
                words.append(f'$(_stratvisor_ask {_ASKED[action.dest]} "$home")')
            elif action.choices:
                words += action.choices
        yield f'"{name} "*) words="{" ".join(words)}" ;;'
    yield f'" "*) words="--home --version --help {" ".join(verbs)}" ;;'

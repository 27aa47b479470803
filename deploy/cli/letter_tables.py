"""Dead letters as a person reads them. What they quote is anybody's: it is made printable first."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from common.dead_letters import Group, Letter, Moved, Overview, Unreachable, WholeLetter
from common.text import printable

PAYLOAD_CHARACTERS = 20_000
"""What a terminal is given of a payload; --json gives all."""
REASON_CHARACTERS = 160
"""What a list is given of a reason; show gives all."""


def print_overview(found: Overview, console: Console) -> None:
    """Print causes, and the letters that came along."""
    if not found.total and not found.unreachable:
        console.print("There are no dead letters.")
        return
    causes = len(found.groups)
    more = "" if found.complete else ", more than were looked at"
    console.print(
        f"[bold]{_count(found.total, 'dead letter')}[/] of {_count(causes, 'cause')}{more}"
    )
    now = datetime.now(UTC)
    if found.groups:
        console.print(_groups(found.groups, now))
    if found.letters:
        console.print(_letters(found.letters, now, with_reasons=len(found.groups) > 1))
        if len(found.letters) < found.total:
            console.print(f"[dim]The newest {len(found.letters)} of {found.total}.[/]")
    elif found.groups:
        console.print(
            "[dim]sigmasight dlq list --group GROUP shows its letters, redrive --group GROUP has "
            "them tried again.[/]"
        )


def print_letter(letter: WholeLetter, console: Console) -> None:
    """Print one letter: its circumstances, what it says, and the stack."""
    now = datetime.now(UTC)
    facts = Table.grid(padding=(0, 2))
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    rows = {
        "letter": letter.id,
        "what": f"{letter.name}, {'a message' if letter.kind == 'queue' else 'work'} of "
        f"{letter.service}",
        "reason": letter.reason,
        "attempts": letter.attempts,
        "died": f"{_moment(letter.died_at)}, {_ago(letter.died_at, now)}",
        "made": _made(letter),
        "group": letter.group,
        "run": letter.run_id,
        "trace": letter.trace_id,
        "user": letter.user_id,
        "message": letter.message_id,
        "caused by": letter.causation_id,
        "size": _size(letter.size),
    }
    for name, value in rows.items():
        if value not in (None, ""):
            style = "bold red" if name == "reason" else ""
            facts.add_row(name, Text(_plain(str(value)), style))
    console.print(facts)
    _print_block("Says", _contents(letter), console)
    _print_block("Stack", letter.stack.rstrip(), console)


def moved_line(moved: Moved, what: str) -> str:
    """Return how many letters were moved, and from where."""
    if not moved.moved:
        return f"No letter was {what}: there is none (any more) of those asked for."
    verb = "letter was" if moved.moved == 1 else "letters were"
    places = ", ".join(f"{count} of {place}" for place, count in sorted(moved.places.items()))
    return f"{moved.moved} {verb} {what}: {places}."


def unreachable_lines(unreachable: Sequence[Unreachable]) -> list[str]:
    """Return a sentence for every place that did not answer."""
    return [f"{one.place} did not answer: {_plain(one.reason)}" for one in unreachable]


def _groups(groups: Sequence[Group], now: datetime) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Group", no_wrap=True, style="cyan")
    table.add_column("Letters", justify="right", no_wrap=True)
    table.add_column("Last died", no_wrap=True)
    table.add_column("What and why", overflow="fold")
    for group in groups:
        attempts = _range(group.least_attempts, group.most_attempts)
        what = Text(f"{group.name}", "bold")
        what.append(f" in {group.kind}:{group.service}, {attempts}", "not bold dim")
        what.append(f"\n{_short(group.reason)}", "not bold")
        table.add_row(group.id, f"{group.count:,}", _ago(group.last_died_at, now), what)
    return table


def _letters(letters: Sequence[Letter], now: datetime, *, with_reasons: bool) -> Table:
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    table.add_column("Died", no_wrap=True)
    table.add_column("Letter", overflow="fold")
    for letter in letters:
        told = Text(_plain(letter.id), "cyan")
        facts = [_count(letter.attempts, "attempt"), _size(letter.size)]
        facts += [f"run {letter.run_id}"] if letter.run_id else []
        facts += [f"trace {letter.trace_id}"] if letter.trace_id else []
        told.append(f"\n{', '.join(facts)}", "dim")
        if with_reasons:
            told.append(f"\n{_short(letter.reason)}", "default")
        table.add_row(_ago(letter.died_at, now), told)
    return table


def _contents(letter: WholeLetter) -> str:
    if letter.body is not None:
        return letter.body
    return json.dumps(letter.payload, indent=2, ensure_ascii=False)


def _print_block(title: str, text: str, console: Console) -> None:
    if not text:
        return
    console.print(f"\n[bold]{title}[/]")
    shown = _plain(text[:PAYLOAD_CHARACTERS])
    console.print(Text(shown), soft_wrap=True)
    if len(text) > PAYLOAD_CHARACTERS:
        console.print(f"[dim]… {len(text) - PAYLOAD_CHARACTERS:,} characters more with --json[/]")


def _made(letter: WholeLetter) -> str | None:
    if letter.occurred_at is None:
        return None
    return f"{_moment(letter.occurred_at)} by {letter.producer or 'somebody'}"


def _short(reason: str) -> str:
    cut = reason[:REASON_CHARACTERS].rstrip()
    return _plain(cut if len(cut) == len(reason) else f"{cut} …")


def _plain(text: str) -> str:
    # An escape sequence in a symbol's name must not reach a terminal.
    return "\n".join(printable(line) for line in text.replace("\t", "    ").split("\n"))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _range(least: int, most: int) -> str:
    return _count(most, "attempt") if least == most else f"{least} to {most} attempts"


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _ago(when: datetime, now: datetime) -> str:
    seconds = max(0, int((now - when).total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return f"{_count(seconds // size, unit)} ago"
    return f"{_count(seconds, 'second')} ago"


def _size(size: int) -> str:
    if size < 1_000:
        return _count(size, "byte")
    return f"{size / 1_000:,.1f} kB" if size < 1_000_000 else f"{size / 1_000_000:,.1f} MB"

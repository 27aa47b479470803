"""Columns and editions: what is stored of each security, and what a panel still lacks.

A *column* is one security's profile and bars as one source gave them, under a version of its own.
Its bars are only ever added at the ends of the range that was asked for; a correction is a new
column. So a published panel, which names columns and a range, keeps its content for good.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import NamedTuple

from common import calendar
from marketdata.domain.market import History, Profile, Snapshot, Source

# A symbol the provider did not know may have been listed since; asking each time would cost a
# request per import.
ASKED_AGAIN_AFTER = timedelta(days=1)
RATE_SESSIONS = 2_600
"""Ten years: covariances of rates are estimated over longer than prices are."""
_DAY = timedelta(days=1)


class Span(NamedTuple):
    """Days from the first to the last, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Reference:
    """The symbols that a panel shows over more sessions than the others, and which ones."""

    symbols: frozenset[str]
    span: Span


@dataclass(frozen=True, slots=True)
class Edition:
    """Which market a panel shows, and over which sessions."""

    source: Source
    span: Span
    """From the oldest session of the panel to the one at whose close it stands."""
    format: int = 2
    """2: with snapshots and rates; 1: published before there were any."""
    reference: Reference | None = None
    """None: published before there was one."""
    cross_section: frozenset[str] | None = None
    """The shares that every panel shows beside what is held; None: published before there were."""

    @property
    def as_of(self) -> date:
        """Return the session at whose close the panel stands."""
        return self.span.last

    @property
    def rates(self) -> Span:
        """Return over which sessions the panel shows the Treasury's curve."""
        return Span(first_of_last(RATE_SESSIONS, self.as_of), self.as_of)

    def span_of(self, symbol: str) -> Span:
        """Return over which sessions bars of a symbol are shown, by the panel or its reference."""
        if self.reference is not None and symbol in self.reference.symbols:
            return self.reference.span
        return self.span


@dataclass(frozen=True, slots=True)
class Column:
    """What is stored of one security, as far as an edition may see it."""

    symbol: str
    version: int
    known: bool
    reason: str | None
    """Why the security is not known."""
    asked_at: datetime
    """When the provider was last asked who it is."""
    loaded: Span | None
    """The days for which the provider was asked for bars."""
    last_session: date | None = None
    """Its newest bar up to the edition's end."""
    published: bool = False
    """Whether the edition's panel shows this version of it."""
    has_bars: bool = True
    """An option has none."""
    has_snapshot: bool = True
    """Whether the provider was asked what it says of it at the edition's end."""

    def lacks_bars(self, edition: "Edition") -> Span | None:
        """Return the days to ask the provider for next, None where nothing is lacking."""
        if not self.known or not self.has_bars:
            return None
        return gap(self.loaded, edition.span_of(self.symbol))

    def lacks_only_words(self, edition: "Edition") -> bool:
        """Say whether all is there but what is said of it at the edition's end."""
        return self.known and not self.has_snapshot and self.lacks_bars(edition) is None

    def is_complete(self, edition: "Edition") -> bool:
        """Say whether nothing of it is lacking for an edition."""
        return not self.known or (self.has_snapshot and self.lacks_bars(edition) is None)


@dataclass(frozen=True, slots=True, eq=False)
class PanelColumn:
    """A column as a published panel shows it."""

    symbol: str
    version: int
    profile: Profile | None
    """None while the security is not known."""
    reason: str | None
    """Why it is not known."""
    history: History
    """Its bars within the panel's span; empty where the market had none."""
    snapshot: Snapshot = field(default_factory=Snapshot)
    """What is said of it at the panel's end."""
    loaded_from: date | None = None
    """The first day for which the provider was asked for bars; None while it was for none."""

    @property
    def is_priced(self) -> bool:
        """Say whether it has a bar, or what an option has instead: somebody who asks."""
        return bool(len(self.history)) or (
            self.profile is not None
            and self.profile.kind == "option"
            and self.snapshot.ask is not None
        )


@dataclass(frozen=True, slots=True)
class PanelState:
    """The newest panel of an edition, and the columns of the symbols that were asked about."""

    version: int | None
    """None while the edition has no panel."""
    columns: Mapping[str, Column]
    curves: Span | None = None
    """The days whose rates the provider has given."""
    shows_curves: bool = False
    """Whether there were any when the newest panel was published."""
    has_benchmark: bool = True
    """Whether the provider was asked what its benchmark is made of at the edition's end."""
    curves_shown_through: date | None = None
    """The newest session of the rates that the newest panel shows; None for the edition's end."""

    def has_curves(self, edition: Edition) -> bool:
        """Say whether there are rates of an edition, the newest of which may still come."""
        return self.curves_through(edition) is not None

    def curves_through(self, edition: Edition) -> date | None:
        """Return the newest session of the rates that a panel published now would show."""
        if self.curves is None or self.curves.first > edition.rates.first:
            return None
        return min(self.curves.last, edition.as_of)

    def news(self, edition: Edition) -> tuple[Column, ...] | None:
        """Return what a new panel would show besides, None where there is no need of one.

        Empty for the first panel of an edition, and for one that adds the rates.
        """
        columns = tuple(
            column
            for column in self.columns.values()
            if not column.published and column.is_complete(edition)
        )
        through = self.curves_through(edition)
        shown = (self.curves_shown_through or edition.as_of) if self.shows_curves else None
        adds_curves = through is not None and (shown is None or shown < through)
        return columns if columns or adds_curves or self.version is None else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be asked of the provider before an edition can be published."""

    profiles: tuple[str, ...] = ()
    bars: Mapping[Span, tuple[Column, ...]] = field(default_factory=dict)
    snapshots: tuple[Column, ...] = ()
    curves: Span | None = None
    benchmark: bool = False

    def __bool__(self) -> bool:
        words = self.snapshots or self.curves or self.benchmark
        return bool(self.profiles or self.bars or words)


def priced_session(asked: date | None, now: datetime) -> date:
    """Return the last closed session that is not after the day asked for.

    Raise ValueError for a day before the calendar's first session.
    """
    last_closed = calendar.last_closed_session(now)
    if asked is None or asked >= last_closed:
        return last_closed
    known = calendar.sessions(calendar.FIRST_DAY, asked)
    if not known:
        raise ValueError(f"no NYSE session is known up to {asked}")
    return known[-1]


def first_of_last(sessions: int, as_of: date) -> date:
    """Return the first of the last so many sessions up to one; fewer where the calendar begins."""
    return calendar.sessions(calendar.FIRST_DAY, as_of)[-sessions:][0]


def edition_of(
    as_of: date,
    source: Source,
    *,
    sessions: int,
    reference: Iterable[str],
    reference_sessions: int,
    cross_section: Iterable[str] = (),
) -> Edition:
    """Return the edition of so many sessions up to one; its reference has no fewer of them."""
    longest = max(sessions, reference_sessions)
    return Edition(
        source,
        Span(first_of_last(sessions, as_of), as_of),
        reference=Reference(frozenset(reference), Span(first_of_last(longest, as_of), as_of)),
        cross_section=frozenset(cross_section),
    )


def gap(loaded: Span | None, wanted: Span) -> Span | None:
    """Return the days to ask the provider for next, or None when nothing is lacking.

    Loaded days stay in one piece, so a gap always touches them; where both ends are lacking the
    later one comes first.
    """
    if loaded is None:
        return wanted
    if loaded.last < wanted.last:
        return Span(loaded.last + _DAY, wanted.last)
    if loaded.first > wanted.first:
        return Span(wanted.first, loaded.first - _DAY)
    return None


def what_is_lacking(
    symbols: Iterable[str], state: PanelState, edition: Edition, now: datetime
) -> Plan:
    """Return what to ask the provider about these symbols, about rates and the benchmark."""
    profiles: list[str] = []
    bars: defaultdict[Span, list[Column]] = defaultdict(list)
    snapshots: list[Column] = []
    for symbol in symbols:
        column = state.columns.get(symbol)
        if column is None or (not column.known and column.asked_at <= now - ASKED_AGAIN_AFTER):
            profiles.append(symbol)
        elif column.known:
            if span := column.lacks_bars(edition):
                bars[span].append(column)
            if not column.has_snapshot:
                snapshots.append(column)
    return Plan(
        profiles=tuple(profiles),
        bars={span: tuple(columns) for span, columns in bars.items()},
        snapshots=tuple(snapshots),
        curves=gap(state.curves, edition.rates),
        benchmark=not state.has_benchmark,
    )

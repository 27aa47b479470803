"""Which panels are of an edition, and which columns came in with one."""

from sqlalchemy import ARRAY, ColumnElement, Text, and_, literal

from marketdata.domain import Edition
from marketdata.tables import PANEL_COLUMNS, PANELS


def is_of(edition: Edition) -> ColumnElement[bool]:
    """Return the condition that a panel is of an edition."""
    conditions = [
        PANELS.c.as_of == edition.as_of,
        PANELS.c.first_session == edition.span.first,
        # A replica of the version before counts as shown what any format shows, and what was shown
        # with a reference; it announces so.
        PANELS.c.format >= edition.format,
        PANELS.c.provider == edition.source.provider,
        PANELS.c.model_version == edition.source.model_version,
    ]
    if edition.reference is not None:
        symbols = literal(sorted(edition.reference.symbols), ARRAY(Text))
        conditions += [
            PANELS.c.reference_from == edition.reference.span.first,
            PANELS.c.reference == symbols,
        ]
    if edition.cross_section is not None:
        shares = literal(sorted(edition.cross_section), ARRAY(Text))
        conditions.append(PANELS.c.cross_section == shares)
    return and_(*conditions)


def was_published_with(edition: Edition) -> ColumnElement[bool]:
    """Return the condition that a panel's column came in with a panel of this edition.

    What another edition shows counts for nothing here: it is of another market, or its columns
    may not be loaded as far back.
    """
    return and_(
        PANEL_COLUMNS.c.as_of == PANELS.c.as_of,
        PANEL_COLUMNS.c.since_version == PANELS.c.version,
        is_of(edition),
    )

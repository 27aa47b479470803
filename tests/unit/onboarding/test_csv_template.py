"""The template is a valid book, and stays one."""

from datetime import date

import pytest

from onboarding.domain.columns import Column
from onboarding.domain.imports import ImportReport
from onboarding.domain.positions import PositionType
from onboarding.domain.template import FILENAME, TEMPLATE
from tests.unit.onboarding.upload import read

COMMENTS = [row for row in TEMPLATE.splitlines() if row.startswith("#")]


@pytest.mark.parametrize("today", [date(2024, 2, 10), date(2026, 1, 15), date(2030, 12, 31)])
def test_the_template_is_accepted_untouched_on_any_day_of_the_decade(today):
    report = read(TEMPLATE, FILENAME, today)

    assert isinstance(report, ImportReport), report
    assert [(position.symbol, position.position_type) for position in report.positions] == [
        ("AAPL", PositionType.LONG),
        ("SPY311219C00450000", PositionType.LC),
        ("SPY", PositionType.LONG),
        ("SHOP", PositionType.SHORT),
        ("SPAXX", PositionType.LONG),
        ("TSLA", PositionType.LONG),
    ]
    assert [position.symbol for position in report.positions if position.exit_date] == ["TSLA"]


def test_the_template_has_the_columns_in_their_order_and_a_caption_for_each_example():
    rows = [row for row in TEMPLATE.splitlines() if not row.startswith("#")]

    assert rows[0] == ",".join(Column)
    assert {row.count(",") for row in rows} == {len(Column) - 1}
    assert sum(comment.startswith("# Example") for comment in COMMENTS) == len(rows) - 1 == 6


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spreadsheet_may_save_the_template_as_it_likes(end):
    padding = "," * (len(Column) - 1)
    saved = [row + padding if row.startswith("#") else row for row in TEMPLATE.splitlines()]

    assert not any("," in comment or '"' in comment for comment in COMMENTS)
    assert isinstance(read("\ufeff" + end.join(saved)), ImportReport)

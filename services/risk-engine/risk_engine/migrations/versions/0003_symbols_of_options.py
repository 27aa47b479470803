"""Ask for the quotes of the options in the books that are known already.

Revision ID: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# As `repository.books` makes symbols of a book's positions; a contract is named as
# `common.options.Contract` does.
SYMBOLS_OF_BOOKS = """
UPDATE risk_engine.books AS book SET symbols = found.symbols
FROM (
    SELECT portfolio_id, array_agg(DISTINCT symbol ORDER BY symbol) AS symbols
    FROM (
        SELECT held.portfolio_id, unnest(ARRAY[
            CASE position->>'investment_class' WHEN 'PUBLIC' THEN position->>'symbol' END,
            CASE position->>'investment_class'
                WHEN 'OPTIONS' THEN position->>'underlying_symbol' END,
            CASE position->>'investment_class' WHEN 'OPTIONS' THEN
                (position->>'underlying_symbol') || ' ' || (position->>'expiration_date') || ' '
                || (CASE position->>'position_type'
                    WHEN 'LC' THEN 'C' WHEN 'SC' THEN 'C' WHEN 'LP' THEN 'P' WHEN 'SP' THEN 'P' END)
                || ' ' || trim_scale((position->>'strike_price')::numeric) END
        ]) AS symbol
        FROM risk_engine.books AS held, json_array_elements(held.positions) AS position
        WHERE held.positions::text LIKE '%"OPTIONS"%'
    ) AS named
    WHERE symbol IS NOT NULL
    GROUP BY portfolio_id
) AS found
WHERE book.portfolio_id = found.portfolio_id
"""


def upgrade() -> None:
    op.execute(SYMBOLS_OF_BOOKS)

"""The invariants that a look at the database can check: a sentence, and a query for who breaks it.

`docs/invariants.md` says the same sentences with their reasons; a test holds the two together. The
queries run in one snapshot, as a superuser, across schemas that no service may look across.
"""

from dataclasses import dataclass

from common.settings import SERVICES, schema_of
from risk_engine.domain import ENGINES as NAMES

ENGINES = ", ".join(f"('{engine}')" for engine in NAMES)


@dataclass(frozen=True)
class Law:
    """A sentence that holds when the system is at rest, and a query whose rows break it."""

    sentence: str
    offenders: str
    """Returns one text per breach, naming what is wrong."""


def _for_each_service(query: str) -> str:
    return " UNION ALL ".join(query.format(schema=schema_of(name)) for name in SERVICES)


def _replica(of: str, *, follows_changes: bool = True) -> str:
    # The book of record on the one side, what a service remembers of it on the other.
    same_revision = "r.revision = b.revision" if follows_changes else "r.revision <= b.revision"
    return f"""
        SELECT format('{of} %s', coalesce(b.id, r.portfolio_id)) ||
               CASE WHEN r.portfolio_id IS NULL THEN ' is missing'
                    WHEN b.id IS NULL THEN ' is in no book'
                    ELSE format(' stands at revision %s of %s', r.revision, b.revision) ||
                         CASE WHEN r.deleted THEN ', deleted' ELSE '' END END
        FROM onboarding.portfolios AS b FULL JOIN {of} AS r ON r.portfolio_id = b.id
        WHERE b.id IS NULL OR r.portfolio_id IS NULL OR NOT {same_revision}
           OR r.user_id <> b.user_id OR r.deleted <> (b.deleted_at IS NOT NULL)
    """


_ALIVE = "(SELECT * FROM onboarding.portfolios WHERE deleted_at IS NULL)"

_POSITIONS_OF_BOOK = """
    SELECT p.portfolio_id, p.position_id, p.symbol, p.quantity
    FROM onboarding.positions AS p JOIN onboarding.portfolios AS b ON b.id = p.portfolio_id
    WHERE p.until_revision IS NULL AND b.deleted_at IS NULL
"""
_POSITIONS_OF_REPLICA = """
    SELECT r.portfolio_id, (p ->> 'position_id')::uuid AS position_id, p ->> 'symbol' AS symbol,
           (p ->> 'quantity')::numeric(20, 6) AS quantity
    FROM risk_engine.books AS r, json_array_elements(r.positions) AS p WHERE NOT r.deleted
"""

# A run's item that began as something to do, with its owner: of runs that name their portfolios.
_ITEMS = """(
    SELECT i.*, r.job, r.as_of, b.user_id
    FROM scheduler.run_items AS i
    JOIN scheduler.runs AS r USING (run_id)
    JOIN onboarding.portfolios AS b ON b.id = i.portfolio_id AND b.deleted_at IS NULL
    WHERE r.status <> 'open' AND r.total <= 200
)"""

RESULTS = (
    Law(
        "Every portfolio in the book has one current result of every engine that is built.",
        f"""
        SELECT format('%s has no %s of revision %s', b.id, e.name, b.revision)
        FROM {_ALIVE} AS b CROSS JOIN (VALUES {ENGINES}) AS e (name)
        WHERE NOT EXISTS (
            SELECT FROM risk_engine.results AS r
            WHERE r.portfolio_id = b.id AND r.engine = e.name AND r.revision = b.revision
        )
        UNION ALL
        SELECT format('%s has a %s of revision %s, its book is at %s',
                      r.portfolio_id, r.engine, r.revision, b.revision)
        FROM risk_engine.results AS r LEFT JOIN {_ALIVE} AS b ON b.id = r.portfolio_id
        WHERE b.id IS NULL OR r.revision > b.revision
        """,
    ),
    Law(
        "A result is of no older prices than the run that ended with it.",
        f"""
        SELECT format('%s in run %s', i.portfolio_id, i.run_id)
        FROM {_ITEMS} AS i CROSS JOIN (VALUES {ENGINES}) AS e (name)
        WHERE i.outcome = 'calculated' AND NOT EXISTS (
            SELECT FROM risk_engine.results AS r
            WHERE r.portfolio_id = i.portfolio_id AND r.engine = e.name
              AND (r.revision, r.as_of, r.panel_version)
                  >= (i.revision, i.as_of, coalesce(i.panel_version, 0))
        )
        """,
    ),
    Law(
        "A session that was valued has a snapshot, made of the same inputs or of a later book.",
        """
        SELECT format('%s at %s', r.portfolio_id, r.as_of)
        FROM (SELECT * FROM risk_engine.results WHERE engine = 'valuation') AS r
        LEFT JOIN risk_engine.snapshots AS s
            ON s.portfolio_id = r.portfolio_id AND s.session = r.as_of
        WHERE s.portfolio_id IS NULL OR s.revision < r.revision
           OR (s.revision = r.revision AND s.panel_version <> r.panel_version)
        """,
    ),
    Law(
        "On its opening session a portfolio is worth what its owner said.",
        f"""
        SELECT format('%s is worth %s, not %s', b.id, s.net_asset_value, v.equity_balance)
        FROM {_ALIVE} AS b
        JOIN onboarding.revisions AS v ON v.portfolio_id = b.id AND v.revision = b.revision
        JOIN risk_engine.snapshots AS s
            ON s.portfolio_id = b.id AND s.session = v.opening_session AND s.revision = b.revision
        WHERE abs(s.net_asset_value - v.equity_balance) > 0.01
        """,
    ),
    Law(
        "No calculation of a sound book failed.",
        "SELECT format('%s: %s', portfolio_id, reason) FROM risk_engine.failures",
    ),
)

REPLICAS = (
    Law(
        "Every replica equals the book of record at its revision.",
        " UNION ALL ".join(
            (
                _replica("auth.portfolios", follows_changes=False),
                _replica("marketdata.holdings"),
                _replica("risk_engine.books"),
                _replica("scheduler.portfolios"),
                _replica("gateway.portfolios"),
                f"""
                SELECT format('risk_engine.books %s lacks %s %s', portfolio_id, quantity, symbol)
                FROM ({_POSITIONS_OF_BOOK} EXCEPT {_POSITIONS_OF_REPLICA}) AS lacking
                UNION ALL
                SELECT format('risk_engine.books %s invents %s %s', portfolio_id, quantity, symbol)
                FROM ({_POSITIONS_OF_REPLICA} EXCEPT {_POSITIONS_OF_BOOK}) AS invented
                """,
            )
        ),
    ),
    Law(
        "Chat knows the newest results, the gateway every session that was ended.",
        """
        SELECT format('chat.ages %s', newest.portfolio_id)
        FROM (
            SELECT DISTINCT ON (portfolio_id) portfolio_id, revision, as_of, panel_version
            FROM risk_engine.results ORDER BY portfolio_id, revision DESC, as_of DESC
        ) AS newest LEFT JOIN chat.ages AS a USING (portfolio_id)
        WHERE a.portfolio_id IS NULL OR (a.revision, a.as_of, a.panel_version)
            <> (newest.revision, newest.as_of, newest.panel_version)
        UNION ALL
        SELECT format('gateway.revoked_sessions %s', s.id)
        FROM auth.sessions AS s LEFT JOIN gateway.revoked_sessions AS r ON r.session_id = s.id
        WHERE s.revoked_at IS NOT NULL AND s.expires_at > now() AND r.session_id IS NULL
        """,
    ),
)

DRAINED = (
    Law(
        "Every outbox is empty.",
        _for_each_service(
            "SELECT format('{schema}.outbox %s %s', sequence, envelope ->> 'name') "
            "FROM {schema}.outbox"
        ),
    ),
    Law(
        "No work is left: none waits, none is in hand, none was given up.",
        _for_each_service(
            "SELECT format('{schema}.work %s %s', kind, coalesce(reason, 'waits')) "
            "FROM {schema}.work"
        )
        + " UNION ALL SELECT format('risk_engine.waiting %s', portfolio_id) "
        "FROM risk_engine.waiting",
    ),
)

RUNS = (
    Law(
        "Every run has ended, with its items counted.",
        """
        SELECT format('%s %s is %s: %s items, %s without an outcome',
                      r.job, r.run_id, r.status, count(i.run_id),
                      count(i.run_id) FILTER (WHERE i.outcome IS NULL))
        FROM scheduler.runs AS r LEFT JOIN scheduler.run_items AS i USING (run_id)
        GROUP BY r.run_id
        HAVING r.status = 'open' OR r.ended_at IS NULL
            OR count(i.run_id) FILTER (WHERE i.outcome IS NULL) > 0
            OR r.total <> count(i.run_id)
            OR r.calculated <> count(i.run_id) FILTER (WHERE i.outcome = 'calculated')
            OR r.failed <> count(i.run_id) FILTER (WHERE i.outcome IN ('failed', 'expired'))
        """,
    ),
    Law(
        "Every item ended as it should: calculated, or overtaken by something newer.",
        """
        SELECT format('%s in run %s: %s (%s)', i.portfolio_id, i.run_id, i.outcome, i.reason)
        FROM scheduler.run_items AS i
        JOIN scheduler.runs AS r USING (run_id)
        LEFT JOIN onboarding.portfolios AS b ON b.id = i.portfolio_id
        WHERE i.outcome NOT IN ('calculated', 'superseded', 'deleted')
           OR (i.outcome = 'deleted' AND b.deleted_at IS NULL)
           OR (i.outcome = 'superseded' AND b.deleted_at IS NULL AND NOT EXISTS (
                SELECT FROM risk_engine.results AS s
                WHERE s.portfolio_id = i.portfolio_id
                  AND (s.revision, s.as_of, s.panel_version)
                      > (i.revision, r.as_of, coalesce(i.panel_version, 0))
           ))
        """,
    ),
    Law(
        "Every import has one run of its own, and no run of an import has none.",
        """
        SELECT format('import %s of %s', coalesce(m.run_id, r.run_id), m.portfolio_id)
        FROM onboarding.imports AS m
        FULL JOIN (SELECT * FROM scheduler.runs WHERE job = 'import') AS r USING (run_id)
        WHERE m.run_id IS NULL OR r.run_id IS NULL
        """,
    ),
)

TOLD = (
    Law(
        "A user's event log counts from 1 without gaps.",
        """
        SELECT format('%s: %s events, the last is %s', coalesce(s.user_id, e.user_id),
                      coalesce(e.events, 0), coalesce(s.last_seq, 0))
        FROM gateway.streams AS s
        FULL JOIN (
            SELECT user_id, count(*) AS events, min(seq) AS first, max(seq) AS last
            FROM gateway.event_log GROUP BY user_id
        ) AS e USING (user_id)
        WHERE s.last_seq IS DISTINCT FROM e.events OR s.last_seq <> e.last OR e.first <> 1
        """,
    ),
    Law(
        "No event is in a log twice.",
        """
        SELECT format('%s of %s, %s times', name, portfolio_id, count(*))
        FROM gateway.event_log
        GROUP BY user_id, name, portfolio_id, run_id, occurred_at, payload HAVING count(*) > 1
        """,
    ),
    Law(
        "Every step of a run is told to the owner once.",
        f"""
        SELECT format('run %s of %s: %s told %s times', i.run_id, i.portfolio_id, s.step,
                      count(e.seq))
        FROM {_ITEMS} AS i
        CROSS JOIN (VALUES
            ('begun', ARRAY['portfolio.created', 'portfolio.changed', 'run.requested']),
            ('priced', ARRAY['prices.ready', 'prices.incomplete']),
            ('concluded', ARRAY['risk.calculated', 'calculation.failed']),
            ('ended', ARRAY['run.completed'])
        ) AS s (step, names)
        LEFT JOIN gateway.event_log AS e
            ON e.user_id = i.user_id AND e.portfolio_id = i.portfolio_id
            AND e.run_id = i.run_id AND e.name = ANY (s.names)
        WHERE i.outcome <> 'deleted'
        GROUP BY i.run_id, i.portfolio_id, s.step HAVING count(e.seq) <> 1
        """,
    ),
    Law(
        "Where a portfolio stands is its newest event of each name.",
        f"""
        SELECT format('%s of %s', e.name, e.portfolio_id)
        FROM (
            SELECT portfolio_id, name, max(occurred_at) AS newest
            FROM gateway.event_log GROUP BY portfolio_id, name
        ) AS e
        JOIN {_ALIVE} AS b ON b.id = e.portfolio_id
        LEFT JOIN gateway.latest AS l
            ON l.portfolio_id = e.portfolio_id AND l.name = e.name
        WHERE l.occurred_at IS DISTINCT FROM e.newest
        """,
    ),
)

PRICES = (
    Law(
        "Panels of a session are numbered from 1 without gaps, and show only loaded columns.",
        """
        SELECT format('panels of %s: %s, the last is %s', as_of, count(*), max(version))
        FROM marketdata.panels GROUP BY as_of HAVING count(*) <> max(version)
        UNION ALL
        SELECT format('column %s of %s has no bars', c.symbol, c.as_of)
        FROM marketdata.panel_columns AS c
        JOIN marketdata.securities AS s USING (symbol, column_version)
        WHERE s.status = 'known' AND s.kind <> 'option' AND NOT EXISTS (
            SELECT FROM marketdata.bars AS k
            WHERE k.symbol = c.symbol AND k.column_version = c.column_version
        )
        UNION ALL
        SELECT format('nothing was asked about column %s at %s', c.symbol, c.as_of)
        FROM marketdata.panel_columns AS c
        JOIN marketdata.panels AS p ON p.as_of = c.as_of AND p.version = c.since_version
        JOIN marketdata.securities AS s USING (symbol, column_version)
        WHERE s.status = 'known' AND p.format > 1 AND NOT EXISTS (
            SELECT FROM marketdata.snapshots AS k
            WHERE k.symbol = c.symbol AND k.column_version = c.column_version
                AND k.session = c.as_of
        )
        """,
    ),
)

LAWS = (*RESULTS, *REPLICAS, *DRAINED, *RUNS, *TOLD, *PRICES)

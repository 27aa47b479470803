"""The tables of the Postgres transport, and the statements that run on them.

A delivery is one message for one queue. `available_at` says when it may be claimed: at once, after
a pause of the ladder, or, while a worker holds it, when that worker's lease ends. So a worker that
dies needs nobody to clean up after it. All times are the database's.
"""

CHANNEL = "bus"
"""NOTIFY channel; the payload is `<namespace>:<queue>`."""

DECLARE_LOCK = 0x0B05_DEC1
"""Advisory lock under which tables and bindings are made."""

MAKE_SCHEMA = "CREATE SCHEMA bus"

# The unique constraint is the claim's index; made with the table, it locks nobody out later.
MAKE_TABLES = """
CREATE TABLE IF NOT EXISTS bus.bindings (
    namespace text NOT NULL,
    queue     text NOT NULL,
    kind      text NOT NULL CHECK (kind IN ('event', 'command')),
    pattern   text NOT NULL,  -- an event's: regular expression; a command's: its routing key
    PRIMARY KEY (namespace, queue, kind, pattern)
);
CREATE TABLE IF NOT EXISTS bus.deliveries (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace    text NOT NULL,
    queue        text NOT NULL,
    routing_key  text NOT NULL,
    message_id   uuid,
    body         bytea NOT NULL,
    traceparent  text,
    accepted_at  timestamptz NOT NULL DEFAULT now(),
    available_at timestamptz NOT NULL DEFAULT now(),
    attempts     integer NOT NULL DEFAULT 0,
    unanswered   integer NOT NULL DEFAULT 0,  -- attempts in a row whose worker died
    lease_token  uuid,                        -- set while an attempt has not been answered
    last_error   text,
    UNIQUE (namespace, queue, available_at, id)
) WITH (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500);
CREATE TABLE IF NOT EXISTS bus.dead_letters (
    id           bigint PRIMARY KEY,          -- that of the delivery
    namespace    text NOT NULL,
    queue        text NOT NULL,
    routing_key  text NOT NULL,
    message_id   uuid,
    body         bytea NOT NULL,
    traceparent  text,
    reason       text NOT NULL,
    stack        text NOT NULL,
    attempts     integer NOT NULL,
    died_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (namespace, queue, id)
);
"""

# Fan-out reads the bindings table, so a publisher reaches queues its own code does not know yet.
# The regular expressions see each key once: Postgres keeps only 32 compiled ones per session.
MAKE_FUNCTIONS = """
CREATE OR REPLACE FUNCTION bus.publish(
    namespace text, routing_keys text[], bodies bytea[], message_ids uuid[], traceparents text[]
) RETURNS bigint LANGUAGE sql AS $function$
    WITH message AS (
        SELECT *
        FROM unnest($2, $3, $4, $5) WITH ORDINALITY
            AS m (routing_key, body, message_id, traceparent, place)
    ), wanted AS (
        SELECT DISTINCT b.queue, k.routing_key
        FROM (SELECT DISTINCT routing_key FROM message) AS k
        JOIN bus.bindings AS b ON b.namespace = $1 AND CASE
            WHEN EXISTS (
                SELECT FROM bus.bindings AS c
                WHERE c.namespace = $1 AND c.kind = 'command' AND c.pattern = k.routing_key
            ) THEN b.kind = 'command' AND b.pattern = k.routing_key
            ELSE b.kind = 'event' AND '.' || k.routing_key ~ b.pattern
        END
    ), accepted AS (
        INSERT INTO bus.deliveries (namespace, queue, routing_key, message_id, body, traceparent)
        SELECT $1, w.queue, m.routing_key, m.message_id, m.body, m.traceparent
        FROM message AS m JOIN wanted AS w USING (routing_key)
        ORDER BY m.place
        RETURNING queue
    )
    SELECT count(*)
    FROM (SELECT pg_notify('bus', $1 || ':' || queue) FROM accepted GROUP BY queue) AS woken
$function$;
COMMENT ON FUNCTION bus.publish IS 'Accept messages for every queue that wants them.';

CREATE OR REPLACE FUNCTION bus.send(
    routing_key text, body text, namespace text DEFAULT ''
) RETURNS bigint LANGUAGE sql AS $function$
    SELECT bus.publish(
        $3, ARRAY[$1], ARRAY[convert_to($2, 'UTF8')], ARRAY[NULL::uuid], ARRAY[NULL::text]
    )
$function$;
COMMENT ON FUNCTION bus.send IS 'Publish one message by hand; returns how many queues took it.';
"""

BIND = """
INSERT INTO bus.bindings (namespace, queue, kind, pattern)
SELECT $1, b.queue, b.kind, b.pattern
FROM unnest($2::text[], $3::text[], $4::text[]) AS b (queue, kind, pattern)
ON CONFLICT DO NOTHING
"""

PUBLISH = "SELECT bus.publish($1, $2, $3, $4, $5)"

# A lease that lapsed is a worker that died: a suspect, taken alone by an empty hand ($5) or left.
# The array is computed once, by the claim's index, whatever the planner believes of the table.
CLAIM = """
WITH due AS MATERIALIZED (
    SELECT id, unanswered + (lease_token IS NOT NULL)::integer AS unanswered
    FROM bus.deliveries
    WHERE namespace = $1 AND queue = $2 AND available_at <= now()
    ORDER BY available_at, id
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), suspect AS (
    SELECT id FROM due WHERE unanswered > 0 ORDER BY unanswered DESC, id LIMIT 1
)
UPDATE bus.deliveries
SET attempts = attempts + 1,
    unanswered = unanswered + (lease_token IS NOT NULL)::integer,
    lease_token = gen_random_uuid(),
    available_at = now() + $4 * interval '1 second'
WHERE id = ANY (ARRAY(
    SELECT id FROM due WHERE NOT EXISTS (SELECT FROM suspect)
    UNION ALL
    SELECT id FROM suspect WHERE $5
))
RETURNING id, lease_token, routing_key, body, attempts, unanswered
"""

NEXT_DUE = """
SELECT extract(epoch FROM min(available_at) - now())::float8
FROM bus.deliveries WHERE namespace = $1 AND queue = $2
"""

RENEW = """
UPDATE bus.deliveries SET available_at = now() + $3 * interval '1 second'
WHERE id = ANY ($1::bigint[]) AND lease_token = ANY ($2::uuid[])
"""

TAKEN = """
DELETE FROM bus.deliveries WHERE id = ANY ($1::bigint[]) AND lease_token = ANY ($2::uuid[])
"""

TRY_AGAIN = """
UPDATE bus.deliveries AS d
SET lease_token = NULL,
    attempts = f.attempts,
    unanswered = 0,
    available_at = now() + f.pause * interval '1 second',
    last_error = f.reason
FROM unnest($1::bigint[], $2::uuid[], $3::integer[], $4::float8[], $5::text[])
    AS f (id, token, attempts, pause, reason)
WHERE d.id = f.id AND d.lease_token = f.token
"""

GIVE_UP = """
WITH gone AS (
    DELETE FROM bus.deliveries AS d
    USING unnest($1::bigint[], $2::uuid[], $3::text[], $4::text[], $5::integer[])
        AS f (id, token, reason, stack, attempts)
    WHERE d.id = f.id AND d.lease_token = f.token
    RETURNING d.id, d.namespace, d.queue, d.routing_key, d.message_id, d.body, d.traceparent,
              f.reason, f.stack, f.attempts
)
INSERT INTO bus.dead_letters (id, namespace, queue, routing_key, message_id, body, traceparent,
                              reason, stack, attempts)
SELECT * FROM gone
"""

HAND_BACK = """
WITH back AS (
    UPDATE bus.deliveries SET lease_token = NULL, attempts = attempts - 1, available_at = now()
    WHERE id = ANY ($1::bigint[]) AND lease_token = ANY ($2::uuid[])
    RETURNING namespace, queue
)
SELECT pg_notify('bus', namespace || ':' || queue) FROM back GROUP BY namespace, queue
"""

DEAD_LETTERS = """
SELECT id, queue, routing_key, message_id, body, length(body) AS size, traceparent, reason, stack,
       attempts, died_at
FROM bus.dead_letters
WHERE namespace = $1 AND queue = $2 AND ($4::bigint IS NULL OR id = $4)
ORDER BY id LIMIT $3
"""

HEADS = """
SELECT id, queue, routing_key, message_id, substring(body FOR $4) AS body, length(body) AS size,
       traceparent, reason, '' AS stack, attempts, died_at
FROM bus.dead_letters
WHERE namespace = $1 AND queue = $2 AND id > $5 AND id <= $6
ORDER BY id LIMIT $3
"""

LAST_LETTER = "SELECT max(id) FROM bus.dead_letters WHERE namespace = $1 AND queue = $2"

LETTER_COUNT = "SELECT count(*) FROM bus.dead_letters WHERE namespace = $1 AND queue = $2"

REDRIVE = """
WITH gone AS (
    DELETE FROM bus.dead_letters
    WHERE namespace = $1 AND queue = $2 AND id = ANY ($3::bigint[])
    RETURNING id, namespace, queue, routing_key, message_id, body, traceparent
), again AS (
    INSERT INTO bus.deliveries (namespace, queue, routing_key, message_id, body, traceparent)
    SELECT namespace, queue, routing_key, message_id, body, traceparent FROM gone ORDER BY id
    RETURNING namespace, queue
)
SELECT count(*) AS letters, pg_notify('bus', namespace || ':' || queue)
FROM again GROUP BY namespace, queue
"""

DISCARD = """
WITH gone AS (
    DELETE FROM bus.dead_letters
    WHERE namespace = $1 AND queue = $2 AND id = ANY ($3::bigint[])
    RETURNING id
)
SELECT count(*) FROM gone
"""

DEPTH = "SELECT count(*) FROM bus.deliveries WHERE namespace = $1 AND queue = $2"

# Due and not claimed is what waits: a claim moves `available_at` to its lease's end.
BACKLOG = """
SELECT count(*) AS depth,
    coalesce(extract(epoch FROM now() - min(available_at) FILTER (
        WHERE available_at <= now()
    )), 0)::float8 AS age,
    (SELECT count(*) FROM bus.dead_letters WHERE namespace = $1 AND queue = $2) AS dead_letters
FROM bus.deliveries WHERE namespace = $1 AND queue = $2
"""

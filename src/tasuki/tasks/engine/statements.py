"""The engine's SQL, one statement a name. `repository` says what each is for.

``now()`` is the start of the transaction, the same in all parts of a statement. Rows are
taken with ``SKIP LOCKED``: who comes second takes the next row instead of waiting. Where a
statement must wait, it waits for its rows in the order of their ids (see `counting`).
"""

from tasuki.tasks.counting import COUNT_STARTED, count_from, counter_of

_WAITING = "('scheduled', 'queued', 'retrying')"
_HELD = "('running', 'cancelling')"
_LAST_CHANCE = "(crash_count > 0 AND crash_count >= max_crashes - 1)"

# A task that has one crash left is kept apart from the others (`last_chance`).
CLAIM = f"""
WITH due AS (
    SELECT id FROM tasks
    WHERE queue = :queue AND lane = :lane AND state IN {_WAITING}
      AND available_at <= now()
      AND (expires_at IS NULL OR expires_at > now())
      AND name = ANY(CAST(:names AS text[]))
      AND {_LAST_CHANCE} = CAST(:last_chance AS boolean)
    ORDER BY priority DESC, available_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE tasks
    SET state = 'running', attempt = attempt + 1, rings = 0,
        lease_owner = :worker, lease_token = gen_random_uuid(),
        lease_until = now() + CAST(:lease_s AS float8) * interval '1 second',
        started_at = coalesce(started_at, now()), progress = NULL,
        event_seq = event_seq + 1
    FROM due WHERE tasks.id = due.id
    RETURNING tasks.id, lease_token AS token, owner_id, name, queue, args, attempt,
              max_attempts, crash_count, timeout_s, batch_id, trace_context, event_seq
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, event_seq, 'started', attempt,
           jsonb_build_object('worker', CAST(:worker AS text), 'lane', CAST(:lane AS text))
    FROM claimed
), moves AS (
    SELECT batch_id FROM claimed WHERE batch_id IS NOT NULL
), {COUNT_STARTED}
SELECT id, token, owner_id, name, queue, args, attempt, max_attempts, crash_count, timeout_s,
       batch_id, trace_context
FROM claimed
"""

DUE_QUEUES = f"""
SELECT DISTINCT queue, {_LAST_CHANCE} AS last_chance FROM tasks
WHERE queue = ANY(CAST(:queues AS text[])) AND lane = :lane
  AND state IN ('queued', 'retrying') AND available_at <= now()
  AND (expires_at IS NULL OR expires_at > now())
  AND name = ANY(CAST(:names AS text[]))
"""

RENEW = f"""
WITH held AS (
    SELECT tasks.id FROM tasks
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[])) AS given (id, token)
      ON tasks.id = given.id AND tasks.lease_token = given.token
    WHERE tasks.state IN {_HELD}
    ORDER BY tasks.id
    FOR NO KEY UPDATE OF tasks
)
UPDATE tasks
SET lease_until = now() + CAST(:lease_s AS float8) * interval '1 second'
FROM held WHERE tasks.id = held.id
RETURNING tasks.id, tasks.state = 'cancelling' AS cancelled
"""

NOTE = f"""
WITH given AS (
    SELECT event ->> 'type' AS type, event -> 'data' AS data, place
    FROM jsonb_array_elements(CAST(:events AS jsonb)) WITH ORDINALITY AS e (event, place)
), held AS (
    UPDATE tasks
    SET event_seq = event_seq + (SELECT count(*) FROM given),
        progress = coalesce(CAST(:progress AS jsonb), progress)
    WHERE id = :id AND lease_token = :token AND state IN {_HELD}
    RETURNING id, attempt, event_seq - (SELECT count(*) FROM given) AS seq_before
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT held.id, held.seq_before + given.place, given.type, held.attempt,
           given.data - 'id'
    FROM held, given
), filed AS (
    INSERT INTO artifacts (id, task_id, name, media_type, size_bytes, sha256)
    SELECT CAST(data ->> 'id' AS uuid), held.id, data ->> 'name', data ->> 'media_type',
           CAST(data ->> 'size_bytes' AS bigint), data ->> 'sha256'
    FROM held, given WHERE given.type = 'artifact'
)
SELECT id FROM held
"""

# A cancel that came in just before wins over another attempt.
END = f"""
WITH ends AS (
    SELECT e.*, t.cancel_requested_at IS NOT NULL AND e.pause_s IS NOT NULL AS is_cancelled
    FROM jsonb_to_recordset(CAST(:ends AS jsonb)) AS e (
        id uuid, token uuid, state text, result text, error jsonb, artifact_id uuid,
        pause_s float8, given_back int, got_on boolean)
    JOIN tasks t ON t.id = e.id AND t.lease_token = e.token AND t.state IN {_HELD}
    ORDER BY e.id
    FOR UPDATE OF t
), decided AS (
    SELECT id, CAST(result AS jsonb) AS result, artifact_id, given_back, got_on,
           CASE WHEN is_cancelled THEN 'cancelled' ELSE state END AS state,
           CASE WHEN is_cancelled THEN '{{"kind": "cancelled", "type": "Cancelled",
               "message": "Cancelled between two attempts.", "retryable": false}}'::jsonb
               ELSE error END AS error,
           CASE WHEN is_cancelled THEN NULL ELSE pause_s END AS pause_s
    FROM ends
), ended AS (
    UPDATE tasks
    SET state = d.state, result = d.result, error = d.error, artifact_id = d.artifact_id,
        attempt = attempt - d.given_back - CASE WHEN d.got_on THEN crash_count ELSE 0 END,
        crash_count = CASE WHEN d.got_on THEN 0 ELSE crash_count END,
        lease_owner = NULL, lease_token = NULL, lease_until = NULL,
        event_seq = event_seq + 1,
        available_at = CASE WHEN d.pause_s IS NULL THEN available_at
            ELSE now() + d.pause_s * interval '1 second' END,
        rung_at = CASE WHEN d.pause_s IS NULL THEN rung_at END,
        finished_at = CASE WHEN d.pause_s IS NULL THEN now() END,
        purge_at = CASE WHEN d.pause_s IS NULL
            THEN now() + CAST(:retention_s AS float8) * interval '1 second' END
    FROM decided d WHERE tasks.id = d.id
    RETURNING tasks.id, tasks.state, tasks.attempt, tasks.event_seq, tasks.error,
              tasks.result, tasks.available_at, tasks.owner_id, tasks.batch_id, d.pause_s
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, event_seq, state, attempt,
           CASE WHEN pause_s IS NOT NULL
                    THEN jsonb_build_object('error', error, 'available_at', available_at)
                WHEN state = 'succeeded' THEN jsonb_build_object('result', result)
                ELSE jsonb_build_object('error', error) END
    FROM ended
), moves AS (
    SELECT batch_id, {counter_of("state")} AS goes_to
    FROM ended WHERE batch_id IS NOT NULL
), {count_from("running")}
SELECT id, state, owner_id, batch_id,
       (SELECT next_id FROM counted WHERE counted.id = ended.batch_id) AS next_id
FROM ended
"""

GIVE_UP = f"""
UPDATE tasks SET lease_until = now() - interval '1 second'
WHERE id = :id AND lease_token = :token AND state IN {_HELD}
RETURNING id
"""

TAKE_UNRUNG = f"""
WITH due AS (
    SELECT id, state = 'scheduled' AS was_scheduled FROM tasks
    WHERE rung_at IS NULL AND state IN {_WAITING} AND available_at <= now()
    ORDER BY available_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED
), rung AS (
    UPDATE tasks
    SET rung_at = now(), rings = rings + 1,
        state = CASE WHEN due.was_scheduled THEN 'queued' ELSE state END,
        queued_at = coalesce(queued_at, now()),
        event_seq = event_seq + due.was_scheduled::int
    FROM due WHERE tasks.id = due.id
    RETURNING tasks.id, owner_id, name, queue, lane, attempt, event_seq, due.was_scheduled,
              {_LAST_CHANCE} AS last_chance
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, event_seq, 'queued', attempt, '{{}}'::jsonb FROM rung WHERE was_scheduled
)
SELECT id, owner_id, name, queue, lane, was_scheduled, last_chance FROM rung
"""

# The pause doubles with each ring, up to eight times: nobody may be there to answer.
TAKE_UNANSWERED = f"""
UPDATE tasks SET rung_at = now(), rings = rings + 1
WHERE id IN (
    SELECT id FROM tasks
    WHERE state IN {_WAITING} AND available_at <= now()
      AND rung_at < now() - CAST(:ring_again_s AS float8) * interval '1 second'
          * power(2, least(greatest(rings, 1) - 1, 3))
    ORDER BY rung_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED)
RETURNING id, name, queue, lane, {_LAST_CHANCE} AS last_chance
"""

UNRING = f"""
UPDATE tasks SET rung_at = NULL, rings = greatest(rings - 1, 0)
WHERE id IN (
    SELECT id FROM tasks
    WHERE id = ANY(CAST(:ids AS uuid[])) AND state IN {_WAITING}
    FOR UPDATE SKIP LOCKED)
RETURNING id
"""

HAND_ON = f"""
UPDATE tasks SET rung_at = NULL
WHERE id IN (
    SELECT id FROM tasks
    WHERE queue = :queue AND lane = :lane AND state IN {_WAITING}
      AND available_at <= now() AND rung_at IS NOT NULL
      AND {_LAST_CHANCE} = CAST(:last_chance AS boolean)
    ORDER BY priority DESC, available_at
    LIMIT :most
    FOR UPDATE SKIP LOCKED)
RETURNING id
"""

NEXT_DUE = f"""
SELECT CAST(extract(epoch FROM min(available_at) - now()) AS float8) AS due_in_s FROM tasks
WHERE rung_at IS NULL AND state IN {_WAITING}
"""

# The short random pause keeps tasks apart that went down together.
REAP = f"""
WITH lost AS (
    SELECT id, state = 'cancelling' AS is_cancelled, crash_count + 1 >= max_crashes AS is_last
    FROM tasks
    WHERE state IN {_HELD} AND lease_until < now()
    ORDER BY lease_until
    LIMIT 500
    FOR UPDATE SKIP LOCKED
), reaped AS (
    UPDATE tasks
    SET crash_count = crash_count + 1,
        state = CASE WHEN is_cancelled THEN 'cancelled' WHEN is_last THEN 'crashed'
                     ELSE 'queued' END,
        error = CASE
            WHEN is_cancelled THEN '{{"kind": "cancelled", "type": "Cancelled",
                "message": "Its worker was lost while it was being cancelled.",
                "retryable": false}}'::jsonb
            WHEN is_last THEN jsonb_build_object('kind', 'crash', 'type', 'WorkerLost',
                'message', format('It took down %s workers.', crash_count + 1),
                'retryable', false) END,
        lease_owner = NULL, lease_token = NULL, lease_until = NULL,
        progress = CASE WHEN is_cancelled OR is_last THEN progress END,
        available_at = CASE WHEN is_cancelled OR is_last THEN available_at
            ELSE now() + random() * least(crash_count, 5) * interval '0.2 second' END,
        rung_at = NULL, rings = 0,
        event_seq = event_seq + 1,
        finished_at = CASE WHEN is_cancelled OR is_last THEN now() END,
        purge_at = CASE WHEN is_cancelled OR is_last
            THEN now() + CAST(:retention_s AS float8) * interval '1 second' END
    FROM lost WHERE tasks.id = lost.id
    RETURNING tasks.id, tasks.state, attempt, event_seq, error, crash_count, owner_id, batch_id
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, event_seq, state, attempt,
           CASE WHEN state = 'queued'
                THEN jsonb_build_object('reason', 'worker lost', 'crash_count', crash_count)
                ELSE jsonb_build_object('error', error) END
    FROM reaped
), moves AS (
    SELECT batch_id, {counter_of("state")} AS goes_to
    FROM reaped WHERE batch_id IS NOT NULL
), {count_from("running")}
SELECT id, state, owner_id, batch_id,
       (SELECT next_id FROM counted WHERE counted.id = reaped.batch_id) AS next_id
FROM reaped
"""

EXPIRE = f"""
WITH late AS (
    SELECT id FROM tasks
    WHERE state IN {_WAITING} AND expires_at <= now()
    ORDER BY expires_at
    LIMIT 500
    FOR UPDATE SKIP LOCKED
), expired AS (
    UPDATE tasks
    SET state = 'expired', finished_at = now(), event_seq = event_seq + 1,
        purge_at = now() + CAST(:retention_s AS float8) * interval '1 second',
        error = '{{"kind": "expired", "type": "Expired",
            "message": "No worker took it in time.", "retryable": false}}'::jsonb
    FROM late WHERE tasks.id = late.id
    RETURNING tasks.id, tasks.state, attempt, event_seq, error, owner_id, batch_id
), noted AS (
    INSERT INTO task_events (task_id, seq, type, attempt, data)
    SELECT id, event_seq, 'expired', attempt, jsonb_build_object('error', error) FROM expired
), moves AS (
    SELECT batch_id, 'failed' AS goes_to FROM expired WHERE batch_id IS NOT NULL
), {count_from("queued")}
SELECT id, state, owner_id, batch_id,
       (SELECT next_id FROM counted WHERE counted.id = expired.batch_id) AS next_id
FROM expired
"""

ENDED = """
SELECT id AS task_id, name, owner_id, args, attempt, state, error FROM tasks
WHERE id = ANY(CAST(:ids AS uuid[]))
"""

PURGE = """
WITH old AS (
    DELETE FROM tasks WHERE id IN (
        SELECT id FROM tasks WHERE purge_at <= now() ORDER BY purge_at LIMIT :most
        FOR UPDATE SKIP LOCKED)
    RETURNING id
), files AS (
    DELETE FROM artifacts USING old WHERE artifacts.task_id = old.id
    RETURNING artifacts.id, artifacts.task_id
), old_batches AS (
    DELETE FROM batches WHERE id IN (
        SELECT id FROM batches WHERE purge_at <= now() ORDER BY purge_at LIMIT :most
        FOR UPDATE SKIP LOCKED)
)
SELECT old.id AS task_id, files.id AS artifact_id
FROM old LEFT JOIN files ON files.task_id = old.id
"""

UNKNOWN_ARTIFACTS = """
SELECT id FROM unnest(CAST(:ids AS uuid[])) AS known (id)
WHERE NOT EXISTS (SELECT 1 FROM artifacts WHERE artifacts.id = known.id)
"""

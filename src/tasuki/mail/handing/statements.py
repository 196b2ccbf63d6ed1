"""The SQL by which messages are handed over, one statement a name; `repository` says what for.

A message changes under the token of who holds it. ``content_at`` is committed just before the
content leaves: what is found held without it was surely not taken, what is found with it may
have been (RFC 1047). The batch of a sending counts recipients, in the same statement.
"""

from tasuki.tasks.counting import count_from

UNIT = "recipients"
"""What the batch of a sending counts."""

_HELD = "id, token, recipient, attempts, if_unknown, give_up_at <= now() AS is_last"

# A suppressed one (``reason``) ends here.
_HOLD = """state = CASE WHEN reason IS NULL THEN 'sending' ELSE 'suppressed' END,
    answer = CASE WHEN reason IS NULL THEN answer ELSE reason END,
    ended_at = CASE WHEN reason IS NULL THEN NULL ELSE now() END,
    purge_at = CASE WHEN reason IS NULL THEN NULL
        ELSE now() + CAST(:retention_s AS float8) * interval '1 second' END,
    token = CAST(:token AS uuid), content_at = NULL"""

# One that has ended is taken up again by a replay of its task, with a new term. What another task
# has on its way is left to that task, as long as it goes on.
HOLD_ONE = f"""
WITH found AS (
    SELECT id, (SELECT reason FROM mail_suppressions s WHERE s.address_key = m.recipient_key
                AND s.reason <> 'unsubscribed') AS reason
    FROM mails m
    WHERE id = :id AND (
        state IN ('queued', 'deferred')
        OR (state IN ('failed', 'suppressed', 'cancelled') AND task_id <> :task_id)
        OR (state = 'sending' AND (content_at IS NULL OR if_unknown = 'again')
            AND (task_id = :task_id OR NOT EXISTS (
                SELECT FROM tasks t WHERE t.id = m.task_id AND t.finished_at IS NULL)))
        OR (state = 'unknown' AND if_unknown = 'again'))
    FOR UPDATE
)
UPDATE mails
SET {_HOLD},
    give_up_at = CASE WHEN state IN ('failed', 'suppressed', 'cancelled')
        THEN now() + CAST(:retry_for_s AS float8) * interval '1 second' ELSE give_up_at END,
    task_id = :task_id, attempts = attempts + 1
FROM found WHERE mails.id = found.id
RETURNING {_HELD.replace("id,", "mails.id,", 1)}, state
"""  # noqa: S608  # put together from constants only

# Held by a run that is over, with its content on the way: nobody knows, and it stays so.
LEAVE_UNKNOWN = """
UPDATE mails
SET state = 'unknown', token = NULL, ended_at = now(), answer = :answer,
    purge_at = now() + CAST(:retention_s AS float8) * interval '1 second'
WHERE id = :id AND state = 'sending' AND content_at IS NOT NULL AND if_unknown = 'leave'
RETURNING id
"""

# What an earlier run of this chunk left behind. Nobody else writes: its token is gone.
_LEFT = """
SELECT id, content_at IS NOT NULL AS may_be_taken FROM mails
WHERE batch_id = :batch_id AND chunk = :chunk AND state = 'sending'
  AND token IS DISTINCT FROM CAST(:token AS uuid)
ORDER BY id FOR UPDATE
"""

RECOVER = f"""
WITH left_behind AS ({_LEFT}), changed AS (
    UPDATE mails
    SET state = CASE WHEN may_be_taken THEN 'unknown' ELSE 'queued' END, token = NULL,
        answer = CASE WHEN may_be_taken THEN CAST(:answer AS text) ELSE answer END,
        ended_at = CASE WHEN may_be_taken THEN now() END,
        purge_at = CASE WHEN may_be_taken
            THEN now() + CAST(:retention_s AS float8) * interval '1 second' END
    FROM left_behind WHERE mails.id = left_behind.id
    RETURNING batch_id, state
), moves AS (
    SELECT batch_id, CASE WHEN state = 'unknown' THEN 'failed' ELSE 'queued' END AS goes_to
    FROM changed
), {count_from("running", unit=UNIT)}
SELECT count(*) FROM changed
"""  # noqa: S608  # put together from constants only

# A replay of a chunk: what failed, or was cancelled with its task, gets a new term.
_TAKE_UP = """
WITH again AS (
    SELECT id, state FROM mails
    WHERE batch_id = :batch_id AND chunk = :chunk AND task_id <> :task_id
      AND state = :state
    ORDER BY id FOR UPDATE
), changed AS (
    UPDATE mails
    SET state = 'queued', task_id = :task_id, due_at = now(), ended_at = NULL, purge_at = NULL,
        give_up_at = now() + CAST(:retry_for_s AS float8) * interval '1 second'
    FROM again WHERE mails.id = again.id
    RETURNING batch_id
), moves AS (
    SELECT batch_id, 'queued' AS goes_to FROM changed
), {count}
SELECT count(*) FROM changed
"""
TAKE_UP_FAILED = _TAKE_UP.format(count=count_from("failed", unit=UNIT))
TAKE_UP_CANCELLED = _TAKE_UP.format(count=count_from("cancelled", unit=UNIT))

HOLD_MANY = f"""
WITH due AS (
    SELECT m.id, s.reason FROM mails m
    LEFT JOIN mail_suppressions s ON s.address_key = m.recipient_key
    WHERE m.batch_id = :batch_id AND m.chunk = :chunk AND m.state IN ('queued', 'deferred')
      AND m.due_at <= now()
      AND EXISTS (SELECT 1 FROM mail_sendings
                  WHERE mail_sendings.id = :batch_id AND paused_at IS NULL)
    ORDER BY m.due_at, m.id
    LIMIT :most
    FOR UPDATE OF m SKIP LOCKED
), held AS (
    UPDATE mails
    SET {_HOLD},
        attempts = attempts + (reason IS NULL)::int
    FROM due WHERE mails.id = due.id
    RETURNING {_HELD.replace("id,", "mails.id,", 1)}, state, batch_id
), moves AS (
    SELECT batch_id,
           CASE WHEN state = 'sending' THEN 'running' ELSE 'cancelled' END AS goes_to
    FROM held
), {count_from("queued", unit=UNIT)}
SELECT id, token, recipient, attempts, if_unknown, is_last, state FROM held
"""  # noqa: S608  # put together from constants only

MARK = """
WITH given AS (
    SELECT m.id FROM mails m
    JOIN unnest(CAST(:ids AS uuid[]), CAST(:tokens AS uuid[])) AS g (id, token)
      ON m.id = g.id AND m.token = g.token
    WHERE m.state = 'sending' ORDER BY m.id FOR UPDATE OF m
)
UPDATE mails SET content_at = now() FROM given WHERE mails.id = given.id RETURNING mails.id
"""

END = f"""
WITH ends AS (
    SELECT e.* FROM jsonb_to_recordset(CAST(:ends AS jsonb)) AS e (
        id uuid, token uuid, state text, answer text, pause_s float8, is_address_fault boolean)
    JOIN mails m ON m.id = e.id AND m.token = e.token AND m.state = 'sending'
    ORDER BY e.id FOR UPDATE OF m
), ended AS (
    UPDATE mails
    SET state = ends.state, answer = ends.answer, token = NULL,
        due_at = now() + coalesce(ends.pause_s, 0) * interval '1 second',
        ended_at = CASE WHEN ends.pause_s IS NULL THEN now() END,
        purge_at = CASE WHEN ends.pause_s IS NULL
            THEN now() + CAST(:retention_s AS float8) * interval '1 second' END
    FROM ends WHERE mails.id = ends.id
    RETURNING mails.id, mails.state, batch_id, recipient, recipient_key, mails.answer,
              ends.is_address_fault
), blamed AS (
    INSERT INTO mail_suppressions (address_key, address, reason, detail)
    SELECT DISTINCT ON (recipient_key) recipient_key, recipient, 'rejected', answer
    FROM ended WHERE is_address_fault
    ON CONFLICT (address_key) DO UPDATE
        SET reason = 'rejected', detail = excluded.detail
        WHERE mail_suppressions.reason = 'unsubscribed'
), moves AS (
    SELECT batch_id, CASE WHEN state = 'sent' THEN 'succeeded'
        WHEN state IN ('queued', 'deferred') THEN 'queued' ELSE 'failed' END AS goes_to
    FROM ended WHERE batch_id IS NOT NULL
), {count_from("running", unit=UNIT)}
SELECT id, batch_id, (SELECT next_id FROM counted WHERE counted.id = ended.batch_id) AS next_id
FROM ended
"""  # noqa: S608  # put together from constants only

CHUNK = """
SELECT count(*) AS total,
       count(*) FILTER (WHERE state IN ('queued', 'sending', 'deferred')) AS waiting,
       count(*) FILTER (WHERE state = 'sent') AS sent,
       count(*) FILTER (WHERE state = 'failed') AS failed,
       count(*) FILTER (WHERE state = 'suppressed') AS suppressed,
       count(*) FILTER (WHERE state = 'unknown') AS unknown,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
       CAST(extract(epoch FROM min(due_at) FILTER (WHERE state IN ('queued', 'deferred')) - now())
            AS float8) AS due_in_s,
       EXISTS (SELECT 1 FROM mail_sendings WHERE id = :batch_id AND paused_at IS NOT NULL)
           AS is_paused
FROM mails WHERE batch_id = :batch_id AND chunk = :chunk
"""

# The next message may go when the last one's share of a second is over.
TAKE_PACE = """
UPDATE mail_pace
SET next_at = greatest(next_at, now()) + :messages / CAST(:per_s AS float8) * interval '1 second'
WHERE id = 1
RETURNING CAST(extract(epoch FROM next_at - now()) AS float8)
    - :messages / CAST(:per_s AS float8) AS wait_s
"""

CANCEL = f"""
WITH stopped AS (
    SELECT id FROM mails
    WHERE batch_id = :batch_id AND state IN ('queued', 'deferred') ORDER BY id FOR UPDATE
), cancelled AS (
    UPDATE mails
    SET state = 'cancelled', ended_at = now(),
        purge_at = now() + CAST(:retention_s AS float8) * interval '1 second'
    FROM stopped WHERE mails.id = stopped.id
    RETURNING batch_id
), moves AS (
    SELECT batch_id, 'cancelled' AS goes_to FROM cancelled
), {count_from("queued", unit=UNIT)}
SELECT count(*) AS stopped FROM cancelled
"""  # noqa: S608  # put together from constants only

# Messages whose task has ended without them: it was cancelled, expired, or took down its workers.
_ORPHANS = """
SELECT m.id, m.state AS was, CASE
        WHEN m.state = 'sending' AND m.content_at IS NOT NULL THEN 'unknown'
        WHEN t.state IN ('cancelled', 'expired') THEN 'cancelled' ELSE 'failed' END AS becomes,
    'its task is ' || coalesce(t.state, 'gone') AS why
FROM mails m LEFT JOIN tasks t ON t.id = m.task_id
WHERE m.state IN {states}
  AND (t.id IS NULL OR t.finished_at < now() - interval '10 seconds')
ORDER BY m.id LIMIT :most FOR UPDATE OF m SKIP LOCKED
"""
_END_ORPHANS = f"""
WITH orphans AS ({_ORPHANS}), ended AS (
    UPDATE mails
    SET state = becomes, token = NULL, ended_at = now(),
        answer = CASE WHEN becomes = 'unknown' THEN :answer ELSE why END,
        purge_at = now() + CAST(:retention_s AS float8) * interval '1 second'
    FROM orphans WHERE mails.id = orphans.id
    RETURNING batch_id, state
), moves AS (
    SELECT batch_id, CASE WHEN state = 'cancelled' THEN 'cancelled' ELSE 'failed' END AS goes_to
    FROM ended WHERE batch_id IS NOT NULL
), {{count}}
SELECT DISTINCT batch_id, count(*) OVER () AS found FROM ended
"""  # noqa: S608  # put together from constants only
END_WAITING_ORPHANS = _END_ORPHANS.format(
    states="('queued', 'deferred')", count=count_from("queued", unit=UNIT)
)
END_HELD_ORPHANS = _END_ORPHANS.format(
    states="('sending')", count=count_from("running", unit=UNIT)
)

PURGE = """
WITH old AS (
    DELETE FROM mails WHERE id IN (
        SELECT id FROM mails WHERE purge_at <= now() ORDER BY purge_at LIMIT :most
        FOR UPDATE SKIP LOCKED)
    RETURNING id
), words AS (
    DELETE FROM mail_sendings WHERE id IN (
        SELECT s.id FROM mail_sendings s
        WHERE NOT EXISTS (SELECT 1 FROM mails WHERE mails.batch_id = s.id)
          AND s.created_at < now() - interval '1 hour' LIMIT :most)
)
SELECT count(*) AS deleted FROM old
"""

DELETE FROM revisions WHERE name = 'ping';
DROP TABLE presence_checks;
CREATE INDEX outbox_due ON outbox (state, next_attempt_at, id, lease_until);
DROP INDEX outbox_due_to;

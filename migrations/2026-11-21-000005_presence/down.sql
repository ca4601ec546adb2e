DROP TABLE announced;
DROP TABLE agreements;
DROP INDEX outbox_states;
DELETE FROM outbox WHERE kind = 'clientinfo';
DELETE FROM revisions WHERE name = 'client_info';
DROP TABLE client_readers;
DROP TABLE client_views;
DROP TABLE client_info;
DROP TABLE presence;

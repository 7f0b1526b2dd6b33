-- What is deployed: one transaction on the leader, without BEGIN, COMMIT and the commands of psql.
-- Replace it by your own. As it is it changes nothing, so hold, deployment and rollback can be tried.
SELECT count(*) FROM pg_class;

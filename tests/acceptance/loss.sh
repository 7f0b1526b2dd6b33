#!/usr/bin/env bash
# The loss report, against a generator that knows what it wrote since the mark.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

cat >"$work/migration.sql" <<'EOF'
CREATE TABLE made (id int PRIMARY KEY, v text);
INSERT INTO made SELECT g, 'made' FROM generate_series(1, 250) g;
ALTER TABLE grown ADD COLUMN more int;
EOF

prepare() {
    local leader
    "$cluster" op curl -sf -XPATCH -d '{"postgresql":{"parameters":{"wal_level":"logical","max_prepared_transactions":10}}}' \
        http://10.77.0.11:8008/config >/dev/null || fail "could not set wal_level"
    until_true 20 needs_restart || fail "wal_level asks for no restart"
    "$cluster" patronictl restart cluster-pgsql --force >/dev/null 2>&1
    until_true 60 equal_everywhere logical 'SHOW wal_level' || fail "wal_level is not logical"
    "$cluster" wait 60 >/dev/null || fail "the cluster is not healthy"
    leader=$("$cluster" leader)
    psql_on "$leader" "
        CREATE TABLE busy (id int PRIMARY KEY, v text);
        INSERT INTO busy SELECT g, 'x' FROM generate_series(1, 1000) g;
        CREATE TABLE parts (k int, v text) PARTITION BY LIST (k);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
        CREATE TABLE parts_2 PARTITION OF parts FOR VALUES IN (2);
        INSERT INTO parts SELECT 1, g::text FROM generate_series(1, 100) g;
        CREATE TABLE gone (x int); INSERT INTO gone SELECT generate_series(1, 321);
        CREATE TABLE emptied (x int PRIMARY KEY, v text); INSERT INTO emptied SELECT g, 'x' FROM generate_series(1, 55) g;
        CREATE TABLE widened (x int); INSERT INTO widened SELECT generate_series(1, 77);
        CREATE TABLE grown (x int);
        CREATE TABLE late (x int);
        CREATE TABLE copied (a int, b text);
        CREATE TABLE wide (id int, v text);
        CREATE SEQUENCE numbers;
        ANALYZE" || fail "could not make the data"
    psql_on "$leader" 'CREATE DATABASE other' || fail "no other database"
    "$cluster" sh "$leader" "cd / && sudo -u postgres psql -Xq -d other -c 'CREATE TABLE elsewhere (x int)'" || fail "no other database"
    psql_on "$leader" "SELECT pg_create_logical_replication_slot('watched', 'test_decoding')" >/dev/null || fail "no slot"
}

needs_restart() {
    "$cluster" op curl -s http://10.77.0.13:8008/patroni | grep -q '"pending_restart": *true'
}

# A transaction that begins before the mark and commits after it: 40 rows before, 2 after.
begin_before_the_mark() {
    mkfifo "$work/pipe"
    "$cluster" psql "$("$cluster" leader)" -Xq -v ON_ERROR_STOP=1 <"$work/pipe" >/dev/null 2>&1 &
    early=$!
    exec 7>"$work/pipe"
    echo 'BEGIN; INSERT INTO late SELECT generate_series(1, 40);' >&7
    until_true 10 has_begun || fail "the early transaction did not begin"
}

has_begun() {
    [ "$(psql_on "$("$cluster" leader)" "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")" = 1 ]
}

# Every statement is a transaction of its own; the counts are beside them.
generate() {
    "$cluster" psql "$1" -Xq >"$work/generated" 2>&1 <<'SQL'
-- busy: 3 inserted (one more was rolled back to its savepoint)
BEGIN;
INSERT INTO busy VALUES (2001, 'a');
SAVEPOINT one; INSERT INTO busy VALUES (2002, 'b'); ROLLBACK TO one;
SAVEPOINT two; INSERT INTO busy VALUES (2003, 'c'); RELEASE two;
INSERT INTO busy VALUES (2004, 'd');
COMMIT;
-- nothing
BEGIN; UPDATE busy SET v = 'never' WHERE id <= 500; DELETE FROM gone; ROLLBACK;
-- busy: 100 updated in place, 1 with a new key, 30 deleted
UPDATE busy SET v = 'y' WHERE id <= 100;
UPDATE busy SET id = 5000 WHERE id = 101;
DELETE FROM busy WHERE id BETWEEN 201 AND 230;
-- busy: 1 updated, 1 inserted
INSERT INTO busy VALUES (1, 'q'), (2005, 'q') ON CONFLICT (id) DO UPDATE SET v = 'upserted';
-- parts: 60 updated of which 20 move, 5 deleted, 7 inserted
UPDATE parts SET v = 'u' WHERE v::int BETWEEN 1 AND 40;
UPDATE parts SET k = 2 WHERE v IN (SELECT g::text FROM generate_series(41, 60) g);
DELETE FROM parts WHERE v IN ('61', '62', '63', '64', '65');
INSERT INTO parts SELECT 2, 'new' FROM generate_series(1, 7);
DROP TABLE gone;
-- emptied: 9 inserted, 3 more that were truncated again
TRUNCATE emptied;
INSERT INTO emptied SELECT g, 'n' FROM generate_series(101, 103) g;
BEGIN; TRUNCATE emptied; INSERT INTO emptied SELECT g, 'n' FROM generate_series(1, 9) g; COMMIT;
-- widened: 4 inserted, and rewritten twice
ALTER TABLE widened ALTER x TYPE bigint;
INSERT INTO widened SELECT generate_series(1, 4);
VACUUM FULL widened;
-- copied: 1200 inserted by COPY
COPY copied FROM PROGRAM 'seq 1 1200 | sed "s/$/\ttext/"';
-- wide: 2 inserted, 1 updated, all stored out of line
INSERT INTO wide SELECT g, (SELECT string_agg(md5((g * i)::text), '') FROM generate_series(1, 3000) i) FROM generate_series(1, 2) g;
UPDATE wide SET v = v || 'a' WHERE id = 1;
-- no rows
SELECT nextval('numbers');
BEGIN; SELECT 1 FROM busy WHERE id = 7 FOR UPDATE; COMMIT;
ANALYZE busy;
CREATE INDEX busy_v ON busy (v);
CREATE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT 42';
-- busy: 6 inserted by a transaction that was prepared
BEGIN; INSERT INTO busy SELECT g, 'p' FROM generate_series(3001, 3006) g; PREPARE TRANSACTION 'one'; COMMIT PREPARED 'one';
BEGIN; INSERT INTO busy SELECT g, 'p' FROM generate_series(4001, 4006) g; PREPARE TRANSACTION 'two'; ROLLBACK PREPARED 'two';
SQL
    "$cluster" sh "$1" "cd / && sudo -u postgres psql -Xq -d other -c 'INSERT INTO elsewhere SELECT generate_series(1, 12)'" >>"$work/generated" 2>&1
    grep -E 'ERROR' "$work/generated" && fail "the generator failed"
    echo 'INSERT INTO late SELECT generate_series(1, 2); COMMIT;' >&7
    exec 7>&-
    wait "$early" || fail "the early transaction failed"
}

# Transactions above that changed a row or an object, the early one and the migration.
commits=25

wanted_rows='busy|10|102|30
copied|1200|0|0
elsewhere|12|0|0
emptied|12|0|0
late|42|0|0
made|250|0|0
parts|7|60|5
widened|4|0|0
wide|2|1|0'

report() { # OPTION...
    holdback loss "$@"
    expect_status 0
}

# "name|inserted|updated|deleted", from the JSON form
rows_told() {
    python3 - "$work/out" <<'EOF'
import json, sys
for table in json.load(open(sys.argv[1]))["tables"]:
    print(table["name"].split(".")[1], table["inserted"], table["updated"], table["deleted"], sep="|")
EOF
}

told() { # EXPRESSION of the report r
    python3 -c 'import json, sys
r = json.load(open(sys.argv[1]))
print(eval(sys.argv[2]))' "$work/out" "$1"
}

the_report_equals_what_the_generator_wrote() {
    local got
    report --format json
    cp "$work/out" "$work/report.json"
    got=$(rows_told | LC_ALL=C sort)
    [ "$got" = "$wanted_rows" ] || fail "rows differ:
$(diff <(echo "$wanted_rows") <(echo "$got"))"
    [ "$(told 'r["commits"]')" = "$commits" ] || fail "$(told 'r["commits"]') commits, not $commits"
    [ "$(told 'r["at_least"]')" = False ] || fail "the report is not whole: $(told 'r["notes"]')"
    [ "$(told 'r["open_at_mark"]')" = 1 ] || fail "$(told 'r["open_at_mark"]') had begun before the mark"
    [ "$(told 'r["begun_before_mark"][0]["rows"]')" = 42 ] || fail "rows of the early transaction"
    [ "$(told 'r["sequences"]')" = 1 ] || fail "$(told 'r["sequences"]') sequences"
    [ "$(told 'r["unnamed_tables"]')" = 0 ] || fail "$(told 'r["unnamed_tables"]') tables have no name"
    # The migration's and that of the wide rows are about as large; by version the one or the other is larger.
    [ "$(told '250 in [t["rows"] for t in r["largest"][:2]]')" = True ] || fail "the largest transactions: $(told 'r["largest"]')"
}

the_report_names_every_object_that_was_made_dropped_or_changed() {
    local got wanted
    report --format json
    got=$(told '"\n".join(sorted(o["what"] + " " + o["type"] + " " + o["name"] for o in r["objects"]))')
    wanted='altered table public.grown
created function public.answer()
created index public.busy_v
created table public.made
dropped table public.gone
rewritten table public.widened
truncated table public.emptied'
    [ "$got" = "$wanted" ] || fail "objects differ:
$(diff <(echo "$wanted") <(echo "$got"))"
    told '[o["note"] for o in r["objects"] if o["what"] == "dropped"]' | grep -q 'about 321 rows' || fail "the dropped table's rows"
}

a_slot_that_was_read_is_said_to_be_ahead() {
    psql_on "$("$cluster" leader)" "SELECT count(*) FROM pg_logical_slot_get_changes('watched', NULL, NULL)" >/dev/null
    report
    cp "$work/out" "$work/report.txt"
    expect_message 'slot watched (database postgres, test_decoding) is confirmed to'
    expect_message 'ahead of the mark'
}

the_gate_of_a_rollback_tells_it_before_it_asks() {
    holdback rollback
    expect_status 8
    expect_message "$commits commits since the mark would be undone"
    "$HOLDBACK" log >"$work/log"
    grep -q "loss: $commits commits since the mark" "$work/log" || fail "it is not journalled"
    "$cluster" op python3 - "$HOLDBACK" >"$work/out" 2>&1 <<'EOF'
import os, pty, sys
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "rollback"])
said = b""
try:
    while b"[y/N]" not in said:
        said += os.read(fd, 4096)
    os.write(fd, b"n\n")
    while True:
        said += os.read(fd, 4096)
except OSError:
    pass
os.waitpid(pid, 0)
print(said.decode())
EOF
    cp "$work/out" "$work/report.gate"
    expect_message 'late: 42 inserted'
    expect_message 'Roll back?'
}

a_dead_leader_leaves_what_the_others_have_received() {
    "$cluster" kill "$("$cluster" leader)" || fail "could not kill the leader"
    report --format json
    [ "$(rows_told | LC_ALL=C sort)" = "$wanted_rows" ] || fail "rows differ: $(rows_told)"
    [ "$(told 'r["commits"]')" = "$commits" ] || fail "$(told 'r["commits"]') commits, not $commits"
    [ "$(told 'r["at_least"]')" = True ] || fail "it claims to know all"
    told 'r["notes"]' | grep -q 'There is no leader to ask' || fail "it does not say what it lacks"
    report
    cp "$work/out" "$work/report.dead"
}

the_held_standby_alone_tells_the_rows_of_the_tables_that_it_knows() {
    local held other
    held=$(held)
    for other in $(members); do
        [ "$other" = "$held" ] || "$cluster" kill "$other" 2>/dev/null
    done
    report --format json
    [ "$(rows_told | LC_ALL=C sort)" = "$(grep -v '^made' <<<"$wanted_rows")" ] || fail "rows differ:
$(diff <(grep -v '^made' <<<"$wanted_rows") <(rows_told | LC_ALL=C sort))"
    [ "$(told 'r["unnamed_tables"] >= 1')" = True ] || fail "the new table is not told"
    told '[o["what"] for o in r["objects"]]' | grep -q 'dropped, truncated or rewritten' || fail "objects"
    report
    cp "$work/out" "$work/report.alone"
}

"$cluster" up >/dev/null || exit 1
(prepare) || exit 1
begin_before_the_mark
# Outside of maintenance mode Patroni drops a slot that its configuration does not name, and another would take over
# from a dead leader.
deploy "$work/migration.sql" --set hold=maintenance
expect_status 0
generate "$("$cluster" leader)"
run_tests \
    the_report_equals_what_the_generator_wrote \
    the_report_names_every_object_that_was_made_dropped_or_changed \
    a_slot_that_was_read_is_said_to_be_ahead \
    the_gate_of_a_rollback_tells_it_before_it_asks \
    a_dead_leader_leaves_what_the_others_have_received \
    the_held_standby_alone_tells_the_rows_of_the_tables_that_it_knows

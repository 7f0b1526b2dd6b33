# shellcheck shell=bash
# What the acceptance tests share: a cluster of their own, holdback run against it, writers, and proofs.
# A test is a function whose name is a true sentence; `run_tests` runs those it is given.

set -uo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
cluster=$root/tests/cluster/cluster.sh
HOLDBACK=${HOLDBACK:-$root/build/holdback}
HOLDBACK_TEST_CLUSTER=${HOLDBACK_TEST_CLUSTER:-t-$(basename "$0" .sh | tr _ -)}
export HOLDBACK_TEST_CLUSTER HOLDBACK_TEST_OWNER=$$
state=/run/holdback-test/$HOLDBACK_TEST_CLUSTER
work=$(mktemp -d /tmp/holdback-acceptance.XXXXXX)
export HOLDBACK_JOURNAL=$work/journal
plan=$root/plans/blue-green.yml
file=$state/cluster-socket.yml
# The hosts' PostgreSQL; tests/versions/run.sh sets another system than the machine's own.
postgres=15
[ -z "${HOLDBACK_TEST_SYSTEM:-}" ] || postgres=$(ls "$HOLDBACK_TEST_SYSTEM/usr/lib/postgresql")
data=/var/lib/postgresql/$postgres/main bin=/usr/lib/postgresql/$postgres/bin
passed=0 failed=0 writers=()

clean_up() {
    stop_writers
    "$cluster" down >/dev/null 2>&1
    rm -rf "$work"
}
trap clean_up EXIT

fail() {
    echo "    $*" >&2
    exit 1
}

# Runs holdback as the operator. Output goes to $work/out and $work/err, the status to $status. Nothing here takes minutes:
# what hangs is interrupted, and its output shown as that of every other failure.
holdback() {
    "$cluster" op timeout --foreground -s INT -k 20 240 "$HOLDBACK" "$@" </dev/null >"$work/out" 2>"$work/err"
    status=$?
    return 0
}

expect_status() {
    [ "$status" -eq "$1" ] || {
        sed 's/^/    | /' "$work/err" "$work/out" >&2
        [ "$status" -ne 124 ] || say_what_is_wrong
        fail "exit status $status, not $1"
    }
}

expect_message() {
    grep -qF -- "$1" "$work/err" "$work/out" || {
        sed 's/^/    | /' "$work/err" "$work/out" >&2
        fail "no \"$1\" in what holdback said"
    }
}

deploy() { # MIGRATION [OPTION...]
    local migration=$1
    shift
    holdback deploy "$plan" -c "$file" --set "migration=$migration" --yes "$@"
}

psql_on() { # HOST SQL: one value or several lines, unaligned
    "$cluster" psql "$1" -XqAt -v ON_ERROR_STOP=1 -c "$2"
}

until_true() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.2
    done
}

members() {
    local folder
    for folder in "$state"/pg?; do
        basename "$folder"
    done
}

standbys() {
    members | grep -vx "$("$cluster" leader)"
}

# The last standby will be held, by the cluster file that is used from here on.
choose_held() {
    held=$(standbys | tail -1)
    file=$work/cluster.yml
    sed "\$a roles: {held: [$held]}" "$state/cluster-socket.yml" >"$file"
}

open_run() {
    "$HOLDBACK" status 2>/dev/null | grep -o '[0-9]\{8\}-[0-9]\{6\}-[0-9a-f]\{8\}' | head -1
}

# A person says of each step that HOST, which is off, cannot answer for: done. The run, stopped for that, goes on to its end.
resolve_without() { # HOST
    local run step
    run=$(open_run)
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do
        step=$(grep -oh "resolve $run [a-z-]*@$1" "$work/err" "$work/out" | head -1 | sed 's/.* //; s/@.*//')
        [ -n "$step" ] || {
            sed 's/^/    | /' "$work/err" >&2
            fail "nothing to resolve is named"
        }
        holdback resolve "$run" "$step@$1" --as "done" --why 'the machine is off, its power cord is in my hand'
        expect_status 0
        holdback resume --yes
        [ "$status" -eq 4 ] || break
    done
    expect_status 0
    # It was fenced by nobody: it comes back by itself, as a standby of the new leader. What we left on it goes when the run is
    # closed once more.
    "$cluster" boot "$1" || fail "could not boot $1"
    "$cluster" wait 60 >/dev/null || fail "$1 does not come back"
    holdback close "$run" --why 'the machine is back'
    expect_status 0
}

# ---- data ----

make_data() {
    psql_on "$("$cluster" leader)" "
        CREATE TABLE untouched AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 20000) g;
        CREATE TABLE spoilt AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 20000) g;
        CREATE TABLE dropped AS SELECT g AS id FROM generate_series(1, 5000) g;
        CREATE TABLE writes (writer int, id bigint, PRIMARY KEY (writer, id))" || fail "could not make the data"
}

cat >"$work/destructive.sql" <<'EOF'
DROP TABLE dropped;
UPDATE spoilt SET v = 'spoilt' WHERE id % 2 = 0;
CREATE TABLE added (x int);
INSERT INTO added SELECT generate_series(1, 1000);
EOF

# Fails in its last statement, after it has changed much.
cat >"$work/failing.sql" <<'EOF'
DROP TABLE dropped;
UPDATE spoilt SET v = 'spoilt';
SELECT 1 / (SELECT count(*) FROM untouched WHERE id < 0);
EOF

cat >"$work/good.sql" <<'EOF'
CREATE TABLE added (x int);
INSERT INTO added SELECT generate_series(1, 1000);
EOF

digest() { # HOST: of the tables that a deployment spoils
    psql_on "$1" "SELECT (SELECT md5(string_agg(id || v, ',' ORDER BY id)) FROM untouched),
        (SELECT md5(string_agg(id || v, ',' ORDER BY id)) FROM spoilt), (SELECT sum(id) FROM dropped)"
}

# Each writer inserts 1, 2, 3, ... one row a transaction, wherever writes are accepted.
writer() {
    local number=$1 hosts=10.77.0.11,10.77.0.12,10.77.0.13
    export PGPASSWORD PGCONNECT_TIMEOUT=2
    PGPASSWORD=$(cat "$state/pgpassword")
    while :; do
        {
            for _ in $(seq 1 2000); do
                echo "INSERT INTO writes SELECT $number, coalesce(max(id), 0) + 1 FROM writes WHERE writer = $number;"
                echo "SELECT pg_sleep(0.01);"
            done
        } | psql -XqAt -v ON_ERROR_STOP=1 "host=$hosts user=postgres dbname=postgres target_session_attrs=read-write" >/dev/null 2>&1
        sleep 0.1
    done
}

start_writers() {
    local number
    for number in 1 2 3; do
        "$cluster" op "$BASH" -c "$(declare -f writer); state=$state; writer $number" &
        writers+=($!)
    done
}

stop_writers() {
    local pid
    for pid in "${writers[@]}"; do
        # The writer is a shell with a psql below it, in the operator's namespace.
        pkill -KILL -P "$pid" 2>/dev/null
        kill -KILL "$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    writers=()
}

saved() { # NAME: a value of the newest run's journal
    "$HOLDBACK" log --format json 2>/dev/null | grep -o "\"$1\":\"[^\"]*\"" | tail -1 | cut -d'"' -f4
}

# The node that the newest run holds.
held() {
    "$HOLDBACK" log --format json | grep -o '"held":\["[^"]*"' | tail -1 | cut -d'"' -f4
}

# The writers' rows that had committed before the mark, from the leader's own WAL.
rows_before_mark() { # LEADER
    local end timeline
    end=$(saved point_lsn)
    timeline=$(saved timeline)
    psql_on "$1" "SELECT writer, id, xmin::text FROM writes" | sort >"$work/rows"
    "$cluster" sh "$1" "cd / && sudo -u postgres $bin/pg_waldump -p $data/pg_wal \
        -t $timeline -s $start_lsn -e $end -r Transaction 2>/dev/null" |
        sed -n 's/.* tx: *\([0-9]*\),.* desc: COMMIT.*/\1/p' | sort -u >"$work/committed"
    awk -F'|' 'NR == FNR { done[$1] = 1; next } $3 in done { print $1 "|" $2 }' "$work/committed" "$work/rows" | sort
}

# ---- proofs ----

equal_everywhere() { # WANTED QUERY
    local host got
    for host in $(members); do
        got=$(psql_on "$host" "$2") || return 1
        [ "$got" = "$1" ] || return 1
    done
}

prove_nothing_is_left() {
    local host left
    for host in $(members); do
        left=$("$cluster" sh "$host" "ls -d /root/.holdback /home/ops/.holdback/* /var/lib/postgresql/.holdback/* \
            $data/*.signal $data.* /etc/systemd/system/patroni.service.d/holdback* 2>/dev/null; :" | grep -v standby.signal)
        [ -z "$left" ] || fail "left on $host: $left"
        "$cluster" sh "$host" "grep -E 'recovery_target|listen_addresses|restore_command' $data/postgresql.auto.conf" &&
            fail "recovery settings are left on $host"
        "$cluster" sh "$host" 'systemctl is-enabled -q patroni' || fail "patroni is not enabled on $host"
    done
    psql_on "$("$cluster" leader)" "SELECT 1 FROM pg_namespace WHERE nspname = 'holdback'" | grep -q 1 &&
        fail "the schema holdback is left"
    return 0
}

# What Patroni and PostgreSQL say, before the cluster is thrown away.
say_what_is_wrong() {
    local host
    {
        "$cluster" list
        for host in $(members); do
            echo "$host:"
            "$cluster" log "$host" -q -n 40 -o cat -u patroni
        done
    } 2>&1 | sed 's/^/    | /' >&2
}

prove_healthy() {
    local leader
    "$cluster" wait 30 >/dev/null || { say_what_is_wrong; fail "the cluster is not healthy"; }
    leader=$("$cluster" leader)
    psql_on "$leader" "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS proof (x int); INSERT INTO proof VALUES (1)" || fail "no writes on $leader"
    until_true 10 equal_everywhere "$(psql_on "$leader" 'SELECT count(*) FROM proof')" 'SELECT count(*) FROM proof' ||
        fail "a row does not arrive everywhere"
    "$cluster" list | grep -q 'Maintenance mode' && fail "maintenance mode is on"
    psql_on "$leader" "SELECT pg_switch_wal()" >/dev/null
    until_true 10 archives "$leader" || fail "archiving does not work: $(psql_on "$leader" 'SELECT last_archived_wal, last_failed_wal FROM pg_stat_archiver') $("$cluster" log "$leader" | grep -i archiv | tail -3)"
}

archives() {
    [ "$(psql_on "$1" "SELECT last_archived_time > now() - interval '20 seconds' AND (last_failed_time IS NULL OR last_failed_time < last_archived_time) FROM pg_stat_archiver")" = t ]
}

config() {
    "$cluster" op curl -s "http://10.77.0.11:8008/config"
}

remember() {
    before_digest=$(digest "$("$cluster" leader)")
    before_config=$(config)
    start_lsn=$(psql_on "$("$cluster" leader)" "SELECT pg_current_wal_lsn()")
}

prove_rolled_back() { # expects $work/expected-rows
    local host
    prove_healthy
    for host in $(members); do
        [ "$(digest "$host")" = "$before_digest" ] || fail "tables differ on $host"
        [ -z "$(psql_on "$host" "SELECT to_regclass('added')")" ] || fail "the new table is on $host"
        psql_on "$host" "SELECT writer || '|' || id FROM writes WHERE (writer, id) IN (SELECT writer, id FROM writes)" >/dev/null
    done
    [ "$(config)" = "$before_config" ] || fail "the DCS configuration differs"
    prove_nothing_is_left
}

prove_committed() { # SECONDS: in which the deployment is everywhere
    prove_healthy
    until_true "$1" equal_everywhere 1000 'SELECT count(*) FROM added' || fail "the deployment is not everywhere"
    [ "$(config)" = "$before_config" ] || fail "the DCS configuration differs"
    prove_nothing_is_left
    psql_on "$("$cluster" leader)" 'DROP TABLE added'
}

run_tests() {
    local test began
    for test in "$@"; do
        began=${EPOCHREALTIME/./}
        if ("$test"); then
            passed=$((passed + 1))
            printf 'ok      %6d ms  %s\n' $(((${EPOCHREALTIME/./} - began) / 1000)) "${test//_/ }"
        else
            failed=$((failed + 1))
            # The run that it left open would be in the way of the tests after it.
            "$cluster" op "$HOLDBACK" close --why 'its test failed' >/dev/null 2>&1
            printf 'FAILED  %6d ms  %s\n' $(((${EPOCHREALTIME/./} - began) / 1000)) "${test//_/ }"
        fi
    done
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
}

# shellcheck shell=bash
# What the parts named silent_* share: a run in a hold of one's choice, and an event that it must notice.
# shellcheck source=lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
archive=$(dirname "$data")/wal_archive

# Sleeps only as long as somebody wants it to.
{ cat "$work/destructive.sql"; echo "SELECT pg_sleep(60) FROM slow;"; } >"$work/slow.sql"

address() {
    echo "10.77.0.1${1#pg}"
}

begin_with() { # HOLD MIGRATION [OPTION...]
    remember
    choose_held
    deploy "$2" --set "hold=$1" "${@:3}"
}

begin() { # HOLD MIGRATION [OPTION...]
    begin_with "$@"
    expect_status 0
    [ "$(psql_on "$held" "SELECT to_regclass('added') IS NULL")" = t ] || fail "$held is not held"
}

begin_slowly() { # HOLD [OPTION...]
    remember
    choose_held
    psql_on "$("$cluster" leader)" "SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS slow AS SELECT 1 AS x" || fail "could not slow it down"
    deploy_in_background "$work/slow.sql" --set "hold=$1" "${@:2}"
}

# Until the migration sleeps.
deploy_in_background() { # MIGRATION [OPTION...]
    "$cluster" op "$HOLDBACK" deploy "$plan" -c "$file" --set "migration=$1" --yes "${@:2}" \
        </dev/null >"$work/out" 2>"$work/err" &
    deployment=$!
    until_true 60 migrating || {
        sed 's/^/    | /' "$work/err" >&2
        fail "the migration did not begin"
    }
}

migrating() {
    [ "$(psql_on "$("$cluster" leader)" "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND wait_event = 'PgSleep'")" = 1 ]
}

go_fast() {
    psql_on "$("$cluster" leader)" "DELETE FROM slow"
}

# The run must stop by itself; half a second is for the processes that end.
stops_within_two_seconds() { # EVENT...
    local began
    began=${EPOCHREALTIME/./}
    "$@"
    wait "$deployment"
    status=$?
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    [ "$took" -lt 2500 ] || fail "it took $took ms"
}

told_within_two_seconds() { # EVENT...
    stops_within_two_seconds "$@"
    expect_status 7
}

# ---- events on the held node ----

restart_postgres() {
    "$cluster" sh "$held" "cd / && sudo -u postgres $bin/pg_ctl -D $data -m fast -w restart >/dev/null"
}

crash_a_backend() {
    psql_on "$held" "SELECT pg_sleep(30)" >/dev/null 2>&1 &
    until_true 5 backend_sleeps || fail "no backend to kill"
    "$cluster" sh "$held" "kill -KILL $(psql_on "$held" "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' LIMIT 1")"
}

backend_sleeps() {
    [ "$(psql_on "$held" "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%'")" -ge 1 ]
}

lose_power() {
    "$cluster" kill "$held"
}

# Outside of its service, where no fence holds it.
start_patroni_by_hand() { # HOST
    "$cluster" sh "$1" 'systemd-run -q -p TimeoutStopSec=10 --uid=postgres --setenv=PATH=/usr/bin:/bin --unit=by-hand patroni /etc/patroni/config.yml'
}

stop_patroni_by_hand() { # HOST
    "$cluster" sh "$1" 'systemctl stop by-hand; systemctl reset-failed by-hand' 2>/dev/null
}

kill_the_leader() {
    dead=$("$cluster" leader)
    "$cluster" kill "$dead"
}

leads() {
    [ "$("$cluster" leader 2>/dev/null)" = "$1" ]
}

rolls_back_now() {
    holdback rollback --yes
    expect_status 0
    prove_rolled_back
}

roll_back_without() { # HOST
    holdback rollback --yes
    expect_status 4
    resolve_without "$1"
}

# The tests that are named, or else all whose names begin so.
chosen() { # PATTERN [TEST...]
    if [ $# -gt 1 ]; then
        printf '%s\n' "${@:2}"
    else
        declare -F | awk '{ print $3 }' | grep -E "$1"
    fi
}

# What a failed test leaves behind would fail the others.
run_each() { # TEST...
    local test bad=0
    "$cluster" up ${hosts:+--hosts "$hosts"} >/dev/null || exit 1
    make_data
    for test in "$@"; do
        run_tests "$test" | grep -v ' passed, '
        [ "${PIPESTATUS[0]}" -eq 0 ] && continue
        bad=$((bad + 1))
        "$cluster" reset >/dev/null || exit 1
        make_data
    done
    echo "$(($# - bad)) passed, $bad failed"
    [ "$bad" -eq 0 ]
}

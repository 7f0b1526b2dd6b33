#!/usr/bin/env bash
# The hold is lost during the deployment, or the old leader is dead at rollback.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

echo "SELECT pg_sleep(60);" >"$work/slow.sql"

# Deploys in the background until the migration runs.
deploy_slowly() {
    "$cluster" op "$HOLDBACK" deploy "$plan" -c "$state/cluster-socket.yml" --set "migration=$work/slow.sql" --yes \
        </dev/null >"$work/out" 2>"$work/err" &
    deployment=$!
    until_true 60 migrating || fail "the migration did not begin"
}

migrating() {
    [ "$(psql_on "$("$cluster" leader)" "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(60)%'")" = 1 ]
}

# COMMAND loses the hold; the run must stop by itself within two seconds.
stops_within_two_seconds() {
    local began
    remember
    deploy_slowly
    began=${EPOCHREALTIME/./}
    "$@"
    wait "$deployment"
    status=$?
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    expect_status 7
    [ "$took" -lt 2500 ] || fail "it took $took ms"
    expect_message 'can no longer bring the mark back'
    # Nothing was deployed: the rest of the hold is undone.
    holdback rollback --yes
    expect_status 0
    prove_rolled_back
}

restart_postgres_on_the_held_node() {
    "$cluster" sh "$(held)" "cd / && sudo -u postgres $bin/pg_ctl -D $data -m fast -w restart >/dev/null"
}

kill_a_backend_of_the_held_node() {
    psql_on "$(held)" "SELECT pg_sleep(30)" >/dev/null 2>&1 &
    until_true 5 backend_sleeps || fail "no backend to kill"
    "$cluster" sh "$(held)" "kill -KILL $(psql_on "$(held)" "SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%' LIMIT 1")"
}

backend_sleeps() {
    [ "$(psql_on "$(held)" "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(30)%'")" -ge 1 ]
}

a_restart_of_the_held_postgres_stops_the_run_within_two_seconds() {
    stops_within_two_seconds restart_postgres_on_the_held_node
}

a_killed_backend_of_the_held_postgres_stops_the_run_within_two_seconds() {
    stops_within_two_seconds kill_a_backend_of_the_held_node
}

a_lost_hold_is_never_rolled_back_to() {
    remember
    deploy "$work/good.sql"
    expect_status 0
    restart_postgres_on_the_held_node
    holdback rollback --yes
    expect_status 7
    expect_message 'cannot roll back to the mark'
    holdback commit --yes
    expect_status 7
    holdback commit --yes --without-guard still-held --without-guard same-postmaster --why 'the hold is lost, the deployment stays'
    expect_status 0
    prove_healthy
    prove_nothing_is_left
    psql_on "$("$cluster" leader)" 'DROP TABLE added'
}

a_rollback_that_nobody_confirmed_has_not_begun_and_commit_is_possible() {
    remember
    deploy "$work/good.sql"
    expect_status 0
    holdback rollback
    expect_status 8
    expect_message '--confirm way-back'
    holdback commit
    expect_status 0
    prove_healthy
    prove_nothing_is_left
    psql_on "$("$cluster" leader)" 'DROP TABLE added'
}

a_dead_leader_is_resolved_by_a_person_and_the_rollback_completes() {
    local dead
    remember
    deploy "$work/destructive.sql"
    expect_status 0
    dead=$("$cluster" leader)
    "$cluster" kill "$dead"
    holdback rollback --yes
    expect_status 4
    expect_message 'fence-leader'
    resolve_without "$dead"
    prove_rolled_back
}

"$cluster" up >/dev/null || exit 1
make_data
run_tests \
    a_restart_of_the_held_postgres_stops_the_run_within_two_seconds \
    a_killed_backend_of_the_held_postgres_stops_the_run_within_two_seconds \
    a_lost_hold_is_never_rolled_back_to \
    a_rollback_that_nobody_confirmed_has_not_begun_and_commit_is_possible \
    a_dead_leader_is_resolved_by_a_person_and_the_rollback_completes

#!/usr/bin/env bash
# Deploy and rollback, deploy and commit, on a real cluster with writers running before, during and after.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

rolls_back() { # REBUILD
    local leader
    remember
    start_writers
    sleep 1
    deploy "$work/destructive.sql" --set "rebuild=$1"
    expect_status 0
    leader=$("$cluster" leader)
    [ "$(psql_on "$leader" "SELECT to_regclass('dropped') IS NULL AND to_regclass('added') IS NOT NULL")" = t ] ||
        fail "the migration was not deployed"
    sleep 1
    rows_before_mark "$leader" >"$work/expected"
    [ -s "$work/expected" ] || fail "no writer wrote before the mark"
    holdback rollback --yes
    expect_status 0
    stop_writers
    prove_rolled_back
    prove_writers
}

# Of the writers' rows exactly those that had committed before the mark are there; what they wrote
# after the rollback goes on from these, so a row that is too many would leave a gap or a jump.
prove_writers() {
    local writer kept got leader
    leader=$("$cluster" leader)
    for writer in 1 2 3; do
        kept=$(awk -F'|' -v w=$writer '$1 == w { n++ } END { print n + 0 }' "$work/expected")
        got=$(psql_on "$leader" "SELECT count(*) FILTER (WHERE xmin::text::bigint IN (SELECT unnest(string_to_array('$(paste -sd, "$work/committed")', ',')::bigint[]))) FROM writes WHERE writer = $writer")
        [ "$got" = "$kept" ] || fail "writer $writer has $got rows from before the mark, not $kept"
        [ "$(psql_on "$leader" "SELECT count(*) = max(id) FROM writes WHERE writer = $writer")" = t ] ||
            fail "writer $writer has a gap"
    done
}

a_destructive_deployment_is_rolled_back_by_rewind() {
    rolls_back rewind
}

a_second_deployment_in_the_same_cluster_is_rolled_back_by_new_copies() {
    rolls_back wipe
}

a_deployment_that_is_committed_stays_and_the_held_standby_catches_up() {
    remember
    start_writers
    sleep 0.5
    deploy "$work/good.sql"
    expect_status 0
    holdback commit --yes
    expect_status 0
    stop_writers
    prove_committed 10
}

a_migration_that_fails_half_way_stops_and_rollback_only_lets_go() {
    local timeline
    remember
    timeline=$(psql_on "$("$cluster" leader)" 'SELECT timeline_id FROM pg_control_checkpoint()')
    deploy "$work/failing.sql"
    expect_status 1
    expect_message 'division by zero'
    expect_message 'holdback rollback'
    holdback rollback --yes
    expect_status 0
    prove_rolled_back
    [ "$(psql_on "$("$cluster" leader)" 'SELECT timeline_id FROM pg_control_checkpoint()')" = "$timeline" ] ||
        fail "something was rebuilt"
}

a_failed_deployment_is_let_go_at_once_if_asked_to() {
    remember
    deploy "$work/failing.sql" --on-failure rollback
    expect_status 10
    prove_rolled_back
}

a_mark_that_the_held_standby_has_not_received_stops_the_run_before_the_migration() {
    local leader
    remember
    leader=$("$cluster" leader)
    # A held standby's WAL receiver does not come back while replay is paused, so the mark never arrives.
    mkdir -p "$work/plans"
    cp "$root/plans/look.sql" "$work/plans"
    awk '/^  - id: mark$/ {
        print "  - id: cut-receiver"
        print "    hosts: leader"
        print "    if-interrupted: repeat"
        print "    sql:"
        print "      transaction: none"
        print "      run: SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = ${held.member}"
    } { print }' "$plan" >"$work/plans/blue-green.yml"
    plan=$work/plans/blue-green.yml deploy "$work/destructive.sql"
    [ "$status" -ne 0 ] || fail "the deployment went on"
    [ -n "$(psql_on "$leader" "SELECT to_regclass('dropped')")" ] || fail "the migration ran"
    holdback rollback --yes
    expect_status 0
    prove_rolled_back
}

"$cluster" up >/dev/null || exit 1
make_data
run_tests \
    a_destructive_deployment_is_rolled_back_by_rewind \
    a_second_deployment_in_the_same_cluster_is_rolled_back_by_new_copies \
    a_deployment_that_is_committed_stays_and_the_held_standby_catches_up \
    a_migration_that_fails_half_way_stops_and_rollback_only_lets_go \
    a_failed_deployment_is_let_go_at_once_if_asked_to \
    a_mark_that_the_held_standby_has_not_received_stops_the_run_before_the_migration

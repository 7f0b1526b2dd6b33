#!/usr/bin/env bash
# The hold is lost during the deployment, or the old leader is dead at rollback.
# shellcheck source=silent.bash
. "$(dirname "$0")/silent.bash"

echo "SELECT pg_sleep(60);" >"$work/sleep.sql"

# EVENT loses the hold of the node that blue-green.yml itself has chosen.
stops_the_run() { # EVENT
    remember
    deploy_in_background "$work/sleep.sql"
    held=$(held)
    told_within_two_seconds "$1"
    # Which of the two guards looks first is chance: both say what was lost.
    grep -qE "guard \"(still-held|same-postmaster)\" failed on \"$held\": no longer so: .*(can no longer bring the mark back|loses the hold and the mark with it)" "$work/err" ||
        fail "no word of the lost hold: $(grep error: "$work/err")"
    # Nothing was deployed: the rest of the hold is undone.
    rolls_back_now
}

a_restart_of_the_held_postgres_stops_the_run_within_two_seconds() {
    stops_the_run restart_postgres
}

a_killed_backend_of_the_held_postgres_stops_the_run_within_two_seconds() {
    stops_the_run crash_a_backend
}

a_lost_hold_is_never_rolled_back_to() {
    remember
    deploy "$work/good.sql"
    expect_status 0
    held=$(held)
    restart_postgres
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
    kill_the_leader
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

#!/usr/bin/env bash
# What ends a hold behind the run's back is told within two seconds, and never rolled back to.
# shellcheck source=silent.bash
. "$(dirname "$0")/silent.bash"

leave_maintenance_mode() {
    "$cluster" op curl -s -X PATCH -d '{"pause": null}' "http://$(address "$("$cluster" leader)"):8008/config" >/dev/null
    # Patroni resumes replay in its next loop, and the hold lasts until then.
    until_true 10 replays || fail "replay goes on being paused"
}

replays() {
    [ "$(psql_on "$held" 'SELECT NOT pg_is_wal_replay_paused()')" = t ]
}

# Nothing was deployed when EVENT came, so a rollback undoes the rest of the hold.
ends_the_hold() { # HOLD EVENT
    begin_slowly "$1"
    told_within_two_seconds "$2"
    [ "$2" != lose_power ] || "$cluster" boot "$held" || fail "could not boot $held"
    holdback resume
    expect_status 7
    rolls_back_now
}

for hold in maintenance detached; do
    for event in restart_postgres crash_a_backend lose_power; do
        eval "in_${hold}_${event}_is_told_within_two_seconds() { ends_the_hold $hold $event; }"
    done
done

in_maintenance_leave_maintenance_mode_is_told_within_two_seconds() {
    ends_the_hold maintenance leave_maintenance_mode
}

patroni_says_stopped() {
    "$cluster" op curl -s -X PATCH -d '{"holdback": null}' "http://$(address "$held"):8008/config" >/dev/null
    "$cluster" op curl -s "http://$(address "$held"):8008/patroni" | grep -q '"state": "stopped"'
}

# Where maintenance mode ends before Patroni's next loop, it would show the node as stopped for ever.
in_maintenance_a_restart_that_patroni_saw_half_of_leaves_a_cluster_that_it_sees_whole() {
    "$cluster" patronictl edit-config --force -q -s loop_wait=10 >/dev/null || fail "loop_wait cannot be set"
    begin maintenance "$work/good.sql"
    "$cluster" sh "$held" "cd / && sudo -u postgres $bin/pg_ctl -D $data -m fast -w stop >/dev/null"
    until_true 5 patroni_says_stopped || fail "Patroni does not see that PostgreSQL is down"
    "$cluster" sh "$held" "cd / && sudo -u postgres $bin/pg_ctl -D $data -w start >/dev/null"
    holdback commit --yes --without-guard still-held --without-guard same-postmaster --why 'it was restarted, the deployment stays'
    expect_status 0
    prove_committed 20
    "$cluster" patronictl edit-config --force -q -s loop_wait=2 >/dev/null || fail "loop_wait cannot be set"
}

# PostgreSQL of the held node is promoted, deployment and all.
in_maintenance_a_failover_to_the_held_node_is_told_and_never_rolled_back_to() {
    begin maintenance "$work/good.sql"
    "$cluster" patronictl failover cluster-pgsql --candidate "$held" --force >/dev/null 2>&1
    until_true 20 leads "$held" || fail "$held does not lead"
    holdback rollback --yes
    expect_status 7
    expect_message 'cannot roll back to the mark'
    holdback commit --yes
    expect_status 7
    holdback commit --yes --without-guard still-held --without-guard same-postmaster --without-guard leader-leads \
        --why 'the held node was promoted, the deployment stays'
    expect_status 0
    prove_committed 20
}

patroni_started_past_the_fence_is_told_and_never_rolled_back_to() { # HOLD
    begin "$1" "$work/good.sql"
    start_patroni_by_hand "$held"
    sleep 6
    holdback rollback --yes
    expect_status 7
    expect_message 'cannot roll back to the mark'
    stop_patroni_by_hand "$held"
}

commit_a_lost_hold() {
    holdback commit --yes --without-guard still-held --without-guard same-postmaster --without-guard still-at-point \
        --why 'the hold is lost, the deployment stays'
}

in_detached_patroni_started_past_the_fence_is_told_and_never_rolled_back_to() {
    patroni_started_past_the_fence_is_told_and_never_rolled_back_to detached
    commit_a_lost_hold
    expect_status 0
    prove_committed 20
}

# The server led for a moment: on a timeline of its own, whose history in the archive would keep any copy from following the
# leader, or, where Patroni restarted it in between, on the leader's with other WAL. Then it may not start any more.
in_point_patroni_started_past_the_fence_is_told_and_never_rolled_back_to() {
    patroni_started_past_the_fence_is_told_and_never_rolled_back_to point
    "$cluster" sh "$held" "find $archive -name '*.history' -newer /etc/systemd/system/patroni.service.d/holdback-fence.conf -delete"
    (commit_a_lost_hold; exit "$status") &
    until_true 60 asked_for_a_new_copy || fail "no new copy of $held"
    wait $!
    status=$?
    expect_status 0
    prove_committed 20
}

asked_for_a_new_copy() {
    grep -rqs '"type":"outcome","step":"attach"' "$HOLDBACK_JOURNAL" &&
        "$cluster" patronictl reinit cluster-pgsql "$held" --force 2>&1 | grep -q Success
}

a_delay_that_runs_out_is_told_and_never_rolled_back_to() {
    begin_with delay "$work/good.sql" --set max_hold=15s
    expect_status 7
    expect_message 'delay-left'
    holdback resume --yes --without-guard delay-left --why 'to see it end'
    expect_status 0
    until_true 30 has_the_deployment || fail "the delay does not end"
    holdback rollback --yes
    expect_status 7
    expect_message 'cannot roll back to the mark'
    holdback commit --yes --without-guard still-delayed --why 'the delay is over, the deployment stays'
    expect_status 0
    prove_committed 20
}

has_the_deployment() {
    [ -n "$(psql_on "$held" "SELECT to_regclass('added')")" ]
}

mapfile -t tests < <(chosen '^(in_|a_delay)' "$@")
run_each "${tests[@]}"

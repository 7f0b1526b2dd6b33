#!/usr/bin/env bash
# What happens to a held node and does not end the hold: the run goes on, and a rollback reaches the mark.
# shellcheck source=silent.bash
. "$(dirname "$0")/silent.bash"

nobody_can_fail_over_to_the_held_node() {
    "$cluster" patronictl failover cluster-pgsql --candidate "$held" --force >"$work/failover" 2>&1
    sleep 3
    leads "$held" && fail "$held leads: $(cat "$work/failover")"
    return 0
}

in_delay_a_failover_to_the_held_node_is_refused() {
    begin delay "$work/destructive.sql"
    nobody_can_fail_over_to_the_held_node
    rolls_back_now
}

patroni_runs() {
    "$cluster" sh "$held" 'systemctl is-active -q patroni'
}

a_start_and_a_reboot_do_not_bring_patroni_back_to_a_detached_node() {
    begin_slowly detached
    "$cluster" sh "$held" 'systemctl start patroni; systemctl restart patroni' >/dev/null 2>&1
    sleep 3
    patroni_runs && fail "the fence let patroni start"
    told_within_two_seconds lose_power
    "$cluster" boot "$held" || fail "could not boot $held"
    patroni_runs && fail "patroni came back with the machine"
    rolls_back_now
}

reboot() {
    "$cluster" halt "$held" || fail "could not halt $held"
    "$cluster" boot "$held" || fail "could not boot $held"
}

a_start_a_failover_and_a_reboot_do_not_end_a_point() {
    begin point "$work/destructive.sql"
    "$cluster" sh "$held" 'systemctl start patroni; systemctl restart patroni' >/dev/null 2>&1
    sleep 3
    patroni_runs && fail "the fence let patroni start"
    nobody_can_fail_over_to_the_held_node
    reboot
    patroni_runs && fail "patroni came back with the machine"
    rolls_back_now
}

# The run stops, because it cannot see the hold for a moment; then it goes on, and a rollback reaches the mark.
survives() { # HOLD EVENT
    begin_slowly "$1"
    told_within_two_seconds "$2"
    [ "$2" != lose_power ] || "$cluster" boot "$held" || fail "could not boot $held"
    go_fast
    until_true 30 goes_on || {
        sed 's/^/    | /' "$work/err" >&2
        fail "the run does not go on"
    }
    rolls_back_now
}

# After a restart a delayed standby receives no WAL until it is let go.
goes_on() {
    holdback resume --yes --without-guard held-receives --why 'the WAL that it lacks stays on the leader'
    [ "$status" -eq 0 ]
}

for event in crash_a_backend lose_power; do
    eval "delay_survives_${event}() { survives delay $event; }"
done

point_survives_lose_power() {
    survives point lose_power
}

# The server is back at the mark so soon that no guard need see it.
point_survives_a_restart_and_a_crash() {
    begin point "$work/destructive.sql"
    restart_postgres
    crash_a_backend
    rolls_back_now
}

end_the_walsender() {
    psql_on "$("$cluster" leader)" "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = '$held'" >/dev/null
}

an_ended_walsender_is_told_and_does_no_harm() { # HOLD
    begin_slowly "$1"
    told_within_two_seconds end_the_walsender
    expect_message 'held-receives'
    go_fast
    goes_on || fail "the run does not go on"
    rolls_back_now
}

for hold in maintenance detached; do
    eval "in_${hold}_an_ended_walsender_is_told_and_does_no_harm() { an_ended_walsender_is_told_and_does_no_harm $hold; }"
done

mapfile -t tests < <(chosen '^(in_|a_start|delay_|point_)' "$@")
run_each "${tests[@]}"

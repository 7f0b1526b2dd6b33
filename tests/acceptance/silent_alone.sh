#!/usr/bin/env bash
# A node is dead or out of reach when the rollback begins: it reaches the mark, and nobody else leads.
# shellcheck source=silent.bash
. "$(dirname "$0")/silent.bash"

# Its key is still in the DCS: beside it Patroni would take the lead from the held node again.
a_dead_leaders_key_is_waited_for() { # HOLD
    begin_with "$1" "$work/destructive.sql" --set strategy=keep-dcs
    expect_status 0
    kill_the_leader
    roll_back_without "$dead"
    prove_rolled_back
    leads "$held" || fail "$held does not lead"
}

for hold in maintenance detached; do
    eval "in_${hold}_a_dead_leaders_key_is_waited_for() { a_dead_leaders_key_is_waited_for $hold; }"
done

# It is cut off from the operator only, lives, and a person believes it to be off.
a_living_node_that_was_said_to_be_off_is_found_before_anything_is_promoted() {
    local cut
    begin_with detached "$work/destructive.sql"
    expect_status 0
    cut=$(standbys | grep -vx "$held")
    "$cluster" cut "$cut" op
    holdback rollback --yes
    expect_status 4
    holdback resolve "$(open_run)" "fence-replicas@$cut" --as "done" --why 'I believe that it is off'
    expect_status 0
    holdback resume --yes
    expect_status 1
    expect_message 'others-down'
    [ "$(psql_on "$held" 'SELECT 1' 2>/dev/null)" = 1 ] && fail "the held server runs"
    "$cluster" heal "$cut"
    "$cluster" sh "$cut" 'systemctl stop patroni'
    holdback resume --yes
    expect_status 0
    prove_rolled_back
}

of_two_in_delay_the_held_one_waits_for_the_rollback() {
    begin_with delay "$work/destructive.sql"
    expect_status 0
    kill_the_leader
    sleep 25
    [ "$(psql_on "$held" 'SELECT pg_is_in_recovery()')" = t ] || fail "the held node leads"
    roll_back_without "$dead"
    prove_rolled_back
}

mapfile -t three < <(chosen '^(in_|a_living)' "$@" | grep -v '^of_two')
mapfile -t two < <(chosen '^of_two' "$@" | grep '^of_two')
bad=0
[ "${#three[@]}" -eq 0 ] || run_each "${three[@]}" || bad=1
if [ "${#two[@]}" -gt 0 ]; then
    "$cluster" down >/dev/null 2>&1
    hosts=2 run_each "${two[@]}" || bad=1
fi
[ "$bad" -eq 0 ]

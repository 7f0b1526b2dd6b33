#!/usr/bin/env bash
# The leader dies during the hold: the run stops, and a rollback reaches the mark, also after a failover.
# shellcheck source=silent.bash
. "$(dirname "$0")/silent.bash"

another_leads() {
    local now
    now=$("$cluster" leader 2>/dev/null) && [ -n "$now" ] && [ "$now" != "$dead" ]
}

# The deployment is under way: the run stops. Once the node is back the hold is let go.
the_leaders_death_is_told() { # HOLD
    begin_slowly "$1"
    stops_within_two_seconds kill_the_leader
    # Whoever sees it first: the migration that loses its host, or a guard.
    [ "$status" -eq 6 ] || expect_status 7
    "$cluster" boot "$dead" || fail "could not boot $dead"
    until_true 60 rolls_back_by_itself || {
        sed 's/^/    | /' "$work/err" >&2
        fail "the rollback does not end"
    }
    prove_rolled_back
}

rolls_back_by_itself() {
    holdback rollback --yes
    [ "$status" -eq 0 ]
}

for hold in maintenance delay; do
    eval "in_${hold}_the_leaders_death_is_told() { the_leaders_death_is_told $hold; }"
done

# The deployment is complete, the others have failed over, and the rollback goes without the dead node.
a_rollback_after_a_failover_reaches_the_mark() { # HOLD STRATEGY
    begin_with "$1" "$work/destructive.sql" --set "strategy=$2"
    expect_status 0
    kill_the_leader
    until_true 40 another_leads || fail "nobody takes over"
    leads "$held" && fail "the held node leads"
    roll_back_without "$dead"
    prove_rolled_back
}

for way in detached:keep-dcs delay:rebuild-dcs point:keep-dcs; do
    eval "in_${way%:*}_a_rollback_after_a_failover_reaches_the_mark() { a_rollback_after_a_failover_reaches_the_mark ${way%:*} ${way#*:}; }"
done

mapfile -t tests < <(chosen '^(in_)' "$@")
run_each "${tests[@]}"

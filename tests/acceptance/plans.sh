#!/usr/bin/env bash
# The shipped plans other than blue-green.yml, on a real cluster.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

on_leader() { # SQL
    psql_on "$("$cluster" leader)" "$1"
}

pending_anywhere() {
    "$cluster" patronictl list -f json | grep -q '"Pending restart": "\*"'
}

connections_everywhere() { # VALUE
    equal_everywhere "$1" 'SHOW max_connections'
}

# ---- parameter.yml ----

parameter() { # VALUE
    holdback deploy "$root/plans/parameter.yml" -c "$file" --set "value=$1"
}

a_parameter_is_raised_everywhere_and_another_node_leads() {
    before_config=$(config)
    leader_before=$("$cluster" leader)
    parameter 150
    expect_status 0
    connections_everywhere 150 || fail "the value is not in force everywhere"
    pending_anywhere && fail "a restart is pending"
    [ "$("$cluster" leader)" != "$leader_before" ] || fail "the leader has not moved"
    holdback rollback
    expect_status 0
    connections_everywhere 100 || fail "the old value is not in force everywhere"
    pending_anywhere && fail "a restart is pending"
    [ "$("$cluster" leader)" = "$leader_before" ] || fail "the first leader does not lead again"
    [ "$(config)" = "$before_config" ] || fail "the DCS configuration differs"
    prove_healthy
    prove_nothing_is_left
}

a_raised_parameter_is_committed() {
    parameter 120
    expect_status 0
    holdback commit
    expect_status 0
    connections_everywhere 120 || fail "the value is not in force everywhere"
    parameter 120
    expect_status 9
    expect_message 'is-raised'
    prove_healthy
    prove_nothing_is_left
}

# Interrupted before the switchover: the standbys have the new value, the leader the old one.
a_half_raised_parameter_is_taken_back() {
    before_config=$(config)
    leader_before=$("$cluster" leader)
    mkdir -p "$work/half"
    sed 's/^  - {id: switch, /&confirm: "Switch over?", /' "$root/plans/parameter.yml" >"$work/half/parameter.yml"
    holdback deploy "$work/half/parameter.yml" -c "$file" --set value=170
    expect_status 8
    holdback rollback
    expect_status 0
    connections_everywhere "$(on_leader 'SHOW max_connections')" || fail "the values differ"
    [ "$(on_leader 'SHOW max_connections')" = 120 ] || fail "the old value is not in force"
    [ "$("$cluster" leader)" = "$leader_before" ] || fail "the leader has moved"
    pending_anywhere && fail "a restart is pending"
    [ "$(config)" = "$before_config" ] || fail "the DCS configuration differs"
    prove_healthy
}

# ---- big-index.yml ----

index_plan() { # sets $index: tries follow each other quickly
    mkdir -p "$work/index"
    index=$work/index/big-index.yml
    sed 's/delay: 30s/delay: 300ms/' "$root/plans/big-index.yml" >"$index"
}

big_index() { # COMMAND... the variables
    holdback "$@" "$index" -c "$file" --set table=big --set column=id --set index=big_id --set lock_timeout=300ms
}

is_valid() { # INDEX
    [ "$(on_leader "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('$1')")" = t ]
}

an_index_is_created_found_again_and_dropped_by_rollback() {
    index_plan
    on_leader "CREATE TABLE big AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 50000) g"
    big_index deploy
    expect_status 0
    is_valid big_id || fail "no valid index"
    holdback rollback
    expect_status 0
    [ -z "$(on_leader "SELECT to_regclass('big_id')")" ] || fail "the index is still there"
    big_index deploy
    expect_status 0
    holdback commit
    expect_status 0
    big_index deploy
    expect_status 0
    grep -E 'create-index .* already' "$work/err" >/dev/null || fail "a second deployment does not say already"
    holdback rollback
    expect_status 0
    is_valid big_id || fail "an index that was there before was dropped"
    on_leader "DROP INDEX big_id"
}

a_lock_makes_the_index_wait_for_another_try() {
    index_plan
    psql_on "$("$cluster" leader)" "BEGIN; LOCK TABLE big IN SHARE UPDATE EXCLUSIVE MODE; SELECT pg_sleep(60)" >/dev/null 2>&1 &
    until_true 10 big_is_locked || fail "no lock"
    : >"$work/err"
    unlock_after_a_try &
    big_index deploy
    wait
    expect_status 0
    expect_message 'lock timeout'
    is_valid big_id || fail "no valid index"
    holdback rollback
    expect_status 0
}

unlock_after_a_try() {
    until_true 20 grep -q 'lock timeout' "$work/err"
    on_leader "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)%' AND pid <> pg_backend_pid()" >/dev/null
}

big_is_locked() {
    [ -n "$(on_leader "SELECT 1 FROM pg_locks WHERE relation = 'big'::regclass AND mode = 'ShareUpdateExclusiveLock'")" ]
}

an_invalid_index_is_replaced() {
    index_plan
    on_leader "CREATE TABLE twice AS SELECT 1 AS id FROM generate_series(1, 3)"
    on_leader "CREATE UNIQUE INDEX CONCURRENTLY big_id ON twice (id)" 2>/dev/null
    is_valid big_id && fail "the index is valid"
    big_index deploy
    expect_status 9 # it is another table's
    expect_message 'name-is-ours'
    on_leader "DROP TABLE twice"
    on_leader "ALTER TABLE big ADD twice int; UPDATE big SET twice = id / 2"
    on_leader "CREATE UNIQUE INDEX CONCURRENTLY big_twice ON big (twice)" 2>/dev/null
    holdback deploy "$index" -c "$file" --set table=big --set column=twice --set index=big_twice
    expect_status 0
    is_valid big_twice || fail "no valid index"
    holdback rollback
    expect_status 0
    [ -z "$(on_leader "SELECT to_regclass('big_twice')")" ] || fail "the index is still there"
}

# ---- replication-lag.yml ----

the_lags_are_looked_at_by_preview_and_by_deploy() {
    holdback preview "$root/plans/replication-lag.yml" -c "$file" --live --detailed-exitcode
    expect_status 0
    expect_message 'bytes_behind'
    holdback deploy "$root/plans/replication-lag.yml" -c "$file"
    expect_status 0
    expect_message 'is done'
    holdback deploy "$root/plans/replication-lag.yml" -c "$file" --set most_bytes=0MB
    expect_status 9
    expect_message 'bytes'
    prove_nothing_is_left
}

"$cluster" up >/dev/null || exit 1
run_tests \
    the_lags_are_looked_at_by_preview_and_by_deploy \
    an_index_is_created_found_again_and_dropped_by_rollback \
    a_lock_makes_the_index_wait_for_another_try \
    an_invalid_index_is_replaced \
    a_parameter_is_raised_everywhere_and_another_node_leads \
    a_raised_parameter_is_committed \
    a_half_raised_parameter_is_taken_back

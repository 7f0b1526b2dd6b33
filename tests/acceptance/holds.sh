#!/usr/bin/env bash
# Every way to hold and every way back, in pairs, on a real cluster with writers: each is undone completely by commit and by
# rollback. Every two of hold, strategy and rebuild meet once; `holds.sh all` tries all of them, on three and on two nodes;
# `holds.sh TEST...` some of them.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# The held standby's own files must be what they were, byte for byte.
held_files() {
    "$cluster" sh "$1" "md5sum /etc/patroni/config.yml; stat -c '%U %a' /etc/patroni/config.yml
        md5sum $data/postgresql.auto.conf"
}

choose() {
    remember
    choose_held
    before_files=$(held_files "$held")
}

begin() { # HOLD STRATEGY REBUILD
    choose
    start_writers
    sleep 0.5
    deploy "$work/destructive.sql" --set "hold=$1" --set "strategy=$2" --set "rebuild=$3"
    expect_status 0
    [ -n "$(psql_on "$held" "SELECT to_regclass('dropped')")" ] || fail "$held is not held"
}

rolls_back() { # HOLD STRATEGY REBUILD
    begin "$@"
    sleep 0.5
    rows_before_mark "$("$cluster" leader)" >"$work/expected"
    holdback rollback --yes
    expect_status 0
    stop_writers
    prove_rolled_back
    [ "$("$cluster" leader)" = "$held" ] || fail "$held does not lead"
    [ "$(held_files "$held")" = "$before_files" ] || fail "files of $held differ: $(diff <(echo "$before_files") <(held_files "$held"))"
    [ -s "$work/expected" ] || fail "no writer wrote before the mark"
    [ "$(psql_on "$held" "SELECT count(*) >= $(wc -l <"$work/expected") FROM writes")" = t ] || fail "rows from before the mark are lost"
}

commits() { # HOLD
    begin "$1" auto rewind
    holdback commit --yes
    expect_status 0
    stop_writers
    prove_committed 20
    [ "$(held_files "$held")" = "$before_files" ] || fail "files of $held differ"
    psql_on "$("$cluster" leader)" "CREATE TABLE dropped AS SELECT g AS id FROM generate_series(1, 5000) g; UPDATE spoilt SET v = md5(id::text)"
}

lets_go() { # HOLD
    choose
    deploy "$work/failing.sql" --set "hold=$1"
    expect_status 1
    holdback rollback --yes
    expect_status 0
    prove_rolled_back
    [ "$(held_files "$held")" = "$before_files" ] || fail "files of $held differ"
}

for hold in maintenance detached delay point; do
    for strategy in keep-dcs rebuild-dcs; do
        for rebuild in rewind wipe; do
            eval "a_rollback_from_${hold}_by_${strategy/-/_}_and_${rebuild}_brings_everything_back() { rolls_back $hold $strategy $rebuild; }"
        done
    done
    eval "a_commit_lets_${hold}_go() { commits $hold; }"
    eval "a_failed_deployment_lets_${hold}_go() { lets_go $hold; }"
done

on_three_nodes=() on_two_nodes=()
if [ "${1:-}" = all ]; then
    mapfile -t on_three_nodes < <(declare -F | grep -oE '(a_rollback|a_commit|a_failed)_[a-z_]+')
    on_two_nodes=("${on_three_nodes[@]}")
elif [ $# -gt 0 ]; then
    on_three_nodes=("$@")
else
    # Every two of hold, strategy and rebuild meet once.
    for pair in maintenance_by_keep_dcs_and_rewind maintenance_by_rebuild_dcs_and_wipe detached_by_keep_dcs_and_wipe \
        detached_by_rebuild_dcs_and_rewind delay_by_keep_dcs_and_rewind delay_by_rebuild_dcs_and_wipe \
        point_by_keep_dcs_and_wipe point_by_rebuild_dcs_and_rewind; do
        on_three_nodes+=("a_rollback_from_${pair}_brings_everything_back")
    done
    for hold in maintenance detached delay point; do
        on_three_nodes+=("a_commit_lets_${hold}_go" "a_failed_deployment_lets_${hold}_go")
    done
    on_two_nodes=(a_rollback_from_maintenance_by_keep_dcs_and_wipe_brings_everything_back
        a_rollback_from_delay_by_keep_dcs_and_rewind_brings_everything_back
        a_rollback_from_point_by_rebuild_dcs_and_rewind_brings_everything_back a_commit_lets_detached_go)
fi
"$cluster" up >/dev/null || exit 1
make_data
run_tests "${on_three_nodes[@]}"
if [ ${#on_two_nodes[@]} -gt 0 ]; then
    "$cluster" down >/dev/null && "$cluster" up --hosts 2 >/dev/null || exit 1
    rm -rf "$work/journal"
    make_data
    run_tests "${on_two_nodes[@]}"
fi
[ "$failed" -eq 0 ]

#!/usr/bin/env bash
# kill -9 once in every step, one after the other, of one deploy and rollback and of one deploy and commit of
# blue-green.yml on a real cluster. Each time a random moment after a step's intent is on disk; then `resume`.
#
#   kill.sh        as auto chooses
#   kill.sh all    every hold with every strategy: half an hour
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

killer=$work/kill_at_sync.so
cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$killer" "$root/tests/crash/kill_at_sync.c" -ldl -lpthread || exit 1
seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"

# Counts how often the migration took effect.
cat >"$work/counting.sql" <<'EOF'
INSERT INTO effects SELECT 'migration';
DROP TABLE dropped;
UPDATE spoilt SET v = 'spoilt' WHERE id % 2 = 0;
CREATE TABLE added (x int);
EOF

attempt() { # AT COMMAND...
    local at=$1
    shift
    holdback_env=(env "HOLDBACK_KILL_AT=$at" "HOLDBACK_KILL_DELAY_MS=$((1 + RANDOM % 4))" "LD_PRELOAD=$killer")
    "$cluster" op "${holdback_env[@]}" "$HOLDBACK" "$@" </dev/null >"$work/out" 2>"$work/err"
    status=$?
}

# The first sync of a resume is its own record, the second the interrupted step's new intent, the third the next step's:
# each resume finishes one step and dies in the one after it.
with_kills() { # LEAST COMMAND...
    local kills=0 least=$1
    shift
    attempt 3 "$@"
    while [ "$status" -eq 137 ]; do
        kills=$((kills + 1))
        [ "$kills" -lt 200 ] || fail "it does not come forward"
        attempt 3 resume --yes
    done
    expect_status 0
    echo "    $kills kills"
    [ "$kills" -ge "$least" ] || fail "only $kills kills"
}

counted() {
    psql_on "$("$cluster" leader)" "SELECT count(*) FROM effects"
}

deploy_with_kills() { # OPTION...
    with_kills 15 deploy "$plan" -c "$state/cluster-socket.yml" --set "migration=$work/counting.sql" --yes "$@"
}

killed_in_every_step_a_deployment_and_its_rollback_reach_the_same_end() { # OPTION...
    remember
    deploy_with_kills "$@"
    [ "$(counted)" = 1 ] || fail "the migration took effect $(counted) times"
    with_kills 20 rollback --yes
    [ "$(counted)" = 0 ] || fail "the migration is still there"
    prove_rolled_back
}

killed_in_every_step_a_deployment_and_its_commit_reach_the_same_end() { # OPTION...
    remember
    deploy_with_kills "$@"
    with_kills 3 commit --yes
    [ "$(counted)" = 1 ] || fail "the migration took effect $(counted) times"
    prove_healthy
    prove_nothing_is_left
    psql_on "$("$cluster" leader)" "DELETE FROM effects; DROP TABLE added; UPDATE spoilt SET v = md5(id::text)
        ; CREATE TABLE dropped AS SELECT g AS id FROM generate_series(1, 5000) g"
}

# The statement goes on in the server when its client is killed; nobody but us ends it.
a_deployment_killed_in_its_migration_is_let_go_by_rollback_at_once() {
    local pid
    remember
    echo 'DROP TABLE dropped; SELECT pg_sleep(30);' >"$work/slow.sql"
    "$cluster" op "$HOLDBACK" deploy "$plan" -c "$file" --set "migration=$work/slow.sql" --yes </dev/null >/dev/null 2>&1 &
    pid=$!
    until_true 30 sleeps || fail "the migration did not begin"
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null
    holdback rollback --yes
    expect_status 0
    sleeps && fail "the statement goes on"
    prove_rolled_back
}

sleeps() {
    [ "$(psql_on "$("$cluster" leader)" "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(30)%' AND pid <> pg_backend_pid()")" -ge 1 ]
}

tests=(a_deployment_killed_in_its_migration_is_let_go_by_rollback_at_once)
if [ "${1:-}" = all ]; then
    for hold in maintenance detached delay point; do
        for strategy in keep-dcs rebuild-dcs; do
            name="killed_in_every_step_${hold}_with_${strategy/-/_}_is_rolled_back"
            eval "$name() { killed_in_every_step_a_deployment_and_its_rollback_reach_the_same_end --set hold=$hold --set strategy=$strategy; }"
            tests+=("$name")
        done
        name="killed_in_every_step_${hold}_is_committed"
        eval "$name() { killed_in_every_step_a_deployment_and_its_commit_reach_the_same_end --set hold=$hold; }"
        tests+=("$name")
    done
else
    tests+=(killed_in_every_step_a_deployment_and_its_rollback_reach_the_same_end
        killed_in_every_step_a_deployment_and_its_commit_reach_the_same_end)
fi
"$cluster" up >/dev/null || exit 1
make_data
psql_on "$("$cluster" leader)" 'CREATE TABLE effects (what text)'
run_tests "${tests[@]}"

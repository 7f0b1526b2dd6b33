#!/usr/bin/env bash
# kill -9 once in every step, one after the other, of one deploy and rollback and of one deploy and commit of
# blue-green.yml on a real cluster. Each time a random moment after a step's intent is on disk; then `resume`.
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

killed_in_every_step_a_deployment_and_its_rollback_reach_the_same_end() {
    remember
    with_kills 18 deploy "$plan" -c "$state/cluster-socket.yml" --set "migration=$work/counting.sql" --yes
    [ "$(counted)" = 1 ] || fail "the migration took effect $(counted) times"
    with_kills 25 rollback --yes
    [ "$(counted)" = 0 ] || fail "the migration is still there"
    prove_rolled_back
}

killed_in_every_step_a_deployment_and_its_commit_reach_the_same_end() {
    remember
    with_kills 18 deploy "$plan" -c "$state/cluster-socket.yml" --set "migration=$work/counting.sql" --yes
    with_kills 3 commit --yes
    [ "$(counted)" = 1 ] || fail "the migration took effect $(counted) times"
    prove_healthy
    prove_nothing_is_left
}

"$cluster" up >/dev/null || exit 1
make_data
psql_on "$("$cluster" leader)" 'CREATE TABLE effects (what text)'
run_tests \
    killed_in_every_step_a_deployment_and_its_rollback_reach_the_same_end \
    killed_in_every_step_a_deployment_and_its_commit_reach_the_same_end

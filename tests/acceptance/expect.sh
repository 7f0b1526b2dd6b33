#!/usr/bin/env bash
# What was reviewed is what runs: deploy --expect against a live preview that was saved.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

target=/var/lib/postgresql/expect.conf

write_plan() {
    cat >"$work/plan.yml" <<END
holdback: 1
plan: expect
variables: {migration: {about: SQL to deploy, type: path}}
roles: {leader: {patroni: leader}, sync: {patroni: sync-standby, may-be-empty: true}}
preflight:
  - {id: writable, hosts: leader, wait-until: {sql: SELECT NOT pg_is_in_recovery()}}
  - {id: size, hosts: leader, sql: {query: "SELECT pg_current_wal_lsn()::text AS here, count(*) AS tables FROM pg_class", save: [here, tables]}}
deploy:
  - {id: mark, hosts: leader, timeout: 10s, sql: {run: "INSERT INTO marks VALUES (\${here}, now())"}}
  - {id: migrate, hosts: leader, timeout: 10s, sql: {file: "\${migration}"}}
  - {id: edit, hosts: [pg1, pg2, pg3], as: postgres, timeout: 10s, edit-conf: {file: $target, format: postgresql, set: {work_mem: 8MB}}}
  - {id: note, hosts: sync, timeout: 10s, sql: {run: SELECT 1, transaction: none, unless: SELECT true}}
commit: []
rollback:
  - {id: back, hosts: leader, timeout: 10s, sql: {run: DROP TABLE added}}
END
    cat "$work/good.sql" >"$work/migration.sql"
}

make_files() {
    local host
    for host in $(members); do
        "$cluster" sh "$host" "rm -f $target; printf 'work_mem = 4MB\npassword_of = secret%s\n' $host >$target; chown postgres:postgres $target"
    done
}

preview() { # [OPTION...]
    holdback preview "$work/plan.yml" -c "$file" --set "migration=$work/migration.sql" --save "$work/preview.json" "$@"
    expect_status 0
}

expected() { # [OPTION...]
    holdback deploy "$work/plan.yml" -c "$file" --set "migration=$work/migration.sql" --yes \
        --expect "$work/preview.json" "$@"
}

nothing_was_done() {
    [ "$(psql_on "$("$cluster" leader)" "SELECT count(*) FROM marks")" = 0 ] || fail "a step was executed"
    "$HOLDBACK" runs 2>/dev/null | grep -qE 'preflight|deploying' && fail "a run is left open"
    prove_nothing_is_left
}

runs() { find "$HOLDBACK_JOURNAL" -name journal.jsonl 2>/dev/null | wc -l; }

a_file_that_was_edited_since_is_refused_before_anything_is_touched() {
    local before
    before=$(runs)
    preview
    echo 'DROP TABLE marks;' >>"$work/migration.sql"
    expected
    expect_status 3
    expect_message 'migration.sql changed since the preview (migrate)'
    cat "$work/good.sql" >"$work/migration.sql"
    [ "$(runs)" = "$before" ] || fail "a run was begun"
    nothing_was_done
}

a_plan_that_was_edited_since_names_its_steps() {
    preview
    sed -i 's/DROP TABLE added/DROP TABLE IF EXISTS added/; s/id: note/id: remark/' "$work/plan.yml"
    expected
    expect_status 3
    expect_message 'plan.yml changed since the preview'
    expect_message 'step remark is new'
    expect_message 'step note is gone'
    expect_message 'step back differs'
    write_plan
    nothing_was_done
}

a_preview_that_is_too_old_is_refused() {
    preview
    sleep 2.5
    expected --max-age 1s
    expect_status 3
    expect_message 'old, and at most 1s are allowed'
    nothing_was_done
}

a_file_on_a_host_that_was_edited_since_is_refused() {
    preview --live
    grep -q 'secretpg' "$work/preview.json" && fail "a secret is in the preview"
    "$cluster" sh pg2 "echo '# by hand' >>$target"
    expected
    expect_status 9
    expect_message "file \"$target\" on pg2 changed since the preview (edit)"
    nothing_was_done
    make_files
}

a_leader_that_moved_since_is_refused_with_the_steps_that_it_touches() {
    local leader other
    preview --live
    leader=$("$cluster" leader)
    other=pg2
    [ "$leader" != pg2 ] || other=pg1
    "$cluster" patronictl switchover --leader "$leader" --candidate "$other" --force cluster-pgsql >/dev/null 2>&1
    until_true 20 leads "$other" || fail "$other does not lead"
    until_true 20 all_run || fail "$leader does not follow $other"
    expected
    expect_status 9
    expect_message "leader moved $leader -> $other: steps writable, size, mark, migrate and back now act on another host"
    expect_message 'a server was promoted since'
    nothing_was_done
}

all_run() { [ "$("$cluster" op curl -s http://10.77.0.11:8008/cluster | grep -oE '"state": "(running|streaming)"' | wc -l)" = 3 ]; }

leads() { [ "$("$cluster" leader)" = "$1" ]; }

# Killed after it was begun and before it compared: whoever resumes it compares, too.
a_run_that_was_killed_before_it_compared_compares_when_it_is_resumed() {
    local pid before
    before=$(runs)
    preview --live
    # A host that drops packets keeps it waiting, once its journal is begun.
    "$cluster" cut pg3 op
    "$cluster" op "$HOLDBACK" deploy "$work/plan.yml" -c "$file" --set "migration=$work/migration.sql" --yes \
        --expect "$work/preview.json" </dev/null >/dev/null 2>&1 &
    pid=$!
    until_true 10 is_begun_after "$before" || fail "no run was begun"
    sleep 0.5
    kill -KILL "$pid" || fail "it has ended by itself"
    wait "$pid" 2>/dev/null
    "$cluster" heal pg3
    "$cluster" sh pg2 "echo '# by hand' >>$target"
    holdback resume --yes
    expect_status 9
    expect_message "file \"$target\" on pg2 changed since the preview (edit)"
    nothing_was_done
    make_files
}

is_begun_after() { [ "$(runs)" -gt "$1" ]; }

# LSNs, times, and what earlier runs took are others by now.
what_was_reviewed_is_what_runs() {
    preview --live
    psql_on "$("$cluster" leader)" "CREATE TABLE other AS SELECT generate_series(1, 1000) x; SELECT pg_switch_wal()" >/dev/null
    expected --max-age 10m
    expect_status 0
    [ "$(psql_on "$("$cluster" leader)" "SELECT count(*) FROM added")" = 1000 ] || fail "the migration is not there"
    "$HOLDBACK" log --format json | grep -q "\"type\":\"expected\",\"preview\":\"$work/preview.json\",\"sha256\":\"$(sha256sum <"$work/preview.json" | cut -d' ' -f1)\"" ||
        fail "the journal does not tell what was expected"
    cmp "$work/preview.json" "$HOLDBACK_JOURNAL"/*/"$("$HOLDBACK" log --format json | sed -n 's/.*"run":"\([^"]*\)".*/\1/p' | head -1)"/plan/*-preview.json ||
        fail "the run has no copy of the preview"
    # What is done is not done again, and the preview of before is of before.
    expected
    expect_status 5
    holdback rollback --yes
    expect_status 0
}

"$cluster" up >/dev/null || exit 1
psql_on "$("$cluster" leader)" "CREATE TABLE marks (lsn pg_lsn, at timestamptz)"
write_plan
make_files
if [ $# -eq 0 ]; then
    set -- a_file_that_was_edited_since_is_refused_before_anything_is_touched \
        a_plan_that_was_edited_since_names_its_steps \
        a_preview_that_is_too_old_is_refused \
        a_file_on_a_host_that_was_edited_since_is_refused \
        a_run_that_was_killed_before_it_compared_compares_when_it_is_resumed \
        a_leader_that_moved_since_is_refused_with_the_steps_that_it_touches \
        what_was_reviewed_is_what_runs
fi
run_tests "$@"

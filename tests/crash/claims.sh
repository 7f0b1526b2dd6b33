#!/usr/bin/env bash
# Two programs on two machines. First, several race for one cluster, each with a journal of its own: one gets it, the others
# are told who has it, and change nothing. Then a holder is stopped (SIGSTOP) at every barrier of its journal, and in the
# middle of what follows one; the run is taken over, on the same journal or on a copy of it, and goes on; when the former
# holder wakes up it must change nothing any more: no job, no file, no SQL. `claims.sh copy` tries an old copy of a journal only.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
races=100 delays="same:0 copy:15"
[ "${1:-}" = nightly ] && races=10000 delays="same:0 copy:0 same:2 copy:5 same:10 copy:20 same:40 copy:80"
passed=0 failed=0 asleep=0 not_begun=0

killer=$work/kill_at_sync.so
cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$killer" "$here/kill_at_sync.c" -ldl -lpthread || exit 1

wrong() {
    failed=$((failed + 1))
    echo "FAILED (SEED=$seed): $*" >&2
    tail -n 2 "$work"/{first,second}.err 2>/dev/null >&2
}

prepare() {
    local port
    host_start a b
    port=$(free_port)
    postgres_init pg "$port"
    postgres_start pg
    cat >"$work/cluster.yml" <<END
cluster: claims
hosts:
  $(host_entry a "postgres: {port: $port, os-user: root, socket-directory: $work/socket, user: postgres, database: postgres}")
  $(host_entry b "postgres: {port: $port, os-user: root, reach: tcp, user: postgres, database: postgres}")
patroni: {port: 1}
END
    cat >"$work/race.yml" <<'END'
holdback: 1
plan: race
variables: {file: {about: where the effect goes, type: text}}
deploy:
  - {id: one, hosts: [a, b], remote-shell: {run: 'echo "$run_id" >>"$file"'}, if-interrupted: ask}
END
    cat >"$work/plan.yml" <<'END'
holdback: 1
plan: claims
variables: {folder: {about: where the effects go, type: text}}
deploy:
  - {id: job, hosts: [a, b], remote-shell: {run: 'echo "job $host_name" >>"$folder/effects"'}, if-interrupted: ask}
  - {id: file, hosts: a, edit-conf: {file: "${folder}/conf", format: postgresql, state: present, set: {port: "1"}}}
  - {id: rows, hosts: a, sql: {run: INSERT INTO effects VALUES ('socket'); SELECT pg_sleep(0.03)}, if-interrupted: ask}
  - {id: tcp-rows, hosts: b, sql: {run: INSERT INTO effects VALUES ('tcp')}, if-interrupted: ask}
  - id: none
    hosts: a
    sql:
      transaction: none
      unless: SELECT count(*) > 0 FROM effects WHERE what = 'none'
      run: [SELECT pg_sleep(0.03), INSERT INTO effects VALUES ('none')]
  - {id: last, hosts: [a, b], remote-shell: {run: 'echo "last $host_name" >>"$folder/effects"'}, if-interrupted: ask}
commit: []
END
}

ask() {
    psql -X -A -t -h "$work/socket" -p "$(grep -oP '^port = \K.*' "$work/pg.data/postgresql.conf")" -U postgres -c "$1" postgres
}

race() { # NUMBER
    local count=$((2 + RANDOM % 7)) racers=() status winners=0 losers=0 racer
    rm -f "$work/effects"
    for ((racer = 1; racer <= count; racer++)); do
        "$HOLDBACK" deploy "$work/race.yml" -c "$work/cluster.yml" --set "file=$work/effects" --journal "$work/race-$racer" \
            </dev/null >/dev/null 2>"$work/race-$racer.err" &
        racers+=($!)
    done
    for ((racer = 1; racer <= count; racer++)); do
        wait "${racers[racer - 1]}"
        status=$?
        case $status in
        0) winners=$((winners + 1)) ;;
        5)
            losers=$((losers + 1))
            grep -qE 'is locked on host .* by run "[0-9a-f-]+" of "root" from ' "$work/race-$racer.err" || wrong "race $1: loser $racer is not told who"
            ;;
        *) wrong "race $1: exit $status of racer $racer: $(tail -2 "$work/race-$racer.err")" ;;
        esac
    done
    # Whoever comes when the winner has finished wins as well.
    if [ "$winners" -ge 1 ] && [ -e "$work/effects" ] && [ "$(wc -l <"$work/effects")" -eq $((2 * winners)) ] && [ "$(sort -u "$work/effects" | wc -l)" -eq "$winners" ]; then
        passed=$((passed + 1))
    else
        wrong "race $1: $winners of $count won; effects: $(sort "$work/effects" | uniq -c)"
    fi
    rm -rf "$work"/race-*.err "$work"/race-[0-9]*
    [ -z "$(find "$work"/home-*/.holdback 2>/dev/null)" ] || wrong "race $1: left on the hosts: $(find "$work"/home-*/.holdback)"
}

effects() {
    sort "$work/folder/effects" 2>/dev/null
    cat "$work/folder/conf" 2>/dev/null
    ask 'SELECT what FROM effects ORDER BY 1'
}

fresh() {
    rm -rf "$work/journal" "$work/copy" "$work/folder" "$work"/home-*/.holdback
    mkdir "$work/folder"
    ask 'DROP TABLE IF EXISTS effects; DROP SCHEMA IF EXISTS holdback CASCADE; CREATE TABLE effects (what text)' >/dev/null 2>&1
}

stopped() { # PID
    local state
    for _ in $(seq 500); do
        state=$(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -c1)
        [ "$state" = T ] && return 0
        [ -z "$state" ] || [ "$state" = Z ] && return 1
        sleep 0.01
    done
    return 1
}

# False: the holder came to its end before that barrier.
sleeper() { # BARRIER DELAY COPY
    local at=$1 delay=$2 copy=$3 journal=$work/journal pid status before has_begun=true
    fresh
    HOLDBACK_KILL_AT=$at HOLDBACK_KILL_SIGNAL=19 HOLDBACK_KILL_DELAY_MS=$delay LD_PRELOAD=$killer \
        "$HOLDBACK" deploy "$work/plan.yml" -c "$work/cluster.yml" --set "folder=$work/folder" --journal "$journal" \
        </dev/null >"$work/first.out" 2>"$work/first.err" &
    pid=$!
    if ! stopped "$pid"; then
        wait "$pid"
        return 1
    fi
    if [ "$copy" = copy ]; then
        cp -r "$journal" "$work/copy"
        journal=$work/copy
        if "$HOLDBACK" resume --journal "$journal" </dev/null >/dev/null 2>"$work/plain.err"; then
            # Before the claims are taken nobody has the cluster yet, and whoever comes first gets it.
            grep -q '"type":"intent"' "$work"/journal/claims/*/journal.jsonl && wrong "barrier $at +$delay ms, $copy: resumed without --take-over"
        fi
    fi
    "$HOLDBACK" resume --take-over --confirm take-over --yes --journal "$journal" </dev/null >"$work/second.out" 2>"$work/second.err"
    status=$?
    # What was on its way when the holder fell asleep may have to be told by a person: only for what has no look of its own.
    while [ "$status" -eq 4 ]; do
        in_doubt "$journal" || break
        "$HOLDBACK" resume --yes --journal "$journal" </dev/null >"$work/second.out" 2>"$work/second.err"
        status=$?
    done
    # Where there is nothing to take over yet, the former holder goes on alone.
    if [ "$status" -eq 3 ] && ! grep -qs '"type":"intent"' "$journal"/claims/*/journal.jsonl; then
        not_begun=$((not_begun + 1))
        has_begun=false
    elif [ "$status" -ne 0 ]; then
        wrong "barrier $at +$delay ms, $copy: the take-over ends with $status"
    elif [ $((RANDOM % 2)) = 0 ]; then
        "$HOLDBACK" commit --journal "$journal" </dev/null >/dev/null 2>"$work/commit.err" || wrong "barrier $at: commit: $(cat "$work/commit.err")"
    fi
    before=$(effects)
    kill -CONT "$pid"
    wait "$pid"
    status=$?
    "$has_begun" || before=$(effects)
    if [ "$(effects)" != "$before" ]; then
        wrong "barrier $at +$delay ms, $copy: the former holder changed something: $(diff <(echo "$before") <(effects))"
    elif [ "$before" != "$wanted" ]; then
        wrong "barrier $at +$delay ms, $copy: not the wanted end: $(diff <(echo "$wanted") <(echo "$before"))"
    elif [ "$status" -ne 5 ] && [ "$status" -ne 0 ] && [ "$status" -ne 6 ] && [ "$status" -ne 1 ]; then
        wrong "barrier $at +$delay ms, $copy: the former holder ends with $status"
    else
        passed=$((passed + 1))
    fi
    asleep=$((asleep + 1))
    return 0
}

in_doubt() { # JOURNAL
    local line
    line=$(grep -oE 'holdback resolve [^ ]+ [^ ]+@[^ ]+' "$work/second.err" | head -1)
    [ -n "$line" ] || return 1
    # shellcheck disable=SC2086
    "$HOLDBACK" ${line#holdback } --as "$(happened "${line##* }")" --why test --journal "$1" >/dev/null 2>&1
}

happened() { # STEP@HOST
    grep -qx "${1%@*} ${1#*@}" "$work/folder/effects" 2>/dev/null && echo "done" || echo not-done
}

# A copy that was made after step "file" knows nothing of what was done since.
an_old_copy_is_refused() {
    local line
    fresh
    "$HOLDBACK" deploy "$work/plan.yml" -c "$work/cluster.yml" --set "folder=$work/folder" --journal "$work/journal" </dev/null >/dev/null 2>&1
    cp -r "$work/journal" "$work/copy"
    line=$(grep -n '"type":"intent","step":"rows"' "$work"/copy/claims/*/journal.jsonl | cut -d: -f1)
    sed -i "$line,\$d" "$work"/copy/claims/*/journal.jsonl
    "$HOLDBACK" resume --take-over --confirm take-over --yes --journal "$work/copy" </dev/null >/dev/null 2>"$work/second.err"
    if [ $? -ne 1 ] || ! grep -q 'is older than what was done' "$work/second.err" || [ "$(effects)" != "$wanted" ]; then
        wrong "an old copy of the journal is accepted: $(cat "$work/second.err")"
    fi
    "$HOLDBACK" commit --journal "$work/journal" </dev/null >/dev/null 2>"$work/second.err" || wrong "the newest journal is refused: $(cat "$work/second.err")"
    passed=$((passed + 1))
}

prepare
fresh
"$HOLDBACK" deploy "$work/plan.yml" -c "$work/cluster.yml" --set "folder=$work/folder" --journal "$work/journal" </dev/null >/dev/null 2>"$work/first.err" ||
    fail "the undisturbed run: $(cat "$work/first.err")"
wanted=$(effects)
an_old_copy_is_refused
if [ "${1:-}" = copy ]; then
    echo "$passed passed, $failed failed"
    exit "$((failed > 0))"
fi
began=$SECONDS
for delay in $delays; do
    for ((at = 1; at < 60; at++)); do
        sleeper "$at" "${delay#*:}" "${delay%:*}" || break
    done
done
echo "$asleep holders put to sleep at their barriers ($not_begun before the run had begun), in $((SECONDS - began)) s"
began=$SECONDS
fresh
for ((round = 1; round <= races; round++)); do
    race "$round"
done
echo "$races races, in $((SECONDS - began)) s"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$asleep" -gt "$not_begun" ]

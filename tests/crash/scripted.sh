#!/usr/bin/env bash
# kill -9 before and after every journal record of a run on scripted hosts: two names of this machine, each with a
# real sshd on loopback. After each kill, `resume` must reach the state of an undisturbed run, and no step's effect may
# happen twice: every job appends a line of its own to a file.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kills=0 failed=0

prepare() {
    host_start a b
    cat >"$work/cluster.yml" <<END
cluster: scripted
hosts:
  $(host_entry a)
  $(host_entry b)
postgres: {os-user: root}
patroni: {port: 1}
END
    cat >"$work/plan.yml" <<'EOF'
holdback: 1
plan: scripted
variables: {folder: {about: where the effects go, type: text}}
preflight:
  - {id: folder-is-there, hosts: [a, b], wait-until: {file: "${folder}"}}
deploy:
  - {id: one, hosts: [a, b], remote-shell: {run: 'echo "one $host_name" >>"$folder/effects"'}, if-interrupted: ask}
  - {id: file, hosts: a, edit-conf: {file: "${folder}/conf", format: postgresql, state: present, set: {port: "1"}}}
  - id: pair
    hosts: [a, b]
    serial: 1
    steps:
      - {id: two, remote-shell: {run: 'echo "two $host_name" >>"$folder/effects"; echo "$host_name"', save: [name]}, if-interrupted: ask}
      - {id: three, remote-shell: {run: 'echo "three $name" >>"$folder/effects"'}, if-interrupted: ask}
  - {id: there, hosts: a, wait-until: {file: "${folder}/conf", contains: port}}
commit:
  - {id: four, hosts: b, remote-shell: {run: 'echo "four" >>"$folder/effects"'}, if-interrupted: ask}
rollback:
  - id: undo
    when: {may-have-happened: one}
    hosts: a
    steps:
      - {id: file-back, edit-conf: {restore: file}}
      - {id: five, remote-shell: {run: 'echo "five" >>"$folder/effects"'}, if-interrupted: ask}
EOF
}

# Runs a command, killed at a sync; true: it came to its end.
attempt() { # AT BEFORE COMMAND...
    local at=$1 before=$2
    shift 2
    HOLDBACK_KILL_AT=$at HOLDBACK_KILL_BEFORE=$before LD_PRELOAD=$KILLER \
        "$HOLDBACK" "$@" --yes --journal "$work/journal" </dev/null >"$work/out" 2>"$work/err"
}

fresh() {
    rm -rf "$work/journal" "$work/effects" "$work"/home-*/.holdback
    mkdir -p "$work/effects"
}

deploy=(deploy "$work/plan.yml" -c "$work/cluster.yml" --set "folder=$work/effects")

state_of_run() {
    sort "$work/effects/effects" 2>/dev/null
    cat "$work/effects/conf" 2>/dev/null
    "$HOLDBACK" runs --journal "$work/journal" 2>/dev/null | grep -oE 'committed|rolled-back|deployed|deploying|refused|preflight' | head -1
    find "$work"/home-*/.holdback 2>/dev/null
    return 0
}

# One run, with a kill at sync AT of its command number NTH (1: deploy, 2: the second command).
run_with_kill() { # SECOND NTH AT BEFORE
    local second=$1 nth=$2 at=$3 before=$4 status killed=0 tries
    fresh
    for command in 1 2; do
        local args=("${deploy[@]}")
        [ "$command" = 2 ] && args=("$second")
        if [ "$command" = "$nth" ]; then
            attempt "$at" "$before" "${args[@]}"
        else
            attempt 0 0 "${args[@]}"
        fi
        status=$?
        tries=0
        while [ "$status" -eq 137 ]; do
            killed=1
            tries=$((tries + 1))
            [ "$tries" -gt 3 ] && break
            # What was killed before its run had begun left nothing to resume: it is typed again.
            if "$HOLDBACK" runs --journal "$work/journal" 2>/dev/null | grep -qE 'deploy|preflight|commit|rolling'; then
                attempt 0 0 resume
            else
                attempt 0 0 "${args[@]}"
            fi
            status=$?
            # Nor is there anything to resume of a command whose own record was lost.
            if [ "$status" -eq 0 ] && grep -q 'nothing to resume: commit or roll back' "$work/err" && [ "$command" = 2 ]; then
                attempt 0 0 "${args[@]}"
                status=$?
            fi
        done
        [ "$status" -eq 0 ] || { echo "status $status after a kill at $at of command $nth: $(tail -3 "$work/err")" >&2; return 2; }
    done
    [ "$killed" -eq 1 ]
}

check_all() { # SECOND
    local second=$1 wanted nth before at result
    run_with_kill "$second" 0 0 0
    wanted=$(state_of_run)
    for nth in 1 2; do
        for before in 0 1; do
            at=1
            while :; do
                run_with_kill "$second" "$nth" "$at" "$before"
                result=$?
                [ "$result" -eq 1 ] && break
                kills=$((kills + 1))
                if [ "$result" -eq 2 ] || [ "$(state_of_run)" != "$wanted" ]; then
                    failed=$((failed + 1))
                    echo "FAILED  deploy, $second: killed at sync $at (before: $before) of command $nth" >&2
                    diff <(echo "$wanted") <(state_of_run) >&2
                fi
                at=$((at + 1))
                [ "$at" -gt 60 ] && break
            done
        done
    done
}

KILLER=$work/kill_at_sync.so
cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$KILLER" "$here/kill_at_sync.c" -ldl -lpthread || exit 1
prepare
check_all commit
check_all rollback
echo "$((kills - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$kills" -gt 0 ]

#!/usr/bin/env bash
# kill -9 before and after every record of a run's journal, and again during the resume. What an undisturbed run comes to is
# come to after every kill: the same effects, each exactly once, the same states, nothing left on a host.
#
#   scripted.sh            all phases of blue-green.yml on scripted hosts, killed at every record and around every effect; and
#                          every state on disk that further kills, however many, can lead to. A small plan with the real
#                          program and sshd: killed after every sync; and before it, then once more in the resume.
#   scripted.sh nightly    on scripted hosts also every second kill after every first one, with SIGKILL; the small plan two deep
#
# On scripted hosts (scripted_run.c, world/) an effect is a line in a file, so a kill is milliseconds. States on disk that do
# not differ in anything that resume can see are resumed once.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=small.sh
. "$here/small.sh"
length=${1:-short}
scripted_run=$(dirname "$HOLDBACK")/tests/crash-scripted_run
kills=0 failed=0

blue_green() { # JOBS PAIRS
    local scenario running=0 ended=0
    trap 'kill $(jobs -p) 2>/dev/null; wait; exit 1' TERM
    for scenario in script-and-wipe rollback on-failure commit two-hosts let-go; do
        if [ "$running" -eq "$1" ]; then
            wait -n || ended=1
            running=$((running - 1))
        fi
        mkdir -p "$work/$scenario"
        "$scripted_run" "$root/plans/blue-green.yml" "$work/$scenario" "$scenario" "$2" &
        running=$((running + 1))
    done
    for (( ; running > 0; running--)); do
        wait -n || ended=1
    done
    return "$ended"
}

# Types SECOND after deploy; the commands from the first or second on (NTH) are killed at KILLS ("SYNC:BEFORE"), each at one.
# How many came to that is in $came; false: it ended as it must not.
play() { # SECOND NTH KILL...
    local second=$1 nth=$2 command args next wanted kill status tries
    shift 2
    came=0
    small_begin
    for command in 1 2; do
        args=("${deploy[@]}") wanted=deployed
        if [ "$command" = 2 ]; then
            args=("$second") wanted=committed
            [ "$second" = commit ] || wanted=rolled-back
        fi
        next=("${args[@]}")
        for ((tries = 0; tries < 6; tries++)); do
            kill=0:0
            if [ "$command" -ge "$nth" ] && [ $# -gt 0 ]; then
                kill=$1
                shift
            fi
            small_type "${kill%:*}" "${kill#*:}" "${next[@]}"
            status=$?
            [ "$status" -eq 0 ] && [ "$(small_state)" = "$wanted" ] && continue 2
            # Of a command whose own record was lost there is nothing to resume.
            next=("${args[@]}")
            if [ "$status" -eq 137 ]; then
                came=$((came + 1))
                [ -z "$(small_state)" ] || next=(resume)
            elif [ "$status" -ne 0 ]; then
                break
            fi
        done
        echo "${args[0]} ended with status $status: $(tail -3 "$work/err")" >&2
        return 1
    done
}

check() { # SECOND NTH KILL...
    play "$@"
    local ended=$?
    [ "$came" -gt 0 ] || return
    kills=$((kills + came))
    [ "$ended" -eq 0 ] && [ "$(small_outcome)" = "$wanted" ] && return
    failed=$((failed + 1))
    echo "FAILED  deploy and $1, from command $2 on killed at $(printf '%s ' "${@:3}")" >&2
    diff <(echo "$wanted") <(small_outcome) >&2
}

# All kills that begin with these: deeper ones in the resumes that follow.
check_deeper() { # DEPTH SECOND NTH KILL...
    local depth=$1 at before
    shift
    for ((at = 1; at < 60; at++)); do
        for before in 0 1; do
            check "$@" "$at:$before"
            [ "$came" -eq $(($# - 1)) ] || return
            [ "$depth" -gt 1 ] && check_deeper $((depth - 1)) "$@" "$at:$before"
        done
    done
}

check_small() { # SECOND
    local second=$1 nth before at again
    play "$second" 3 || failed=$((failed + 1))
    wanted=$(small_outcome)
    for nth in 1 2; do
        if [ "$length" = nightly ]; then
            check_deeper 2 "$second" "$nth"
            continue
        fi
        for before in 0 1; do
            for ((at = 1; at < 60; at++)); do
                again=()
                [ "$before" = 0 ] || again=("$((1 + RANDOM % 6)):$((RANDOM % 2))")
                check "$second" "$nth" "$at:$before" ${again[@]+"${again[@]}"}
                [ "$came" -gt 0 ] || break
            done
        done
    done
}

[ -x "$scripted_run" ] || fail "there is no $scripted_run: it is built with -DDEVELOPER=ON"
jobs=2 pairs=0
[ "$length" = nightly ] && jobs=$(nproc) pairs=all
export SEED=$seed
blue_green "$jobs" "$pairs" >"$work/blue-green" 2>"$work/blue-green.err" &
scripted_pid=$!
pids+=("$scripted_pid")
small_prepare
check_small commit
check_small rollback
wait "$scripted_pid" || failed=$((failed + 1))
cat "$work/blue-green.err" >&2
cat "$work/blue-green"
[ "$(grep -c ' 0 failed$' "$work/blue-green")" -eq 6 ] || failed=$((failed + 1))
scripted_kills=$(awk '{kills += $2} END {print kills}' "$work/blue-green")
echo "seed $seed: $scripted_kills kills on scripted hosts, $kills with the real program"
echo "$((scripted_kills + kills - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$kills" -gt 0 ] && [ "$scripted_kills" -gt 0 ]

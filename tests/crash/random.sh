#!/usr/bin/env bash
# Random schedules: deploy and commit, deploy and rollback, rollback in the middle, a step that fails with and without
# --on-failure rollback, Ctrl-C once and twice, guards that fail, and kill -9 at random moments of any command, several in a
# row, as a power loss would with the unsynced end of the journal cut off. Whatever happens, the run can be brought to its
# end; then every effect that belongs to it is there, once, and nothing is left on a host.
#
#   random.sh                300 schedules, each with a seed of its own
#   random.sh nightly        10,000
#   SEED=n random.sh one     that one, and what happens in it
#
# A seed that ends in 0 is a schedule of the real program with sshd (small.sh), the others are of blue-green.yml on scripted
# hosts (random_run.c, world/).
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=small.sh
. "$here/small.sh"
length=${1:-short}
random_run=$(dirname "$HOLDBACK")/tests/crash-random_run
failed=0 real=0 real_kills=0

# ---- the real program ----

# A command in the background gets a signal or two after some time; a small wait is as likely as a long one.
signal_later() { # PID
    local pause
    pause=$(printf '0.%03d' $((RANDOM % (RANDOM % 2 ? 100 : 500))))
    case $((RANDOM % 4)) in
    0 | 1) sleep "$pause" && kill -KILL "$1" ;;
    2) sleep "$pause" && kill -INT "$1" ;;
    3) sleep "$pause" && kill -INT "$1" && sleep 0.3 && kill -INT "$1" ;;
    esac 2>/dev/null
}

disturbed() { # COMMAND...
    case $((RANDOM % 5)) in
    0) small_type 0 0 "$@" ;;
    1 | 2) small_type $((1 + RANDOM % 14)) $((RANDOM % 2)) "$@" ;;
    3) HOLDBACK_KILL_DELAY_MS=$((RANDOM % 60)) small_type $((1 + RANDOM % 14)) 0 "$@" ;;
    4)
        # Without this the background would have SIGINT ignored.
        env --default-signal=INT "$HOLDBACK" "$@" --yes --journal "$work/journal" </dev/null >"$work/out" 2>"$work/err" &
        signal_later $!
        wait $! 2>/dev/null
        ;;
    esac
}

# What must be true of the effects, given the state that the run has ended in.
effects_are_right() { # STATE
    local effects="$work/effects/effects" lines
    lines=$(sort "$effects" 2>/dev/null)
    [ "$(uniq <<<"$lines")" = "$lines" ] || return 1
    case $1 in
    committed) [ "$lines" = $'four\none a\none b\nthree a\nthree b\ntwo a\ntwo b' ] && grep -q 'port = ' "$work/effects/conf" ;;
    rolled-back) ! grep -q four <<<"$lines" && [ ! -e "$work/effects/conf" ] && { [ -z "$lines" ] || grep -q five <<<"$lines"; } ;;
    refused) [ -z "$lines" ] && [ ! -e "$work/effects/conf" ] ;;
    *) false ;;
    esac
}

next_command() { # STATE GOAL: into $next
    case $1 in
    '') next=("${deploy[@]}") ;;
    deployed) next=("$2") ;;
    deploying)
        next=(resume)
        [ "$2" = rollback ] && [ $((RANDOM % 3)) -eq 0 ] && next=(rollback)
        ;;
    *) next=(resume) ;;
    esac
}

real_schedule() { # SEED
    local goal=commit state='' number status left options=()
    RANDOM=$1
    small_begin
    [ $((RANDOM % 2)) -eq 0 ] && goal=rollback
    [ $((RANDOM % 3)) -eq 0 ] && : >"$work/effects/fails"
    [ $((RANDOM % 4)) -eq 0 ] && options=(--on-failure rollback)
    for ((number = 0; number < 16; number++)); do
        next_command "$state" "$goal"
        [ -z "$state" ] && next+=(${options[@]+"${options[@]}"})
        if [ "$number" -lt 6 ]; then
            disturbed "${next[@]}"
        else
            small_type 0 0 "${next[@]}"
        fi
        status=$?
        [ "$status" -eq 137 ] && real_kills=$((real_kills + 1))
        state=$(small_state)
        [ "$length" = one ] && echo "${next[*]}: status $status, $state: $(tail -1 "$work/err")"
        case $state in committed | rolled-back | refused) break ;; esac
    done
    real=$((real + 1))
    # A second Ctrl-C stops the cleaning too; then the program has said what is left, and how to get rid of it.
    left=$(grep -l ' left on ' "$work"/journal/*/*/journal.jsonl 2>/dev/null)
    if [ -n "$left" ]; then
        "$HOLDBACK" close "$(basename "$(dirname "$left")")" --why 'it answers again' --journal "$work/journal" 2>"$work/err"
    fi
    if effects_are_right "$state" && [ -z "$(find "$work"/home-*/.holdback 2>/dev/null)" ]; then
        return 0
    fi
    failed=$((failed + 1))
    {
        echo "FAILED  seed $1: ended as \"$state\" with"
        small_outcome
        cat "$work"/journal/*/*/journal.jsonl
        tail -5 "$work/err"
    } >&2
}

# ---- all ----

[ -x "$random_run" ] || fail "there is no $random_run: it is built with -DDEVELOPER=ON"
count=300 jobs=1 say=()
[ "$length" = nightly ] && count=10000 jobs=$(($(nproc) - 1))
[ "$length" = one ] && count=1 say=(say)
small_prepare
share=$(((count + jobs - 1) / jobs))
for ((job = 0; job < jobs; job++)); do
    mkdir -p "$work/scripted-$job"
    "$random_run" "$root/plans/blue-green.yml" "$work/scripted-$job" $((seed + job * share)) "$share" \
        ${say[@]+"${say[@]}"} >"$work/scripted-$job.out" 2>"$work/scripted-$job.err" &
    scripted_pids[job]=$!
    pids+=($!)
done
last=$((seed + jobs * share))
for ((one = (seed + 9) / 10 * 10; one < last; one += 10)); do
    real_schedule "$one"
done
for ((job = 0; job < jobs; job++)); do
    wait "${scripted_pids[job]}" || failed=$((failed + 1))
    cat "$work/scripted-$job.err" >&2
    cat "$work/scripted-$job.out"
done
schedules=$(cat "$work"/scripted-*.out | awk '/^[0-9]+ schedules/ {all += $1} END {print all + 0}')
echo "seed $seed: $schedules schedules on scripted hosts; $real of the real program, $real_kills kills"
echo "$((schedules + real - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ $((schedules + real)) -ge "$count" ]

#!/usr/bin/env bash
# A job of remote-shell runs at most once and its true status is told, whatever dies: the program (SIGKILL, then four
# resumers at once), the runner on the host, the host itself (a faked reboot), the connection in the middle of a large
# script, the disk. What the job wrote is shown whole and once; a job that floods is bounded, on the host and in memory.
#
#   jobs.sh [nightly]    SEED=N makes the same random choices again, and ROUND='client 7,disk pages 3 0' no other rounds
#
# A job leaves its folder's name in "runs", so that each try of a step is counted by itself. "made" is its last effect.
[ -n "${JOBS_NAMESPACE:-}" ] || JOBS_NAMESPACE=1 exec unshare -m --propagation private "$0" "$@"
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
unset HOLDBACK_JOURNAL HOLDBACK_TEST_CLUSTER
workers=2 kills=200 runner_kills=30 reboots=5 races=24 others=2 free=(0 2 4 5 6 8)
[ "${1:-}" = nightly ] && kills=2000 runner_kills=300 reboots=30 races=300 others=20 free=(0 1 2 3 4 5 6 7 8 9 10 12)
libraries=$(dirname "$HOLDBACK")
machine=$(uname -n)

tally() { echo "$*" >>"$work/tally"; }
count() { grep -cx "$1" "$work/tally"; }

# What went wrong, how to see it again, and the first time in a round what the program said.
wrong() { # WORDS
    tally failed
    {
        echo "FAILED  $round: $* (SEED=$seed ROUND='$again' tests/crash/jobs.sh)"
        [ -z "$is_told" ] && grep -hE 'error:' "$dir"/err.* | sort | uniq -c
        [ -z "$is_told" ] && cat "$dir"/journal/*/*/journal.jsonl | grep -oE '"type":"(intent|outcome|stop|state|command)".*' |
            sed -E 's/,"hash.*//' | cut -c 1-250 | tail -n 9
    } 2>/dev/null | sed '2,$s/^/    /' >&2
    is_told=yes
}

# --- plans ---

write_plan() { # NAME PARAMETERS [STEP-BEFORE]
    cat >"$work/$1.yml" <<END
holdback: 1
plan: $1
variables:
  folder: {about: where the effects go, type: text}
  lines: {about: of output, type: integer, default: 9}
  ending: {about: an exit status or the name of a signal, type: text, default: "0"}
  gate: {about: the job waits for this file, type: text, default: none}
deploy:
${3:-}
  - id: job
    hosts: host
    remote-shell: {file: $1.sh$2}
    timeout: 20s
    if-interrupted: ask
END
    cp "$work/job.sh" "$work/$1.sh"
}

# shellcheck disable=SC2016
write_plans() {
    local number
    cat >"$work/job.sh" <<'END'
printf '%s\n' "${0%/*}" >>"$folder/runs"
number=0
while [ "$number" -lt "$lines" ]; do
    number=$((number + 1))
    echo "line $number"
    [ $((number % 3)) -ne 0 ] || sleep 0.01
    [ "$gate" = none ] || [ "$number" -ne $(((lines + 1) / 2)) ] ||
        until [ -e "$folder/$gate" ] || [ ! -d "$folder" ]; do sleep 0.01; done
done
: >"$folder/made"
case $ending in [A-Z]*) kill -"$ending" $$ ;; esac
exit "$ending"
END
    write_plan plain ', save: [said]'
    write_plan creates ', creates: "${folder}/made"'
    write_plan unless ", unless: '[ -e \"\$folder/made\" ]'"
    write_plan late '' '  - {id: wait, hosts: host, wait-until: {file: "${folder}/go"}, timeout: 20s}'
    echo 'commit: []' >>"$work/late.yml"
    write_plan large '' '  - {id: wait, hosts: host, wait-until: {file: "${folder}/go"}, timeout: 20s}'
    {
        for ((number = 0; number < 9200; number++)); do printf '# %096d\n' "$number"; done
        cat "$work/job.sh"
    } | tee "$work/late.sh" >"$work/large.sh"
    write_plan disk ''
    sed -i 's/^    echo .*/& 2>\/dev\/null || :/' "$work/disk.sh"
    write_plan flood ''
    {
        echo 'yes "standard output" | head -c 100000000'
        echo 'yes "standard error" | head -c 100000000 >&2'
        cat "$work/job.sh"
    } >"$work/flood.sh"
    echo 'commit: []' >>"$work/flood.yml"
}

# --- one run ---

fresh() { # NAME OF THE ROUND
    round=$1
    rm -rf "$dir" "$home/.holdback"
    mkdir -p "$dir/effects"
    resumed=0 also='' words='' pid='' deployed='' is_told=''
}

begin() { # PLAN NAME=VALUE...: in the background, as $deploy
    local settings=() setting
    plan=$1
    ending=0 lines=9
    for setting in "${@:2}"; do
        settings+=(--set "$setting")
        case $setting in ending=*) ending=${setting#*=} ;; lines=*) lines=${setting#*=} ;; esac
    done
    status=$ending
    case $ending in KILL) status=137 ;; TERM) status=143 ;; esac
    ${measure:-} "$HOLDBACK" deploy "$work/$plan.yml" -c "$work/$host.yml" --set "folder=$dir/effects" "${settings[@]}" --yes \
        --journal "$dir/journal" </dev/null >"$dir/out.0" 2>"$dir/err.0" &
    deploy=$!
}

end_deploy() {
    wait "$deploy" 2>/dev/null
    deployed=$?
    codes=("$deployed")
}

kill_deploy() {
    kill -9 "$deploy" 2>/dev/null
    end_deploy
    [ "$deployed" -eq 137 ]
}

# Four at once: $codes are their exit codes. Whom another one keeps out says who that is.
resume_four() {
    local at racers=() said
    resumed=$((resumed + 1))
    for at in 0 1 2 3; do
        "$HOLDBACK" resume --yes --journal "$dir/journal" </dev/null >"$dir/out.$resumed$at" 2>"$dir/err.$resumed$at" &
        racers+=($!)
    done
    codes=()
    for at in 0 1 2 3; do
        wait "${racers[at]}" 2>/dev/null
        codes+=($?)
    done
    for at in 0 1 2 3; do
        [ "${codes[at]}" -eq 5 ] || continue
        said=$(<"$dir/err.$resumed$at")
        if ! [[ $said =~ "is in the hands of root on $machine, pid "([0-9]+)", since 20" &&
            " ${racers[*]} " == *" ${BASH_REMATCH[1]} "* ]]; then
            wrong "one of ${racers[*]} was refused with: $said"
        fi
    done
}

among() { # CODE: is it one of $codes?
    [[ " ${codes[*]} " == *" $1 "* ]]
}

only() { # CODE...: are all of $codes among these?
    local code
    for code in "${codes[@]}"; do
        [[ " $* " == *" $code "* ]] || return 1
    done
}

# The first of the files NAME in the folders of the run's jobs; false: there is none.
record() { # NAME
    local file
    for file in "$home"/.holdback/*/*/"$1"; do
        [ -e "$file" ] && found=$file && return
    done
    return 1
}

# Waits for the job's own record: $started; $pid is its runner's.
wait_started() {
    local tries=0 boot
    pid=
    until record started && started=$found && read -r boot pid <"$started" && [ -n "$pid" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 2000 ] && [ -d "/proc/$deploy" ] || return 1
        sleep 0.002
    done
}

# What is left of the session of a runner.
session() { # PID
    [ -z "$1" ] || ps -o pid=,stat= -s "$1" | awk '$2 !~ /^Z/ {print $1}'
}

# A person who knows: the job's last effect is there, or it is not.
answer() {
    local as=not-done
    tally doubt
    case $plan in creates | unless) wrong "in doubt, although the step can look" ;; esac
    [ -z "$(session "$pid")" ] || wrong "in doubt, while it runs"
    if [ -n "$words" ] && ! grep -qF "$words" "$dir"/err.*; then
        wrong "nothing says: $words"
    fi
    if [ -e "$dir/effects/made" ]; then as='done'; fi
    find_journal
    "$HOLDBACK" resolve "$id" job@host --as "$as" --why "it was looked at" --journal "$dir/journal" \
        >>"$dir/out.person" 2>>"$dir/err.person" || wrong "cannot resolve"
}

# From $codes to the end of the run: resumed by four at a time, until it is done or the job has failed.
finish() {
    local turn
    for turn in 1 2 3 4 5; do
        # shellcheck disable=SC2086
        only 0 1 4 5 137 $also || wrong "exit codes ${codes[*]}"
        if among 4; then
            answer
        elif among 0 || { among 1 && [ "$status" -ne 0 ]; }; then
            return
        fi
        resume_four
    done
    wrong "no end after $turn turns: ${codes[*]}"
}

# Lets the job go on when whoever resumes has come to it.
open_gate() {
    (sleep 0.4 && : >"$dir/effects/gate") 2>/dev/null &
}

# --- what must be true of it ---

# $journal, and the $id of its run; a run that was killed before it had one is none.
find_journal() {
    local journals=("$dir"/journal/*/*/journal.jsonl)
    journal=${journals[0]} id=${journals[0]%/*}
    id=${id##*/}
}

# How many times each try really ran, as $ran: its folder is named after its operation.
count_runs() {
    local line operation try=0 all=() known=0
    ran=()
    [ ! -e "$dir/effects/runs" ] || mapfile -t all <"$dir/effects/runs"
    while read -r line; do
        [[ $line == *'"type":"intent","step":"job"'* ]] || continue
        try=$((try + 1))
        ran[try]=0
        operation=$(sha256sum < <(printf '%s\njob\nhost\n%d' "$id" "$try"))
        for line in "${all[@]}"; do
            [[ $line != *"/${operation%% *}" ]] || ran[try]=$((ran[try] + 1))
        done
        [ "${ran[try]}" -le 1 ] || wrong "try $try ran ${ran[try]} times"
        known=$((known + ran[try]))
    done <"$journal"
    [ "${#all[@]}" -eq "$known" ] || wrong "a job ran that the journal does not know"
}

# Every try against what really ran.
check_tries() { # RESULTS: that a try may have
    local line try result told said expected='' n complete=0 journal id ran
    find_journal
    count_runs
    for ((n = 1; n <= lines; n++)); do expected+="line $n\\n"; done
    while read -r line; do
        [[ $line =~ '"type":"outcome","step":"job"'.*'"try":'([0-9]+),'"result":"'([a-z-]+)'","words":'(null|\"([^\"]*)\").*'"saved":{'(.*)\},\"hash\" ]] || continue
        try=${BASH_REMATCH[1]} result=${BASH_REMATCH[2]} told=${BASH_REMATCH[4]} said=${BASH_REMATCH[5]}
        [[ " $1 " == *" $result "* ]] || wrong "try $try: $result is none of: $1"
        case $result in
        done)
            complete=$((complete + 1))
            [ "${ran[try]}" -eq 1 ] || wrong "try $try is done, and ran ${ran[try]} times"
            [ -e "$dir/effects/made" ] || wrong "try $try is done, and its last effect is not there"
            if [ "$plan" = plain ]; then
                [ "$status" -eq 0 ] || wrong "try $try is done, and its status is $status"
                [ "$said" = "\"said\":\"${expected%\\n}\"" ] || wrong "try $try saved $said"
            fi
            ;;
        failed)
            complete=$((complete + 1))
            if [ "$told" != "exit status $status" ]; then
                [[ $told == "the job did not come to its end: $words" && $plan =~ creates|unless ]] ||
                    wrong "try $try: $told, instead of exit status $status"
                tally "cut off, and its effect is not there"
            elif [ "${ran[try]}" -ne 1 ]; then
                wrong "try $try failed, and ran ${ran[try]} times"
            fi
            ;;
        failed-left-nothing)
            [ "${ran[try]}" -eq 0 ] || wrong "try $try left nothing, and ran ${ran[try]} times"
            ;;
        esac
    done <"$journal"
    [ "$plan" != plain ] || check_shown "$complete"
}

# Output is shown whole, and once; but who is killed between showing and journalling shows it once more.
check_shown() { # COMPLETE TRIES
    local file line next shown=0
    for file in "$dir"/out.*; do
        next=1
        while read -r line; do
            [[ $line == 'line '* ]] || continue
            [ "$line" = "line $next" ] || { wrong "${file##*/}: \"$line\" instead of line $next" && return; }
            if [ "$next" -lt "$lines" ]; then next=$((next + 1)); else next=1 shown=$((shown + 1)); fi
        done <"$file"
        [ "$next" -eq 1 ] || wrong "${file##*/}: there is no line $next"
    done
    ((shown >= $1 && shown <= $1 + 1)) || wrong "$1 tries came to their end, and $shown outputs were shown"
}

# The run is over, by its last step or by a person: nothing of it is left on the host.
check_gone() {
    among 0 || among 9 || "$HOLDBACK" close --why "the test is over" --journal "$dir/journal" >"$dir/out.close" 2>"$dir/err.close" ||
        wrong "could not close the run"
    [ ! -e "$home/.holdback" ] || wrong "left on the host: $(find "$home/.holdback" | tr '\n' ' ')"
    tally round
}

# What a round leaves when it does not come to its end.
finally() {
    local file
    [ ${#running[@]} -eq 0 ] || kill "${running[@]}" 2>/dev/null
    for file in "$work"/stranger.*; do [ ! -e "$file" ] || kill "$(<"$file")" 2>/dev/null; done
    umount -l "$work"/home-full? 2>/dev/null
    end
}
running=()
trap finally EXIT

endings=(0 0 0 0 7 255 KILL TERM)

# --- the program is killed ---

client_round() { # NUMBER
    local before=none delay wanted tries gate=none
    # Every fourth job goes on until it has been attached to.
    [ $(($1 % 4)) -ne 1 ] || gate=gate
    # Who came to its end, or had not begun its run, was not killed in the middle.
    for ((tries = 1; tries <= 9; tries++)); do
        fresh "client kill $1"
        begin plain "ending=${endings[RANDOM % 8]}" "lines=$((1 + RANDOM % 12))" gate=$gate
        delay=$((duration / 6 + RANDOM % duration))
        [ $(($1 % 2)) -eq 0 ] || { wait_started && delay=$((delay / 2 / tries)); }
        sleep "$((delay / 1000)).$(printf '%03d' $((delay % 1000)))"
        ! kill_deploy || ! compgen -G "$dir/journal/*/*/journal.jsonl" >"$dir/run" || break
    done
    if record rc; then before='done'; elif record started; then before=running; fi
    tally "client kill"
    tally "client kill, job $before"
    [ $gate = none ] || open_gate
    resume_four
    wanted=$((status != 0))
    if ! among $wanted || ! only $wanted 5; then
        wrong "exit codes ${codes[*]}, where the job ends with $status"
    fi
    check_tries "done failed failed-left-nothing"
    check_gone
}

# --- the runner is killed ---

runner_round() { # NUMBER
    local plans=(plain creates unless) gate=none tries
    [ $(($1 % 5)) -ne 0 ] || gate=gate
    for ((tries = 1; tries <= 9; tries++)); do
        fresh "runner kill $1"
        begin "${plans[$1 % 3]}" "ending=${endings[RANDOM % 8]}" "lines=$((1 + RANDOM % 12))" gate=$gate
        wait_started || { wrong "the job did not start" && end_deploy && return; }
        sleep "0.$(printf '%03d' $((RANDOM % (90 / tries))))"
        ! grep -q holdback-job "/proc/$pid/cmdline" 2>/dev/null || ! kill -9 "$pid" 2>/dev/null || break
        end_deploy
    done
    tally "runner kill"
    while grep -qs ') [^Z]' "/proc/$pid/stat"; do sleep 0.001; done
    if [ -s "${started%/*}/rc" ]; then tally "runner kill, status written"; fi
    words="its runner died"
    # Whoever says so before the gate is open is wrong: the script goes on without its runner.
    [ $gate = none ] || open_gate
    if [ $(($1 / 3 % 2)) -eq 0 ]; then kill_deploy; else end_deploy; fi
    finish
    check_tries "done failed failed-left-nothing in-doubt already"
    check_gone
}

# --- the host is started anew; its pids are given to others ---

reboot_round() { # NUMBER [STRANGER]
    local plans=(plain unless creates) boot=11111111-2222-3333-4444-555555555555 member members owner
    local is_complete=$(($1 % 4 == 3)) kind=${2:-reboot}
    fresh "$kind $1"
    begin "${plans[$1 % 3]}" gate=gate
    wait_started || { wrong "the job did not start" && end_deploy && return; }
    kill_deploy
    if [ "$is_complete" -eq 1 ]; then
        : >"$dir/effects/gate"
        until [ -s "${started%/*}/rc" ]; do sleep 0.005; done
    fi
    while members=$(session "$pid") && [ -n "$members" ]; do
        for member in $members; do kill -9 "$member" 2>/dev/null; done
    done
    # Its pid is a stranger's by now, the leader of a session of its own.
    # shellcheck disable=SC2016
    setsid -f sh -c 'echo $$ >"$1"; exec sleep 60' sh "$work/stranger.$me"
    until read -r owner <"$work/stranger.$me" && [ -n "$owner" ]; do sleep 0.005; done 2>/dev/null
    words="the host was started anew meanwhile"
    [ "$kind" = reboot ] || words="its runner died" boot=$(</proc/sys/kernel/random/boot_id)
    if [ "$kind" = stranger ] || [ $(($1 % 2)) -eq 1 ]; then pid=$owner; fi
    printf '%s %s\n' "$boot" "$pid" >"$started"
    pid=
    tally "$kind"
    : >"$dir/effects/gate"
    finish
    kill "$owner"
    rm -f "$work/stranger.$me"
    check_tries "done failed failed-left-nothing in-doubt"
    [ "$is_complete" -eq 0 ] || [ "$(wc -l <"$dir/effects/runs")" -eq 1 ] || wrong "a complete job was started again"
    check_gone
}

stranger_round() { # NUMBER
    reboot_round "$1" stranger
}

# --- what is under way when the connection or the program dies ---

# Stops the shell that serves the program on the host, and its children: when the program begins to send the job (intent),
# or when the job is being staged there (folder). True: in time.
stop_shell() { # AT
    local at=0 folders
    shell='' connection=''
    while [ -z "$shell" ] && [ "$((at++))" -lt 200 ]; do
        sleep 0.02
        connection=$(ps -o pid= --ppid "$listener" | head -1 | tr -d ' ')
        [ -n "$connection" ] && grep -qs '"intent","step":"wait"' "$dir"/journal/*/*/journal.jsonl &&
            shell=$(ps -o pid= --ppid "$connection" | head -1 | tr -d ' ')
    done
    [ -n "$shell" ] || return 1
    : >"$dir/effects/go"
    if [ "$1" = intent ]; then
        until grep -qs '"intent","step":"job"' "$dir"/journal/*/*/journal.jsonl; do sleep 0.001; done
    else
        until folders=("$home"/.holdback/*/*/) && [ -d "${folders[0]}" ]; do :; done
    fi
    kill -STOP -- "-$shell"
    sleep 0.15
    ! record started
}

# The connection is cut in the middle of a large script.
cut_round() { # NUMBER
    fresh "cut transfer $1"
    begin large
    if stop_shell intent; then tally "cut transfer"; fi
    kill -9 "$connection"
    kill -CONT -- "-$shell"
    end_deploy
    also=6
    finish
    check_tries "done failed-left-nothing"
    check_gone
}

# What a killed program had sent goes on when its successor has long been at work.
late_round() { # NUMBER
    fresh "late launch $1"
    begin late
    if stop_shell folder; then tally "late launch"; fi
    kill_deploy
    finish
    kill -CONT -- "-$shell"
    while [ -n "$(ps -o pid= -s "$shell")" ]; do sleep 0.02; done
    sleep 0.2
    check_tries "done failed-left-nothing"
    "$HOLDBACK" commit --journal "$dir/journal" >"$dir/out.commit" 2>"$dir/err.commit" || wrong "could not commit"
    check_gone
}

# --- the host's disk is full ---

disk_round() { # WHAT FREE LINES: so many pages or inodes are free
    local at
    host=full$me home=$work/home-full$me
    fresh "full disk, $2 $1 free, $3 lines"
    mount -t tmpfs -o size=1m,nr_inodes=100 tmpfs "$home" || fail "cannot mount"
    if [ "$1" = pages ]; then
        head -c $((1048576 - $2 * 4096)) /dev/zero >"$home/filler"
    else
        for ((at = $(stat -f -c %d "$home"); at > $2; at--)); do : >"$home/filler$at"; done
    fi
    begin disk "lines=$3"
    end_deploy
    tally "full disk"
    tally "full disk, exit $deployed"
    # Its status has a place before it starts.
    only 0 1 9 || wrong "exit code $deployed"
    [ "$deployed" -eq 0 ] || grep -q 'could not' "$dir/err.0" || wrong "nothing says that the disk is full"
    rm -f "$home"/filler*
    [ "$deployed" -eq 9 ] || finish
    check_tries "done failed-left-nothing"
    check_gone
    # A guard of the job may be asleep in it.
    umount -l "$home"
    host=h$me home=$work/home-h$me
}

# --- a job that floods ---

largest() { # FILE: it holds the most memory that a command took, in KiB
    [ "$(sed -n 's/^memory //p' "$1")" -lt 65536 ] || wrong "$(grep '^memory' "$1") KiB"
}

flood_round() {
    local file
    fresh "flood $1"
    measure="python3 $work/measure.py"
    begin flood
    [ $(($1 % 2)) -eq 0 ] || { wait_started && : >"$dir/effects/go"; }
    end_deploy
    largest "$dir/err.0"
    for file in "$home"/.holdback/*/*/out "$home"/.holdback/*/*/err; do
        [ "$(stat -c %s "$file")" -le 16777217 ] || wrong "$(stat -c '%n: %s bytes' "$file")"
    done
    finish
    check_tries "done"
    measure=
    "$HOLDBACK" commit --journal "$dir/journal" >"$dir/out.commit" 2>"$dir/err.commit" || wrong "could not commit"
    tally flood
    check_gone
}

# --- below the program: four processes ask for the same job at once, some are killed ---

race_round() { # NUMBER
    local at
    fresh "race $1"
    "$work/job_race" "$(cat "$work/$host.port")" "$work/key" "$work/known_hosts" "$dir" $((seed + $1)) 6 2>"$dir/err.race" ||
        wrong "$(cat "$dir/err.race")"
    for ((at = 0; at < 6; at++)); do tally race; done
    rm -rf "$home/.holdback"
    tally round
}

# --- all of it ---

rounds() {
    local n
    for ((n = 0; n < others; n++)); do printf '%s\n' "cut $n" "late $n" "flood $n" "stranger $n"; done
    for ((n = 0; n < runner_kills; n++)); do echo "runner $n"; done
    for ((n = 0; n < reboots; n++)); do echo "reboot $n"; done
    for ((n = 0; n < races; n += 6)); do echo "race $n"; done
    for ((n = 0; n < kills; n++)); do echo "client $n"; done
}

disk_rounds() {
    local at
    for at in "${free[@]}"; do printf '%s\n' "disk pages $at 0" "disk pages $at 2000" "disk inodes $at 0"; done
}

# Every round makes random choices of its own, so that it can be repeated alone.
worker() { # MINE
    local at words
    me=$1 host=h$1 dir=$work/work$1 home=$work/home-h$1 listener=${pids[$1 - 1]}
    for ((at = me - 1; at < ${#all[@]}; at += workers)); do
        read -ra words <<<"${all[at]}"
        RANDOM=$((seed + words[-1]))
        again=${all[at]}
        "${words[0]}_round" "${words[@]:1}"
    done
}

host_start h1 h2 full1 full2
for host in h1 h2 full1 full2; do
    cat >"$work/$host.yml" <<END
cluster: jobs
hosts:
  $(host_entry "$host" | sed "s/^$host:/host:/")
postgres: {os-user: root}
patroni: {port: 1}
END
done
write_plans
cat >"$work/measure.py" <<'END'
import resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
print("memory", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(status)
END
# shellcheck disable=SC2046
cc -O1 -D_GNU_SOURCE -I"$root/engine" -o "$work/job_race" "$here/job_race.c" "$libraries/liblayer_host.a" \
    "$libraries/liblayer_base.a" $(pkg-config --libs libssh libpq libcurl jansson libcrypto) -lpthread || exit 1

me=1 host=h1 dir=$work/work1 home=$work/home-h1
for _ in 1 2; do
    fresh "the first"
    began=${EPOCHREALTIME/./}
    begin plain lines=6
    end_deploy
    duration=$(((${EPOCHREALTIME/./} - began) / 1000))
    among 0 || fail "a run that nobody disturbs: $(cat "$dir/err.0")"
done

: >"$work/tally"
mapfile -t all < <(rounds; disk_rounds)
[ -z "${ROUND:-}" ] || IFS=, read -ra all <<<"$ROUND"
began=$SECONDS
for ((at = 1; at <= workers; at++)); do
    worker "$at" &
    running+=($!)
done
wait "${running[@]}"
running=()

sort "$work/tally" | uniq -c | grep -vE ' (round|failed)$'
echo "an undisturbed run takes $duration ms; seed $seed, $((SECONDS - began)) s"
failed=$(count failed)
if [ -z "${ROUND:-}" ]; then
    # What was never met was not tested.
    for kind in "client kill, job none" "client kill, job running" "client kill, job done" "runner kill" reboot stranger \
        "cut transfer" "late launch" "full disk, exit 1" "full disk, exit 0" doubt flood race; do
        [ "$(count "$kind")" -gt 0 ] || { echo "FAILED  never met: $kind" && failed=$((failed + 1)); }
    done
    [ "$(count round)" -eq "${#all[@]}" ] || { echo "FAILED  $(count round) of ${#all[@]} rounds came to their end" && failed=$((failed + 1)); }
fi
echo "$(($(count round) - failed)) passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$(count round)" -gt 0 ]

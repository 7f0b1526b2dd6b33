#!/usr/bin/env bash
# Every call that may fail on any machine does, one after the other: write, sync, open, rename, mkdir, truncate and the
# allocation of memory, once and from then on. Whatever failed: no effect on a host without an intent that is on disk, no
# hang, no death by a signal, an error that tells the reason, no descriptor left open; and `resume` reaches the state of
# an undisturbed run.
#
#   failing.sh              a short plan: writes, syncs, renames, truncations; as many of the others as fit into 50 s,
#                           and a sample of the allocations
#   failing.sh nightly      a longer plan, every call; every allocation of deploy, a third of those of the others; with SANITIZED=PROGRAM, a holdback built with
#                           AddressSanitizer, once more everything but the allocations, and no leak of memory
#   ONLY=REGEX failing.sh   of all cases those that it fits; a case is "COMMAND CLASS NUMBER ERRNO once|on", as a failure
#                           prints it
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
unset HOLDBACK_JOURNAL
form=${1:-short}
every=$([ "$form" = short ] && [ -z "${ONLY:-}" ] || echo yes)
until_s=50 # of the short form
lanes=2
[ "$form" = nightly ] && lanes=$(nproc)
cluster=failing-$$
elsewhere=/var/lib/holdback # where a run goes if its journal is not found
[ -e "$elsewhere" ] && had_elsewhere=1

finish() {
    rm -rf "${elsewhere:?}/$cluster"
    [ -n "${had_elsewhere:-}" ] || rmdir "$elsewhere" 2>/dev/null
    end
}
trap finish EXIT

enospc=28 eio=5 emfile=24 enomem=12

plan() { # A B
    cat <<END
holdback: 1
plan: failing
variables: {folder: {about: where the effects go, type: text}}
preflight:
  - {id: folder-is-there, hosts: [$1, $2], wait-until: {file: "\${folder}"}}
deploy:
  - {id: one, hosts: [$1, $2], remote-shell: {run: 'echo "one \$host_name" >>"\$folder/effects"'}, if-interrupted: ask}
  - {id: file, hosts: $1, edit-conf: {file: "\${folder}/conf", format: postgresql, state: present, set: {port: "1"}}}
END
    [ "$form" = short ] || cat <<END
  - id: pair
    hosts: [$1, $2]
    serial: 1
    steps:
      - {id: three, remote-shell: {run: 'echo "three \$host_name" >>"\$folder/effects"; echo x', save: [name]}, if-interrupted: ask}
      - {id: four, remote-shell: {run: 'test \$name = x; echo "four \$host_name" >>"\$folder/effects"'}, if-interrupted: ask}
  - {id: there, hosts: $1, wait-until: {file: "\${folder}/conf", contains: port}}
END
    cat <<END
  - {id: two, hosts: $2, remote-shell: {run: 'echo "two \$host_name" >>"\$folder/effects"; echo x', save: [value]}, if-interrupted: ask}
commit:
  - {id: five, hosts: $2, remote-shell: {run: 'test \$value = x; echo "five \$host_name" >>"\$folder/effects"'}, if-interrupted: ask}
rollback:
  - {id: file-back, hosts: $1, when: {may-have-happened: file}, edit-conf: {restore: file}}
  - {id: six, hosts: $1, remote-shell: {run: 'echo "six \$host_name" >>"\$folder/effects"'}, if-interrupted: ask}
END
}

lane_make() { # NUMBER
    lane=$work/lane-$1 a=a$1 b=b$1
    mkdir -p "$lane/effects" "$lane/saved"
    host_start "$a" "$b"
    cluster_of "$cluster" "$a" "$b" >"$lane/cluster.yml"
    plan "$a" "$b" >"$lane/plan.yml"
}

# All that a run leaves anywhere.
save() { # NAME
    rm -rf "$lane/saved/$1"
    mkdir -p "$lane/saved/$1"
    mv "$lane/effects" "$lane/journal" "$lane/saved/$1/"
    mv "$work/home-$a" "$lane/saved/$1/a"
    mv "$work/home-$b" "$lane/saved/$1/b"
}

restore() { # NAME, or nothing: as if there had never been a run
    rm -rf "$lane/journal" "$lane/effects" "$work/home-$a" "$work/home-$b"
    if [ $# -eq 0 ]; then
        mkdir "$lane/effects" "$work/home-$a" "$work/home-$b"
        return
    fi
    cp -a "$lane/saved/$1/effects" "$lane/saved/$1/journal" "$lane/"
    cp -a "$lane/saved/$1/a" "$work/home-$a"
    cp -a "$lane/saved/$1/b" "$work/home-$b"
}

# "second" is a deploy while another run is open.
attempt() { # COMMAND [VARIABLE=VALUE...]
    local args=("$1")
    [[ $1 = deploy || $1 = second ]] && args=(deploy "$lane/plan.yml" -c "$lane/cluster.yml" --set "folder=$lane/effects")
    rm -f "$lane/calls"
    timeout -k 5 90 env LD_PRELOAD="$preloaded" HOLDBACK_CALLS="$lane/calls" "${@:2}" \
        "$program" "${args[@]}" --yes --journal "$lane/journal" </dev/null >"$lane/out" 2>"$lane/err"
}

# Of the last run that was not refused. Read without the program, which is what is tested.
state() {
    local journal found=refused this
    for journal in "$lane"/journal/*/*/journal.jsonl; do
        [ -e "$journal" ] || continue
        this=$(grep -o '"type":"state","state":"[a-z-]*' "$journal" | tail -n 1)
        this=${this##*\"}
        [ "$this" = refused ] || found=${this:-preflight}
    done
    echo "$found"
}

result() {
    sort "$lane/effects/effects" 2>/dev/null
    cat "$lane/effects/conf" 2>/dev/null
    state
}

# Bytes of the journal that are on disk, of which so many were before.
on_disk() { # BYTES
    local size
    size=$(sed -nE 's/^sync .*\/journal\.jsonl[^ ]* ([0-9]+)$/\1/p' "$lane/calls" | tail -n 1)
    echo "${size:-$1}"
}

# Steps whose effect is there although no intent on disk announces it.
unannounced() { # BYTES of the journal that were on disk before
    local durable step host
    durable=$(head -qc "$(on_disk "$1")" "$lane"/journal/*/*/journal.jsonl* 2>/dev/null)
    {
        cat "$lane/effects/effects" 2>/dev/null
        [ ! -e "$lane/effects/conf" ] || echo "file $a"
    } | while read -r step host; do
        grep -qE "\"type\":\"intent\",\"step\":\"$step\",\"try\":[0-9]+,\"hosts\":\[[^]]*\"$host\"" <<<"$durable" ||
            echo "$step on $host"
    done
}

# What main has left open, but for the one that signals are told by.
descriptors() {
    sed -nE 's/^open ([^[]*).*/\1/p' "$lane/calls" | sort | comm -23 - <(echo anon_inode:)
}

# What is typed after a failure, until the end is reached.
recover() { # COMMAND WANTED
    for _ in 1 2 3; do
        [ "$(result)" = "$2" ] && return 0
        case $(state) in
        preflight | deploying | committing | rolling-back) attempt resume ;;
        deployed) attempt resume && [ "$1" != deploy ] && [ "$1" != resume ] && [ "$(state)" = deployed ] && attempt "$1" ;;
        *) attempt "$1" ;;
        esac
    done
    [ "$(result)" = "$2" ]
}

# What a failed call may not lead to; prints it.
judge() { # STATUS COMMAND CLASS SIZE
    local reason
    [ "$1" -ne 124 ] && [ "$1" -ne 137 ] || echo "it hung"
    [ "$1" -lt 128 ] || [ "$1" -eq 137 ] || echo "it died of signal $(($1 - 128))"
    ! grep -q 'Sanitizer' "$lane/err" || echo "it leaks"
    reason=$(sed -nE 's/^failed [^ ]+ [^ ]+ ([A-Z]+) .*/\1/p' "$lane/calls")
    case $reason in
    ENOSPC) reason='No space left on device' ;;
    EIO) reason='Input/output error' ;;
    EMFILE) reason='Too many open files' ;;
    ENOMEM) reason='out of memory' ;;
    esac
    # A failed write to the screen is no reason to stop, and libssh does not say why it cannot read a file.
    [ "$1" -eq 0 ] || [ "$1" -ge 124 ] || [ "$2$1" = second5 ] || grep -qiF "$reason" "$lane/err" ||
        grep -qE '^failed (write .*/(err|out)|open .*/(key|known_hosts))$' "$lane/calls" || echo "it does not say why"
    [ "$1" -ne 0 ] || [ "$(result)" = "$(cat "$lane/$2.result")" ] || echo "it calls done what is not"
    [ "$2" != second ] || [ "$(find "$lane/journal" -mindepth 2 -maxdepth 2 -type d | wc -l)" -eq 1 ] || echo "a second run has begun"
    [ ! -e "$elsewhere/$cluster" ] || echo "its run is not in the journal that was named"
    rm -rf "${elsewhere:?}/$cluster"
    unannounced "$4" | sed 's/^/effect without an intent on disk: /'
    grep -q '^count' "$lane/calls" && descriptors | sed 's/^/left open: /'
    grep -q '^count' "$lane/calls" && find "$lane/journal" -name '*.??????' 2>/dev/null | sed 's/^/left behind: /'
}

# A sync that failed has made the kernel forget what it lost: the next one succeeds without doing anything. So who goes on
# from what the journal seems to hold must have written it again.
written_again() { # BYTES of the journal that are on disk
    local journal
    journal=$(echo "$lane"/journal/*/*/journal.jsonl)
    [ -e "$journal" ] && [ "$(wc -c <"$journal")" -gt "$1" ] || return 0
    set -- "$1" "$(wc -c <"$journal")"
    attempt resume
    awk -v from="$1" -v to="$2" '
        /^sync .*\/journal\.jsonl/ { exit }
        /^truncate .*\/journal\.jsonl/ && $3 <= from { found = 1 }
        /^write .*\/journal\.jsonl/ && $3 <= from && $4 >= to { found = 1 }
        END { exit !found }' "$lane/calls"
}

# What the commands begin with.
begin() { # COMMAND
    case $1 in
    deploy) restore ;;
    resume) restore killed ;;
    *) restore deployed ;;
    esac
}

one_case() { # COMMAND CLASS NUMBER ERRNO ON
    local found size status
    begin "$1"
    size=$(cat "$lane"/journal/*/*/journal.jsonl 2>/dev/null | wc -c)
    if [ "$5" = on ]; then
        attempt "$1" HOLDBACK_FAIL="$2:$3:$4" HOLDBACK_FAIL_ON=1
    else
        attempt "$1" HOLDBACK_FAIL="$2:$3:$4"
    fi
    status=$?
    grep -q '^failed' "$lane/calls" || return 0
    found=$(judge "$status" "$1" "$2" "$size")
    {
        grep '^failed' "$lane/calls"
        cat "$lane/err"
    } >"$lane/told"
    size=$(on_disk "$size")
    if [ "$2" = fsync ]; then
        written_again "$size" || found+=$'\n'"resume relies on what a failed sync has lost"
    fi
    recover "$1" "$(cat "$lane/$1.result")" || found+=$'\n'"no way to the end: $(tail -n 2 "$lane/err"; result | diff - "$lane/$1.result")"
    if [ -z "$found" ]; then
        echo ok
    else
        echo "FAILED  ONLY=\"^$*\$\" status $status: $found"
        sed 's/^/            /' "$lane/told"
    fi
}

# The undisturbed runs: what is wanted, how many calls there are, and what the cases begin with.
undisturbed() {
    local syncs journal
    restore
    attempt deploy || fail "an undisturbed deploy: $(cat "$lane/err")"
    result >"$lane/deploy.result"
    sed -n 's/^count/deploy/p' "$lane/calls" >"$lane/counts"
    syncs=$(sed -n 's/^count fsync //p' "$lane/calls")
    save deployed
    for command in commit rollback; do
        begin "$command"
        attempt "$command" || fail "an undisturbed $command: $(cat "$lane/err")"
        result >"$lane/$command.result"
        sed -n "s/^count/$command/p" "$lane/calls" >>"$lane/counts"
    done
    begin second
    attempt second
    [ $? -eq 5 ] || fail "a second deploy: $(cat "$lane/err")"
    result >"$lane/second.result"
    sed -n 's/^count/second/p' "$lane/calls" | grep open >>"$lane/counts"
    # The last step was done, and the power lost before that was on disk.
    restore
    { attempt deploy HOLDBACK_FAIL="fsync:$syncs:0"; } 2>/dev/null
    journal=$(echo "$lane"/journal/*/*/journal.jsonl)
    truncate -s "$(on_disk 0)" "$journal"
    save killed
    begin resume
    attempt resume || fail "an undisturbed resume: $(cat "$lane/err")"
    result >"$lane/resume.result"
    [ "$(cat "$lane/resume.result")" = "$(cat "$lane/deploy.result")" ] || fail "an undisturbed resume ended elsewhere"
    sed -n "s/^count/resume/p" "$lane/calls" >>"$lane/counts"
}

# A line for each case: COMMAND CLASS NUMBER ERRNO ON. In the short form a part of them, another one each time.
cases() {
    local command class count at step on errno errnos modes
    while read -r command class count; do
        [ "$class" = memory ] && [ "$program" != "$HOLDBACK" ] && continue
        # What commit and rollback open, resume opens too.
        [ "$class" = open ] && [ -z "$every" ] && [[ $command = commit || $command = rollback ]] && continue
        case $class in
        write | rename | mkdir) errnos=("$enospc" "$eio") ;;
        fsync) errnos=("$eio" "$enospc") ;;
        truncate) errnos=("$eio") ;;
        open) errnos=("$emfile") ;;
        memory) errnos=("$enomem") ;;
        esac
        step=1
        if [ "$class" = memory ] && [ -z "${ONLY:-}" ]; then
            case $form,$command in
            short,deploy) step=2003 ;;
            short,*) step=4999 ;;
            nightly,deploy) ;;
            nightly,*) step=3 ;;
            esac
        fi
        for ((at = 1 + (step > 1 ? RANDOM % step : 0); at <= count; at += step)); do
            modes=(once on)
            if [ -z "$every" ] && [[ $class = write || $class = open || $class = mkdir ]] ||
                [[ $form$class = nightlymemory ]]; then modes=("${modes[RANDOM % 2]}"); fi
            for on in "${modes[@]}"; do
                if [ -n "$every" ]; then
                    for errno in "${errnos[@]}"; do echo "$command $class $at $errno $on"; done
                else
                    echo "$command $class $at ${errnos[at % ${#errnos[@]}]} $on"
                fi
            done
        done
    done <"$work/lane-1/counts"
}

lane_run() { # NUMBER
    local at=0 case
    lane=$work/lane-$1 a=a$1 b=b$1
    undisturbed
    while read -r case; do
        at=$((at + 1))
        [ $((at % lanes + 1)) -eq "$1" ] || continue
        if [ -z "$every" ] && [ "$SECONDS" -ge "$until_s" ] && ! is_urgent "$case"; then
            echo later
            continue
        fi
        # shellcheck disable=SC2086
        one_case $case
    done <"$work/cases" >"$lane/results"
}

is_urgent() { # CASE
    [[ $1 =~ \ (write|fsync|rename|truncate)\  ]]
}

# What the journal needs first, then the others in any order.
in_order() {
    local case others=()
    while read -r case; do
        if is_urgent "$case"; then echo "$case"; else others+=("$case"); fi
    done
    [ ${#others[@]} -eq 0 ] || printf '%s\n' "${others[@]}" | shuf --random-source=<(yes "$seed")
}

preload=$work/calls.so
cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$preload" "$here/calls.c" -ldl || exit 1

try_all() { # PROGRAM PRELOADED
    local number children=()
    program=$1 preloaded=$2
    (lane=$work/lane-1 a=a1 b=b1; undisturbed) || exit 1
    rm -rf "$work/lane-1/saved"
    cases | grep -E -- "${ONLY:-.}" | in_order >"$work/cases"
    for ((number = 1; number <= lanes; number++)); do
        lane_run "$number" &
        children+=($!)
    done
    wait "${children[@]}"
    for ((number = 1; number <= lanes; number++)); do
        passed=$((passed + $(grep -c '^ok' "$work/lane-$number/results")))
        failed=$((failed + $(grep -c '^FAILED' "$work/lane-$number/results")))
        later=$((later + $(grep -c '^later' "$work/lane-$number/results")))
        grep -vE '^(ok|later)' "$work/lane-$number/results" >&2
    done
}

passed=0 failed=0 later=0
echo "seed $seed"
for ((number = 1; number <= lanes; number++)); do lane_make "$number"; done
try_all "$HOLDBACK" "$preload"
if [ -n "${SANITIZED:-}" ]; then try_all "$SANITIZED" "$(cc -print-file-name=libasan.so) $preload"; fi
[ "$later" -eq 0 ] || echo "$later cases for which there was no time"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]

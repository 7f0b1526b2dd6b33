#!/usr/bin/env bash
# Every legal image of a run's folder after a power loss, at every point of a real run: none is refused, nothing that was on
# disk or told to a person is lost, nothing is invented. What is not legal is refused by name, and changes no host.
#
#   images.sh             deploy, a torn end, resume, commit; and deploy, rollback: a plan of ten steps on two hosts
#   images.sh nightly     also deploy, commit and deploy, rollback of blue-green.yml on a cluster of tests/cluster
#
# CHECKER: the crash-images of the build; the default is the one beside $HOLDBACK.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=small.sh
. "$here/small.sh"
unset HOLDBACK_JOURNAL
checker=${CHECKER:-$(dirname "$HOLDBACK")/tests/crash-images}
scratch=$(mktemp -d /dev/shm/holdback-images.XXXXXX)
cluster=
passed=0 failed=0

finish() {
    rm -rf "$scratch"
    [ -z "$cluster" ] || "$cluster" down >/dev/null 2>&1
    end
}
trap finish EXIT

# As in a new life: without a run, and nothing written down.
fresh() { # NAME
    here_root=$work/$1
    rm -rf "$work/effects" "$work"/home-*/.holdback
    mkdir -p "$work/effects" "$here_root"
    : >"$here_root.calls.bytes"
}

run() { # [VARIABLE=VALUE...] COMMAND...
    env LD_PRELOAD="$work/calls.so" HOLDBACK_CALLS="$here_root.calls" "$@" --yes --journal "$here_root/journal" </dev/null >"$work/out" 2>"$work/err"
}

must() { # COMMAND...
    run "$HOLDBACK" "$@" || fail "$*: $(cat "$work/err")"
}

journal() {
    echo "$here_root"/journal/*/*/journal.jsonl
}

count() { # WHAT COMMAND...
    if "${@:2}"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED  $1" >&2
    fi
}

check_images() { # NAME
    mkdir "$scratch/$1"
    "$checker" "$work/$1.calls" "$work/$1" "$scratch/$1" "$seed" >"$work/$1.images" 2>&1
}

was_right() { # NAME PID
    local status found
    wait "$2"
    status=$?
    sed "s/^/$1: /" "$work/$1.images"
    found=$(sed -nE 's/^([0-9]+) images.*/\1/p' "$work/$1.images")
    images=$((images + ${found:-0}))
    return "$status"
}

# All at once: each is one process.
every_image() { # NAME...
    local name children=()
    for name in "$@"; do
        check_images "$name" &
        children+=("$name" $!)
    done
    set -- "${children[@]}"
    while [ $# -gt 0 ]; do
        count "every image of deploy, $1" was_right "$1" "$2"
        shift 2
    done
}

record_commit() {
    local syncs
    fresh commit
    must "${deploy[@]}"
    syncs=$(sed -n 's/^count fsync //p' "$here_root.calls")
    rm -rf "$here_root" "$here_root.calls"
    fresh commit
    # The power is lost at the last sync of deploy, and of what it should have written only a part is there.
    { run HOLDBACK_FAIL="fsync:$syncs:0" "$HOLDBACK" "${deploy[@]}"; } 2>/dev/null
    truncate -s -40 "$(journal)"
    echo "cut $(journal) $(wc -c <"$(journal)")" >>"$here_root.calls"
    must resume
    must commit
}

record_rollback() {
    fresh rollback
    must "${deploy[@]}"
    must rollback
}

# What no power loss makes: COMMAND breaks the folder of a run that is deployed. Then what is TYPED says WORDS, and does nothing.
is_refused() { # WORDS COMMAND...
    local folder status before
    rm -rf "$here_root/broken"
    cp -a "$here_root/journal" "$here_root/broken"
    folder=$(echo "$here_root"/broken/*/*/)
    (cd "$folder" && "${@:2}") || return 1
    before=$(on_hosts)
    "$HOLDBACK" "${typed[@]}" --yes --journal "$here_root/broken" </dev/null >"$work/out" 2>"$work/err"
    status=$?
    [ "$status" -ne 0 ] && [ "$status" -lt 100 ] && grep -qE "$1" "$work/err" && [ "$before" = "$(on_hosts)" ] && return 0
    echo "    status $status, not refused with \"$1\": $(cat "$work/err")" >&2
    return 1
}

on_hosts() {
    find "$work"/home-*/.holdback "$work/effects" -type f -exec md5sum {} +
}

damage() {
    local none='has no complete record|there is no run in'
    fresh damage
    must "${deploy[@]}"
    typed=(commit)
    count "an empty journal is refused" is_refused "$none" truncate -s 0 journal.jsonl
    count "a journal of zeros is refused" is_refused "$none" fallocate -p -o 0 -l 65536 journal.jsonl
    count "a run without a journal is none" is_refused "$none" rm journal.jsonl
    count "a missing folder of copies is refused by name" is_refused 'could not open ".*/plan/manifest": No such file' rm -r plan
    count "a missing manifest is refused by name" is_refused 'could not open ".*/plan/manifest": No such file' rm plan/manifest
    count "an empty manifest is refused by name" is_refused '".*/plan/manifest" is damaged' truncate -s 0 plan/manifest
    count "a manifest that was cut is refused by name" is_refused '".*/plan/manifest" is damaged' truncate -s -1 plan/manifest
    count "an empty copy is refused by name" is_refused '".*/plan/02-plan.yml" is not what the run has copied' truncate -s 0 plan/02-plan.yml
    count "a missing copy is refused by name" is_refused 'could not open ".*/plan/02-plan.yml": No such file' rm plan/02-plan.yml
    # Whoever has lost the journal has not lost the run: the hosts know whose they are.
    typed=("${deploy[@]}")
    count "a run whose journal is lost keeps others out" is_refused 'cluster "scripted" is locked on host' rm journal.jsonl
    count "a run whose journal is empty keeps others out" is_refused 'has no complete|is locked on host' truncate -s 0 journal.jsonl
    rm "$here_root"/journal/*/*/lock
    count "a run without its lock goes on" run "$HOLDBACK" commit
}

record_blue_green() { # SECOND
    local file
    fresh "blue-green-$1"
    "$cluster" reset >"$work/cluster.log" 2>&1 || fail "no cluster: $(tail -n 3 "$work/cluster.log")"
    file=$("$cluster" file socket)
    echo 'CREATE TABLE added AS SELECT generate_series(1, 1000) AS x;' >"$work/migration.sql"
    for command in "deploy $root/plans/blue-green.yml -c $file --set migration=$work/migration.sql" "$1"; do
        # shellcheck disable=SC2086
        "$cluster" op env LD_PRELOAD="$work/calls.so" HOLDBACK_CALLS="$here_root.calls" "$HOLDBACK" $command --yes \
            --journal "$here_root/journal" </dev/null >"$work/out" 2>"$work/err" || fail "$command: $(tail -n 5 "$work/err")"
    done
}

nightly() {
    export HOLDBACK_TEST_CLUSTER=${HOLDBACK_TEST_CLUSTER:-t-images}
    cluster=$root/tests/cluster/cluster.sh
    "$cluster" up >"$work/cluster.log" 2>&1 || fail "no cluster: $(tail -n 3 "$work/cluster.log")"
    for second in commit rollback; do record_blue_green "$second"; done
    every_image blue-green-commit blue-green-rollback
}

cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$work/calls.so" "$here/calls.c" -ldl || exit 1
images=0
echo "seed $seed"
small_prepare
record_commit
record_rollback
every_image commit rollback
damage
if [ "${1:-}" = nightly ]; then nightly; fi
echo "$images images"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$images" -gt 0 ]

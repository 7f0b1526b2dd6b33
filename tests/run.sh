#!/usr/bin/env bash
# Every test. Run as root on Debian 12; installs what it needs, and leaves no process, mount or namespace behind.
#
#   tests/run.sh            everything
#   tests/run.sh NAME...    some parts: style build tidy analyze unit sanitize cases shipped acceptance crash demo leftovers, and
#                           the names of tests/acceptance/ and tests/crash/; analyze takes minutes and is not among "everything"
#   tests/run.sh nightly    the long form of every part of tests/crash/, and its mutants; every hold with every strategy, killed in
#                           every step; nodes that stay dead: hours
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
root=$PWD
build=${HOLDBACK_BUILD:-/tmp/holdback-build}
export HOLDBACK=$build/gcc/holdback
export NO_COLOR=1
unset HOLDBACK_TEST_CLUSTER HOLDBACK_JOURNAL CLICOLOR_FORCE
passed=0 failed=0
crashes=(cuts claims sql_once jobs syscalls scripted random failing images)

# Prints what a part says when it fails, and one line when it does not.
part() { # NAME COMMAND...
    local name=$1 began=$SECONDS log=$build/$1.log
    shift
    if "$@" >"$log" 2>&1; then
        printf 'ok      %4d s  %s  %s\n' $((SECONDS - began)) "$name" "$(grep -E '^[0-9]+ passed' "$log" | tail -1)"
        return 0
    fi
    printf 'FAILED  %4d s  %s\n' $((SECONDS - began)) "$name"
    tail -n 60 "$log" | sed 's/^/    /'
    return 1
}

count() { # STATUS
    if [ "$1" -eq 0 ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

configure() { # FOLDER OPTION...
    local folder=$build/$1
    shift
    cmake -S "$root" -B "$folder" -G Ninja -DDEVELOPER=ON "$@" && ninja -C "$folder"
}

build() {
    configure gcc -DCMAKE_C_COMPILER=gcc && configure clang -DCMAKE_C_COMPILER=clang
}

unit() {
    ctest --test-dir "$build/gcc" --output-on-failure -j "$(nproc)"
}

sanitize() {
    configure address -DCMAKE_BUILD_TYPE=Debug -DSANITIZE=address,undefined &&
        ctest --test-dir "$build/address" --output-on-failure -j "$(nproc)" &&
        configure thread -DCMAKE_BUILD_TYPE=Debug -DSANITIZE=thread &&
        ctest --test-dir "$build/thread" --output-on-failure -j "$(nproc)"
}

style() {
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run --Werror &&
        git ls-files | grep -E '\.sh$|^\.ci/run$' | xargs shellcheck -x -P SCRIPTDIR &&
        tests/style.sh
}

# Clang's own analyzer takes a hundred times as long as the other checks together.
tidy() {
    analyze --checks=-clang-analyzer-*
}

analyze() {
    git ls-files 'engine/*.c' 'actions/*.c' | xargs -P "$(nproc)" -n 8 clang-tidy -quiet -p "$build/clang" "$@"
}

shipped() {
    local plan
    for plan in plans/*.yml; do
        "$HOLDBACK" check "$plan" || return 1
    done
    for plan in plans/clusters/*.yml; do
        "$HOLDBACK" check plans/replication-lag.yml -c "$plan" || return 1
    done
    echo "$(find plans -name '*.yml' | wc -l) passed, 0 failed"
}

leftovers() {
    local left
    left=$(
        ip netns list | grep '^hb-'
        grep -E 'holdback' /proc/mounts
        pgrep -af 'holdback-test|holdback-sshd' | grep -v pgrep
        find /sys/fs/cgroup -maxdepth 2 -name 'holdback-test-*' 2>/dev/null
        for process in /proc/[0-9]*; do
            readlink "$process/cwd" | grep '^/tmp/holdback-' | sed "s|^|$process |"
        done 2>/dev/null
    )
    [ -z "$left" ] || {
        echo "left behind:"
        echo "$left"
        return 1
    }
}

# The slow ones each have hosts of their own, so two of them fill two cores.
# One that hangs fails, and does not keep the others from being run.
in_pairs() { # FOLDER ARGUMENT NAME...
    local name running=0 folder=$1 argument=$2 limit=15m
    [ -z "$argument" ] || limit=24h
    shift 2
    for name in "$@"; do
        if [ "$running" -eq 2 ]; then
            wait -n
            count $?
            running=$((running - 1))
        fi
        # Whatever the caller ignores (nohup, a job in the background) must not be ignored in the tests.
        part "$name" env --default-signal=INT,HUP,TERM,PIPE timeout -k 60 "$limit" "$folder/$name.sh" ${argument:+"$argument"} &
        running=$((running + 1))
    done
    while [ "$running" -gt 0 ]; do
        wait -n
        count $?
        running=$((running - 1))
    done
}

[ "$(id -u)" -eq 0 ] || { echo "run this as root: it installs packages and makes network namespaces" >&2; exit 1; }
# A run that was killed could not.
tests/cluster/cluster.sh sweep || exit 1
tests/packages.sh run cluster developer || exit 1
mkdir -p "$build"

if [ $# -eq 0 ]; then
    set -- style build tidy unit sanitize cases shipped acceptance crash demo leftovers
fi
for name in "$@"; do
    case $name in
    style | build | unit | sanitize | shipped | tidy | analyze | leftovers) part "$name" "$name" ;;
    cases) part cases tests/cases/run.sh "$HOLDBACK" ;;
    demo) part demo plans/demo.sh ;;
    acceptance)
        in_pairs tests/acceptance "" holds silent_lost silent_kept silent_back silent_leader budget certificate rollback refuse clusters init actions plans lost live secrets rejoin kill expect loss signals
        continue
        ;;
    crash)
        in_pairs tests/crash "" "${crashes[@]}"
        continue
        ;;
    nightly)
        part build build
        in_pairs tests/crash nightly "${crashes[@]}"
        in_pairs tests/acceptance all holds kill
        in_pairs tests/acceptance "" silent_alone
        part mutants tests/crash/mutants.sh
        ;;
    *)
        folder=tests/acceptance
        [ -x "$folder/$name.sh" ] || folder=tests/crash
        if [ ! -x "$folder/$name.sh" ]; then
            echo "no part \"$name\"" >&2
            exit 1
        fi
        part "$name" "$folder/$name.sh"
        ;;
    esac
    count $?
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

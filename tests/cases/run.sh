#!/bin/sh
# Runs `holdback check`, or the command in the file `command`, in each folder beside this file and
# compares what it prints and its exit status with the file `expected`. The arguments are in `args`,
# or are plan.yml and, where there is one, -c cluster.yml.
#
#   run.sh BINARY [CASE...]              fails if any case does
#   run.sh --accept BINARY [CASE...]     writes `expected` anew; read the difference before a commit
set -eu

accept=no
if [ "${1:-}" = --accept ]; then
    accept=yes
    shift
fi
binary=$(realpath "${1:?usage: run.sh [--accept] BINARY [CASE...]}")
shift
cd "$(dirname "$0")"
[ $# -gt 0 ] || set -- */
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0
failed=0

for case in "$@"; do
    case=${case%/}
    if [ -e "$case/args" ]; then
        args=$(cat "$case/args")
    elif [ -e "$case/cluster.yml" ]; then
        args="plan.yml -c cluster.yml"
    else
        args=plan.yml
    fi
    command=check
    [ ! -e "$case/command" ] || command=$(cat "$case/command")
    status=0
    # The arguments are words without quotes.
    # shellcheck disable=SC2086
    (cd "$case" && exec timeout 10 "$binary" "$command" $args) \
        >"$scratch/out" 2>"$scratch/err" </dev/null || status=$?
    {
        cat "$scratch/out" "$scratch/err"
        echo "exit $status"
    } >"$scratch/got"
    if [ $accept = yes ]; then
        cp "$scratch/got" "$case/expected"
    fi
    if diff -u --label "$case: expected" --label "$case: got" "$case/expected" "$scratch/got"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
done
echo "$passed passed, $failed failed"
[ $failed -eq 0 ]

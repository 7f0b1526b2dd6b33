#!/usr/bin/env bash
# What no compiler checks: layers, libraries, sizes, and that files mention only what is there.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 1
passed=0 failed=0

# Files of the project, also those that are not committed yet.
files() { # PATTERN...
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

# The includes of FOLDER that lead elsewhere than to one of the layers.
leads_only_to() { # FOLDER LAYER...
    local folder=$1 layers
    shift
    layers=$(printf '|%s' "$@")
    files "$folder/*.[ch]" | xargs grep -nE '^#include "[^"]*/' /dev/null | grep -vE "#include \"(${layers#|})/"
}

an_include_points_only_downwards() {
    local wrong
    wrong=$(
        leads_only_to engine/base base
        leads_only_to engine/plan base plan
        leads_only_to engine/host base host
        leads_only_to actions base plan host
        leads_only_to engine/run base plan host run
        leads_only_to engine/cli base plan host run cli
        files 'engine/base/*' 'engine/plan/*' 'engine/host/*' | xargs grep -n '#include "action' /dev/null
        grep -nE '#include "(run|cli)/' engine/action.h
    )
    [ -z "$wrong" ] || { echo "$wrong"; return 1; }
}

a_library_is_included_by_one_file() {
    local header count wrong=0
    for header in yaml.h libssh libpq-fe.h curl jansson.h openssl; do
        count=$(files 'engine/*.[ch]' 'actions/*.[ch]' | xargs grep -lE "^#include <${header}[/>]" | wc -l)
        [ "$count" -eq 1 ] || {
            echo "$count files include <$header>"
            files 'engine/*.[ch]' 'actions/*.[ch]' | xargs grep -nE "^#include <${header}[/>]"
            wrong=1
        }
    done
    return "$wrong"
}

a_file_has_at_most_400_lines() {
    local long
    long=$(files 'engine/*.[ch]' 'actions/*.[ch]' | xargs wc -l | awk '$1 > 400 && $2 != "total"')
    [ -z "$long" ] || { echo "$long"; return 1; }
}

a_file_ends_in_a_newline_and_no_line_in_a_blank() {
    local wrong
    wrong=$(
        files '*.[ch]' '*.sh' '*.md' '*.yml' '*.json' '*.txt' '*.cmake' | grep -v '^tests/cases/' | while read -r file; do
            [ -z "$(tail -c 1 "$file")" ] || echo "$file: no newline at the end"
            grep -nHE '[[:blank:]]$' "$file"
        done
        files '*.[ch]' '*.sh' | xargs grep -nP '\t' /dev/null
    )
    [ -z "$wrong" ] || { echo "$wrong"; return 1; }
}

# A page that only its author has helps no reader, nor does a path of the author's machine.
what_is_mentioned_is_there() {
    local wrong pages
    pages=$(files '*.md' | sed 's|.*/||' | sort -u)
    wrong=$(
        files '*.[ch]' '*.sh' '*.md' '*.yml' '*.json' | xargs grep -noE '[A-Za-z0-9_-]+\.md\b' /dev/null | while IFS=: read -r file line page; do
            grep -qxF "$page" <<<"$pages" || echo "$file:$line: $page"
        done
        files | grep -v '^tests/style.sh$' | xargs grep -nE '(^|[^A-Za-z0-9_.-])/work/' /dev/null
    )
    [ -z "$wrong" ] || { echo "$wrong"; return 1; }
}

a_script_can_be_started() {
    local wrong
    wrong=$(files '*.sh' .ci/run | while read -r file; do
        if head -1 "$file" | grep -q '^#!'; then [ -x "$file" ] || echo "$file is not executable"; fi
    done)
    [ -z "$wrong" ] || { echo "$wrong"; return 1; }
}

for test in \
    an_include_points_only_downwards \
    a_library_is_included_by_one_file \
    a_file_has_at_most_400_lines \
    a_file_ends_in_a_newline_and_no_line_in_a_blank \
    what_is_mentioned_is_there \
    a_script_can_be_started; do
    if found=$("$test"); then
        passed=$((passed + 1))
        echo "ok      ${test//_/ }"
    else
        failed=$((failed + 1))
        echo "FAILED  ${test//_/ }"
        printf '%s\n' "${found//$'\n'/$'\n    '}" | sed '1s/^/    /'
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]

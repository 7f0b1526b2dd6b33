#!/usr/bin/env bash
# Measures holdback against yardsticks, in turn, on this machine, and prints one table. See README.md.
#
#   run.sh [NAME…]     names: version check look job edit preview appear rollback rollback10    (default: all)
#
# It needs root on Debian 12, and the packages of `tests/packages.sh cluster developer bench`. $BENCH_BUILD names a
# build folder to keep; $BENCH_RUNS multiplies the number of runs (default 1).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export HOLDBACK_TEST_CLUSTER=bench HOLDBACK_TEST_OWNER=$$
readonly cluster=$here/../cluster/cluster.sh state=/run/holdback-test/bench addresses='10.77.0.11 10.77.0.12 10.77.0.13'
readonly runs=${BENCH_RUNS:-1}

# Not /tmp: the journal belongs on a real disk.
work=$(mktemp -d /var/tmp/holdback-bench.XXXXXX)
build=${BENCH_BUILD:-$work/build}
table=$work/table
is_up=

say() { echo "run.sh: $*" >&2; }

finish() {
    close_ansible
    if [[ -n $is_up ]]; then "$cluster" down; fi
    rm -rf "$work"
}

build() {
    say "building"
    cmake -S "$here/../.." -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DDEVELOPER=ON >/dev/null
    ninja -C "$build" holdback bench >"$work/build.log" || {
        cat "$work/build.log" >&2
        exit 1
    }
}

need_cluster() { # [OPTION...]
    [[ -z $is_up ]] || return 0
    is_up=yes
    "$cluster" up "$@" >&2
    # The held node of by-hand.sh must be ours too.
    # shellcheck disable=SC2016 # the last line, for sed
    sed '$aroles: {held: [pg3]}' "$("$cluster" file)" >"$work/cluster.yml"
}

# duel COUNT COMMAND... -- COMMAND...: sets a and b, each "MEDIAN SHORTEST LONGEST RESIDENT"
duel() {
    local lines
    mapfile -t lines < <(at_operator "$build/tests/bench/duel" "$work/log" "$@")
    if [[ ${#lines[@]} -eq 0 ]]; then
        tail -n 30 "$work/log" >&2
        exit 1
    fi
    read -ra a <<<"${lines[0]}"
    read -ra b <<<"${lines[1]:-0 0 0 0}"
}

at_operator() {
    if [[ -n $is_up ]]; then "$cluster" op "$@"; else "$@"; fi
}

milliseconds() { awk -v us="$1" 'BEGIN { printf us < 100000 ? "%.1f ms" : "%.0f ms", us / 1000 }'; }

mebibytes() { awk -v kib="$1" 'BEGIN { printf "%.1f MiB", kib / 1024 }'; }

median() { sort -n | awk '{ all[NR] = $1 } END { print (all[int((NR + 1) / 2)] + all[int((NR + 2) / 2)]) / 2 }'; }

row() { # WHAT OURS YARDSTICK RATIO REACH VERDICT
    printf '%s|%s|%s|%s|%s|%s\n' "$@" >>"$table"
    say "$1: $2 ($3), $6"
}

ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

ratio_row() { # WHAT OURS_US NAME YARDSTICK_US MOST
    row "$1" "$(milliseconds "$2")" "$3 $(milliseconds "$4")" "$(ratio "$2" "$4")" "at most $5" \
        "$(awk -v a="$2" -v b="$4" -v most="$5" 'BEGIN { print (a <= b * most ? "ok" : "short") }')"
}

plain_row() { # WHAT OURS_US NAME YARDSTICK_US: nothing was promised
    row "$1" "$(milliseconds "$2")" "$3 $(milliseconds "$4")" "$(ratio "$2" "$4")" - -
}

limit_row() { # WHAT OURS_US MOST_US
    row "$1" "$(milliseconds "$2")" - - "under $(milliseconds "$3")" \
        "$(awk -v a="$2" -v most="$3" 'BEGIN { print (a < most ? "ok" : "short") }')"
}

memory_row() { # WHAT OURS_KIB MOST_MIB
    row "$1" "$(mebibytes "$2")" - - "under $3 MiB" \
        "$(awk -v a="$2" -v most="$3" 'BEGIN { print (a < most * 1024 ? "ok" : "short") }')"
}

# --- without a cluster ---

measure_version() {
    duel $((200 * runs)) "$build/holdback" --version -- "$build/tests/bench/bare-version"
    ratio_row 'start to exit of --version' "${a[0]}" bare-version "${b[0]}" 1.2
}

measure_check() {
    "$here/generate-plan.sh" 10000 >"$work/generated.yml"
    duel $((20 * runs)) "$build/holdback" check "$work/generated.yml" -- "$build/tests/bench/bare-yaml" "$work/generated.yml"
    ratio_row 'check of 10,000 steps' "${a[0]}" bare-yaml "${b[0]}" 3
    memory_row 'check of 10,000 steps, memory' "${a[3]}" 48
}

# --- on the cluster ---

deploy() { # PLAN...: as an array
    command=("$build/holdback" deploy "$@" -c "$work/cluster.yml" --journal "$work/journal" --yes)
}

# Twenty steps on three hosts; $1 is the action of each.
write_steps() {
    local number
    printf 'holdback: 1\nplan: bench\ndefaults: {as: postgres, timeout: 60s}\ndeploy:\n'
    for number in {1..20}; do
        printf '  - {id: step-%d, hosts: [pg1, pg2, pg3], %s}\n' "$number" "$1"
    done
}

bare() { # PROGRAM
    # shellcheck disable=SC2206 # three words
    yardstick=("$build/tests/bench/$1" "$state/id_ed25519" "$state/known_hosts" "$work/bare.journal" 20 $addresses)
}

write_ansible() {
    local address
    cat >"$work/ansible.cfg" <<END
[defaults]
forks = 10
gathering = explicit
interpreter_python = /usr/bin/python3
remote_user = ops
private_key_file = $state/id_ed25519
remote_tmp = /tmp
[ssh_connection]
pipelining = True
ssh_args = -F none -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=$state/known_hosts
END
    for address in $addresses; do echo "$address"; done >"$work/inventory"
    {
        printf -- '- hosts: all\n  gather_facts: no\n  become: yes\n  become_user: postgres\n  tasks:\n'
        for _ in {1..20}; do echo '    - command: "true"'; done
    } >"$work/playbook.yml"
    # A cold start has no connection of the run before.
    cat >"$work/ansible.sh" <<END
export ANSIBLE_CONFIG=$work/ansible.cfg ANSIBLE_LOCAL_TEMP=$work/ansible-tmp ANSIBLE_HOME=$work/ansible-home
export ANSIBLE_SSH_CONTROL_PATH_DIR=$work/c\$\$
exec ansible-playbook -i $work/inventory $work/playbook.yml
END
}

# Ends the connections that ansible keeps open.
close_ansible() {
    local socket
    for socket in "$work"/c[0-9]*/*; do
        [[ ! -S $socket ]] || ssh -q -O exit -o "ControlPath=$socket" any 2>/dev/null || true
    done
}

measure_look() {
    local command yardstick
    need_cluster
    write_steps 'wait-until: {shell: "true"}' >"$work/look.yml"
    deploy "$work/look.yml"
    bare bare-ssh
    duel $((15 * runs)) "${command[@]}" -- "${yardstick[@]}"
    ratio_row '20 looks on 3 hosts, cold' "${a[0]}" bare-ssh "${b[0]}" 1.2
    memory_row 'resident memory of that deploy' "${a[3]}" 24
    write_ansible
    duel $((5 * runs)) "${command[@]}" -- bash "$work/ansible.sh"
    close_ansible
    row 'the same against ansible' "$(milliseconds "${a[0]}")" "ansible $(milliseconds "${b[0]}")" \
        "1/$(ratio "${b[0]}" "${a[0]}")" 'at most 1/25' \
        "$(awk -v a="${a[0]}" -v b="${b[0]}" 'BEGIN { print (b >= 25 * a ? "ok" : "short") }')"
}

measure_job() {
    local command yardstick
    need_cluster
    write_steps 'remote-shell: {run: "true"}, if-interrupted: repeat' >"$work/job.yml"
    deploy "$work/job.yml"
    bare bare-job
    duel $((9 * runs)) "${command[@]}" -- "${yardstick[@]}"
    ratio_row '20 remote-shell steps on 3 hosts, cold' "${a[0]}" bare-job "${b[0]}" 1.2
    memory_row 'resident memory of that deploy' "${a[3]}" 24
}

# 800 lines on each host, and a plan that edits one of them.
write_edit() {
    local host
    for host in pg1 pg2 pg3; do
        # shellcheck disable=SC2016 # for the host's shell
        "$cluster" sh "$host" 'for n in $(seq 800); do echo "parameter_$n = $n    # one of many"; done >/var/tmp/bench.conf
            chown postgres:postgres /var/tmp/bench.conf'
    done
    cat >"$work/edit.yml" <<'END'
holdback: 1
plan: edit
variables: {value: {about: what is set, type: text}}
defaults: {as: postgres}
deploy:
  - {id: edit, hosts: [pg1, pg2, pg3], edit-conf: {file: /var/tmp/bench.conf, format: postgresql, set: {parameter_400: "${value}"}}}
END
}

measure_edit() {
    need_cluster
    write_edit
    deploy "$work/edit.yml"
    rm -rf "$work/journal"
    # shellcheck disable=SC2016 # for the inner shell
    duel $((20 * runs)) sh -c 'echo $$ >"$1"; shift; exec "$@" --set value=$$' sh "$work/value" "${command[@]}" -- \
        sh -c 'read -r value <"$1"; shift; exec "$@" --set value="$value"' sh "$work/value" "${command[@]}"
    limit_row 'one edit of 800 lines on 3 hosts, the step' "$(step_times "done" | median)" 100000
    limit_row 'the same again, nothing to change' "$(step_times already | median)" 100000
    row 'the whole deploy of it, cold' "$(milliseconds "${a[0]}")" - - - -
    row 'and again' "$(milliseconds "${b[0]}")" - - - -
}

# Beneath it lies what ssh needs for three logins at once and a first command as postgres.
measure_preview() {
    local command yardstick
    need_cluster
    write_edit
    command=("$build/holdback" preview "$work/edit.yml" -c "$work/cluster.yml" --journal "$work/none" --set value=9 --live)
    bare bare-ssh
    yardstick[4]=1
    duel $((30 * runs)) "${command[@]}" -- "${yardstick[@]}"
    limit_row 'preview --live of one edit on 3 hosts' "${a[0]}" 100000
    plain_row 'the same against the floor' "${a[0]}" 'bare-ssh, one command' "${b[0]}"
    yardstick[4]=0
    duel $((30 * runs)) "${command[@]}" --save "$work/preview.json" -- "${yardstick[@]}"
    plain_row 'with --save' "${a[0]}" 'bare-ssh, login only' "${b[0]}"
}

# Prints for each run in the journal whose only step ended in RESULT the microseconds from its intent, which is
# on disk before anything else is done, to its last outcome.
step_times() { # RESULT
    python3 - "$1" "$work"/journal/*/*/journal.jsonl <<'END'
import datetime, json, sys

for path in sys.argv[2:]:
    records = [json.loads(line) for line in open(path)]
    at = [datetime.datetime.fromisoformat(record["at"].rstrip("Z")) for record in records]
    first = [time for time, record in zip(at, records) if record["type"] == "intent"]
    last = [time for time, record in zip(at, records) if record["type"] == "outcome" and record["result"] == sys.argv[1]]
    if len(last) == 3:
        print((last[-1] - first[0]) // datetime.timedelta(microseconds=1))
END
}

measure_appear() {
    local number
    need_cluster
    {
        printf 'holdback: 1\nplan: appear\ndefaults: {as: postgres}\ndeploy:\n'
        for number in {1..20}; do
            printf '  - {id: wait-%d, hosts: pg1, wait-until: {file: /var/tmp/appear.%d}}\n' "$number" "$number"
            printf '  - {id: next-%d, hosts: pg1, if-interrupted: repeat, remote-shell: {run: date +%%s%%N >/var/tmp/next.%d}}\n' "$number" "$number"
        done
    } >"$work/appear.yml"
    # The file appears with the time in it, at a moment that has nothing to do with our looks.
    # shellcheck disable=SC2016 # for the host's shell
    "$cluster" sh pg1 'for n in $(seq 20); do
            until [ $n = 1 ] || [ -e /var/tmp/next.$((n - 1)) ]; do sleep 0.01; done
            sleep 0.$((RANDOM % 500 + 300))
            date +%s%N >/var/tmp/appear.tmp
            mv /var/tmp/appear.tmp /var/tmp/appear.$n
        done' &
    deploy "$work/appear.yml"
    duel 1 "${command[@]}" --
    wait $!
    # shellcheck disable=SC2016 # for the host's shell
    limit_row 'a file appears: delay until the next step runs' \
        "$("$cluster" sh pg1 'for n in $(seq 20); do
            echo $((($(cat /var/tmp/next.$n) - $(cat /var/tmp/appear.$n)) / 1000)); done; rm /var/tmp/next.* /var/tmp/appear.*' | median)" 50000
}

# --- rollback ---

# Prints three times in microseconds from BEGAN: until the held node takes a row from a client on the network, until
# Patroni says that it leads, which is what a load balancer asks, and until both others stream from it.
reaches() { # BEGAN
    # shellcheck disable=SC2016 # for the inner shell
    "$cluster" op bash -c '
        host=10.77.0.13 limit=$(($1 + 300000000))
        export PGPASSWORD=$(cat "$2/pgpassword") PGCONNECT_TIMEOUT=2
        psql() { /usr/lib/postgresql/15/bin/psql -XqAt -h $host -U postgres -c "$1" 2>/dev/null; }
        writes() { psql "INSERT INTO bench VALUES (1)"; }
        leads() { [[ $(curl -s -m 1 -o /dev/null -w "%{http_code}" http://$host:8008/leader) == 200 ]]; }
        redundant() { [[ $(psql "SELECT count(*) FROM pg_stat_replication WHERE state = '\''streaming'\''") == 2 ]]; }
        for so in writes leads redundant; do
            until $so; do
                ((${EPOCHREALTIME/./} < limit)) || exit 1
                sleep 0.02
            done
            echo -n "$((${EPOCHREALTIME/./} - $1)) "
        done
        echo' bash "$1" "$state"
}

fresh() {
    "$here/by-hand.sh" close 2>/dev/null || true
    "$cluster" reset >&2
    "$cluster" psql pg1 -qc 'CREATE TABLE bench (n int)' -c 'CREATE TABLE victim AS SELECT generate_series(1, 10000) AS n'
}

timed_rollback() { # NAME COMMAND...: appends to the files NAME.writes, NAME.leads, NAME.redundant and NAME.ends
    local name=$1 began job writes leads redundant
    shift
    began=${EPOCHREALTIME/./}
    "$cluster" op "$@" >>"$work/log" 2>&1 &
    job=$!
    read -r writes leads redundant < <(reaches "$began") || say "the held node did not take over within 5 minutes"
    wait "$job" || {
        tail -n 30 "$work/log" >&2
        exit 1
    }
    echo "$writes" >>"$work/$name.writes"
    echo "$leads" >>"$work/$name.leads"
    echo "$redundant" >>"$work/$name.redundant"
    echo "$((${EPOCHREALTIME/./} - began))" >>"$work/$name.ends"
    say "rollback, $name: writes after $(milliseconds "$writes"), leads after $(milliseconds "$leads")," \
        "both stream after $(milliseconds "$redundant"), ends after $(milliseconds "$(tail -n 1 "$work/$name.ends")")"
}

compare_rollbacks() { # HOLD STRATEGY WORDS
    local number name ours theirs command memory=0
    echo 'DROP TABLE victim; CREATE TABLE added AS SELECT generate_series(1, 10000) AS n;' >"$work/migration.sql"
    rm -rf "$work/journal" "$work"/ours.* "$work"/by-hand.*
    for ((number = 0; number < 3 * runs; number++)); do
        fresh
        deploy "$here/../../plans/blue-green.yml" --set "migration=$work/migration.sql" --set "hold=$1" --set "strategy=$2"
        duel 1 "${command[@]}" --
        ((a[3] <= memory)) || memory=${a[3]}
        timed_rollback ours "$build/tests/bench/duel" "$work/log" 1 \
            "$build/holdback" rollback -c "$work/cluster.yml" --journal "$work/journal" --yes --
        fresh
        "$cluster" op "$here/by-hand.sh" hold "$1" "$work/migration.sql"
        # Nobody rolls back within the minute that ssh keeps its connections: both begin without any.
        "$here/by-hand.sh" close
        timed_rollback by-hand "$here/by-hand.sh" rollback "$1" "$2"
    done
    "$here/by-hand.sh" close
    for name in writes leads redundant ends; do
        ours=$(median <"$work/ours.$name") theirs=$(median <"$work/by-hand.$name")
        case $name in
            writes) ratio_row "$1, $2$3: writes are accepted" "$ours" by-hand.sh "$theirs" 1.15 ;;
            leads) plain_row "$1, $2$3: Patroni leads again" "$ours" by-hand.sh "$theirs" ;;
            redundant) ratio_row "$1, $2$3: both others stream" "$ours" by-hand.sh "$theirs" 1.3 ;;
            ends) plain_row "$1, $2$3: all is proven" "$ours" by-hand.sh "$theirs" ;;
        esac
    done
    memory_row 'resident memory of the deploy before it' "$memory" 24
}

measure_rollback() {
    local hold strategy
    need_cluster
    for hold in maintenance detached delay point; do
        for strategy in keep-dcs rebuild-dcs; do compare_rollbacks "$hold" "$strategy" ''; done
    done
}

# Patroni's default, with which a step that waits for a loop shows.
measure_rollback10() {
    [[ -z $is_up ]] || "$cluster" down >&2
    is_up=
    need_cluster --loop-wait 10 --ttl 30
    compare_rollbacks maintenance keep-dcs ', loop_wait 10'
    compare_rollbacks detached keep-dcs ', loop_wait 10'
    compare_rollbacks delay rebuild-dcs ', loop_wait 10'
    compare_rollbacks point keep-dcs ', loop_wait 10'
}

main() {
    local load name names=(version check look job edit preview appear rollback rollback10)
    [[ $EUID -eq 0 ]] || {
        say "root is needed, for the cluster"
        exit 1
    }
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    for name in "$@"; do
        [[ " ${names[*]} " == *" $name "* ]] || {
            say "there is no \"$name\"; there are: ${names[*]}"
            exit 1
        }
    done
    [[ $# -gt 0 ]] || set -- "${names[@]}"
    load=$(cut -d ' ' -f 1 /proc/loadavg)
    build
    for name in "$@"; do "measure_$name"; done
    {
        echo 'what|ours|yardstick|ratio|reach|'
        cat "$table"
    } | column -t -s '|'
    echo "$(nproc) cores, Linux $(uname -r), load average $load at the beginning, $(cut -d ' ' -f 1 /proc/loadavg) at the end"
}

main "$@"

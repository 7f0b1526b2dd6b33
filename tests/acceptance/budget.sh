#!/usr/bin/env bash
# How long a hold can last, on hosts with little disk: what is said is compared with what then happens, and no deployment
# fills a disk.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# There is no archive: on these small disks it would be most of what fills them.
archives() { :; }

# About 10 MB of WAL a second, by the clock, so that other work on the machine does not matter; it changes no table.
start_wal() {
    {
        echo "SELECT clock_timestamp() AS start \\gset"
        for n in $(seq 1 20000); do
            echo "SELECT pg_logical_emit_message(true, 'g', repeat(md5(random()::text), 16000));
                SELECT pg_sleep(greatest(0, $n * 0.05 - extract(epoch FROM clock_timestamp() - :'start'::timestamptz)));"
        done
    } | psql -XqAt -o /dev/null "host=10.77.0.11,10.77.0.12,10.77.0.13 user=postgres dbname=postgres target_session_attrs=read-write"
}

start_generator() {
    "$cluster" op "$BASH" -c "$(declare -f start_wal); export PGPASSWORD=$(printf %q "$(cat "$state/pgpassword")"); start_wal" \
        >/dev/null 2>&1 &
    writers+=($!)
}

free_on() { # HOST: bytes
    "$cluster" sh "$1" "df -B1 --output=avail $data | tail -n 1"
}

leave() { # HOST MEGABYTES: of its disk
    "$cluster" sh "$1" "rm -f /var/tmp/full"
    "$cluster" sh "$1" "fallocate -l $(($(free_on "$1") / 1048576 - $2))M /var/tmp/full" || fail "$1 has no $2 MB"
}

give_back() {
    local host
    for host in $(members); do "$cluster" sh "$host" 'rm -f /var/tmp/full'; done
}

now_ms() { now=${EPOCHREALTIME/./} now=$((now / 1000)); }

# A status that took from $1 until now: when, as nearly as can be told from outside, and how far that may be off.
between() { # BEGAN
    now_ms
    middle=$((($1 + now) / 2)) doubt=$(((now - $1) / 2))
}

# The guard "disk" of HOST: seconds that it lasts, as status says. Nothing if it does not say.
lasts() { # HOST
    local words
    words=$(grep "disk on .*($1)" "$work/out" | grep -o 'lasts .*' | cut -d' ' -f2-)
    case $words in
        *min*) echo $((${words% min*} * 60 + 30)) ;;
        *s*) echo "${words% s*}" ;;
    esac
}

echo 'CREATE TABLE IF NOT EXISTS added (x int);' >"$work/small.sql"

begin_small() { # HOLD [MIN_FREE]
    deploy "$work/small.sql" --set "hold=$1" --set "min_free=${2:-64MB}"
    expect_status 0
}

is_at_its_limit() { # HOST
    holdback status
    grep -q "disk on .*($1): NOT TRUE" "$work/out"
}

the_estimate_is_within_15_percent_of_when_the_disk_is_full() {
    local host said moments=() doubts=() estimates=() end at left error now began middle doubt
    # What the tests before have written is still there, in WAL that waits to be written over.
    "$cluster" reset >/dev/null || fail "no new cluster"
    make_data
    # At 10 MB a second, and until this script sees it, that leaves what a rollback needs.
    begin_small detached 128MB
    host=$(held)
    leave "$host" 960
    start_generator
    sleep 5
    for _ in 1 2 3 4; do
        "$cluster" op timeout -s INT 9 "$HOLDBACK" status --watch </dev/null >"$work/pictures" 2>&1
        # The last picture is less than three seconds old.
        now_ms
        between $((now - 3000))
        grep -E "disk on .*\($host\)|can be held" "$work/pictures" | tail -2 >"$work/out"
        said=$(lasts "$host")
        [ -n "$said" ] || fail "no estimate: $(cat "$work/out")"
        expect_message 'can be held'
        moments+=("$middle") doubts+=("$doubt") estimates+=("$said")
        now_ms
        began=$now
        holdback status
        between "$began"
        said=$(lasts "$host")
        [ -n "$said" ] || fail "no estimate: $(cat "$work/out")"
        moments+=("$middle") doubts+=("$doubt") estimates+=("$said")
    done
    end=$((SECONDS + 120))
    until now_ms && began=$now && is_at_its_limit "$host"; do
        [ "$SECONDS" -lt "$end" ] || fail "the limit is not reached"
    done
    between "$began"
    stop_writers
    for at in "${!moments[@]}"; do
        left=$((middle - moments[at]))
        error=$((estimates[at] * 1000 - left))
        echo "    said ${estimates[at]} s, were $left ms ($((100 * error / left)) %), +- $((doubts[at] + doubt)) ms"
        [ "${error#-}" -le $((left * 15 / 100 + doubts[at] + doubt)) ] || fail "the estimate is wrong by $error ms"
    done
    expect_message 'cannot be held any longer; limit: disk on held'
    # What is nearly full goes back all the same. Without an archive pg_rewind may miss WAL, and then a second copy has no
    # room on such a disk: the cluster is back, and a person is told of that node.
    holdback rollback --yes
    [ "$status" -eq 0 ] || expect_message 'no room for a second copy'
    [ -z "$(psql_on "$host" "SELECT to_regclass('added')")" ] || fail "the deployment is still there"
    [ "$("$cluster" leader)" = "$host" ] || fail "$host does not lead"
}

cat >"$work/fast.sql" <<'EOF'
CREATE TABLE much AS SELECT g AS id, repeat(md5(g::text), 20) AS t FROM generate_series(1, 20000000) g;
EOF

# LEADER-MB HELD-MB: the room that a deployment of more than 10 GB finds there.
is_stopped_in_time() {
    choose_held
    leave "$("$cluster" leader)" "$1"
    leave "$held" "$2"
    deploy "$work/fast.sql" --set hold=detached
    expect_status 7
    for host in $(members); do
        [ "$(free_on "$host")" -gt 33554432 ] || fail "the disk of $host is full"
    done
    # The held standby replays all of it, and has the room for that.
    holdback rollback --yes
    expect_status 0
    prove_healthy
    give_back
    prove_nothing_is_left
}

a_fast_deployment_is_stopped_before_the_disk_of_the_leader_is_full() {
    is_stopped_in_time 900 1000
    expect_message 'rolled back'
}

a_fast_deployment_is_stopped_before_the_held_standby_cannot_replay_it() {
    is_stopped_in_time 1000 650
}

# A promotion on a full disk would end the server in the middle of the outage.
a_rollback_begins_only_when_there_is_room_for_it() {
    local full
    begin_small detached
    full=$(held)
    "$cluster" sh "$full" 'cat /dev/zero >/var/tmp/full' 2>/dev/null
    holdback rollback --yes
    expect_status 1
    expect_message 'the disk is full; make room'
    "$cluster" sh "$full" 'truncate -s -5M /var/tmp/full'
    holdback rollback --yes
    expect_status 1
    expect_message 'step "room"'
    "$cluster" list | grep -v "$full" | grep '| pg' | grep -qv running && fail "somebody was stopped"
    give_back
    holdback resume --yes
    expect_status 0
    prove_healthy
}

a_delay_ends_the_hold_at_its_time() {
    local limit
    deploy "$work/small.sql" --set hold=delay --set max_hold=30m
    expect_status 0
    holdback status
    expect_message 'limit: delay-left on held'
    limit=$(grep -o 'can be held [0-9]* min' "$work/out" | grep -o '[0-9]*')
    [[ $limit -ge 27 && $limit -le 29 ]] || fail "$(grep budget "$work/out")"
    holdback commit --yes
    expect_status 0
    prove_healthy
}

a_live_preview_says_how_long_and_at_which_rate() {
    start_generator
    sleep 65
    holdback preview "$plan" -c "$file" --set "migration=$work/small.sql" --live --phase preflight
    stop_writers
    expect_status 0
    tr -s '\n ' ' ' <"$work/out" | grep -oE 'can be held [0-9]+ h [0-9]+ min [0-9]+ s; limit: disk; [^)]*\)' || fail "$(cat "$work/out")"
}

"$cluster" up --disk 1500M --no-archive >/dev/null || exit 1
make_data
[ $# -gt 0 ] || set -- \
    a_fast_deployment_is_stopped_before_the_disk_of_the_leader_is_full \
    a_fast_deployment_is_stopped_before_the_held_standby_cannot_replay_it \
    a_rollback_begins_only_when_there_is_room_for_it \
    a_delay_ends_the_hold_at_its_time \
    a_live_preview_says_how_long_and_at_which_rate \
    the_estimate_is_within_15_percent_of_when_the_disk_is_full
run_tests "$@"

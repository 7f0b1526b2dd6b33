#!/usr/bin/env bash
# The action sql happens exactly once. Deployments on four hosts at a time are killed around their statements, their server
# crashes (while other transactions take up the numbers that were lost), it is replaced by its standby, and holdback is stopped
# inside its transaction; after each, `resume` must come to one effect of every step, the saved values must be those of
# the transaction that committed, and no step may be called done whose effect is not there.
#
#   tests/crash/sql_once.sh [PART...]          the short form: clients crashes indexes zombies promotions
#   tests/crash/sql_once.sh nightly [PART...]  300 crashes, 10,000 kills
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
kills=300 crashes=20 promotions=3 index_kills=40 zombies=4
form=''
if [ "${1:-}" = nightly ]; then
    form=' nightly' kills=10000 crashes=300 promotions=30 index_kills=600 zombies=60
    shift
fi
[ $# -gt 0 ] || set -- clients crashes indexes zombies promotions
steps=12
lanes=(l1 l2 l3 l4)
declare -A sshd
stopped=() # processes that cannot end by themselves
trap '[ ${#stopped[@]} -eq 0 ] || kill -KILL "${stopped[@]}" 2>/dev/null; end' EXIT
step_us=30000 # how long a step takes here: calibrate measures it
export LC_ALL=C
unset HOLDBACK_JOURNAL HOLDBACK_TEST_CLUSTER PGOPTIONS PGHOST PGPORT PGUSER PGDATABASE

# Asks again while the server is down, because another lane may just have made it crash.
query() { # SQL
    local status
    for _ in $(seq 200); do
        "$bin/psql" -qXAt -v ON_ERROR_STOP=1 -U postgres -h "$work/leader" -p 5432 -c "$1" postgres 2>>"$work/psql.log"
        status=$?
        [ "$status" -eq 2 ] || return "$status"
        sleep 0.1
    done
    wrong leader "it does not answer: $(tail -n 1 "$work/psql.log")"
    return 2
}

# What went wrong, with what it takes to see it again.
wrong() { # LANE TEXT
    {
        echo "FAILED  $part, $1: $2  (SEED=$seed $0$form $part)"
        grep -E '^(holdback|error|hint)' "$work/$1.err" 2>/dev/null | sed 's/^/        /'
    } >>"$work/failures"
    touch "$work/$1.broken"
}

count() { # WHAT: one more of it, from any process
    echo >>"$work/count-$1"
}

counted() { # WHAT
    if [ -e "$work/count-$1" ]; then wc -l <"$work/count-$1"; else echo 0; fi
}

## Servers. The leader is what $work/leader leads to; the others are its standbys.

server_name() { # NAME
    free_port >"$work/$1.port"
    install -o postgres -g postgres /dev/null "$work/$1.log"
}

# pg_ctl, too, complains at once that what has crashed was not stopped.
server_start() { # NAME
    as_postgres "$bin/pg_ctl" -D "$work/$1.data" -l "$work/$1.log" -o "-p $(cat "$work/$1.port")" -w start >/dev/null 2>&1 ||
        fail "could not start $1: $(tail -n 3 "$work/$1.log")"
    [[ " ${servers[*]-} " = *" $work/$1.data "* ]] || servers+=("$work/$1.data")
}

server_stop() { # NAME
    as_postgres "$bin/pg_ctl" -D "$work/$1.data" -m immediate -w stop >/dev/null 2>&1
}

postmaster() { # NAME
    head -n 1 "$work/$1.data/postmaster.pid" 2>/dev/null
}

lead() { # NAME
    leader=$1
    ln -sfn "$work/socket/.s.PGSQL.$(cat "$work/$1.port")" "$work/leader/.s.PGSQL.5432"
}

# Transactions that take numbers, and lose them in a crash because nobody waits for their WAL.
others() {
    while [ ! -e "$work/quiet" ]; do
        PGOPTIONS='-c synchronous_commit=off' "$bin/pgbench" -n -N -c 2 -R 150 -T 600 -U postgres -h "$work/leader" -p 5432 \
            postgres >/dev/null 2>&1
        sleep 0.05
    done
}

## Lanes: a host, a cluster and a journal each; one run at a time.

plan_once() { # TIMEOUT
    local at more token
    echo "holdback: 1"
    echo "plan: once"
    echo "deploy:"
    for at in $(seq "$steps"); do
        # Where a value is saved, statements go one by one, else the text as a whole. COMMIT waits whatever the settings say.
        more=", save: [token$at]" token=" RETURNING token AS token$at"
        [ $((at % 2)) -eq 1 ] || more=", settings: {synchronous_commit: 'off'}" token=''
        cat <<END
  - id: s$at
    hosts: node
    timeout: $1
    sql:
      {run: ["INSERT INTO filler SELECT generate_series(1, 20)", "INSERT INTO effects (run, step) VALUES (\${run.id}, 's$at')$token", "SELECT pg_sleep(0.003)"]$more}
    if-interrupted: ask
END
    done
}

lanes_prepare() {
    local lane reach
    for lane in "${lanes[@]}"; do
        host_start "$lane"
        sshd[$lane]=${pids[-1]}
    done
    for lane in "${lanes[@]}"; do
        for reach in tcp socket; do
            cat >"$work/$lane.$reach.yml" <<END
cluster: $lane
hosts:
  node: {address: 127.0.0.1, ssh: {user: root, port: $(cat "$work/$lane.port"), identity: $work/key, known-hosts: $work/known_hosts, become: none},
    postgres: {os-user: root, reach: $reach, user: postgres, database: postgres}}
postgres: {port: $([ "$reach" = tcp ] && cat "$work/one.port" || echo 5432), socket-directory: $work/leader}
patroni: {port: 1}
END
        done
    done
    plan_once 60s >"$work/once.yml"
    plan_once 2s >"$work/short.yml"
}

journal_of() { # LANE
    local journals=("$work/journal-$1/$1"/*/journal.jsonl)
    [ -e "${journals[-1]}" ] && echo "${journals[-1]}"
}

# One command of a lane: it begins a run or goes on with it. STRIKE: the environment of sql_once.c.
go() { # LANE [STRIKE...]
    local lane=$1 journal arguments
    shift
    if journal=$(journal_of "$lane"); then
        arguments=(resume)
    else
        arguments=(deploy "$work/$plan.yml" -c "$work/$lane.$reach.yml")
    fi
    env "$@" LD_PRELOAD="$striker" "$HOLDBACK" "${arguments[@]}" --yes --journal "$work/journal-$lane" \
        </dev/null >"$work/$lane.out" 2>"$work/$lane.err"
    status=$?
    # Killed before its run was on disk, it has left nothing to resume.
    if [ "$status" -eq 3 ] && [ "${arguments[0]}" = resume ] && grep -q 'no open run' "$work/$lane.err"; then
        rm -rf "$work/journal-$lane"
    fi
    if [ "$status" -eq 137 ] && journal=$(journal_of "$lane") && is_inside "$journal"; then
        count "inside-$part"
    fi
    return "$status"
}

# An intent without its outcome is the journal's last word.
is_inside() { # JOURNAL
    awk '/"type":"intent"/ {intents++} /"type":"outcome"/ {outcomes++} END {exit !(intents > outcomes)}' "$1"
}

# Of the steps that write a line of their own.
steps_called_done() { # JOURNAL
    jq -rR 'fromjson? | select(.type == "outcome" and (.result == "done" or .result == "already")) | .step' "$1" |
        grep '^[sn]' | sort -u
}

# Whatever the journal calls done is there, and nothing is there twice.
audit() { # LANE
    local journal run
    journal=$(journal_of "$1") || return 0
    run=$(basename "$(dirname "$journal")")
    steps_called_done "$journal" >"$work/$1.done"
    query "SELECT step FROM effects WHERE run = '$run' ORDER BY step COLLATE \"C\"" >"$work/$1.there" || wrong "$1" "no answer"
    [ -z "$(uniq -d "$work/$1.there")" ] || wrong "$1" "happened twice: $(uniq -d "$work/$1.there" | paste -sd ' ')"
    [ -z "$(comm -23 "$work/$1.done" "$work/$1.there")" ] ||
        wrong "$1" "called done, but not there: $(comm -23 "$work/$1.done" "$work/$1.there" | paste -sd ' ')"
    count audits
}

# Of a run that says it is done: every step once.
verify_effects() { # LANE STEPS: into $journal and $run
    local found
    audit "$1"
    journal=$(journal_of "$1") && run=$(basename "$(dirname "$journal")")
    found=$(query "SELECT count(*), count(DISTINCT step) FROM effects WHERE run = '$run'")
    [ "$found" = "$2|$2" ] || wrong "$1" "effects and steps: $found"
}

# A run that says it is done: every step once, one marker for each, and the values are those that were committed.
verify() { # LANE
    local journal run found
    verify_effects "$1" "$steps"
    found=$(query "SELECT count(*), count(DISTINCT step) FROM holdback.marker WHERE run = '$run'")
    [ "$found" = "$steps|$steps" ] || wrong "$1" "markers and steps: $found"
    found=$(diff <(query "SELECT step, token FROM effects WHERE run = '$run' AND right(step, 1) IN ('1', '3', '5', '7', '9')" | sort) \
        <(jq -r 'select(.type == "outcome" and .saved != {} and .saved != null) | .step as $s | .saved | to_entries[] | $s + "|" + .value' "$journal" | sort -u)) ||
        wrong "$1" "saved values differ: $found"
    settled "$journal"
    lane_clear "$1"
    count runs
}

# What resume found of the tries that were interrupted.
settled() { # JOURNAL
    awk '/"type":"intent"/ {is_open = 1}
         /"type":"command"/ {is_settled = is_open}
         /"type":"outcome"/ {if (is_settled) print /"result":"done"/ ? "done" : "not"; is_open = is_settled = 0}' "$1" |
        while read -r what; do count "settled-$part-$what"; done
}

of_the_interrupted() {
    echo "of the interrupted tries $(counted "settled-$part-done") had committed and $(counted "settled-$part-not") had not"
}

lane_clear() { # LANE
    rm -rf "$work/journal-$1"
}

# Goes on undisturbed until the run is done.
lane_finish() { # LANE
    journal_of "$1" >/dev/null || return 0
    for _ in 1 2 3; do
        go "$1" && {
            verify "$1"
            return
        }
    done
    wrong "$1" "does not come to its end: $status"
    lane_clear "$1"
}

# Bash draws other numbers in every subshell, unless it is told where to begin there; and so nothing below is drawn in $(...).
reseed() { # NUMBER
    RANDOM=$((seed * 131 + $1 * 7919))
    : "$RANDOM" "$RANDOM" # neighbours begin alike
}

below() { # NUMBER: a random one in $us
    us=$(((RANDOM * 32768 + RANDOM) % ($1 + 1)))
}

# For $strike, the environment of sql_once.c: evenly from the intent to a while after the outcome; a half of them while STATEMENT is
# sent and answered (half a millisecond for COMMIT); and some anywhere, and so also in what resume does first.
moment() { # STATEMENT US
    case $((RANDOM % 8)) in
    0) below $((start_us * 3 / 2)) && strike=(STRIKE_AT=start "STRIKE_US=$us") ;;
    1 | 2 | 3) below $((step_us * 5 / 4)) && strike=(STRIKE_AT=intent "STRIKE_US=$us") ;;
    *) below "$2" && below "$us" && strike=("STRIKE_AT=$1" "STRIKE_US=$us") ;; # rather early than late
    esac
}

in_lanes() { # FUNCTION ARGUMENT...
    local lane others=${#pids[@]}
    for lane in "${lanes[@]}"; do
        "$1" "$lane" "${@:2}" 2>>"$work/shell.log" &
        pids+=($!)
    done
    wait "${pids[@]:others}"
    pids=("${pids[@]:0:others}")
}

## Parts

# A part that tried less than it was to try is no proof.
tried_enough() { # WANTED
    [ "$(counted "$part")" -ge "$1" ] || [ -e "$work/failures" ] || wrong l1 "only $(counted "$part") of $1 tried"
}

# How long it takes, with all lanes at work, to come to the first step and to do one.
calibrate() {
    in_lanes go
    for lane in "${lanes[@]}"; do
        [ -e "$work/journal-$lane" ] || fail "$(cat "$work/$lane.err")"
        jq -c 'select(.type == "outcome") | .ms' "$(journal_of "$lane")" >>"$work/step-ms"
        jq -r 'select(.type == "command" or .type == "intent") | .at' "$(journal_of "$lane")" | head -n 2 | paste -sd ' ' >>"$work/starts"
    done
    step_us=$(($(sort -n "$work/step-ms" | sed -n "$((steps * 2))p") * 1000))
    start_us=$(while read -r from to; do
        echo $((($(date -d "$to" +%s%N) - $(date -d "$from" +%s%N)) / 1000))
    done <"$work/starts" | sort -n | tail -n 1)
    start_us=$((start_us + 20000))
    in_lanes verify
    echo "a step takes $((step_us / 1000)) ms, and the way to the first $((start_us / 1000)) ms"
}

clients_lane() { # LANE KILLS
    local lane=$1 left=$2
    reseed "${lane#l}"
    [ "$lane" = l4 ] && reach=socket
    while [ "$left" -gt 0 ] && [ ! -e "$work/$lane.broken" ]; do
        moment COMMIT 1500
        go "$lane" "${strike[@]}"
        case $status in
        0) verify "$lane" ;;
        137) left=$((left - 1)) && count clients ;;
        3) [ ! -e "$work/journal-$lane" ] || wrong "$lane" "exit status 3" ;;
        *) wrong "$lane" "exit status $status" ;;
        esac
    done
    lane_finish "$lane"
}

clients() {
    in_lanes clients_lane $(((kills + 3) / 4))
    echo "$(counted clients) kills of holdback, $(counted inside-clients) between the intent and the outcome of a step," \
        "$(counted runs) runs came to their end, $(of_the_interrupted)"
    tried_enough "$kills"
    [ $(($(counted inside-clients) * 2)) -ge "$(counted clients)" ] || wrong l1 "less than half of the kills were inside a step"
}

# A crash of the server: at its postmaster (immediate), which waits for us to start it again; or at one of its processes,
# after which it starts itself again while holdback is asking.
crash_of() { # NUMBER STATEMENT US: in $strike and $victim
    moment "$2" "$3"
    if [ $(($1 % 2)) -eq 0 ]; then
        victim=$(postmaster "$leader")
        strike+=(STRIKE_SIGNAL="$(kill -l QUIT)")
    else
        victim=$(query "SELECT pid FROM pg_stat_activity WHERE backend_type = 'walwriter'")
        strike+=(STRIKE_SIGNAL="$(kill -l KILL)")
    fi
    strike+=("STRIKE_PID=$victim" "STRIKE_NOTE=$work/struck")
}

crash_lane() { # LANE NUMBER STRIKE...
    local lane=$1 number=$2 strike=("${@:3}")
    reseed $((number * 8 + ${lane#l}))
    case $(((number + ${lane#l}) % 4)) in
    0) ;;
    1) moment COMMIT 1500 ;;
    *) strike=(STRIKE_AT=never) ;;
    esac
    go "$lane" "${strike[@]}"
    case $status in
    0 | 1 | 6 | 137) ;; # what is done is looked at when the server is back
    *) wrong "$lane" "exit status $status" ;;
    esac
}

# Who asks while the server is down learns nothing, and that is no reason to ask a person.
down_lane() { # LANE
    journal_of "$1" >/dev/null && ! ended "$(journal_of "$1")" || return 0
    go "$1"
    [ "$status" -eq 1 ] || [ "$status" -eq 6 ] || wrong "$1" "exit status $status while the server is down"
}

ended() { # JOURNAL
    grep -q '"type":"state","state":"done"' "$1"
}

after_crash_lane() { # LANE
    if journal_of "$1" >/dev/null && ended "$(journal_of "$1")"; then
        verify "$1"
    else
        audit "$1"
    fi
}

crashes() {
    local number=0 strike us victim
    while [ "$(counted crashes)" -lt "$crashes" ] && [ "$number" -lt $((crashes * 3)) ] && [ ! -e "$work/failures" ]; do
        number=$((number + 1))
        reseed $((number * 8))
        # Around COMMIT, or when resume asks what became of it.
        if [ $((number % 4)) -lt 2 ]; then crash_of "$number" SET 8000; else crash_of "$number" "SELECT pg_catalog.count(" 8000; fi
        in_lanes crash_lane "$number" "${strike[@]}"
        if [ -e "$work/struck" ]; then
            rm "$work/struck"
            count crashes
            while kill -0 "$victim" 2>/dev/null; do sleep 0.02; done
            [ $((number % 4)) -ne 0 ] || in_lanes down_lane
            [ $((number % 2)) -ne 0 ] || server_start "$leader"
            query "SELECT" >/dev/null
        fi
        in_lanes after_crash_lane
    done
    in_lanes lane_finish
    echo "$(counted crashes) crashes of the server, $number rounds of ${#lanes[@]} lanes, $(of_the_interrupted)"
    tried_enough "$crashes"
}

# A standby of the leader, without which no COMMIT there is acknowledged any more.
standby_make() { # NAME
    install -d -o postgres -g postgres -m 700 "$work/$1.data"
    as_postgres "$bin/pg_basebackup" -D "$work/$1.data" -d "host=$work/leader port=5432 user=postgres" -c fast -R --no-sync ||
        fail "pg_basebackup"
    server_name "$1"
    server_start "$1"
    query "ALTER SYSTEM SET synchronous_standby_names = '*'" && query "SELECT pg_reload_conf()" >/dev/null
    until [ "$(query "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'")" = 1 ]; do
        sleep 0.05
    done
}

# The port leads to the standby now, and that waits for nobody until it has a standby of its own.
standby_promote() { # NAME
    server_stop "$leader"
    rm -rf "$work/$leader.data"
    as_postgres "$bin/pg_ctl" -D "$work/$1.data" -w promote >/dev/null || fail "could not promote $1"
    lead "$1"
}

# The standby is gone, so COMMIT waits for it: whoever is killed then, or has no patience, must not call it done.
cut_lane() { # LANE NUMBER
    reseed $(($2 * 8 + ${1#l}))
    if [ $((RANDOM % 2)) -eq 0 ]; then
        below 1000000
        go "$1" STRIKE_AT=COMMIT "STRIKE_US=$us"
    else
        go "$1"
    fi
    [[ $status =~ ^(0|1|6|137)$ ]] || wrong "$1" "exit status $status while COMMIT waits"
    if ! ended "$(journal_of "$1")"; then
        go "$1"
        [[ $status =~ ^(1|6)$ ]] || wrong "$1" "exit status $status of resume while no standby is there"
    fi
}

promotions() {
    local number=0 standby
    # From now on, because no port leads to whoever leads.
    reach=socket
    plan=short
    while [ "$number" -lt "$promotions" ] && [ ! -e "$work/failures" ]; do
        number=$((number + 1))
        standby=standby$number
        standby_make "$standby"
        if [ $((number % 2)) -eq 1 ]; then
            reseed $((number * 8))
            crash_of 0 SET 8000
            in_lanes crash_lane "$number" "${strike[@]}"
        else
            server_stop "$standby"
            in_lanes cut_lane "$number"
            server_stop "$leader"
            server_start "$standby"
        fi
        rm -f "$work/struck"
        standby_promote "$standby"
        count promotions
        in_lanes after_crash_lane
        in_lanes lane_finish
    done
    in_lanes lane_finish
    plan=once
    echo "$(counted promotions) promotions, $(of_the_interrupted)"
    tried_enough "$promotions"
}

## Without a transaction: an index, and a statement that nothing can tell of.

plan_index() { # LANE
    local at name
    echo "holdback: 1"
    echo "plan: index"
    echo "deploy:"
    for at in 1 2 3; do
        name=$1_index$at
        cat <<END
  - id: i$at
    hosts: node
    timeout: 60s
    sql:
      transaction: none
      unless: SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('$name')
      run: CREATE INDEX CONCURRENTLY $name ON $1_rows (slowly(number))
      clean-up:
        - INSERT INTO cleaned SELECT \${run.id}, 'i$at', '$name' FROM pg_index WHERE indexrelid = to_regclass('$name') AND NOT indisvalid
        - DROP INDEX CONCURRENTLY IF EXISTS $name
  - {id: n$at, hosts: node, timeout: 60s, if-interrupted: ask, sql: {transaction: none, run: ["INSERT INTO effects (run, step) VALUES (\${run.id}, 'n$at')", SELECT pg_sleep(0.05)]}}
END
    done
}

# What a person does who is asked: looks, and says what they see.
answer() { # LANE
    local step run said
    run=$(basename "$(dirname "$(journal_of "$1")")")
    step=$(sed -nE 's/.*step "(n[0-9])" is in doubt on node.*/\1/p' "$work/$1.err" | head -n 1)
    [ -n "$step" ] || {
        wrong "$1" "in doubt of what can be looked at"
        return
    }
    said=not-done
    [ "$(query "SELECT count(*) FROM effects WHERE run = '$run' AND step = '$step'")" = 0 ] || said="done"
    "$HOLDBACK" resolve "$run" "$step" --as "$said" --why "looked" --journal "$work/journal-$1" >"$work/$1.out" 2>"$work/$1.err" ||
        wrong "$1" "exit status $? of resolve"
    count answers
}

verify_index() { # LANE
    local journal run found name
    verify_effects "$1" 3
    found=$(query "SELECT count(*), count(*) FILTER (WHERE indisvalid) FROM pg_index WHERE indrelid = '$1_rows'::regclass")
    [ "$found" = "3|3" ] || wrong "$1" "indexes, and valid ones: $found"
    # Whatever was there to clean up was named before.
    for name in $(query "SELECT DISTINCT name FROM cleaned WHERE run = '$run'"); do
        grep -q "left invalid: .*$name" "$journal" || wrong "$1" "the invalid index $name is not named"
        count cleaned
    done
    ! grep -q 'already exists' "$journal" || wrong "$1" "the next try met what the one before had left"
    query "DROP INDEX $1_index1, $1_index2, $1_index3"
    lane_clear "$1"
    count runs-index
}

index_lane() { # LANE KILLS
    local lane=$1 left=$2 strike us victim failures=0
    local plan=$lane-index asked=(INSERT "SELECT indisvalid")
    reseed $((100 + ${lane#l}))
    while [ ! -e "$work/$lane.broken" ]; do
        # The index is built in half a second, and the other statement followed by one that takes 50 ms.
        case $((left <= 0 ? 3 : left % 3)) in
        0) moment CREATE 500000 ;;
        1) below 60000 && strike=(STRIKE_AT=INSERT "STRIKE_US=$us") ;;
        2) if [ "$lane" = l1 ]; then crash_of 1 "${asked[RANDOM % 2]}" 30000; else moment CREATE 500000; fi ;;
        3) strike=(STRIKE_AT=never) ;;
        esac
        go "$lane" "${strike[@]}"
        [ "$lane" != l1 ] || [ ! -e "$work/struck" ] || {
            rm -f "$work/struck"
            left=$((left - 1))
            count indexes
            count indexes-crashes
        }
        case $status in
        0)
            verify_index "$lane"
            [ "$left" -gt 0 ] || break
            ;;
        4) answer "$lane" ;;
        137) left=$((left - 1)) && count indexes ;;
        1 | 6)
            query "SELECT" >/dev/null
            failures=$((failures + 1))
            [ "$failures" -lt 8 ] || wrong "$lane" "it does not come to its end: $status"
            continue
            ;;
        3) [ ! -e "$work/journal-$lane" ] || wrong "$lane" "exit status 3" ;;
        *) wrong "$lane" "exit status $status" ;;
        esac
        failures=0
    done
}

indexes() {
    local lane
    query "CREATE TABLE cleaned (run text, step text, name text)"
    query "CREATE FUNCTION slowly(integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS 'BEGIN PERFORM pg_sleep(0.002); RETURN \$1; END'"
    for lane in "${lanes[@]}"; do
        query "CREATE TABLE ${lane}_rows AS SELECT number FROM generate_series(1, 200) AS number"
        plan_index "$lane" >"$work/$lane-index.yml"
    done
    in_lanes index_lane $(((index_kills + 3) / 4))
    echo "$(counted indexes) kills without a transaction ($(counted inside-indexes) inside, $(counted indexes-crashes) of the server)," \
        "$(counted cleaned) indexes cleaned up, $(counted answers) questions, $(counted runs-index) runs came to their end"
    tried_enough "$index_kills"
    [ "$(counted cleaned)" -gt 0 ] || wrong l1 "nothing was ever left to clean up"
}

## The zombie: stopped, and with its connection kept by an sshd that is stopped as well.

zombie() { # NUMBER
    local lane=l$(($1 % 4 + 1)) pid run backends began
    reseed $((200 + $1))
    below 50000
    env STRIKE_AT=BEGIN "STRIKE_US=$us" STRIKE_SIGNAL="$(kill -l STOP)" LD_PRELOAD="$striker" \
        "$HOLDBACK" deploy "$work/long.yml" -c "$work/$lane.$reach.yml" --yes --journal "$work/journal-$lane" \
        </dev/null >"$work/$lane.out" 2>"$work/$lane.err" &
    pid=$!
    stopped=("$pid")
    until [[ $(ps -o stat= -p "$pid") = [TZ]* ]]; do sleep 0.02; done
    # The server goes on to the end of its statement.
    sleep 0.1
    run=$(basename "$(dirname "$(journal_of "$lane")")")
    go "$lane"
    [ "$status" -eq 5 ] || wrong "$lane" "exit status $status beside a stopped holdback"
    mapfile -t stopped < <(pgrep -P "${sshd[$lane]}")
    kill -STOP "${stopped[@]}"
    kill -KILL "$pid"
    wait "$pid"
    backends=$(query "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holdback $run %' AND xact_start IS NOT NULL")
    [ "$backends" = 0 ] || count zombies-inside
    began=$SECONDS
    go "$lane"
    [ "$status" -eq 0 ] || wrong "$lane" "exit status $status after a zombie"
    [ $((SECONDS - began)) -lt 20 ] || wrong "$lane" "it took $((SECONDS - began)) s to get rid of a zombie"
    kill -KILL "${stopped[@]}" 2>/dev/null
    stopped=()
    sleep 0.2
    verify "$lane"
    count zombies
}

zombies() {
    local number
    sed 's/pg_sleep([0-9.]*)/pg_sleep(0.05)/; s/60s/15s/' "$work/once.yml" >"$work/long.yml"
    for number in $(seq "$zombies"); do
        zombie "$number" 2>>"$work/shell.log"
    done
    echo "$(counted zombies) stopped programs, $(counted zombies-inside) inside their transaction"
    tried_enough "$zombies"
    [ "$(counted zombies-inside)" -gt 0 ] || wrong l1 "none was stopped inside its transaction"
}

## The main thing

echo "seed $seed"
part=preparation plan=once reach=tcp leader=one
striker=$work/strike.so
cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$striker" "$here/sql_once.c" -ldl -lpthread || exit 1
mkdir "$work/leader"
server_name one
postgres_init one "$(cat "$work/one.port")"
# Nothing here outlives the machine, and what a process has written outlives the process. What has not been written, though,
# is lost as long as possible.
printf '%s\n' "fsync = off" "wal_writer_delay = 10s" >>"$work/one.data/postgresql.conf"
server_start one
lead one
lanes_prepare
"$bin/pgbench" -i -q -s 1 -U postgres -h "$work/leader" -p 5432 postgres >/dev/null 2>&1 || fail "pgbench"
query "CREATE TABLE effects (run text, step text, token text DEFAULT md5(random()::text), at timestamptz DEFAULT clock_timestamp());
       CREATE TABLE filler (number int); CREATE INDEX ON effects (run)"
others &
pids+=($!)
calibrate
for part in "$@"; do
    [ ! -e "$work/failures" ] || break
    began=$SECONDS
    $part
    echo "    $part: $((SECONDS - began)) s"
done
touch "$work/quiet"
tried=$(($(counted clients) + $(counted crashes) + $(counted promotions) + $(counted indexes) + $(counted zombies)))
failed=$(grep -c ^FAILED "$work/failures" 2>/dev/null)
cat "$work/failures" 2>/dev/null
echo "$(counted audits) times all that was called done was there, and nothing twice"
echo "$tried passed, ${failed:-0} failed"
[ "${failed:-0}" -eq 0 ] && [ "$tried" -gt 0 ]

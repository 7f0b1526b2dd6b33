#!/usr/bin/env bash
# Connections that end silently, packets dropped and nothing refused, in the middle of a step of each kind: to the host, to
# PostgreSQL, to Patroni; both ways, or only the answers, so that the change happens and nobody hears of it. holdback must
# return within the step's timeout and a second and say what is so; after healing, `resume --yes` must reach the end of an
# undisturbed run, and no effect may have happened twice.
#
#   cuts.sh           one cut and more for each action, on a real cluster
#   cuts.sh nightly   besides: files and connecting many times, and every step of blue-green.yml, in deploy and rollback
#                     and in deploy and commit, each way of cutting, with short timeouts and with its own
#
# SEED=N repeats the moments of a run.
# shellcheck source=../acceptance/lib.sh
. "$(dirname "$0")/../acceptance/lib.sh"

seed=${SEED:-$RANDOM}
RANDOM=$seed
echo "seed $seed"
returned_late_ms=1000
effects=/var/lib/postgresql/effects

# A cut would be in the way of whatever comes after.
fail() {
    heal
    begun_end
    echo "    $*" >&2
    exit 1
}

clean_up() {
    begun_end
    [ -z "${silent:-}" ] || kill "$silent" 2>/dev/null
    "$cluster" down >/dev/null 2>&1
    rm -rf "$work"
}

now_ms() { now=$((${EPOCHREALTIME/./} / 1000)); }

pause() { # LEAST MOST: milliseconds, at random
    local ms=$(($1 + RANDOM % ($2 - $1 + 1)))
    sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"
}

in_network() { # NAME COMMAND...: op or a host
    nsenter --net="/run/netns/hb-$HOLDBACK_TEST_CLUSTER-$1" -- "${@:2}"
}

rules() { # NAME, iptables-restore's lines on standard input: in force all at once
    { echo '*filter' && cat && echo COMMIT; } | in_network "$1" iptables-restore -w 5 --noflush || fail "iptables"
}

# What the host itself sends to its own PostgreSQL or Patroni comes through SSH, so it is ours.
cut() { # host|host-answers|postgres|postgres-answers|patroni|patroni-answers HOST
    local address=10.77.0.1${2#pg} port=5432 both=
    [[ $1 == *-answers ]] || both=yes
    [[ $1 != patroni* ]] || port=8008
    if [[ $1 == host* ]]; then
        printf '%s\n' "-A INPUT -p tcp -s $address --sport 22 -j DROP" \
            ${both:+"-A OUTPUT -p tcp -d $address --dport 22 -j DROP"} | rules op
    else
        printf '%s\n' "-A INPUT -p tcp -s $address -d $address --sport $port -j DROP" \
            ${both:+"-A INPUT -p tcp -s $address -d $address --dport $port -j DROP"} | rules "$2"
    fi
    now_ms
    cut_ms=$now
    echo "$1" >>"$work/cuts"
}

# The answer to each such request to any Patroni is lost, and nothing else.
lose_answers() { # METHOD PATH
    local host
    for host in $(members); do
        rules "$host" <<END
-A INPUT -p tcp --dport 8008 -m string --algo bm --string "$1 $2 " -j CONNMARK --set-mark 7
-A OUTPUT -p tcp --sport 8008 -m connmark --mark 7 -j DROP
END
    done
    echo lost >>"$work/cuts"
}

heal() {
    local name
    for name in op $(members); do
        in_network "$name" iptables -w 5 -F
    done
}

requests() { # METHOD PATH: so many reached a Patroni
    local host count=0
    for host in $(members); do
        count=$((count + $("$cluster" sh "$host" "journalctl -u patroni --no-pager | grep -cF '\"$1 $2 '")))
    done
    echo "$count"
}

# So often the DCS was given another configuration. Holdback also asks for nothing, to wake every Patroni up.
config_changes() {
    in_network op etcdctl --endpoints http://10.77.0.1:2379 get /service/cluster-pgsql/config -w json |
        sed 's/.*"version":\([0-9]*\).*/\1/'
}

# ---- a command in the background ----

begin() { # ARGUMENT...
    now_ms
    begun_ms=$now
    "$cluster" op "$HOLDBACK" "$@" </dev/null >"$work/out" 2>"$work/err" &
    begun=$!
    echo "$begun" >"$work/begun"
}

begun_end() {
    [ -e "$work/begun" ] && kill -KILL "$(cat "$work/begun")" 2>/dev/null
    rm -f "$work/begun"
}

plan_is() { # a plan's phases on standard input
    {
        echo 'holdback: 1'
        echo 'plan: cuts'
        echo 'roles: {leader: {patroni: leader, one: true}, other: {patroni: replica, one: true}}'
        cat
    } >"$work/plan.yml"
}

begin_deploy() { # [CLUSTER-FILE]
    before=$(journal)
    begin deploy "$work/plan.yml" -c "${1:-$file}" --yes
}

journal() {
    local journals=("$HOLDBACK_JOURNAL"/*/*/journal.jsonl)
    # Runs are named after the second that they began in, and each lasts longer.
    echo "${journals[-1]}"
}

await_intent() { # STEP [TRY]
    local limit=$((SECONDS + 20))
    until [ "$(journal)" != "$before" ] && grep -qs "\"type\":\"intent\",\"step\":\"$1\",\"try\":${2:-1}," "$(journal)"; do
        kill -0 "$begun" 2>/dev/null || {
            sed 's/^/    | /' "$work/err" >&2
            fail "it ended before step $1"
        }
        [ "$SECONDS" -lt "$limit" ] || fail "no intent of step $1"
        sleep 0.005
    done
    now_ms
    intent_ms=$now
}

has_returned() { ! kill -0 "$begun" 2>/dev/null; }

# The command that was begun returns by FROM_MS + SECONDS, or at most a second later.
returns() { # FROM_MS SECONDS
    local late
    until has_returned || [ "$((${EPOCHREALTIME/./} / 1000))" -gt $(($1 + $2 * 1000 + 30000)) ]; do sleep 0.01; done
    now_ms
    late=$((now - $1 - $2 * 1000))
    has_returned || {
        begun_end
        fail "it hangs: 30 s after the deadline it has not returned"
    }
    wait "$begun"
    status=$?
    rm -f "$work/begun"
    echo "$late" >>"$work/late"
    [ "$late" -le "$returned_late_ms" ] || {
        sed 's/^/    | /' "$work/err" >&2
        fail "it returned $late ms after the deadline, with status $status"
    }
}

# Deploys, and cuts LEAST to MOST milliseconds after the intent of the step "cut", which returns SECONDS after that intent.
cut_in_step() { # WHAT HOST LEAST MOST SECONDS [CLUSTER-FILE]
    begin_deploy "${6:-$file}"
    await_intent cut
    pause "$3" "$4"
    cut "$1" "$2"
    returns "$intent_ms" "$5"
}

resumes_to_the_end() {
    heal
    holdback resume --yes
    expect_status 0
    expect_message 'is done'
}

happened() { # WHAT TIMES
    local count
    count=$(psql_on "$leader" "SELECT count(*) FROM effects WHERE what = '$1'")
    [ "$count" = "$2" ] || fail "it happened $count times, not $2"
}

happened_on() { # HOST WHAT TIMES
    local count
    count=$("$cluster" sh "$1" "grep -cx $2 $effects")
    [ "$count" = "$3" ] || fail "it happened $count times, not $3"
}

who_leads() {
    until_true 30 "$cluster" wait 1 >/dev/null 2>&1 || fail "the cluster is not healthy"
    leader=$("$cluster" leader)
    other=$(standbys | head -1)
}

# ---- sql ----

# The guard is in the middle of its look when the step ends, and must not keep anybody waiting either.
a_transaction_that_is_cut_off_twice_happens_once() {
    who_leads
    plan_is <<'END'
guards:
  - {id: writes, hosts: leader, every: 1s, sql: SELECT NOT pg_is_in_recovery()}
deploy:
  - {id: cut, hosts: leader, timeout: 2s, sql: {run: INSERT INTO effects SELECT 'transaction' FROM pg_sleep(1)}}
END
    cut_in_step host "$leader" 200 800 2
    expect_status 1
    expect_message 'the statement did not end in time'
    expect_message 'holdback resume'
    heal
    begin resume --yes
    await_intent cut 2
    pause 0 800
    cut host "$leader"
    returns "$intent_ms" 2
    expect_status 1
    resumes_to_the_end
    happened transaction 1
}

a_commit_whose_answer_is_lost_is_found_by_its_marker() {
    who_leads
    plan_is <<'END'
deploy:
  - {id: cut, hosts: leader, timeout: 2s, sql: {run: [INSERT INTO effects VALUES ('commit'), INSERT INTO slow VALUES (1)]}}
END
    cut_in_step host-answers "$leader" 300 700 2
    expect_status 1
    expect_message 'did not come to its end'
    happened commit 1
    resumes_to_the_end
    happened commit 1
}

a_statement_whose_answer_is_lost_is_found_by_unless() {
    who_leads
    plan_is <<'END'
deploy:
  - id: cut
    hosts: leader
    timeout: 2s
    sql:
      transaction: none
      unless: SELECT count(*) > 0 FROM effects WHERE what = 'unless'
      run: INSERT INTO effects SELECT 'unless' FROM pg_sleep(1)
END
    cut_in_step postgres-answers "$leader" 300 800 2 "$state/cluster-tcp.yml"
    expect_status 1
    expect_message 'may have been executed'
    happened unless 1
    resumes_to_the_end
    happened unless 1
}

a_statement_that_nothing_tells_of_is_a_persons_to_resolve() {
    who_leads
    plan_is <<'END'
deploy:
  - id: cut
    hosts: leader
    timeout: 2s
    if-interrupted: ask
    sql: {transaction: none, run: INSERT INTO effects SELECT 'ask' FROM pg_sleep(1)}
END
    cut_in_step postgres "$leader" 200 700 2 "$state/cluster-tcp.yml"
    expect_status 1
    heal
    holdback resume --yes
    expect_status 4
    expect_message "cut@$leader --as done|not-done --why TEXT"
    # The statement's own session was ended, or it had come to its end.
    happened ask "$(psql_on "$leader" "SELECT count(*) FROM effects WHERE what = 'ask'")"
    holdback resolve "$(basename "$(dirname "$(journal)")")" "cut@$leader" --as "done" --why 'the row is there'
    expect_status 0
    resumes_to_the_end
    [ "$(psql_on "$leader" "SELECT count(*) <= 1 FROM effects WHERE what = 'ask'")" = t ] || fail "it happened twice"
}

# ---- remote-shell ----

# Ten seconds without an acknowledgement are enough, however long the step may take.
a_cut_in_a_long_job_is_noticed_and_the_job_is_attached_to() {
    who_leads
    plan_is <<END
deploy:
  - {id: cut, hosts: $leader, as: postgres, timeout: 4h, if-interrupted: ask, remote-shell: {run: "sleep 11; echo job >>$effects"}}
END
    begin_deploy
    await_intent cut
    pause 0 900
    cut host "$leader"
    returns "$cut_ms" 10
    expect_status 6
    expect_message "the connection to host \"$leader\""
    expect_message 'did not come to its end'
    resumes_to_the_end
    happened_on "$leader" job 1
}

# ---- edit-conf ----

big=/var/lib/postgresql/big.conf

make_big() {
    "$cluster" sh "$leader" "seq 1 200000 | sed 's/^/# line /' >$big; chown postgres:postgres $big; chmod 640 $big"
    digest=$("$cluster" sh "$leader" "sha256sum <$big")
}

file_is() { # old|new|either: and its owner and mode are what they were
    local got
    got=$("$cluster" sh "$leader" "stat -c '%U %G %a' $big; head -n 200000 $big | sha256sum; tail -n +200001 $big")
    case $1:$got in
        old:*" 640"$'\n'"$digest" | new:*" 640"$'\n'"$digest"$'\nport = '?* | either:*" 640"$'\n'"$digest"*) ;;
        *) fail "the file is not $1: $got" ;;
    esac
    [[ $got == 'postgres postgres '* ]] || fail "it has another owner: $got"
}

a_file_is_the_old_or_the_new_one_wherever_its_transfer_is_cut() {
    who_leads
    make_big
    plan_is <<END
deploy:
  - {id: cut, hosts: $leader, as: postgres, timeout: 2s, edit-conf: {file: $big, format: postgresql, set: {port: "1"}}}
END
    file_is old
    cut_in_step "${1:-host}" "$leader" 0 120 2
    file_is either
    heal
    [ "$status" -eq 0 ] || resumes_to_the_end
    file_is new
    [ -z "$("$cluster" sh "$leader" 'ls -A /var/lib/postgresql | grep "^\.holdback"')" ] || fail "something is left beside it"
}

# ---- patroni ----

maintenance_is_on_after_a_cut_and_is_turned_on_once() {
    who_leads
    plan_is <<END
deploy:
  - {id: cut, hosts: $leader, timeout: 2s, patroni: {maintenance: true}}
commit:
  - {id: off, hosts: $leader, patroni: {maintenance: false}}
END
    local before_changes
    before_changes=$(config_changes)
    begin_deploy
    await_intent cut
    cut host-answers "$leader"
    returns "$intent_ms" 2
    heal
    [ "$status" -eq 0 ] || {
        [ "$status" -eq 1 ] || expect_status 6
        expect_message 'holdback resume'
        holdback resume --yes
        expect_status 0
    }
    "$cluster" list | grep -q 'Maintenance mode' || fail "it is off"
    [ $(($(config_changes) - before_changes)) -eq 1 ] || fail "it was changed $(($(config_changes) - before_changes)) times"
    holdback commit --yes
    expect_status 0
}

a_change_of_the_configuration_and_a_restart_whose_answers_are_lost_are_asked_for_once() {
    who_leads
    plan_is <<'END'
deploy:
  - {id: config, hosts: leader, timeout: 8s, patroni: {config: {postgresql: {parameters: {max_worker_processes: 9}}}}}
  - {id: shown, hosts: other, timeout: 20s, wait-until: {patroni: {pending-restart: true}}}
  - {id: restart, hosts: other, timeout: 4s, patroni: {restart: pending}}
END
    local asked restarted again=0
    asked=$(requests PATCH /config)
    restarted=$(requests POST /restart)
    lose_answers PATCH /config
    lose_answers POST /restart
    begin_deploy
    await_intent config
    # Where a step did not need the answer, the others follow.
    returns "$intent_ms" 16
    while [ "$status" -ne 0 ]; do
        [ "$status" -eq 1 ] || expect_status 1
        again=$((again + 1))
        [ "$again" -le 3 ] || fail "it does not come forward"
        begin resume --yes
        # Settling, and what is left of these three steps.
        returns "$begun_ms" 12
    done
    heal
    [ $(($(requests PATCH /config) - asked)) -eq 1 ] || fail "the change was asked for $(($(requests PATCH /config) - asked)) times"
    [ $(($(requests POST /restart) - restarted)) -eq 1 ] || fail "the restart was asked for $(($(requests POST /restart) - restarted)) times"
}

a_restart_that_nothing_tells_of_is_a_persons_to_resolve() {
    who_leads
    local restarted
    plan_is <<'END'
deploy:
  - {id: cut, hosts: other, timeout: 3s, if-interrupted: ask, patroni: {restart: always}}
END
    restarted=$(requests POST /restart)
    cut_in_step host "$other" 80 200 3
    heal
    [ "$status" -eq 0 ] && return
    holdback resume --yes
    expect_status 4
    expect_message "cut@$other --as done|not-done --why TEXT"
    holdback resolve "$(basename "$(dirname "$(journal)")")" "cut@$other" --as "done" --why 'it was started anew'
    resumes_to_the_end
    [ $(($(requests POST /restart) - restarted)) -le 1 ] || fail "it was asked for twice"
}

a_switchover_whose_answer_is_lost_is_asked_for_once() {
    who_leads
    local asked
    plan_is <<'END'
deploy:
  - {id: cut, hosts: leader, timeout: 4s, patroni: {leader: other}}
END
    asked=$(requests POST /switchover)
    lose_answers POST /switchover
    begin_deploy
    await_intent cut
    returns "$intent_ms" 4
    heal
    [ "$status" -eq 0 ] || {
        expect_status 1
        until_true 20 leads "$other" || fail "$other does not lead"
        resumes_to_the_end
    }
    [ $(($(requests POST /switchover) - asked)) -eq 1 ] || fail "it was asked for $(($(requests POST /switchover) - asked)) times"
    leads "$other" || fail "$other does not lead"
}

leads() {
    [ "$("$cluster" leader 2>/dev/null)" = "$1" ]
}

# ---- waiting, guards, connecting ----

a_wait_through_a_cut_that_is_healed_ends_well() {
    who_leads
    plan_is <<END
deploy:
  - {id: cut, hosts: $leader, timeout: 9s, wait-until: {sql: SELECT count(*) = 1 FROM effects WHERE what = 'awaited'}}
END
    begin_deploy
    await_intent cut
    pause 100 500
    cut host "$leader"
    psql_on "$leader" "INSERT INTO effects VALUES ('awaited')"
    sleep 1.5
    heal
    returns "$intent_ms" 9
    expect_status 0
}

a_wait_through_a_cut_ends_at_its_deadline() {
    who_leads
    plan_is <<END
deploy:
  - {id: cut, hosts: $leader, timeout: 2s, wait-until: {sql: SELECT count(*) = 1 FROM effects WHERE what = 'later'}}
END
    cut_in_step postgres "$leader" 100 500 2 "$state/cluster-tcp.yml"
    expect_status 1
    psql_on "$leader" "INSERT INTO effects VALUES ('later')"
    resumes_to_the_end
}

a_guard_that_cannot_be_asked_stops_the_run_and_leaves_the_job() {
    who_leads
    plan_is <<END
guards:
  - {id: leads, about: it leads, hosts: leader, every: 1s, sql: SELECT NOT pg_is_in_recovery()}
deploy:
  - {id: cut, hosts: $other, as: postgres, timeout: 60s, if-interrupted: ask, remote-shell: {run: "sleep 7; echo guarded >>$effects"}}
END
    begin_deploy
    await_intent cut
    pause 100 500
    cut host "$leader"
    # A second until it is due, five for its look.
    returns "$cut_ms" 6
    expect_status 7
    expect_message 'guard "leads" failed'
    resumes_to_the_end
    happened_on "$other" guarded 1
}

a_silent_host_at_the_start_is_refused_in_time() {
    until_true 25 test -s "$work/silent" || fail "it hangs"
    read -r status ms <"$work/silent"
    [ "$status" -eq 6 ] || fail "status $status: $(cat "$work/silent.err")"
    [ "$ms" -le 20000 ] || fail "it took $ms ms"
    grep -q 'Nothing was changed' "$work/silent.err" || fail "$(cat "$work/silent.err")"
}

# Its port takes no packets, whatever is cut and healed elsewhere; so it can be left to itself.
begin_silent() {
    in_network pg3 iptables -w 5 -t mangle -A INPUT -p tcp --dport 2222 -j DROP
    sed '/^hosts:/,/^ssh:/{/  pg[0-9]:/d}; s/^hosts:/hosts:\n  pg3: {address: 10.77.0.13, ssh: {port: 2222}}/' "$file" >"$work/silent.yml"
    printf '%s\n' 'holdback: 1' 'plan: silent' 'deploy:' \
        '  - {id: never, hosts: pg3, remote-shell: {run: "true"}, timeout: 1m, if-interrupted: ask}' >"$work/silent-plan.yml"
    (
        now_ms
        began=$now
        "$cluster" op "$HOLDBACK" deploy "$work/silent-plan.yml" -c "$work/silent.yml" --yes --journal "$work/silent-journal" \
            </dev/null >"$work/silent.err" 2>&1
        status=$?
        now_ms
        echo "$status $((now - began))" >"$work/silent"
    ) &
    silent=$!
}

nothing_of_all_this_is_left_on_the_hosts() {
    prove_nothing_is_left
    prove_healthy
}

# ---- the tests ----

all_log_requests() {
    local host
    for host in $(members); do
        in_network op curl -s "http://10.77.0.1${host#pg}:8008/patroni" >/dev/null
        "$cluster" sh "$host" "journalctl -u patroni --no-pager | grep -qF '\"GET /patroni '" || return 1
    done
}

set_up() {
    local host
    [ -x "$HOLDBACK" ] || { echo "there is no program \"$HOLDBACK\"" >&2 && exit 1; }
    # With a shorter ttl a candidate without etcd would be forgotten.
    "$cluster" up --ttl 40 >/dev/null || exit 1
    for host in $(members); do
        # So that it logs the requests.
        "$cluster" sh "$host" 'printf "log:\n  level: DEBUG\n" >>/etc/patroni/config.yml && systemctl reload patroni' || exit 1
    done
    until_true 20 all_log_requests || exit 1
    psql_on "$("$cluster" leader)" "
        CREATE TABLE effects (what text);
        CREATE TABLE slow (x int);
        CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(1); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()"
}

# ---- nightly: blue-green.yml ----

cat >"$work/counting.sql" <<'END'
INSERT INTO effects SELECT 'migration' FROM pg_sleep(0.5);
DROP TABLE dropped;
UPDATE spoilt SET v = 'spoilt' WHERE id % 2 = 0;
CREATE TABLE added (x int);
END

cat >"$work/adding.sql" <<'END'
INSERT INTO effects SELECT 'migration' FROM pg_sleep(0.5);
CREATE TABLE added (x int);
END

migrated() { psql_on "$("$cluster" leader)" "SELECT count(*) FROM effects WHERE what = 'migration'"; }

# The plan with short timeouts, where a cut lasts until the command returns; with its own, it lasts a while.
short_plan=$work/short/blue-green.yml
mkdir "$work/short"
sed -E 's/timeout: [0-9]+[smh]/timeout: 6s/' "$plan" >"$short_plan"
cp "$root"/plans/*.sql "$work/short"

# Takes in what the journal has got since; true: there is a new intent, in $step and $host.
next_intent() {
    local newest line
    newest=$(journal)
    if [ "$newest" != "$before" ] && [ "$newest" != "${reading:-}" ]; then
        reading=$newest
        exec {lines}<"$reading"
    fi
    [ -n "${lines:-}" ] || return 1
    while IFS= read -r line <&"$lines"; do
        now_ms
        moved_ms=$now
        case $line in
            *'"type":"command"'*) phase=connecting ;;
            # On disk without a next intent: all steps are done, and what is left on the hosts is removed.
            *'"type":"outcome"'*) phase=cleaning ;;
            *'"type":"intent"'*)
                phase=step
                intent_ms=$now
                step=${line#*'"step":"'}
                step=${step%%'"'*}
                host=${line#*'"hosts":["'}
                host=${host%%'"'*}
                return 0
                ;;
        esac
    done
    return 1
}

# The longest that it may be silent: a step its timeout and a second; connecting and cleaning, which also follows a step
# of the preflight that failed, as long as TCP takes to notice.
is_hung() { # TIMEOUT
    local most=$((($1 == 0 ? 60 : $1) * 1000 + returned_late_ms))
    grep -qs '"state":"deploying"' "$reading" || most=$((most + 12000))
    [ "$phase" = step ] || most=32000
    now_ms
    [ $((now - moved_ms)) -gt "$most" ]
}

# One command, from its beginning to its return: each step that was not cut before is.
watch_and_cut() { # KIND TIMEOUT: of each step in seconds, or 0: as the plan says
    local until_ms=0 is_cut='' last=''
    now_ms
    moved_ms=$now phase=connecting
    while :; do
        ! has_returned || last=yes
        while next_intent; do
            [ -z "${was_cut[$step]:-}$last" ] || continue
            [ -z "$is_cut" ] || heal
            was_cut[$step]=yes
            pause 0 30
            cut "$1" "$host"
            is_cut='yes' until_ms=$((cut_ms + 1000 + RANDOM % 12000))
        done
        [ -z "$last" ] || break
        now_ms
        if [ -n "$is_cut" ] && [ "$2" -eq 0 ] && [ "$now" -gt "$until_ms" ]; then
            heal
            is_cut=
        fi
        ! is_hung "$2" || {
            sed 's/^/    | /' "$work/err" >&2
            fail "it hangs in step $step, cut by $1"
        }
        sleep 0.005
    done
    wait "$begun"
    status=$?
    heal
    [ -z "${TRACE:-}" ] || { echo "--- $status" && cat "$work/err"; } >&2
}

# What could not be taken away from a host that was cut off, as it was said.
close_what_is_left() {
    grep -q 'when it is back: holdback close' "$work/err" || return 0
    holdback close "$(basename "$(dirname "$(journal)")")" --why 'the host is back'
    expect_status 0
}

# A command, and after it resumes, until all is done.
with_cuts() { # KIND TIMEOUT LEAST ARGUMENT...
    local kind=$1 timeout=$2 least=$3 tries=0
    local -A was_cut=()
    shift 3
    begin "$@"
    while watch_and_cut "$kind" "$timeout" && [ "$status" -ne 0 ]; do
        tries=$((tries + 1))
        [[ $status =~ ^(1|4|6|7|9)$ && $tries -lt 150 ]] || expect_status 0
        close_what_is_left
        # What ends the preflight closes the run.
        if grep -q '"state":"refused"' "$(journal)"; then begin "$@"; else begin resume --yes; fi
    done
    echo "    ${#was_cut[@]} steps of $1 cut ($kind), $tries resumes"
    [ "${#was_cut[@]}" -ge "$least" ] || fail "only ${#was_cut[@]} steps were cut"
    close_what_is_left
}

every_step() { # KIND TIMEOUT CLUSTER-FILE
    local with=$plan
    [ "$2" -eq 0 ] || with=$short_plan
    who_leads
    remember
    reading='' lines='' before=$(journal)
    with_cuts "$1" "$2" 25 deploy "$with" -c "$3" --set "migration=$work/counting.sql" --yes
    [ "$(migrated)" = 1 ] || fail "the migration took effect $(migrated) times"
    with_cuts "$1" "$2" 20 rollback --yes
    [ "$(migrated)" = 0 ] || fail "the migration is still there"
    prove_rolled_back

    before=$(journal)
    with_cuts "$1" "$2" 25 deploy "$with" -c "$3" --set "migration=$work/adding.sql" --yes
    with_cuts "$1" "$2" 3 commit --yes
    [ "$(migrated)" = 1 ] || fail "the migration took effect $(migrated) times"
    prove_healthy
    prove_nothing_is_left
    psql_on "$("$cluster" leader)" "DROP TABLE added; DELETE FROM effects WHERE what = 'migration'"
}

every_step_of_blue_green_with_the_host_cut_off() { every_step host 6 "$file"; }
every_step_of_blue_green_with_the_answers_of_the_host_lost_for_a_while() { every_step host-answers 0 "$file"; }
every_step_of_blue_green_with_postgres_cut_off() { every_step postgres 6 "$state/cluster-tcp.yml"; }
every_step_of_blue_green_with_the_answers_of_patroni_lost() { every_step patroni-answers 6 "$file"; }

wherever_a_connection_is_cut_a_deployment_is_refused_in_time_and_can_be_repeated() {
    local tries
    who_leads
    plan_is <<END
deploy:
  - {id: cut, hosts: leader, as: postgres, timeout: 2s, if-interrupted: ask, remote-shell: {run: "true"}}
END
    for tries in {1..20}; do
        begin_deploy
        pause 0 250
        cut host "$leader"
        returns "$begun_ms" 20
        heal
        if [ "$status" -ne 0 ] && grep -qs '"state":"deploying"' "$(journal)"; then
            resumes_to_the_end
        elif [ "$status" -ne 0 ]; then
            expect_status 6
            expect_message 'Nothing was changed'
            close_what_is_left
        fi
        holdback deploy "$work/plan.yml" -c "$file" --yes
        expect_status 0
    done
}

wherever_many_transfers_are_cut_a_file_is_the_old_or_the_new_one() {
    local tries
    for tries in {1..20}; do
        a_file_is_the_old_or_the_new_one_wherever_its_transfer_is_cut "$([ $((tries % 2)) -eq 0 ] && echo host || echo host-answers)"
    done
}

# Patroni says that it does not know, where the candidate learns of it only after 20 s.
a_switchover_of_unknown_status_is_waited_for_and_asked_for_once() {
    local asked
    who_leads
    plan_is <<'END'
deploy:
  - {id: cut, hosts: leader, timeout: 60s, patroni: {leader: other}}
END
    asked=$(requests POST /switchover)
    "$cluster" cut "$other" etcd
    begin_deploy
    await_intent cut
    sleep 23
    heal
    returns "$intent_ms" 60
    expect_status 0
    leads "$other" || fail "$other does not lead"
    "$cluster" sh "$leader" "journalctl -u patroni --no-pager | grep -qF '\"POST /switchover HTTP/1.1\" 503 '" || fail "it was not unknown"
    [ $(($(requests POST /switchover) - asked)) -eq 1 ] || fail "it was asked for $(($(requests POST /switchover) - asked)) times"
}

tests=(
    a_transaction_that_is_cut_off_twice_happens_once
    a_commit_whose_answer_is_lost_is_found_by_its_marker
    a_statement_whose_answer_is_lost_is_found_by_unless
    a_statement_that_nothing_tells_of_is_a_persons_to_resolve
    a_cut_in_a_long_job_is_noticed_and_the_job_is_attached_to
    a_file_is_the_old_or_the_new_one_wherever_its_transfer_is_cut
    maintenance_is_on_after_a_cut_and_is_turned_on_once
    a_change_of_the_configuration_and_a_restart_whose_answers_are_lost_are_asked_for_once
    a_restart_that_nothing_tells_of_is_a_persons_to_resolve
    a_switchover_whose_answer_is_lost_is_asked_for_once
    a_wait_through_a_cut_that_is_healed_ends_well
    a_wait_through_a_cut_ends_at_its_deadline
    a_guard_that_cannot_be_asked_stops_the_run_and_leaves_the_job
    a_silent_host_at_the_start_is_refused_in_time
    nothing_of_all_this_is_left_on_the_hosts
)

nightly=(
    wherever_many_transfers_are_cut_a_file_is_the_old_or_the_new_one
    wherever_a_connection_is_cut_a_deployment_is_refused_in_time_and_can_be_repeated
    a_switchover_of_unknown_status_is_waited_for_and_asked_for_once
    every_step_of_blue_green_with_the_host_cut_off
    every_step_of_blue_green_with_the_answers_of_the_host_lost_for_a_while
    every_step_of_blue_green_with_postgres_cut_off
    every_step_of_blue_green_with_the_answers_of_patroni_lost
)

case ${1:-} in
    '') ;;
    nightly)
        tests+=("${nightly[@]}")
        ;;
    *) tests=("$@") ;;
esac
set_up
begin_silent
make_data
run_tests "${tests[@]}"
result=$?
echo "$(wc -l <"$work/cuts") cuts; the latest return was $(sort -n "$work/late" | tail -1) ms after its deadline"
[ "$result" -eq 0 ] && [ -s "$work/cuts" ]

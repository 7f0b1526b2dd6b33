#!/usr/bin/env bash
# A real Patroni cluster on this machine, a deployment that destroys its data, and the way back.
#
#   plans/demo.sh           as root on Debian 12: installs what is missing, builds, plays six acts, takes all down
#   plans/demo.sh --keep    leaves the cluster, and says how to play with it
#
# Exits with 0 only if every proof holds. $HOLDBACK may name a holdback that is built already.
set -uo pipefail

root=$(cd -P "$(dirname "$0")/.." && pwd) || exit 1
cluster=$root/tests/cluster/cluster.sh
export HOLDBACK_TEST_CLUSTER=demo
state=/run/holdback-test/demo
play=$state/play
export HOLDBACK_JOURNAL=$play/journal NO_COLOR=1
HOLDBACK=${HOLDBACK:-}
keep=false is_ours=false writer='' failures=0 log='' began=$SECONDS

die() {
    echo "demo.sh: $*" >&2
    exit 1
}

# shellcheck disable=SC2317 # called by a trap
clean_up() {
    local status=$?
    trap '' INT TERM HUP
    stop_writer
    if $is_ours && $keep && [ -e "$play/shell" ]; then
        say_kept
    elif $is_ours; then
        "$cluster" down || status=1
        echo "The cluster is taken down. ($((SECONDS - began)) s)"
    fi
    [ -z "$log" ] || rm -f "$log"
    exit "$status"
}

say_kept() {
    cat <<END

The cluster is kept. Play with it in this shell, and take it down at the end:
  . $play/shell
  holdback status; holdback log; holdback runs
  holdback deploy plans/blue-green.yml -c demo.yml --set migration=bad.sql
  cluster psql pg1; cluster sh pg2; cluster kill pg3; cluster help
  cluster down
END
}

act() { # TITLE: what happens, and why
    printf '\n==== %s\n\n' "$1"
}

narrow() { # no line is broken by a screen of 80 columns
    sed -u 's/^\(.\{76\}\).\{4,\}/\1.../'
}

# The command as it is typed, and of what it prints the lines that FILTER (a sed script) lets through.
holdback() { # FILTER ARGUMENT...
    local filter=$1 status
    shift
    echo "\$ holdback $*"
    "$cluster" op "$HOLDBACK" "$@" </dev/null 2>&1 | tee "$log" | sed -un "$filter" | narrow
    status=${PIPESTATUS[0]}
    [ "$status" -eq 0 ] && return
    tail -n 20 "$log" >&2
    die "holdback ended with exit status $status"
}

psql_on() { # HOST SQL
    "$cluster" psql "$1" -XqAt -v ON_ERROR_STOP=1 -c "$2"
}

until_true() { # SECONDS COMMAND...
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}

prove() { # SENTENCE COMMAND...
    local sentence=$1
    shift
    if "$@"; then
        echo "  proven  $sentence"
    else
        echo "  FAILED  $sentence"
        failures=$((failures + 1))
    fi
}

# ---- the machine ----

prepare() {
    [ "$(id -u)" -eq 0 ] || die "run this as root: it installs packages and makes network namespaces"
    "$cluster" sweep >/dev/null || die "could not take down what a demo that was killed has left"
    "$cluster" clusters | grep -qx demo && die "a demo cluster is up already; HOLDBACK_TEST_CLUSTER=demo $cluster down"
    log=$(mktemp) || exit 1
    echo "A real Patroni cluster, a deployment that destroys its data, and the way back."
    echo "First the packages, the program and three hosts: minutes once, then seconds."
    "$root/tests/packages.sh" run cluster >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "could not install packages"; }
    if [ -x "$HOLDBACK" ]; then
        HOLDBACK=$(realpath "$HOLDBACK")
    else
        HOLDBACK=$root/build/holdback
        { cmake -S "$root" -B "$root/build" -G Ninja && ninja -C "$root/build" holdback; } >"$log" 2>&1 ||
            { tail -n 20 "$log" >&2; die "could not build"; }
    fi
    began=$SECONDS
    is_ours=true
    $keep || export HOLDBACK_TEST_OWNER=$$
    "$cluster" up >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "could not make the cluster"; }
    make_folder || die "could not make \"$play\""
}

make_folder() {
    mkdir "$play" && cd "$play" && ln -s "$root/plans" plans && cp "$state/cluster-socket.yml" demo.yml || return
    cat >bad.sql <<'END'
DROP TABLE customers;
UPDATE prices SET cents = 0 WHERE id % 2 = 0;
END
    echo "ALTER TABLE prices ADD COLUMN currency text NOT NULL DEFAULT 'EUR';" >good.sql
    cat >shell <<END
export HOLDBACK_TEST_CLUSTER=demo HOLDBACK_JOURNAL=$HOLDBACK_JOURNAL
cd $play
cluster() { $cluster "\$@"; }
holdback() { $cluster op $HOLDBACK "\$@"; }
END
}

# ---- the shop ----

make_data() {
    psql_on pg1 "
        CREATE TABLE customers AS SELECT g AS id, (ARRAY['Ada', 'Grace', 'Edgar', 'Jim', 'Barbara'])[1 + g % 5] || ' '
            || (ARRAY['Codd', 'Hopper', 'Gray', 'Liskov'])[1 + g % 4] AS name FROM generate_series(1, 5000) g;
        CREATE TABLE prices AS SELECT g AS id, 'item ' || g AS item, 100 + g * 7 % 9900 AS cents
            FROM generate_series(1, 2000) g;
        CREATE TABLE orders (id bigint PRIMARY KEY, customer int, price int,
            taken timestamptz DEFAULT clock_timestamp())" || die "could not make the data"
}

# Takes orders wherever the cluster accepts writes, about 50 each second, one in each transaction.
take_orders() {
    while :; do
        psql -Xq -v ON_ERROR_STOP=1 "$1" <<'END' >/dev/null 2>&1
INSERT INTO orders SELECT coalesce(max(id), 0) + 1, 1 + random() * 4999, 1 + random() * 1999 FROM orders
\watch 0.02
END
        sleep 0.1
    done
}

start_writer() {
    PGPASSWORD=$(cat "$state/pgpassword") PGCONNECT_TIMEOUT=2 setsid "$cluster" op "$BASH" -c \
        "$(declare -f take_orders); take_orders 'host=10.77.0.11,10.77.0.12,10.77.0.13 user=postgres
        dbname=postgres target_session_attrs=read-write'" </dev/null >/dev/null 2>&1 &
    writer=$!
}

stop_writer() {
    [ -n "$writer" ] || return 0
    kill -- "-$writer" 2>/dev/null
    wait "$writer" 2>/dev/null
    writer=''
}

digest() { # HOST
    psql_on "$1" "SELECT md5((SELECT string_agg(c::text, ',' ORDER BY id) FROM customers c)
        || (SELECT string_agg(p::text, ',' ORDER BY id) FROM prices p))" 2>/dev/null || echo "cannot be read"
}

old_orders() { # HOST: a digest of the orders that the held standby has
    psql_on "$1" "SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o WHERE id <= $held_orders"
}

orders_since() { # HOST TIME [TIME]
    psql_on "$1" "SELECT count(*) FROM orders WHERE taken > '$2' AND taken < '${3:-infinity}'"
}

has_orders_since() { # HOST COUNT TIME
    [ "$(orders_since "$1" "$3")" -ge "$2" ]
}

now_on() { # HOST
    psql_on "$1" 'SELECT clock_timestamp()'
}

table() {
    printf '%-13s %-10s %-15s %-8s %s\n' member customers 'prices at zero' orders 'customers and prices, digest'
    local host role free customers
    for host in pg1 pg2 pg3; do
        role=$(role_of "$host")
        customers=$(psql_on "$host" 'SELECT count(*) FROM customers' 2>/dev/null || echo gone)
        free=$(psql_on "$host" 'SELECT count(*) FROM prices WHERE cents = 0')
        printf '%-13s %-10s %-15s %-8s %.30s\n' "$host $role" "$customers" "$free" \
            "$(psql_on "$host" 'SELECT count(*) FROM orders')" "$(digest "$host")"
    done
}

role_of() { # HOST
    if [ "$1" = "$held" ]; then
        echo held
    elif [ "$1" = "$("$cluster" leader)" ]; then
        echo leader
    else
        echo replica
    fi
}

held_now() {
    "$cluster" op "$HOLDBACK" status 2>/dev/null | sed -n 's/^roles .*held (\([^)]*\)).*/\1/p'
}

# ---- proofs ----

everywhere() { # COMMAND [ARGUMENT...]: true of each member
    local host
    for host in pg1 pg2 pg3; do
        "$1" "$host" "${@:2}" || return 1
    done
}

timeline_of() { # HOST
    psql_on "$1" "SELECT CASE WHEN pg_is_in_recovery() THEN (SELECT received_tli FROM pg_stat_wal_receiver)
        ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int END"
}

is_as_before() { [ "$(digest "$1")" = "$before" ]; }
has_old_orders() { [ "$(old_orders "$1")" = "$kept" ]; }
has_lost_orders() { [ "$(orders_since "$1" "$deployed_at" "$rolled_at")" = 0 ]; }
has_currency() { [ "$(psql_on "$1" "SELECT count(*) FROM prices WHERE currency = 'EUR'" 2>/dev/null)" = 2000 ]; }
config() { "$cluster" op curl -s http://10.77.0.11:8008/config; }
config_is_as_before() { [ "$(config)" = "$config_before" ]; }
is_not_in_maintenance() { ! "$cluster" list | grep -q 'Maintenance mode'; }
takes_orders() { until_true 20 everywhere has_orders_since 20 "$1"; }
is_healthy() { "$cluster" wait 30 >/dev/null; }
has_new_timeline() { [ "$(timeline_of "$1")" = "$((timeline_before + 1))" ]; }
leads() { [ "$("$cluster" leader)" = "$1" ]; }
has_no_schema() { [ -z "$(psql_on "$1" "SELECT 1 FROM pg_namespace WHERE nspname = 'holdback'")" ]; }
leaves_nothing() {
    everywhere has_no_schema &&
        [ -z "$(find "$state"/pg?/root/{root,home/ops,var/lib/postgresql}/.holdback -mindepth 1 2>/dev/null)" ]
}

prove_the_way_back() {
    prove "every member has customers and prices byte for byte as they were" everywhere is_as_before
    prove "every order that the held standby had is on every member" everywhere has_old_orders
    prove "the $lost orders taken after the deployment are gone everywhere" everywhere has_lost_orders
    prove "$held leads" leads "$held"
    prove "the others stream from it" is_healthy
    prove "all are on timeline $((timeline_before + 1)), no longer on $timeline_before" everywhere has_new_timeline
    prove "the shop takes orders again, and they arrive on every member" takes_orders "$rolled_at"
    prove "maintenance mode is off" is_not_in_maintenance
    prove "Patroni's configuration is what it was" config_is_as_before
    prove "nothing of holdback is left on the hosts" leaves_nothing
}

# ---- the acts ----

deploys='/  begins$/d; /  skipped  */d; /Z  deploying/,$ p'
rolls_back='/^[0-9:]*Z  \(stop-held\|fence-\|at-mark\|data-look\|promote\|forget-\|writes\|rejoined\|proof-a\|archiving\|config-r\)/ {
    /  begins$/!p
}; /Z  rolled/p; /^run/p'

act_shop() {
    act "1 of 6  A Patroni cluster of three hosts, and a shop that lives in it"
    make_data
    start_writer
    until_true 20 everywhere has_orders_since 20 -infinity || die "no orders arrive"
    "$cluster" list
    echo
    held=
    before=$(digest pg1) config_before=$(config) timeline_before=$(timeline_of pg1)
    table
}

act_deploy() {
    act "2 of 6  A bad deployment; before it, one standby is held at what was"
    echo '$ cat bad.sql'
    cat bad.sql
    holdback "$deploys" deploy plans/blue-green.yml -c demo.yml --set migration=bad.sql -y
    deployed_at=$(now_on pg1)
}

act_damage() {
    until_true 20 has_orders_since pg1 100 "$deployed_at" || die "the shop takes no orders"
    held=$(held_now)
    act "3 of 6  The damage is on every member but $held, which is held"
    table
    held_orders=$(psql_on "$held" 'SELECT max(id) FROM orders') kept=$(old_orders "$held")
    echo
    holdback '/^state/p; /^roles/p; / point/p; /^next/,$ p' status
}

act_rollback() {
    act "4 of 6  Rollback: $held becomes the leader, at the mark; the others follow it"
    rolled_at=$(now_on pg1) lost=$(orders_since pg1 "$deployed_at")
    holdback "$rolls_back" rollback -y
    echo
    echo "These are some of its steps; \"holdback log\" tells them all. The shop could take"
    echo "orders again $(psql_on "$held" "SELECT round(extract(epoch FROM min(taken) - '$rolled_at'), 1)
        FROM orders WHERE taken > '$rolled_at'") s after the command was typed."
}

act_proof() {
    act "5 of 6  The proof, asked of every member and not of holdback"
    prove_the_way_back
    held=
    echo
    table
}

act_commit() {
    act "6 of 6  A good deployment is committed: the held standby goes on"
    echo '$ cat good.sql'
    cat good.sql
    holdback '/Z  migrate-sql.*done/p; /^run/p' deploy plans/blue-green.yml -c demo.yml --set migration=good.sql -y
    holdback '/  begins$/d; /  leader-p/d; /  config-a/d; p' commit
    prove "every member has the new column, the held standby too" until_true 20 everywhere has_currency
    prove "one leader, the others stream from it" is_healthy
    prove "maintenance mode is off" is_not_in_maintenance
    prove "nothing of holdback is left on the hosts" leaves_nothing
    holdback p runs
}

case ${1:-} in
    '') ;;
    --keep) keep=true ;;
    *) die "usage: plans/demo.sh [--keep]" ;;
esac
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP
prepare
act_shop
act_deploy
act_damage
act_rollback
act_proof
act_commit
echo
[ "$failures" -eq 0 ] || die "$failures proofs failed"
echo "Everything is proven."

#!/usr/bin/env bash
# PostgreSQL 10 or 11 without Patroni, a leader and its standby on two hosts: recovery-conf.yml, commit and rollback.
# Usage: recovery_conf.sh FOLDER, which prepare.sh prints for these versions.
programs=$1
# shellcheck source=../acceptance/lib.sh
. "$(dirname "$0")/../acceptance/lib.sh"
plan=$root/tests/versions/recovery-conf.yml
file=$work/cluster.yml
postgres=$("$programs/bin/postgres" --version | sed 's/.* \([0-9]*\)\..*/\1/')
data=/var/lib/postgresql/$postgres/main bin=/opt/postgresql/bin

pg_ctl() { # HOST ARGUMENT...
    "$cluster" sh "$1" "cd / && setpriv --reuid postgres --regid postgres --init-groups $bin/pg_ctl -D $data -w -l /var/log/postgresql/server.log ${*:2}" \
        >"$work/pg_ctl" || fail "pg_ctl ${*:2} on $1: $(tail -n 5 "$state/$1/root/var/log/postgresql/server.log")"
}

# The hosts' own PostgreSQL and Patroni make room for these programs.
prepare_hosts() {
    local host
    for host in pg2 pg1; do
        "$cluster" sh "$host" 'systemctl --quiet disable --now patroni; rm /etc/patroni/config.yml'
        cp -r "$programs" "$state/$host/root/opt/postgresql"
        "$cluster" sh "$host" "install -d -o postgres -g postgres /var/log/postgresql /var/lib/postgresql/$postgres"
    done
    sed -e "s|/15/|/$postgres/|" -e "s|bin-directory:.*|bin-directory: $bin|" -e '/^patroni:/,$d' \
        "$state/cluster-socket.yml" >"$file"
}

make_leader() {
    pg_ctl pg1 initdb -o "'-U postgres -A peer -N -k'"
    cat >>"$state/pg1/root$data/postgresql.conf" <<'END'
listen_addresses = '*'
unix_socket_directories = '/var/run/postgresql'
wal_retrieve_retry_interval = 500ms
archive_mode = on
archive_command = 'cp %p ../wal_archive/%f'
END
    echo 'host replication postgres 10.77.0.0/24 trust' >>"$state/pg1/root$data/pg_hba.conf"
    "$cluster" sh pg1 "install -d -o postgres -g postgres $data/../wal_archive"
}

# There is no pg_basebackup among these programs; a stopped leader can be copied as it is.
make_standby() {
    rm -rf "$state/pg2/root$data"
    cp -a "$state/pg1/root$data" "$state/pg2/root$data"
    cat >"$state/pg2/root$data/recovery.conf" <<END
# made by hand
standby_mode = 'on'
primary_conninfo = 'host=10.77.0.11 user=postgres application_name=pg2'
recovery_target_timeline = 'latest'
END
    chown --reference="$state/pg2/root$data" "$state/pg2/root$data/recovery.conf"
}

# Both servers anew, after a rollback too.
renew() {
    local host
    for host in pg1 pg2; do
        "$cluster" sh "$host" "setpriv --reuid postgres --regid postgres --init-groups $bin/pg_ctl -D $data -m immediate stop; rm -rf $data $data/../wal_archive" >/dev/null 2>&1
    done
    make_leader
    make_standby
    pg_ctl pg1 start
    pg_ctl pg2 start
    until_true 10 streams || fail "pg2 does not stream"
    psql_on pg1 "CREATE TABLE kept AS SELECT g AS id FROM generate_series(1, 20000) g;
        CREATE TABLE spoilt AS SELECT g AS id, md5(g::text) AS v FROM generate_series(1, 20000) g;
        CREATE TABLE dropped AS SELECT g AS id FROM generate_series(1, 5000) g"
    before=$(content pg1)
}

streams() { [ "$(psql_on pg1 "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")" = 1 ]; }

content() { # HOST
    psql_on "$1" "SELECT (SELECT sum(id) FROM kept), (SELECT md5(string_agg(id || v, ',' ORDER BY id)) FROM spoilt),
        (SELECT sum(id) FROM dropped), to_regclass('added')"
}

has_content() { [ "$(content "$1" 2>/dev/null)" = "$2" ]; }

is_clean() { # HOST
    local left
    left=$("$cluster" sh "$1" 'ls -d /home/ops/.holdback/* /var/lib/postgresql/.holdback/* 2>/dev/null; :')
    [ -z "$left" ] || fail "left on $1: $left"
}

a_rollback_writes_recovery_conf_and_promotes_at_the_mark() {
    local point conf
    renew
    deploy "$work/destructive.sql"
    expect_status 0
    [ "$(psql_on pg1 "SELECT to_regclass('dropped') IS NULL AND to_regclass('added') IS NOT NULL")" = t ] ||
        fail "the migration was not deployed"
    has_content pg2 "$before" || fail "pg2 is not held"
    psql_on pg1 "INSERT INTO kept VALUES (-1)"
    point=$(saved point)
    holdback rollback --yes
    expect_status 0
    has_content pg2 "$before" || fail "the data differs: $(content pg2), not $before"
    [ "$(psql_on pg2 "SELECT left(pg_walfile_name(pg_current_wal_lsn()), 8)")" = 00000002 ] || fail "pg2 is on no timeline of its own"
    psql_on pg2 "INSERT INTO kept VALUES (0)" || fail "pg2 does not take writes"
    conf=$("$cluster" sh pg2 "cat $data/recovery.done")
    grep -qx "recovery_target_name = '$point'" <<<"$conf" || fail "another recovery.conf was used: $conf"
    grep -qx '# made by hand' <<<"$conf" || fail "a person's comment is lost: $conf"
    ! grep -qE '^(standby_mode|primary_conninfo)' <<<"$conf" || fail "pg2 would follow a leader: $conf"
    "$cluster" sh pg2 "grep -q listen_addresses $data/postgresql.auto.conf" && fail "pg2 listens to nobody"
    "$cluster" sh pg1 "$bin/pg_ctl -D $data status" >/dev/null 2>&1 && fail "the former leader runs"
    is_clean pg1
    is_clean pg2
}

a_commit_lets_the_standby_go_on() {
    renew
    deploy "$work/good.sql"
    expect_status 0
    holdback commit --yes
    expect_status 0
    until_true 10 has_content pg2 "$(content pg1)" || fail "pg2 does not catch up"
    [ -n "$(psql_on pg2 "SELECT to_regclass('added')")" ] || fail "the deployment is not on pg2"
    is_clean pg1
    is_clean pg2
}

a_failed_deployment_only_lets_go() {
    renew
    deploy "$work/failing.sql"
    expect_status 1
    holdback rollback --yes
    expect_status 0
    psql_on pg1 "INSERT INTO kept VALUES (0)"
    until_true 10 has_content pg2 "$(content pg1)" || fail "pg2 does not go on"
    is_clean pg1
    is_clean pg2
}

# The rollback alone depends on the version, and would be too late to ask.
a_version_that_nobody_tells_is_refused_before_anything_is_done() {
    renew
    sed 's|bin-directory:.*|bin-directory: /nowhere|' "$file" >"$work/untold.yml"
    file=$work/untold.yml deploy "$work/destructive.sql"
    expect_status 3
    expect_message 'the PostgreSQL version is not known'
    [ "$(psql_on pg2 'SELECT pg_is_wal_replay_paused()')" = f ] || fail "pg2 is held"
    is_clean pg1
    is_clean pg2
}

"$cluster" up --hosts 2 >/dev/null || exit 1
prepare_hosts
run_tests \
    a_rollback_writes_recovery_conf_and_promotes_at_the_mark \
    a_commit_lets_the_standby_go_on \
    a_failed_deployment_only_lets_go \
    a_version_that_nobody_tells_is_refused_before_anything_is_done

#!/usr/bin/env bash
# A live preview only looks: the whole cluster is compared before and after one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# What the servers write themselves all the time, with or without a preview, and why. That there is nothing else shows
# a_cluster_that_is_left_alone_does_not_differ.
excused='pg[1-3]\ (
    var/log/.*                                                  # logins, connections and statements are logged
  | var/lib/systemd/.*                                          # timers
  | var/lib/postgresql/\d+/main/global(/pg_control)?            # checkpoints write their position,
  | var/lib/postgresql/\d+/main/pg_wal(/.*)?                    # a record,
  | var/lib/postgresql/\d+/main/pg_replslot(/.*)?               # how far the slots are
  | var/lib/postgresql/\d+/main/pg_logical(/replorigin_checkpoint)?
  | var/lib/postgresql/\d+/main/pg_stat_tmp(/.*)?               # before PostgreSQL 15, statistics
)'

# One line for each file that is or was ever written on a host: inode, owner, mode, size, mtime, ctime, content.
files() {
    python3 - "$state" <<'END'
import hashlib, os, stat, sys

for host in ("pg1", "pg2", "pg3"):
    top = f"{sys.argv[1]}/{host}/disk/upper"
    for folder, folders, names in os.walk(top):
        for name in sorted(folders + names):
            path = os.path.join(folder, name)
            try:
                status = os.lstat(path)
                data = (
                    hashlib.sha256(open(path, "rb").read()).hexdigest()[:16] if stat.S_ISREG(status.st_mode)
                    else os.readlink(path) if stat.S_ISLNK(status.st_mode) else ""
                )
            except FileNotFoundError:
                continue
            print(host, os.path.relpath(path, top), status.st_ino, status.st_uid, status.st_gid, oct(status.st_mode),
                  status.st_size if data else "", status.st_mtime_ns, status.st_ctime_ns, data, sep="\t")
END
}

# Every key of Patroni with its last change; of those that Patroni renews in each of its loops what does not move.
dcs() {
    "$cluster" op etcdctl --endpoints http://10.77.0.1:2379 get --prefix /service/ -w json | python3 -c '
import base64, json, re, sys

for pair in json.load(sys.stdin)["kvs"]:
    key, value = (base64.b64decode(pair[part]).decode() for part in ("key", "value"))
    name = key.split("/", 3)[3]
    if name in ("status", "optime/leader"):
        continue
    if name == "leader" or name.startswith("members/"):
        print(name, re.sub(r"\"(xlog_location|timeline)\":\d+,?", "", value))
    else:
        print(name, pair["create_revision"], pair["mod_revision"], value)'
}

# What the server counts of writes, in all databases; the next transaction id; everything that can be read.
database() {
    psql_on "$1" "SELECT datname, tup_inserted, tup_updated, tup_deleted, temp_files, conflicts, deadlocks FROM pg_stat_database ORDER BY 1"
    psql_on "$1" "SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del), sum(n_tup_hot_upd) FROM pg_stat_all_tables"
    psql_on "$1" "SELECT pg_is_in_recovery(), pg_is_in_recovery() AND pg_is_wal_replay_paused(), pg_postmaster_start_time(), pg_conf_load_time()"
    psql_on "$1" "SELECT slot_name, active, temporary FROM pg_replication_slots ORDER BY 1"
    psql_on "$1" "SELECT name, setting, pending_restart FROM pg_settings WHERE name NOT IN ('application_name') ORDER BY 1" | md5sum
    psql_on "$1" "SELECT count(*) FROM pg_prepared_xacts"
    psql_on "$1" "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
    psql_on "$1" "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holdback%'"
    "$cluster" sh "$1" "cd / && sudo -u postgres pg_dumpall" | grep -vE '^-- (Started|Completed)|^\\(un)?restrict' | md5sum
}

services() {
    "$cluster" sh "$1" 'systemctl is-active patroni; systemctl is-enabled patroni; systemctl show -p MainPID,NRestarts patroni
        ls -a /root /home/* /var/lib/postgresql | grep -F .holdback; ps -eo args | grep -F holdback | grep -v grep; :'
}

# Into FOLDER. Nothing is left to be written that reading could cause.
snapshot() { # FOLDER
    local host
    mkdir -p "$1"
    for host in $(members); do
        psql_on "$host" CHECKPOINT
    done
    sleep 0.5
    for host in $(members); do
        { database "$host"; services "$host"; } >"$1/$host"
    done
    psql_on "$("$cluster" leader)" "SELECT pg_snapshot_xmax(pg_current_snapshot())" >"$1/xid"
    config >"$1/config"
    dcs >"$1/dcs"
    files >"$1/files"
}

# What differs between two snapshots, without what is excused.
differences() { # FOLDER FOLDER
    local name
    for name in pg1 pg2 pg3 xid config dcs; do
        diff "$1/$name" "$2/$name" | grep '^[<>]' | sed "s/^/$name: /"
    done
    python3 - "$excused" "$1/files" "$2/files" <<'END'
import re, sys

excused = re.compile(sys.argv[1], re.X)
before, after = ({tuple(line.split("\t")[:2]): line for line in open(name)} for name in sys.argv[2:])
for key in sorted(before.keys() | after.keys()):
    if before.get(key) != after.get(key) and not excused.fullmatch(" ".join(key)):
        print("file", *key, "was made" if key not in before else "is gone" if key not in after else "changed")
END
}

nothing_differs() { # FOLDER FOLDER
    local found
    found=$(differences "$1" "$2")
    [ -z "$found" ] || fail "$found"
}

# Hint bits, caches and statistics are written once, not by who happens to read first; nor at a time of autovacuum's own.
settle() {
    local host
    "$cluster" patronictl edit-config --force -p autovacuum=off >/dev/null
    until_true 10 equal_everywhere off 'SHOW autovacuum'
    psql_on "$("$cluster" leader)" "VACUUM (FREEZE, ANALYZE)"
    "$cluster" sh "$("$cluster" leader)" "cd / && sudo -u postgres psql -qXAtc 'VACUUM (FREEZE, ANALYZE)' template1"
    "$cluster" sh "$("$cluster" leader)" "cd / && sudo -u postgres pg_dumpall >/dev/null"
    until_true 10 equal_everywhere "$(psql_on "$("$cluster" leader)" 'SELECT count(*) FROM rows')" 'SELECT count(*) FROM rows'
    for host in $(members); do
        "$cluster" sh "$host" "cd / && sudo -u postgres pg_dumpall >/dev/null"
        psql_on "$host" 'SELECT count(*) FROM pg_statistic' >/dev/null
        "$cluster" ssh "$host" true
    done
    sleep 1
}

looked() { # STEP@HOST: what the look said
    python3 -c '
import json, sys
step, host = sys.argv[1].split("@")
for phase in json.load(open(sys.argv[2]))["phases"]:
    for found in phase["steps"]:
        if found["id"] == step:
            for look in found["live"]:
                if (look["host"] or "") == host:
                    print(look["look"], look["words"], look["change"], sep="|")' "$1" "$work/preview.json"
}

expect_look() { # STEP@HOST TEXT
    local found
    found=$(looked "$1")
    [[ $found == *"$2"* ]] || fail "$1: $found, not $2"
}

# ---- the tests ----

# The control: what is excused is all that changes by itself, with logins and reading connections.
a_cluster_that_is_left_alone_does_not_differ() {
    local host
    snapshot "$work/a"
    for host in $(members); do
        "$cluster" ssh "$host" true
        psql_on "$host" "SELECT count(*) FROM pg_class" >/dev/null
    done
    sleep 2
    snapshot "$work/b"
    nothing_differs "$work/a" "$work/b"
}

the_preview_of_blue_green_changes_nothing() {
    snapshot "$work/a"
    holdback preview "$plan" -c "$file" --set "migration=$work/good.sql" --live --save "$work/preview.json"
    expect_status 0
    expect_message 'looked: '
    snapshot "$work/b"
    nothing_differs "$work/a" "$work/b"
}

write_all_actions() {
    cat >"$work/all.yml" <<'END'
holdback: 1
plan: all
variables: {limit: {type: size, default: 5GB}}
roles:
  leader: {patroni: leader}
  replicas: {patroni: replica}
  sync: {patroni: sync-standby, may-be-empty: true}
defaults: {timeout: 30s, as: postgres}
guards:
  - {id: small, hosts: leader, sql: "SELECT pg_database_size('postgres')", below: "${limit}", unit: bytes}
preflight:
  - {id: read, hosts: leader, sql: {query: "SELECT count(*) AS many FROM rows", save: [many]}}
  - {id: many, hosts: leader, wait-until: {sql: "SELECT ${many} > 0"}}
  - {id: shell, hosts: leader, wait-until: {shell: test -d /etc}}
  - {id: config, hosts: leader, patroni: {query: config}}
  - {id: port, hosts: replicas, wait-until: {port: 5432}}
  - {id: member, hosts: replicas, wait-until: {patroni: {state: running}}}
deploy:
  - {id: insert, hosts: leader, sql: {run: "INSERT INTO rows VALUES (${many})"}}
  - {id: there, hosts: leader, sql: {run: CREATE TABLE rows (), unless: "SELECT to_regclass('rows') IS NOT NULL"}}
  - {id: writes, hosts: leader, sql: {run: SELECT 1, unless: SELECT write_one()}}
  - {id: escapes, hosts: leader, sql: {run: SELECT 1, unless: SELECT write_one(), settings: {default_transaction_read_only: "off"}}}
  - {id: sleeps, hosts: leader, sql: {run: SELECT 1, unless: SELECT pg_sleep(300) IS NULL, settings: {statement_timeout: "0"}}}
  - {id: set, hosts: [pg1, pg2, pg3], edit-conf: {file: /var/lib/postgresql/all.conf, format: postgresql, set: {work_mem: 8MB, primary_conninfo: "password=canary"}}}
  - {id: mode, hosts: pg1, edit-conf: {file: /var/lib/postgresql/all.conf, mode: "0600"}}
  - {id: new, hosts: pg1, edit-conf: {file: /var/lib/postgresql/new.conf, content: "a\n"}}
  - {id: absent, hosts: pg1, edit-conf: {file: /var/lib/postgresql/all.conf, state: absent}}
  - {id: not-yet, hosts: pg1, edit-conf: {file: /var/lib/postgresql/none.conf, format: ini, set: {a: b}}}
  - {id: maintenance, hosts: leader, patroni: {maintenance: true}}
  - {id: tags, hosts: pg3, patroni: {tags: {noloadbalance: true}}}
  - {id: dynamic, hosts: leader, patroni: {config: {postgresql: {parameters: {work_mem: 9MB}}}}}
  - {id: restart, hosts: pg2, patroni: {restart: always}}
  - {id: reload, hosts: pg2, patroni: {reload: true}}
  - {id: stop, hosts: pg3, patroni: {service: stopped}}
  - {id: down, hosts: pg3, patroni: {postgres: stopped}}
  - {id: running, hosts: pg3, patroni: {service: started}}
  - {id: job, hosts: replicas, remote-shell: {run: touch /var/lib/postgresql/made, creates: /var/lib/postgresql/made}}
  - {id: done, hosts: replicas, remote-shell: {run: "false", unless: "true"}}
  - {id: nobody, hosts: sync, patroni: {reload: true}}
  - {id: wait, hosts: leader, wait-until: {file: /var/lib/postgresql/never}}
commit: []
rollback:
  - {id: back, hosts: pg1, edit-conf: {restore: set}}
  - {id: undo, hosts: leader, sql: {run: DROP TABLE rows}}
END
}

what_is_so_and_what_would_be_is_told() {
    expect_look insert@pg1 'would-change|None|INSERT INTO rows VALUES ('\''3'\'')'
    expect_look there@pg1 'already|'
    expect_look set@pg1 '+work_mem = '
    [[ $(looked set@pg1) != *canary* ]] || fail "the diff has a secret: $(looked set@pg1)"
    expect_look mode@pg1 'mode: 0644 -> 0600'
    expect_look new@pg1 'would-change|makes'
    expect_look absent@pg1 'would-change|removes'
    expect_look not-yet@pg1 'unknown|"/var/lib/postgresql/none.conf" does not exist yet'
    expect_look maintenance@pg1 'would-change|'
    expect_look tags@pg3 'tags.noloadbalance: true'
    expect_look dynamic@pg1 'work_mem'
    expect_look restart@pg2 'would-change|'
    expect_look stop@pg3 'would-change|'
    expect_look down@pg3 'would-change|'
    expect_look running@pg3 'already|'
    expect_look job@pg2 'would-change|'
    expect_look done@pg2 'already|'
    expect_look nobody@ 'left out: there is no host that is "sync"'
    expect_look wait@pg1 'would-change|no file'
    expect_message 'must be below 5GB'
}

the_preview_of_all_actions_changes_nothing() {
    local began=$SECONDS
    write_all_actions
    snapshot "$work/a"
    holdback preview "$work/all.yml" -c "$file" --live --save "$work/preview.json"
    expect_status 0
    snapshot "$work/b"
    nothing_differs "$work/a" "$work/b"
    [ $((SECONDS - began)) -le 40 ] || fail "it took $((SECONDS - began)) s"
    what_is_so_and_what_would_be_is_told
    # The server ends what would write or wait, whatever the step's own settings say.
    expect_look writes@pg1 'failed|cannot execute INSERT in a read-only transaction'
    expect_look escapes@pg1 'failed|cannot execute INSERT in a read-only transaction'
    expect_look sleeps@pg1 'failed|canceling statement due to statement timeout'
}

# Not compared: the lock that somebody else has takes a transaction id.
a_look_does_not_wait_for_a_lock() {
    local lock
    cat >"$work/locked.yml" <<'END'
holdback: 1
plan: locked
roles: {leader: {patroni: leader}}
deploy:
  - {id: locked, hosts: leader, timeout: 30s, sql: {run: SELECT 1, unless: SELECT count(*) = 0 FROM locked, settings: {lock_timeout: "0"}}}
END
    "$cluster" psql pg1 -XqAt -c "BEGIN; LOCK TABLE locked; SELECT pg_sleep(20)" >/dev/null 2>&1 &
    lock=$!
    sleep 0.5
    holdback preview "$work/locked.yml" -c "$file" --live --save "$work/preview.json"
    psql_on pg1 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%LOCK TABLE locked%' AND pid <> pg_backend_pid()" >/dev/null
    wait "$lock" 2>/dev/null
    expect_status 0
    expect_look locked@pg1 'failed|canceling statement due to lock timeout'
}

# The comparison can fail: one edit, one row and one key of Patroni are each noticed.
one_edit_is_noticed() {
    local found
    cat >"$work/edit.yml" <<'END'
holdback: 1
plan: edit
deploy:
  - {id: edit, hosts: pg2, as: postgres, timeout: 10s, edit-conf: {file: /var/lib/postgresql/all.conf, format: postgresql, set: {port: 1}}}
END
    snapshot "$work/a"
    holdback deploy "$work/edit.yml" -c "$file" --yes
    expect_status 0
    snapshot "$work/b"
    found=$(differences "$work/a" "$work/b")
    grep -qx 'file pg2 var/lib/postgresql/all.conf changed' <<<"$found" || fail "the edit is not noticed: $found"
}

one_row_is_noticed() {
    local found
    snapshot "$work/a"
    psql_on pg1 "INSERT INTO rows VALUES (9)"
    snapshot "$work/b"
    found=$(differences "$work/a" "$work/b")
    grep -q '^xid: ' <<<"$found" || fail "the transaction is not noticed: $found"
    grep -q "^file pg1 ${data#/}/base/" <<<"$found" || fail "the page is not noticed: $found"
}

one_key_is_noticed() {
    local found
    snapshot "$work/a"
    "$cluster" patronictl edit-config --force -s loop_wait=3 >/dev/null
    "$cluster" patronictl edit-config --force -s loop_wait=2 >/dev/null
    sleep 3
    snapshot "$work/b"
    found=$(differences "$work/a" "$work/b")
    grep -q '^dcs: .*config' <<<"$found" || fail "the key is not noticed: $found"
}

"$cluster" up >/dev/null || exit 1
psql_on "$("$cluster" leader)" "
    CREATE TABLE rows AS SELECT generate_series(1, 3) AS id;
    CREATE TABLE locked (x int);
    CREATE FUNCTION write_one() RETURNS boolean LANGUAGE plpgsql AS 'BEGIN INSERT INTO rows VALUES (0); RETURN true; END'"
for host in pg1 pg2 pg3; do
    "$cluster" sh "$host" "printf 'work_mem = 4MB\nprimary_conninfo = secret\n' >/var/lib/postgresql/all.conf
        chown postgres:postgres /var/lib/postgresql/all.conf; chmod 644 /var/lib/postgresql/all.conf"
done
settle
[ $# -gt 0 ] || set -- a_cluster_that_is_left_alone_does_not_differ \
    the_preview_of_blue_green_changes_nothing \
    the_preview_of_all_actions_changes_nothing \
    a_look_does_not_wait_for_a_lock \
    one_edit_is_noticed \
    one_row_is_noticed \
    one_key_is_noticed
run_tests "$@"

#!/usr/bin/env bash
# The rollback of plans/blue-green.yml typed as a shell script with no tool: the yardstick of rollback.sh, which
# measures both in one run. It goes through the same sequence in the same order, over kept-open SSH connections,
# and prints the milliseconds from its start until the held standby accepts writes as the leader.
#
#   by-hand.sh hold SQLFILE    hold pg3, mark, deploy
#   by-hand.sh rollback        prints "writes-accepted N ms", "leads N ms" and "redundancy N ms"
#   by-hand.sh close           ends the connections that it keeps open, before a reset
#
# HOLDBACK_TEST_CLUSTER names the cluster; run it inside `cluster.sh op`.
set -euo pipefail

state=/run/holdback-test/${HOLDBACK_TEST_CLUSTER:?}
data=/var/lib/postgresql/15/main
bin=/usr/lib/postgresql/15/bin
held=10.77.0.13 leader=10.77.0.11 replica=10.77.0.12
keep=$state/by-hand
mkdir -p "$keep"

on() {
    local host=$1
    shift
    ssh -q -o BatchMode=yes -o ControlMaster=auto -o ControlPersist=60 -o "ControlPath=$keep/%h" \
        -o "UserKnownHostsFile=$state/known_hosts" -i "$state/id_ed25519" "ops@$host" "cd /; $*"
}

query() {
    printf '%s\n' "$2" | on "$1" sudo -u postgres psql -XqAt -v ON_ERROR_STOP=1
}

rest() {
    on "$1" curl -s -m 5 "http://$1:8008/$2"
}

until_true() {
    local tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ "$tries" -gt 1200 ]; then
            echo "not so after a minute: $*" >&2
            exit 1
        fi
        sleep 0.05
    done
}

says() { # host query wanted
    [ "$(query "$1" "$2" 2>/dev/null)" = "$3" ]
}

maintenance_everywhere() {
    local host
    for host in $leader $replica $held; do
        rest "$host" patroni | grep -q '"pause": *true' || return 1
    done
}

hold() {
    query $leader CHECKPOINT
    query $held CHECKPOINT
    on $leader "curl -s -m 5 -X PATCH -d '{\"pause\": true}' http://$leader:8008/config" >/dev/null
    until_true maintenance_everywhere
    query $held 'SELECT pg_wal_replay_pause()' >/dev/null
    until_true says $held "SELECT pg_get_wal_replay_pause_state() = 'paused'" t
    query $leader 'SELECT txid_current()' >/dev/null
    query $leader "SELECT pg_create_restore_point('by_hand'), pg_switch_wal()" >/dev/null
    query $leader "$(cat "$1")" >/dev/null
}

fence() {
    on "$1" "sudo mkdir -p /etc/systemd/system/patroni.service.d &&
        printf '[Unit]\nConditionPathExists=/nonexistent\n' |
            sudo tee /etc/systemd/system/patroni.service.d/fence.conf >/dev/null &&
        sudo systemctl daemon-reload && sudo systemctl stop patroni &&
        sudo -u postgres $bin/pg_ctl -D $data -m fast -w stop >/dev/null"
}

start_patroni() {
    on "$1" "sudo rm /etc/systemd/system/patroni.service.d/fence.conf &&
        sudo systemctl daemon-reload && sudo systemctl start patroni"
}

leads() {
    rest $held leader -o /dev/null | grep -q '"role": *"master"\|"role": *"leader"\|"role": *"primary"'
}

streaming() {
    says $held 'SELECT count(*) FROM pg_stat_replication WHERE state = '"'streaming'" 2
}

rollback() {
    local began job
    began=${EPOCHREALTIME/./}
    on $held sudo -u postgres cp -p $data/postmaster.opts $data/../postmaster.opts
    fence $held
    fence $replica &
    job=$!
    fence $leader
    wait $job
    on $held "sudo -u postgres sh -c 'cp -p $data/postgresql.auto.conf $data/../auto.conf &&
        printf \"%s\n\" \"recovery_target_name = '\''by_hand'\''\" \"recovery_target_timeline = '\''1'\''\" \
            \"recovery_target_action = '\''pause'\''\" \"restore_command = '\''cp ../wal_archive/%f %p'\''\" \
            \"primary_conninfo = '\'''\''\" \"primary_slot_name = '\'''\''\" \"listen_addresses = '\'''\''\" \
            >>$data/postgresql.auto.conf && rm -f $data/standby.signal && touch $data/recovery.signal'"
    on $held "sudo -u postgres $bin/pg_ctl -D $data -l $data/../recovery.log -o '-p 5432' -w start >/dev/null"
    until_true says $held "SELECT pg_get_wal_replay_pause_state() = 'paused'" t
    says $held 'SELECT pg_is_in_recovery()' t
    query $held 'SELECT pg_wal_replay_resume()' >/dev/null
    until_true says $held 'SELECT pg_is_in_recovery()' f
    on $held "sudo -u postgres sh -c 'mv $data/../auto.conf $data/postgresql.auto.conf &&
        mv $data/../postmaster.opts $data/postmaster.opts &&
        $bin/pg_ctl -D $data -l $data/../recovery.log -m fast -w restart >/dev/null'"
    until_true says $held 'SELECT pg_is_in_recovery()' f
    echo "writes-accepted $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
    on $held "sudo -u postgres sh -c 'sed -i \"s/, *\\\"pause\\\": *true//; s/\\\"pause\\\": *true, *//\" $data/patroni.dynamic.json'"
    on $held "printf '%s\n' cluster-pgsql 'Yes I am aware' pg1 |
        sudo patronictl -c /etc/patroni/config.yml remove cluster-pgsql" >/dev/null
    start_patroni $held
    until_true leads
    echo "leads $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
    start_patroni $replica
    start_patroni $leader
    until_true streaming
    echo "redundancy $(((${EPOCHREALTIME/./} - began) / 1000)) ms"
    on $held sudo rm -f $data/../recovery.log
}

close() {
    local socket
    for socket in "$keep"/*; do
        [ ! -S "$socket" ] || ssh -q -O exit -o "ControlPath=$socket" any || true
    done
}

"$@"

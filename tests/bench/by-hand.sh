#!/usr/bin/env bash
# The rollback of plans/blue-green.yml typed as a shell script with no tool: the yardstick of run.sh, which measures
# both in turn. It goes through the same sequence in the same order, over kept-open SSH connections.
#
#   by-hand.sh hold HOLD SQLFILE         hold pg3, mark, deploy
#   by-hand.sh rollback HOLD STRATEGY    ends when both others stream from the held standby on its timeline
#   by-hand.sh close                     ends the connections that it keeps open, before a reset
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

# Also the poke: the member that is asked looks at the cluster at once, even when nothing changes.
pause() { # HOST true|null
    on "$1" "curl -s -m 5 -X PATCH -d '{\"pause\": $2}' http://$1:8008/config" >/dev/null
}

paused() { # yes|no HOST...
    local host wanted=$1
    shift
    for host in "$@"; do
        if rest "$host" patroni | grep -q '"pause": *true'; then
            [ "$wanted" = yes ] || return 1
        else
            [ "$wanted" = no ] || return 1
        fi
    done
}

pause_replay() {
    query $held 'SELECT pg_wal_replay_pause()' >/dev/null
    until_true says $held "SELECT pg_get_wal_replay_pause_state() = 'paused'" t
}

maintenance() {
    pause $leader true
    until_true paused yes $leader $replica $held
}

detach() {
    maintenance
    on $held sudo systemctl stop patroni
    pause_replay
    pause $leader null
    until_true paused no $leader $replica
}

to_the_mark() { # SETTING...: the lines of a recovery that waits there
    printf '%s\n' "recovery_target_name = 'by_hand'" "recovery_target_timeline = '1'" "recovery_target_action = 'pause'" "$@"
}

hold() {
    query $leader CHECKPOINT
    query $held CHECKPOINT
    case $1 in
        maintenance)
            maintenance
            pause_replay
            ;;
        detached | point) detach ;;
        delay)
            on $held "sudo cp -p /etc/patroni/config.yml /etc/patroni/config.yml.kept && sudo python3 -c '
import yaml
name = \"/etc/patroni/config.yml\"
all = yaml.safe_load(open(name))
all[\"tags\"] = dict(nofailover=True, noloadbalance=True, nosync=True)
all[\"postgresql\"][\"recovery_conf\"] = dict(restore_command=\"cp ../wal_archive/%f %p\", recovery_min_apply_delay=\"1h\")
open(name, \"w\").write(yaml.safe_dump(all))' && curl -s -X POST http://$held:8008/reload" >/dev/null
            pause $held null
            until_true says $held "SHOW recovery_min_apply_delay" 1h
            ;;
    esac
    query $leader 'CREATE TABLE IF NOT EXISTS marks (n int); INSERT INTO marks VALUES (1)' >/dev/null
    query $leader "SELECT pg_create_restore_point('by_hand'), pg_switch_wal()" >/dev/null
    if [ "$1" = point ]; then
        to_the_mark | on $held "sudo -u postgres sh -c 'cp -p $data/postmaster.opts $data/../postmaster.opts
            cp -p $data/postgresql.auto.conf $data/../auto.conf && $bin/pg_ctl -D $data -m fast -w stop &&
            cat >>$data/postgresql.auto.conf && $bin/pg_ctl -D $data -l $data/../recovery.log -w restart'" >/dev/null
        until_true says $held "SELECT pg_get_wal_replay_pause_state() = 'paused'" t
    fi
    query $leader "$(cat "$2")" >/dev/null
}

keep_down() { # HOST: and stop its Patroni, which outside maintenance mode stops PostgreSQL
    on "$1" "sudo mkdir -p /etc/systemd/system/patroni.service.d &&
        printf '[Unit]\nConditionPathExists=/nonexistent\n' |
            sudo tee /etc/systemd/system/patroni.service.d/fence.conf >/dev/null &&
        sudo systemctl daemon-reload && sudo systemctl stop patroni"
}

stop_postgres() {
    on "$1" "sudo -u postgres $bin/pg_ctl -D $data status >/dev/null || exit 0
        sudo -u postgres $bin/pg_ctl -D $data -m fast -w stop >/dev/null"
}

keyless() {
    rest $leader cluster | grep -vq '"role": *"leader"'
}

# The leader's own Patroni gives its key back, so it is the last, and in maintenance mode outlives its PostgreSQL.
fence() { # HOLD STRATEGY
    if [ "$1/$2" = maintenance/rebuild-dcs ]; then
        { keep_down $replica && stop_postgres $replica; } &
        keep_down $leader
        stop_postgres $leader
        wait $!
        return
    fi
    if [ "$1" = maintenance ]; then
        stop_postgres $leader
        pause $leader true
        until_true keyless
    fi
    keep_down $replica
    stop_postgres $replica
    keep_down $leader
}

start_patroni() {
    on "$1" "sudo rm -f /etc/systemd/system/patroni.service.d/fence.conf &&
        sudo systemctl daemon-reload && sudo systemctl start patroni"
}

leads() {
    rest $held leader -o /dev/null | grep -q '"role": *"master"\|"role": *"leader"\|"role": *"primary"'
}

streaming() {
    says $held 'SELECT count(*) FROM pg_stat_replication WHERE state = '"'streaming'" 2
}

# Alone, with nobody on the network, to the mark; looked at there; then as Patroni had started it.
recover() {
    to_the_mark "restore_command = 'cp ../wal_archive/%f %p'" "primary_conninfo = ''" "primary_slot_name = ''" \
        "listen_addresses = ''" 'recovery_min_apply_delay = 0' |
        on $held "sudo -u postgres sh -c 'cp -p $data/postgresql.auto.conf $data/../auto.conf &&
            cat >>$data/postgresql.auto.conf && rm -f $data/standby.signal && touch $data/recovery.signal &&
            $bin/pg_ctl -D $data -l $data/../recovery.log -o \"-p 5432\" -w start'" >/dev/null
    until_true says $held "SELECT pg_get_wal_replay_pause_state() = 'paused'" t
    says $held 'SELECT pg_is_in_recovery()' t
    query $held 'SELECT pg_wal_replay_resume()' >/dev/null
    until_true says $held 'SELECT pg_is_in_recovery()' f
    on $held "sudo -u postgres sh -c 'mv $data/../auto.conf $data/postgresql.auto.conf &&
        mv $data/../postmaster.opts $data/postmaster.opts &&
        $bin/pg_ctl -D $data -l $data/../recovery.log -m fast -w restart >/dev/null'"
    until_true says $held 'SELECT pg_is_in_recovery()' f
}

promote() {
    says $held "SELECT pg_get_wal_replay_pause_state() = 'paused'" t
    on $held "sudo -u postgres $bin/pg_ctl -D $data -w promote >/dev/null"
    until_true says $held 'SELECT pg_is_in_recovery()' f
    on $held "sudo -u postgres sh -c 'mv $data/../auto.conf $data/postgresql.auto.conf && rm $data/../postmaster.opts'"
}

rollback() {
    if [ "$1" != point ]; then
        on $held sudo -u postgres cp -p $data/postmaster.opts $data/../postmaster.opts
        keep_down $held
        stop_postgres $held
    fi
    fence "$1" "$2"
    if [ "$1" = point ]; then promote; else recover; fi
    [ "$1" != delay ] || on $held sudo mv /etc/patroni/config.yml.kept /etc/patroni/config.yml
    if [ "$2" = rebuild-dcs ]; then
        on $held "sudo -u postgres sh -c 'sed -i \"s/, *\\\"pause\\\": *true//; s/\\\"pause\\\": *true, *//\" $data/patroni.dynamic.json'"
        on $held "printf '%s\n' cluster-pgsql 'Yes I am aware' pg1 |
            sudo patronictl -c /etc/patroni/config.yml remove cluster-pgsql" >/dev/null
    fi
    start_patroni $held
    until_true leads
    if [ "$1/$2" = maintenance/keep-dcs ]; then
        pause $held null
        until_true paused no $held
    fi
    query $held CHECKPOINT
    pause $held null
    pause $held null
    start_patroni $replica &
    start_patroni $leader
    wait $!
    until_true streaming
    on $held sudo rm -f $data/../recovery.log
}

close() {
    local socket
    for socket in "$keep"/*; do
        [ ! -S "$socket" ] || ssh -q -O exit -o "ControlPath=$socket" any || true
    done
}

"$@"

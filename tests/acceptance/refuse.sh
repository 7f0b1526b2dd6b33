#!/usr/bin/env bash
# What is refused, with one clear message and without changing anything.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

file=$state/cluster-socket.yml

# What a refusal may not change: DCS, WAL position but for what the server writes itself, our files, replay.
snapshot() {
    local host
    config
    "$cluster" patronictl list -f json | tr ',' '\n' | grep -E 'Role|TL|tags|Pending'
    for host in $(members); do
        "$cluster" sh "$host" 'ls -d /root/.holdback/* /home/*/.holdback/* /var/lib/postgresql/.holdback/* /etc/systemd/system/patroni.service.d 2>/dev/null;
            md5sum /var/lib/postgresql/*/main/postgresql.auto.conf /etc/patroni/config.yml; systemctl is-active patroni' 2>/dev/null
        psql_on "$host" 'SELECT pg_is_in_recovery() AND pg_is_wal_replay_paused(), pg_postmaster_start_time(), (SELECT count(*) FROM pg_namespace)' 2>/dev/null
    done
    return 0
}

# The deployment is refused with STATUS and MESSAGE, nothing is changed, and no run is left open.
refused() { # STATUS MESSAGE CLUSTERFILE [OPTION...]
    local wanted=$1 message=$2 with=$3 before
    shift 3
    before=$(snapshot)
    holdback deploy "$plan" -c "$with" --set "migration=$work/good.sql" --yes "$@"
    expect_status "$wanted"
    expect_message "$message"
    [ "$(grep -c '^\(holdback: \)\{0,1\}error' "$work/err")" -le 1 ] || fail "more than one message"
    [ "$(snapshot)" = "$before" ] || {
        diff <(echo "$before") <(snapshot) >&2
        fail "something was changed"
    }
    "$HOLDBACK" runs 2>/dev/null | grep -qE 'preflight|deploying' && fail "a run is left open"
    return 0
}

a_cluster_file_that_names_another_cluster_is_refused() {
    sed 's/^cluster: .*/cluster: another/' "$file" >"$work/another.yml"
    refused 3 'belongs to the Patroni cluster "cluster-pgsql", not to "another"' "$work/another.yml"
}

another_system_identifier_is_refused() {
    { cat "$file"; echo 'system-identifier: "7312093846239412"'; } >"$work/identifier.yml"
    refused 3 'it is another cluster' "$work/identifier.yml"
}

addresses_that_were_swapped_are_refused() {
    sed 's/10\.77\.0\.11/SWAP/; s/10\.77\.0\.13/10.77.0.11/; s/SWAP/10.77.0.13/' "$file" >"$work/swapped.yml"
    refused 3 'is member "pg' "$work/swapped.yml"
}

maintenance_mode_that_is_on_already_is_refused() {
    "$cluster" patronictl pause --wait >/dev/null
    refused 9 'no-maintenance' "$file"
    "$cluster" patronictl resume --wait >/dev/null
}

a_scheduled_switchover_is_refused() {
    local leader other
    leader=$("$cluster" leader)
    other=$(standbys | head -1)
    "$cluster" op curl -s -X POST -d "{\"leader\":\"$leader\",\"candidate\":\"$other\",\"scheduled_at\":\"2099-01-01T00:00+00\"}" \
        "http://10.77.0.1${leader#pg}:8008/switchover" >/dev/null
    refused 9 'no-maintenance' "$file"
    "$cluster" op curl -s -X DELETE "http://10.77.0.1${leader#pg}:8008/switchover" >/dev/null
}

replay_that_is_paused_already_is_refused() {
    local held
    "$cluster" patronictl pause --wait >/dev/null
    held=$(standbys | head -1)
    psql_on "$held" 'SELECT pg_wal_replay_pause()' >/dev/null
    refused 9 'held-not-paused' "$file"
    psql_on "$held" 'SELECT pg_wal_replay_resume()' >/dev/null
    "$cluster" patronictl resume --wait >/dev/null
}

a_held_synchronous_standby_is_refused() {
    "$cluster" op curl -s -X PATCH -d '{"synchronous_mode": true}' http://10.77.0.11:8008/config >/dev/null
    until_true 20 has_sync_standby || fail "no synchronous standby"
    sync=$("$cluster" list | awk '/Sync Standby/ { print $2 }')
    { cat "$file"; echo "roles: {held: [$sync]}"; } >"$work/sync.yml"
    refused 9 'held-streams' "$work/sync.yml"
    "$cluster" op curl -s -X PATCH -d '{"synchronous_mode": null}' http://10.77.0.11:8008/config >/dev/null
    until_true 20 no_sync_standby
}

has_sync_standby() {
    "$cluster" list | grep -q 'Sync Standby'
}

no_sync_standby() {
    ! has_sync_standby
}

too_little_disk_is_refused() {
    refused 9 'disk-for-wal' "$file" --set planned_wal=100TB
}

an_unreachable_host_is_refused() {
    "$cluster" cut pg3 op
    refused 6 '"pg3"' "$file"
    "$cluster" heal pg3
}

a_wrong_host_key_is_refused() {
    local key
    key=$(awk '$1 ~ /10.77.0.11/ { print $2, $3; exit }' "$state/known_hosts")
    # pg2 is known by the key of pg1.
    { grep -v '^10.77.0.12' "$state/known_hosts"; echo "10.77.0.12 $key"; } >"$work/known_hosts"
    sed "s|known-hosts: .*|known-hosts: $work/known_hosts|" "$file" >"$work/key.yml"
    refused 6 'host key' "$work/key.yml"
}

a_wrong_key_of_ours_is_refused() {
    ssh-keygen -q -t ed25519 -N '' -f "$work/other_key"
    sed "s|identity: .*|identity: $work/other_key|" "$file" >"$work/identity.yml"
    refused 6 'ops' "$work/identity.yml"
}

a_wrong_password_is_refused() {
    echo wrong >"$work/password"
    chmod 600 "$work/password"
    sed "s|file: .*pgpassword|file: $work/password|" "$state/cluster-tcp.yml" >"$work/password.yml"
    refused 6 'password' "$work/password.yml"
}

sudo_that_asks_for_a_password_is_refused() {
    sed 's/user: ops/user: nosudo/' "$file" >"$work/nosudo.yml"
    refused 6 'sudo' "$work/nosudo.yml"
}

no_replica_is_refused() {
    local host
    for host in $(standbys); do
        "$cluster" sh "$host" 'systemctl stop patroni'
    done
    until_true 30 only_the_leader || fail "the replicas do not leave"
    refused 9 'matches role "held"' "$file"
    for host in $(members); do
        "$cluster" sh "$host" 'systemctl start patroni'
    done
    "$cluster" wait 30 >/dev/null
}

only_the_leader() {
    [ "$("$cluster" op curl -s http://10.77.0.11:8008/cluster http://10.77.0.12:8008/cluster http://10.77.0.13:8008/cluster | grep -o '"name"' | wc -l)" = 1 ]
}

a_second_run_is_refused_from_the_same_and_from_another_journal() {
    local run
    deploy "$work/good.sql"
    expect_status 0
    run=$("$HOLDBACK" runs 2>/dev/null | grep -o '[0-9]\{8\}-[0-9]\{6\}-[0-9a-f]\{8\}' | head -1)
    holdback deploy "$plan" -c "$file" --set "migration=$work/good.sql" --yes
    expect_status 5
    expect_message "$run"
    HOLDBACK_JOURNAL=$work/elsewhere holdback deploy "$plan" -c "$file" --set "migration=$work/good.sql" --yes
    expect_status 5
    expect_message "$run"
    holdback rollback --yes
    expect_status 0
    prove_healthy
    prove_nothing_is_left
}

"$cluster" up >/dev/null || exit 1
make_data
run_tests \
    a_cluster_file_that_names_another_cluster_is_refused \
    another_system_identifier_is_refused \
    addresses_that_were_swapped_are_refused \
    maintenance_mode_that_is_on_already_is_refused \
    a_scheduled_switchover_is_refused \
    replay_that_is_paused_already_is_refused \
    a_held_synchronous_standby_is_refused \
    too_little_disk_is_refused \
    an_unreachable_host_is_refused \
    a_wrong_host_key_is_refused \
    a_wrong_key_of_ours_is_refused \
    a_wrong_password_is_refused \
    sudo_that_asks_for_a_password_is_refused \
    no_replica_is_refused \
    a_second_run_is_refused_from_the_same_and_from_another_journal

# shellcheck shell=bash
# For the scripts of this folder: a work folder, hosts that are names of this machine (each a real sshd on loopback with a
# home of its own), a real PostgreSQL, and an end that leaves nothing.
# shellcheck disable=SC2034
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
HOLDBACK=${HOLDBACK:-$root/build/holdback}
export HOLDBACK_TEST_OWNER=$$
bin=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -1)
work=$(mktemp -d "/tmp/holdback-$(basename "$0" .sh).XXXXXX")
chmod 755 "$work"
seed=${SEED:-$RANDOM}
RANDOM=$seed
pids=()
servers=()

fail() {
    echo "FAILED: $*" >&2
    exit 1
}

end() {
    local server
    for server in ${servers[@]+"${servers[@]}"}; do
        as_postgres "$bin/pg_ctl" -D "$server" -m immediate -w stop >/dev/null 2>&1
    done
    [ ${#pids[@]} -gt 0 ] && kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$work"
}
trap end EXIT

free_port() {
    local port
    while port=$((20000 + RANDOM % 12000)) && (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}

keys() {
    [ -e "$work/key" ] && return
    mkdir -p /run/sshd
    ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    ssh-keygen -q -t ed25519 -N '' -f "$work/key"
}

# A host: its port is in $work/NAME.port, its home is $work/home-NAME, where holdback keeps what is its own.
host_start() { # NAME...
    local name port
    keys
    for name in "$@"; do
        port=$(free_port)
        echo "$port" >"$work/$name.port"
        mkdir -p "$work/home-$name"
        cat >"$work/$name.sshd" <<END
Port $port
ListenAddress 127.0.0.1
HostKey $work/host_key
PidFile none
AuthorizedKeysFile $work/key.pub
PermitRootLogin prohibit-password
StrictModes no
UsePAM no
MaxStartups 100
SetEnv HOME=$work/home-$name
END
        /usr/sbin/sshd -D -f "$work/$name.sshd" 2>"$work/$name.sshd.log" &
        pids+=($!)
        echo "[127.0.0.1]:$port $(cut -d' ' -f1,2 "$work/host_key.pub")" >>"$work/known_hosts"
        until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do sleep 0.02; done
    done
}

# The entry of a host in a cluster file; MORE are further sections.
host_entry() { # NAME MORE
    echo "$1: {address: 127.0.0.1, ssh: {user: root, port: $(cat "$work/$1.port"), identity: $work/key, known-hosts: $work/known_hosts, become: none}${2:+, $2}}"
}

# A cluster file of hosts without PostgreSQL and Patroni.
cluster_of() { # CLUSTER HOST...
    local host
    printf 'cluster: %s\nhosts:\n' "$1"
    for host in "${@:2}"; do
        echo "  $(host_entry "$host")"
    done
    printf 'postgres: {os-user: root}\npatroni: {port: 1}\n'
}

as_postgres() {
    (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
}

# A PostgreSQL with its data in $work/NAME.data, listening on loopback and a socket in $work; anybody is let in.
postgres_init() { # NAME PORT
    install -d -o postgres -g postgres "$work/$1.data" "$work/socket"
    as_postgres "$bin/initdb" -D "$work/$1.data" -U postgres -A trust -N --no-instructions >/dev/null || fail "initdb"
    cat >>"$work/$1.data/postgresql.conf" <<END
port = $2
listen_addresses = '127.0.0.1'
unix_socket_directories = '$work/socket'
shared_buffers = 16MB
END
}

postgres_start() { # NAME
    as_postgres "$bin/pg_ctl" -D "$work/$1.data" -l "$work/$1.data/log" -w start >/dev/null || fail "could not start $1: $(tail -3 "$work/$1.data/log")"
    servers+=("$work/$1.data")
}

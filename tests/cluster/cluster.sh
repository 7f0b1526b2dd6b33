#!/bin/bash
# A real Patroni cluster on this machine, for tests and demonstrations. See README.md, or: cluster.sh help
set -euo pipefail

# What is ours shall not be seen by the commands that "op" runs.
callers_path=$PATH callers_umask=$(umask)
umask 022
PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly callers_path callers_umask here

readonly top=/run/holdback-test
# shellcheck disable=SC2034 # the templates' words
readonly network=10.77.0.0/24 operator=10.77.0.1
readonly password="holdback%'test"

name=${HOLDBACK_TEST_CLUSTER:-demo}
state=$top/$name
# The root of the Debian that the hosts are made from, and its PostgreSQL.
system=${HOLDBACK_TEST_SYSTEM:-/} postgres=15

# Set by `up`, kept in $state/options for the other commands.
hosts=(pg1 pg2 pg3)
ttl=20 loop_wait=2 retry_timeout=9 disk_size=4G features=archive

die() {
    echo "cluster.sh: $*" >&2
    exit 1
}

# shellcheck disable=SC1091 source-path=SCRIPTDIR source=disk.sh
source "$here/disk.sh"
# shellcheck disable=SC1091 source-path=SCRIPTDIR source=host.sh
source "$here/host.sh"
# shellcheck disable=SC1091 source-path=SCRIPTDIR source=health.sh
source "$here/health.sh"

address() { echo "10.77.0.1${1#pg}"; }

save_options() {
    printf 'hosts=(%s)\nttl=%s loop_wait=%s retry_timeout=%s disk_size=%s features=%q system=%q postgres=%s\n' \
        "${hosts[*]}" "$ttl" "$loop_wait" "$retry_timeout" "$disk_size" "$features" "$system" "$postgres" >"$state/options"
}

need_cluster() {
    [[ -e $state/options ]] || die "there is no cluster \"$name\"; make it with: $0 up"
    # shellcheck source=/dev/null
    source "$state/options"
}

need_host() {
    [[ $# -ge 1 ]] || die "which host? one of: ${hosts[*]}"
    [[ " ${hosts[*]} " == *" $1 "* ]] || die "there is no host \"$1\" in cluster \"$name\"; it has: ${hosts[*]}"
}

need_machine() {
    local tool missing=()
    [[ $EUID -eq 0 ]] || die "root is needed: namespaces, mounts and systemd-nspawn"
    for tool in systemd-nspawn patroni patronictl etcd etcdctl ip iptables nsenter setpriv ssh ssh-keygen sudo curl \
        /usr/sbin/sshd /usr/lib/postgresql/15/bin/postgres /usr/bin/python3; do
        command -v "$tool" >/dev/null || missing+=("$tool")
    done
    [[ ${#missing[@]} -eq 0 ]] || die "not installed: ${missing[*]}; install with: tests/packages.sh cluster"
    cgroup_roots >/dev/null
    [[ $system != / ]] || return 0
    postgres=$(ls "$system/usr/lib/postgresql" 2>/dev/null) || true
    [[ $postgres =~ ^[0-9]+$ && -x $system/usr/bin/patroni ]] ||
        die "there is no Debian with Patroni and one PostgreSQL in \"$system\" (HOLDBACK_TEST_SYSTEM)"
}

number() { # OPTION VALUE: a whole number above 0
    [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || die "$1 needs a whole number above 0, not \"${2:-}\""
}

parse_up() {
    while [[ $# -gt 0 ]]; do
        case $1 in
            --hosts)
                [[ ${2:-} =~ ^[23]$ ]] || die "--hosts needs 2 or 3, not \"${2:-}\""
                [[ $2 == 3 ]] || hosts=(pg1 pg2)
                shift
                ;;
            --ttl) number "$1" "${2:-}" && ttl=$2 && shift ;;
            --loop-wait) number "$1" "${2:-}" && loop_wait=$2 && shift ;;
            --disk) [[ ${2:-} =~ ^[0-9]+[kMG]$ ]] || die "--disk needs a size such as 512M" && disk_size=$2 && shift ;;
            --no-archive) features= ;;
            *) die "up does not know \"$1\"" ;;
        esac
        shift
    done
    # Patroni's own rule: loop_wait + 2 * retry_timeout <= ttl
    retry_timeout=$(((ttl - loop_wait) / 2))
    ((retry_timeout <= 10)) || retry_timeout=10
    ((retry_timeout >= 3)) || die "ttl $ttl is too short for loop_wait $loop_wait: Patroni wants at least loop_wait + 6"
}

# Namespaces: one for the operator (with the bridge and etcd), one for each host. The devices live only inside
# of them, so that their names and addresses are free to be the same in every cluster.
make_network() {
    local host op=hb-$name-op
    ip netns add "$op"
    ip -n "$op" link set lo up
    ip -n "$op" link add name br0 type bridge
    ip -n "$op" address add "$operator/24" dev br0
    ip -n "$op" link set br0 up
    for host in "${hosts[@]}"; do
        ip netns add "hb-$name-$host"
        ip -n "$op" link add name "$host" type veth peer name eth0 netns "hb-$name-$host"
        ip -n "$op" link set "$host" master br0 up
        ip -n "hb-$name-$host" link set lo up
        ip -n "hb-$name-$host" address add "$(address "$host")/24" dev eth0
        ip -n "hb-$name-$host" link set eth0 up
    done
}

start_etcd() {
    install -d -m 700 "$state/etcd"
    spawn etcd "$state/etcd.log" nsenter --net="/run/netns/hb-$name-op" etcd --name "hb-$name" \
        --data-dir "$state/etcd" --listen-client-urls "http://$operator:2379" \
        --advertise-client-urls "http://$operator:2379" --listen-peer-urls http://127.0.0.1:2380 \
        --initial-advertise-peer-urls http://127.0.0.1:2380 --initial-cluster "hb-$name=http://127.0.0.1:2380" \
        --heartbeat-interval 20 --election-timeout 100
}

wait_etcd() { await 10 "etcd does not answer, see $state/etcd.log" etcdctl_ endpoint health; }

etcdctl_() {
    ETCDCTL_API=3 in_op etcdctl --endpoints "http://$operator:2379" --command-timeout 2s "$@" >/dev/null 2>&1
}

in_op() { nsenter --net="/run/netns/hb-$name-op" -- "$@"; }

make_files() {
    local reach host list=
    printf '%s\n' "$password" >"$state/pgpassword"
    chmod 600 "$state/pgpassword"
    fill pg1 patronictl.yml >"$state/patronictl.yml"
    for host in "${hosts[@]}"; do list+="  $host: {address: $(address "$host")}\\n"; done
    for reach in socket tcp; do
        features="$features $reach" fill pg1 cluster.yml |
            sed -e "s|@HOSTS@|${list%\\n}|" -e "s|@REACH@|$reach|" >"$state/cluster-$reach.yml"
    done
}

born() { # PID: its start, by which a pid that is used again is told; a zombie has ended
    awk '{ sub(/.*\) /, ""); if ($1 == "Z") exit 1; print $20 }' "/proc/$1/stat" 2>/dev/null
}

# Whoever made it has ended, or all of its own processes have: neither can end without `down` but by kill -9.
is_left_behind() {
    local pid='' start='' now
    [[ ! -e $state/owner ]] || read -r pid start <"$state/owner"
    if [[ -z $pid ]]; then dead; return; fi
    now=$(born "$pid") || return 0
    [[ $now != "$start" ]]
}

sweep() {
    for name in $(clusters); do
        state=$top/$name
        ! is_left_behind || { echo "cluster \"$name\" was left behind: taken down" && down; }
    done
    sweep_groups
}

make_state() {
    local _
    [[ ! -d $state ]] || ! is_left_behind || down
    # The last cluster's `down` removes the folder above: try again then.
    for _ in 1 2 3; do
        mkdir -p "$top"
        mkdir "$state" 2>/dev/null && break
        [[ ! -d $state ]] || die "cluster \"$name\" exists already; first: $0 down"
    done
    mount -t tmpfs -o mode=755 "hb-$name" "$state"
    [[ -z ${HOLDBACK_TEST_OWNER:-} ]] || echo "$HOLDBACK_TEST_OWNER $(born "$HOLDBACK_TEST_OWNER")" >"$state/owner"
}

say_kept() {
    echo "cluster.sh: up failed; what is there is kept to be looked at, clean up with: $0 down" >&2
}

up() {
    local begin=${EPOCHREALTIME//[.,]/} host
    need_machine
    parse_up "$@"
    make_state
    trap say_kept EXIT
    save_options
    make_network
    start_etcd
    make_keys
    make_files
    make_base
    for host in "${hosts[@]}"; do make_disk "$host"; done
    wait_etcd
    bring_up
    trap - EXIT
    echo "cluster \"$name\" is up after $(elapsed "$begin") s: leader $(leader_name), ${#hosts[@]} hosts (${hosts[*]}), loop_wait $loop_wait, ttl $ttl"
    echo "cluster file: $state/cluster-socket.yml; run: $0 op COMMAND; a shell: $0 sh pg1; the end: $0 down"
}

# Boots all hosts. Patroni of the others starts when pg1 leads: so pg1 is the leader, and nobody waits a loop for it.
bring_up() {
    local host pid pids=()
    enable_unit "$state/pg1/root" patroni
    for host in "${hosts[@]}"; do start_host "$host"; done
    await 60 "pg1 does not become the leader, see: $0 log pg1" leads pg1
    for host in "${hosts[@]:1}"; do
        await 30 "$host does not boot, see $state/$host/console.log" accepts_users "$host"
        enable_unit "$state/$host/root" patroni
        in_host "$host" systemctl start patroni
    done
    for host in "${hosts[@]}"; do
        await 20 "ssh to $host does not work" ssh_works "$host" &
        pids+=($!)
    done
    await 60 "cluster \"$name\" is not healthy; see: $0 list, $0 log HOST" poked_healthy
    for pid in "${pids[@]}"; do wait "$pid" || exit 1; done
}

down() {
    local host
    [[ $EUID -eq 0 ]] || die "root is needed"
    kill_group "" || die "processes of cluster \"$name\" do not die"
    for host in pg1 pg2 pg3; do
        remove_traces "$host"
        drop_disk "$host"
        remove_netns "hb-$name-$host"
    done
    remove_netns "hb-$name-op"
    remove_netns_mount
    remove_groups ""
    while mountpoint -q "$state"; do umount "$state" 2>/dev/null || umount -l "$state"; done
    [[ ! -e $state ]] || rm -rf --one-file-system "$state"
    # The last cluster takes the folders that all of them shared with it.
    if [[ -d $top ]] && rmdir "$top" 2>/dev/null; then
        rmdir /run/systemd/nspawn/{locks,propagate,unix-export} /run/systemd/nspawn 2>/dev/null || true
    fi
}

remove_netns() { [[ ! -e /run/netns/$1 ]] || ip netns del "$1"; }

# The first `ip netns add` on a machine mounts this folder; the last namespace takes it away.
remove_netns_mount() {
    [[ -d /run/netns && -z $(ls -A /run/netns) ]] || return 0
    while mountpoint -q /run/netns; do umount /run/netns 2>/dev/null || return 0; done
    rmdir /run/netns 2>/dev/null || true
}

reset() {
    local host begin=${EPOCHREALTIME//[.,]/}
    need_cluster
    for host in "${hosts[@]}"; do
        kill_host "$host"
        heal_host "$host"
        drop_disk "$host"
    done
    alive etcd || start_etcd
    wait_etcd
    etcdctl_ del --prefix /service/ || die "etcd does not answer, see $state/etcd.log"
    for host in "${hosts[@]}"; do make_disk "$host"; done
    bring_up
    echo "cluster \"$name\" is fresh after $(elapsed "$begin") s: leader $(leader_name)"
}

cut_host() { # HOST [etcd|op|OTHER]: everything, or only the way to etcd, to the operator's address or to another host
    local ns=hb-$name-$1 other=
    case ${2:-} in
        '')
            ip netns exec "$ns" iptables -w 5 -A INPUT ! -i lo -j DROP
            ip netns exec "$ns" iptables -w 5 -A OUTPUT ! -o lo -j DROP
            return
            ;;
        etcd)
            ip netns exec "$ns" iptables -w 5 -A OUTPUT -p tcp -d "$operator" --dport 2379 -j DROP
            return
            ;;
        op) other=$operator ;;
        *) need_host "$2" && other=$(address "$2") ;;
    esac
    ip netns exec "$ns" iptables -w 5 -A INPUT -s "$other" -j DROP
    ip netns exec "$ns" iptables -w 5 -A OUTPUT -d "$other" -j DROP
}

heal_host() { # HOST
    ip netns exec "hb-$name-$1" iptables -w 5 -F
}

file() {
    case ${1:-socket} in
        socket | tcp) echo "$state/cluster-${1:-socket}.yml" ;;
        *) die "file: socket or tcp, not \"$1\"" ;;
    esac
}

clusters() {
    local dir
    for dir in "$top"/*/; do [[ ! -d $dir ]] || basename "$dir"; done
}

usage() {
    cat <<'EOF'
cluster.sh: a real Patroni cluster on this machine. HOLDBACK_TEST_CLUSTER names it (default: demo).

  up [--hosts 2|3] [--loop-wait N] [--ttl N] [--no-archive] [--disk SIZE]
                        make it and wait until it is healthy
  down                  remove all of it, also when half made
  sweep                 down for every cluster whose maker, or all of whose processes, were killed
  reset                 the same hosts, freshly bootstrapped
  wait [SECONDS]        until healthy: one leader, all others stream from it (default 60)
  leader                print the leader's name
  list                  what Patroni says of the members
  clusters              the names of all clusters on this machine

  op COMMAND...         run a command where the operator sits (10.77.0.1)
  sh HOST [COMMAND...]  a root shell or a command in a host; one word alone is a shell line
  ssh HOST [COMMAND...] the same as user ops over SSH
  psql HOST [ARG...]    psql as user postgres in a host
  patronictl ARG...     patronictl from the operator's side
  log HOST [ARG...]     journalctl in a host, or its last words when it does not run

  kill HOST|etcd        power loss
  boot HOST|etcd        power on, with the disk that it had
  halt HOST             an orderly shutdown
  cut HOST [etcd|op|OTHER]
                        drop all its network traffic, or only that with etcd, the operator or another host
  heal HOST             the network is whole again

  file [socket|tcp]     path of the cluster file for holdback
  files                 all files that a test may want
EOF
}

files() {
    printf '%s\n' "$state"/{cluster-socket.yml,cluster-tcp.yml,id_ed25519,known_hosts,pgpassword,patronictl.yml,etcd.log}
    printf '%s\n' "${hosts[@]/#/$state/}"
}

boot_etcd() {
    dead etcd || die "etcd runs already"
    start_etcd
    wait_etcd
}

host_command() { # COMMAND HOST [ARG...]
    local command=$1 host
    shift
    case "$command ${1:-}" in
        'kill etcd') kill_host etcd && return ;;
        'boot etcd') boot_etcd && return ;;
    esac
    need_host "$@"
    host=$1
    shift
    case $command in
        sh) enter "$host" "$@" ;;
        ssh) ssh_to "$host" "$@" ;;
        psql) psql_in "$host" "$@" ;;
        log) show_log "$host" "$@" ;;
        kill) kill_host "$host" ;;
        boot) boot_host "$host" ;;
        halt) halt_host "$host" ;;
        cut) cut_host "$host" "$@" ;;
        heal) heal_host "$host" ;;
    esac
}

main() {
    local command=${1:-help}
    [[ $name =~ ^[a-z0-9][a-z0-9-]{0,30}$ ]] || die "HOLDBACK_TEST_CLUSTER must be lower-case letters, digits and '-', not \"$name\""
    shift || true
    case $command in
        up | down | sweep) "$command" "$@" ;;
        help | --help | -h) usage ;;
        clusters) clusters ;;
        *)
            need_cluster
            case $command in
                reset | file | files) "$command" "$@" ;;
                wait) wait_healthy "${1:-60}" ;;
                leader) leader_name ;;
                list)
                    # Without etcd, patronictl tries for ever.
                    in_op timeout 10 patronictl -c "$state/patronictl.yml" list "$@" || die "etcd does not answer patronictl"
                    ;;
                patronictl) exec nsenter --net="/run/netns/hb-$name-op" -- patronictl -c "$state/patronictl.yml" "$@" ;;
                op)
                    [[ $# -ge 1 ]] || die "op: which command?"
                    umask "$callers_umask"
                    PATH=$callers_path exec nsenter --net="/run/netns/hb-$name-op" -- "$@"
                    ;;
                sh | ssh | psql | log | kill | boot | halt | cut | heal) host_command "$command" "$@" ;;
                *) die "there is no command \"$command\"; see: $0 help" ;;
            esac
            ;;
    esac
}

main "$@"

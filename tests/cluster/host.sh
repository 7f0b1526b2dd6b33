# shellcheck shell=bash disable=SC2154
# Processes: the cluster's control groups, and the hosts that run in them. Sourced by cluster.sh.

# Prints the roots of the hierarchies that every host needs a group of its own in; the first is the unified one.
# On a machine with the hybrid layout these are two: without it, all hosts would share one "payload" group.
cgroup_roots() {
    if [[ $(stat -f -c %T /sys/fs/cgroup) == cgroup2fs ]]; then
        echo /sys/fs/cgroup
    elif [[ $(stat -f -c %T /sys/fs/cgroup/unified 2>/dev/null) == cgroup2fs && -d /sys/fs/cgroup/systemd ]]; then
        printf '%s\n' /sys/fs/cgroup/unified /sys/fs/cgroup/systemd
    else
        die "this machine has neither cgroup v2 nor the hybrid layout, which the hosts' systemd needs"
    fi
}

group() { # [HOST]: the unified group of a host, or of the whole cluster
    local root
    read -r root < <(cgroup_roots)
    echo "$root/holdback-test-$name${1:+/$1}"
}

alive() { # [HOST]: a zombie does not count here, unlike in /proc
    grep -q 'populated 1' "$(group "${1:-}")/cgroup.events" 2>/dev/null
}

dead() { ! alive "$@"; }

# spawn GROUP LOG COMMAND...: starts a command in a group of its own, free of our terminal, session and files
spawn() {
    local part=$1 log=$2 root fd
    shift 2
    (
        while read -r root; do
            mkdir -p "$root/holdback-test-$name/$part"
            echo "$BASHPID" >"$root/holdback-test-$name/$part/cgroup.procs"
        done < <(cgroup_roots)
        cd /
        exec </dev/null >>"$log" 2>&1
        for fd in /proc/self/fd/*; do
            fd=${fd##*/}
            ((fd <= 2 || fd == 255)) || eval "exec $fd>&-"
        done
        exec setsid env -i PATH="$PATH" "$@"
    ) &
}

# Kills all of a group at once, as a power loss does: nothing in it sees the end of anything else.
kill_group() { # [HOST]
    local kill
    kill=$(group "$1")/cgroup.kill
    [[ -e $kill ]] || return 0
    echo 1 >"$kill"
    await 5 "" dead "$1"
}

remove_groups() { # [HOST]
    local root
    while read -r root; do
        root=$root/holdback-test-$name${1:+/$1}
        [[ ! -d $root ]] || find "$root" -depth -type d -exec rmdir {} +
    done < <(cgroup_roots)
}

# Of a cluster that was killed with its mount namespace nothing but empty groups is left.
sweep_groups() {
    local folder
    for folder in /sys/fs/cgroup{,/unified}/holdback-test-*; do
        [[ -d $folder ]] || continue
        name=${folder##*/holdback-test-}
        [[ -d $top/$name ]] || alive || remove_groups
    done
}

# What systemd-nspawn leaves behind when it is killed.
remove_traces() { # HOST
    local inode
    if inode=$(stat -c %d:%i "$state/$1/root" 2>/dev/null); then rm -f "/run/systemd/nspawn/locks/inode-$inode"; fi
    rm -rf "/run/systemd/nspawn/propagate/hb-$name-$1" "/run/systemd/nspawn/unix-export/hb-$name-$1"
}

# The systemd of Debian 13 refuses the hybrid layout of the control groups.
start_host() { # HOST
    local layout=()
    [[ $system == / ]] || layout=(SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1)
    spawn "$1" "$state/$1/console.log" "${layout[@]}" systemd-nspawn --boot --quiet --directory="$state/$1/root" \
        --machine="hb-$name-$1" --hostname="$1" --network-namespace-path="/run/netns/hb-$name-$1" \
        --register=no --keep-unit --resolv-conf=off --timezone=off --console=pipe --capability=CAP_NET_ADMIN
}

kill_host() { # HOST
    kill_group "$1" || die "processes of $1 do not die"
    remove_groups "$1"
    remove_traces "$1"
}

boot_host() { # HOST
    dead "$1" || die "$1 runs already"
    start_host "$1"
    await 30 "$1 does not boot, see $state/$1/console.log" accepts_users "$1"
}

halt_host() { # HOST
    in_host "$1" systemctl poweroff
    await 60 "$1 does not shut down, see $state/$1/console.log" dead "$1"
    kill_host "$1"
}

# Prints the process id of a host's init. Until it is in namespaces of its own it is no host yet.
init_of() { # HOST
    local pid
    while read -r pid; do
        if grep -qE '^NSpid:.*\s1$' "/proc/$pid/status" 2>/dev/null; then
            echo "$pid"
            return
        fi
    done < <(cat "$(group "$1")/payload/init.scope/cgroup.procs" 2>/dev/null)
    return 1
}

in_host() { # HOST COMMAND...
    local pid
    pid=$(init_of "$1") || {
        echo "cluster.sh: $1 does not run" >&2
        return 1
    }
    nsenter --target "$pid" --all --wdns=/ -- env -i HOME=/root USER=root LOGNAME=root SHELL=/bin/bash \
        TERM="${TERM:-dumb}" LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "${@:2}"
}

enter() { # HOST [COMMAND...]
    local host=$1
    shift
    case $# in
        0) in_host "$host" bash ;;
        1) in_host "$host" bash -c "$1" ;;
        *) in_host "$host" "$@" ;;
    esac
}

psql_in() { # HOST [ARG...]
    in_host "$1" setpriv --reuid postgres --regid postgres --init-groups \
        env HOME=/var/lib/postgresql USER=postgres "/usr/lib/postgresql/$postgres/bin/psql" -X "${@:2}"
}

ssh_to() { # HOST [COMMAND...]
    in_op ssh -F none -i "$state/id_ed25519" -o IdentitiesOnly=yes -o "UserKnownHostsFile=$state/known_hosts" \
        -o BatchMode=yes -o StrictHostKeyChecking=yes -o ConnectTimeout=5 "ops@$(address "$1")" "${@:2}"
}

show_log() { # HOST [ARG...]
    if alive "$1"; then
        in_host "$1" journalctl --no-pager "${@:2}"
    else
        journalctl --no-pager --directory="$state/$1/root/var/log/journal" "${@:2}"
    fi
}

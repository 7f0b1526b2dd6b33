# shellcheck shell=bash disable=SC2154
# What the hosts' disks hold. Sourced by cluster.sh.
#
# A host's root is an overlay of three layers: the machine's own / below (so nothing is downloaded or copied), or the Debian
# in $system; one layer that all hosts of a cluster share and which hides all that is not plain Debian, and the host's own.

readonly ops_uid=2001 nosudo_uid=2002

# Hides the machine's folder of this name from the hosts, and gives them an empty one.
opaque() {
    mkdir -p "${@/#/$state/base}"
    (cd "$state/base" && /usr/bin/python3 -c '
import os, sys
for folder in sys.argv[1:]:
    os.setxattr("." + folder, "trusted.overlay.opaque", b"y")' "$@")
}

hide_machine() {
    local entry
    # Below / only Debian's own folders stay.
    for entry in "${system%/}"/* "${system%/}"/.[!.]*; do
        [[ -e $entry || -L $entry ]] || continue
        entry=${entry#"${system%/}"}
        case $entry in
            /bin | /dev | /etc | /home | /lib | /lib32 | /lib64 | /libx32 | /media | /mnt | /opt | /proc) ;;
            /root | /run | /sbin | /srv | /sys | /tmp | /usr | /var) ;;
            *) mknod "$state/base$entry" c 0 0 ;;
        esac
    done
    # The machine's services, its /etc/profile.d (noise in remote commands) and its private files are not the hosts'.
    opaque /home /media /mnt /opt /root /srv /usr/local /var/backups /var/cache /var/lib/etcd /var/lib/postgresql \
        /var/lib/systemd /var/log /var/spool /var/tmp /etc/cron.d /etc/etcd /etc/patroni /etc/postgresql \
        /etc/profile.d /etc/rc0.d /etc/rc1.d /etc/rc2.d /etc/rc3.d /etc/rc4.d /etc/rc5.d /etc/rc6.d /etc/rcS.d \
        /etc/ssh /etc/sudoers.d /etc/systemd/system /etc/systemd/journald.conf.d /etc/systemd/system.conf.d
    chmod 700 "$state/base/root"
    chmod 1777 "$state/base/var/tmp"
}

# user NAME UID: a line of passwd, shadow and group each, and the cluster's key
user() {
    local home=$state/base/home/$1
    printf '%s:x:%d:%d::/home/%s:/bin/bash\n' "$1" "$2" "$2" "$1" >>"$state/base/etc/passwd"
    printf '%s:*:19000:0:99999:7:::\n' "$1" >>"$state/base/etc/shadow"
    printf '%s:x:%d:\n' "$1" "$2" >>"$state/base/etc/group"
    install -d -m 700 -o "$2" -g "$2" "$home" "$home/.ssh"
    install -m 600 -o "$2" -g "$2" "$state/id_ed25519.pub" "$home/.ssh/authorized_keys"
}

make_users() {
    local file
    for file in passwd shadow group; do
        grep -vE '^(ops|nosudo):' "$system/etc/$file" >"$state/base/etc/$file"
        chmod --reference="$system/etc/$file" "$state/base/etc/$file"
        chown --reference="$system/etc/$file" "$state/base/etc/$file"
    done
    user ops "$ops_uid"
    user nosudo "$nosudo_uid"
    install -m 440 "$here/etc/sudoers" "$state/base/etc/sudoers.d/hosts"
}

enable_unit() { # ROOT UNIT
    mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
    ln -sf "/lib/systemd/system/$2.service" "$1/etc/systemd/system/multi-user.target.wants/"
}

# As install, for the user postgres, who may have another number in the hosts than here.
install_for_postgres() {
    install -o "$(number_of_postgres passwd)" -g "$(number_of_postgres group)" "$@"
}

number_of_postgres() { awk -F: '$1 == "postgres" { print $3 }' "$system/etc/$1"; }

make_base() {
    local base=$state/base host
    install -d "$base" "$base/etc" "$base/var" "$base/var/lib"
    hide_machine
    make_users
    install_for_postgres -d "$base/var/lib/postgresql" "$base/var/lib/postgresql/$postgres"
    install_for_postgres -d -m 700 "$base/var/lib/postgresql/$postgres/wal_archive"
    # The journal of a host is kept over its power loss, to be read afterwards.
    install -d "$base/var/log/journal" "$base/var/log/postgresql"
    install -m 644 "$here/etc/sshd_config" "$base/etc/ssh/sshd_config"
    : >"$base/etc/environment"
    : >"$base/etc/fstab"
    : >"$base/etc/resolv.conf"
    {
        echo 127.0.0.1 localhost
        for host in "${hosts[@]}"; do echo "$(address "$host") $host"; done
    } >"$base/etc/hosts"
    ln -s /lib/systemd/system/multi-user.target "$base/etc/systemd/system/default.target"
    ln -s /lib/systemd/system/ssh.service "$base/etc/systemd/system/sshd.service"
    enable_unit "$base" ssh
}

# The disk of one host: a tmpfs of its own, so that a full disk is that host's alone.
make_disk() { # HOST
    local dir=$state/$1 disk=$state/$1/disk upper=$state/$1/disk/upper
    mkdir -p "$disk" "$dir/root"
    mount -t tmpfs -o "size=$disk_size,mode=755" "hb-$name-$1" "$disk"
    mkdir -p "$disk/work" "$upper/etc/ssh"
    echo "$1" >"$upper/etc/hostname"
    tr -d - </proc/sys/kernel/random/uuid >"$upper/etc/machine-id"
    install -m 600 "$state/hostkeys/$1" "$upper/etc/ssh/ssh_host_ed25519_key"
    install -m 644 "$state/hostkeys/$1.pub" "$upper/etc/ssh/ssh_host_ed25519_key.pub"
    install_for_postgres -d "$upper/etc/patroni"
    install_for_postgres -m 640 <(fill "$1" patroni.yml) "$upper/etc/patroni/config.yml"
    mount -t overlay -o "lowerdir=$state/base:$system,upperdir=$upper,workdir=$disk/work" "hb-$name-$1" "$dir/root"
}

drop_disk() { # HOST
    local part
    for part in root disk; do
        while mountpoint -q "$state/$1/$part"; do
            umount "$state/$1/$part" 2>/dev/null || umount -l "$state/$1/$part"
        done
    done
}

make_keys() {
    local host
    ssh-keygen -q -t ed25519 -N '' -C "ops@$name" -f "$state/id_ed25519"
    mkdir -m 700 "$state/hostkeys"
    for host in "${hosts[@]}"; do
        ssh-keygen -q -t ed25519 -N '' -C "$host@$name" -f "$state/hostkeys/$host"
        echo "$(address "$host") $(cut -d ' ' -f 1,2 "$state/hostkeys/$host.pub")"
    done >"$state/known_hosts"
}

# fill HOST TEMPLATE: the template with its @WORDS@ replaced and its conditional lines decided
fill() {
    local drop=() feature
    for feature in archive tcp; do
        if [[ " $features " == *" $feature "* ]]; then
            drop+=(-e "s/^#$feature//")
        else
            drop+=(-e "/^#$feature/d")
        fi
    done
    sed "${drop[@]}" -e "s|@HOST@|$1|g" -e "s|@ADDRESS@|$(address "$1")|g" -e "s|@OPERATOR@|$operator|g" \
        -e "s|@NETWORK@|$network|g" -e "s|@POSTGRES@|$postgres|g" -e "s|@STATE@|$state|g" -e "s|@PASSWORD@|${password//\'/\'\'}|g" \
        -e "s|@TTL@|$ttl|g" -e "s|@LOOP_WAIT@|$loop_wait|g" -e "s|@RETRY_TIMEOUT@|$retry_timeout|g" "$here/etc/$2"
}

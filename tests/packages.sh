#!/bin/bash
# Installs the Debian packages that are missing. Usage: packages.sh [run|cluster|developer|bench]...   (default: run)
#   run        to build holdback and to run its tests that need no cluster
#   cluster    what tests/cluster/cluster.sh makes its hosts from
#   developer  compilers, checkers and tools for work on holdback itself
#   bench      what tests/bench/run.sh compares with
#   versions   what tests/versions/ gets other versions with; of those without Patroni also npm, which is yours to install
# No service is ever started, no database cluster is made, and with nothing missing apt is not even called.
set -euo pipefail
PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin

run=(gcc libc6-dev cmake ninja-build make pkg-config libyaml-dev libpq-dev libcurl4-openssl-dev libssh-dev
    libjansson-dev libssl-dev python3 ca-certificates)
cluster=(systemd systemd-container libpam-systemd dbus patroni python3-etcd etcd-server etcd-client postgresql
    openssh-server openssh-client sudo iproute2 iptables curl)
developer=(clang clang-format clang-tidy libclang-rt-14-dev libcmocka-dev shellcheck strace git procps patch openssl jq)
bench=(hyperfine ansible-core bsdextrautils)
versions=(debootstrap)

readonly policy=/usr/sbin/policy-rc.d
readonly kept=/usr/sbin/policy-rc.d.before-holdback
readonly mark='# temporary, made by the tests of holdback'

die() {
    echo "packages.sh: $*" >&2
    exit 1
}

missing_of() { # PACKAGE...
    local package there
    there=$(dpkg-query -W -f ' ${Package}:${db:Status-Status} ' "$@" 2>/dev/null) || true
    for package in "$@"; do
        [[ $there == *" $package:installed "* ]] || echo "$package"
    done
}

# A killed run leaves our policy in place: then the administrator's own is the kept one, not the present one.
forbid_services() {
    if [[ -e $policy ]] && ! grep -qF "$mark" "$policy"; then
        mv "$policy" "$kept"
    fi
    printf '#!/bin/sh\n%s\nexit 101\n' "$mark" >"$policy"
    chmod 755 "$policy"
}

allow_services() {
    [[ ! -e $policy ]] || ! grep -qF "$mark" "$policy" || rm -f "$policy"
    [[ ! -e $kept ]] || mv "$kept" "$policy"
}

# Only where postgresql-common was never configured: an administrator's choice is not ours to change.
forbid_main_cluster() {
    local file=/etc/postgresql-common/createcluster.conf
    [[ -n $(missing_of postgresql-common) && ! -e $file ]] || return 0
    mkdir -p "${file%/*}"
    echo 'create_main_cluster = false' >"$file"
}

# What was not there before does not start with the next boot of this machine either.
disable_new() { # PACKAGE...
    local package
    for package in "$@"; do
        case $package in
            patroni) systemctl --quiet disable patroni ;;
            etcd-server) systemctl --quiet disable etcd ;;
            postgresql) systemctl --quiet disable postgresql ;;
            openssh-server) systemctl --quiet disable ssh ;;
        esac
    done
}

apt_get() { DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 -q "$@"; }

install() { # PACKAGE...
    apt_get install -y --no-install-recommends -o Dpkg::Options::=--force-confold "$@"
}

install_all() { # PACKAGE...
    # The lists may be absent, or so old that they name files that are gone.
    if apt_get install --simulate --no-install-recommends "$@" >/dev/null 2>&1 && install "$@"; then
        return
    fi
    apt_get update || die "apt-get update failed, see above"
    install "$@" || die "could not install: $*"
}

main() {
    local set packages=() missing=()
    [[ $# -gt 0 ]] || set -- run
    for set in "$@"; do
        case $set in
            run) packages+=("${run[@]}") ;;
            cluster) packages+=("${cluster[@]}") ;;
            developer) packages+=("${developer[@]}") ;;
            bench) packages+=("${bench[@]}") ;;
            versions) packages+=("${versions[@]}") ;;
            *) die "there is no set \"$set\"; there are run, cluster, developer, bench and versions" ;;
        esac
    done
    mapfile -t missing < <(missing_of "${packages[@]}")
    [[ ${#missing[@]} -gt 0 ]] || exit 0
    [[ $EUID -eq 0 ]] || die "these packages are missing, and only root may install them: ${missing[*]}"
    # The hosts' disks lie over this machine's /: files must not change below them.
    ! compgen -G '/run/holdback-test/*' >/dev/null ||
        die "a test cluster is up (see: tests/cluster/cluster.sh clusters); it must be down to install: ${missing[*]}"
    trap allow_services EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    forbid_services
    forbid_main_cluster
    install_all "${missing[@]}"
    disable_new "${missing[@]}"
}

main "$@"

# shellcheck shell=bash disable=SC2154
# Where secrets are looked for, and where they may be. Sourced by secrets.sh; secrets_plant.py says what is looked for.

# Prints "NAME PLACE" for each secret that is found below the paths, for the control or for all.
find_words() { # secret|control|all PATH...
    local kind=$1
    shift
    grep -raoHFf "$given/$kind.patterns" -- "$@" 2>/dev/null | named
}

find_on_host() { # HOST: in its memory file systems, which only the host itself sees
    "$cluster" sh "$1" 'grep -raoHFf - /run /tmp /dev/shm 2>/dev/null' <"$given/all.patterns" | named
}

# On this machine, in what was written since the test began. The clusters are file systems of their own.
find_on_machine() {
    find /tmp /var/tmp /dev/shm /run /root /var/lib/holdback /var/log -xdev -newer "$given/names" -type f \
        -not -path "$work/*" -print0 2>/dev/null | xargs -0r grep -aoHFf "$given/all.patterns" 2>/dev/null | named
}

find_in_processes() { # NAME KIND PID PROGRAM
    cut -d ' ' -f 1-3 "$work/watched" >"$work/watched.programs"
    grep -anoFf "$given/all.patterns" "$work/watched" | sort -u |
        awk -F: 'FILENAME == ARGV[1] { split($0, pair, " "); name[pair[1]] = pair[2]; next }
            FILENAME == ARGV[2] { where[FNR] = $0; next } { print name[$2], where[$1] }' "$given/names" "$work/watched.programs" - | sort -u
}

named() {
    sort -u | awk 'FILENAME == ARGV[1] { name[$1] = $2; next } {
        at = match($0, /:[^:]*$/)
        print name[substr($0, at + 1)], substr($0, 1, at - 1)
    }' "$given/names" - | sort -u
}

hosts_folders() {
    printf '%s\n' "$state"/pg?/disk/upper/{home,root,srv,tmp,var/tmp,var/lib/postgresql/.holdback}
}

# Where a secret may be: in the file that was edited and in the copies of it that a run keeps for "restore"; where Patroni puts its
# dynamic configuration, which it tells everybody who asks, and the old values of it that a journal keeps for "restore"; in
# what a job itself wrote.
is_allowed() {
    grep -vE " $state/pg[0-9]/disk/(upper|work/work)/(srv/given|etc/patroni)/" |
        grep -vE ' .*/\.holdback/[^/]+/((edit-[a-z]+|tag)\.before|tag\.file)(\.new)?$' |
        grep -vE "^dcs ($state/etcd/.*|.*/patroni\.dynamic\.json|.*/\.holdback/[^/]+/dcs\.before(\.new)?|$HOLDBACK_JOURNAL/.*/journal\.jsonl)\$" |
        grep -vE '^told .*/\.holdback/[^/]+/[0-9a-f]{64}/(out|err)$'
}

# An environment that holdback itself was given, by nsenter which becomes it.
is_given() {
    grep -vE "^((pg-env|job-env) environment|typed arguments) [0-9]+ ($HOLDBACK|/usr/bin/nsenter|\\?)\$"
}

nothing() { # WHERE FOUND
    [ -z "$2" ] || fail "found $1: $(head -20 <<<"$2")"
}

nothing_is_found_now() { # WHEN
    # shellcheck disable=SC2046
    nothing "$1" "$(find_words secret "$said" "$HOLDBACK_JOURNAL" "$work/cores" $(hosts_folders) | is_allowed)"
}

# Looks for all of them everywhere; $work/found-PLACE has what was found there.
search_everywhere() {
    local host kind
    "$cluster" op ssh -F none -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i "$state/id_ed25519" \
        "$control@10.77.0.11" true 2>/dev/null
    cp "$given/control" "/tmp/holdback-control.$$"
    for host in $(members); do
        "$cluster" log "$host" -o export >"$work/log-of-$host"
        find_on_host "$host" >"$work/found-memory-of-$host"
    done
    for kind in postgres patroni sshd; do
        "$cluster" log pg1 -o export _COMM="$kind" >"$work/log-of-$kind"
    done
    find_words all "$work"/log-of-* >"$work/found-logs"
    find_words all "$state"/pg?/disk "$state"/*.log "$state"/pg?/*.log "$state/etcd" >"$work/found-disks"
    find_words all "$said" "$HOLDBACK_JOURNAL" "$work/cores" >"$work/found-operator"
    find_on_machine >"$work/found-machine"
    find_in_processes >"$work/found-processes"
    rm -f "/tmp/holdback-control.$$"
}

holds() { # PLACE PATTERN
    grep -h ^control "$work"/found-"$1" | grep -- "$2" >/dev/null || fail "the search finds nothing at all in $1: $2"
}

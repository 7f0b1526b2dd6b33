# shellcheck shell=bash disable=SC2154
# Questions about the running cluster. Sourced by cluster.sh.

# await SECONDS SENTENCE COMMAND...: until the command succeeds; then says the sentence and fails
await() {
    local limit=$((${EPOCHREALTIME//[.,]/} + $1 * 1000000)) sentence=$2
    shift 2
    until "$@"; do
        if ((${EPOCHREALTIME//[.,]/} > limit)); then
            [[ -z $sentence ]] || die "$sentence"
            return 1
        fi
        sleep 0.05
    done
}

elapsed() { # BEGIN (microseconds)
    local tenths=$(((${EPOCHREALTIME//[.,]/} - $1) / 100000))
    echo "$((tenths / 10)).$((tenths % 10))"
}

answers() { # HOST PATH: the member's REST answers 200
    [[ $(in_op curl -s -m 1 -o /dev/null -w '%{http_code}' "http://$(address "$1"):8008/$2") == 200 ]]
}

leads() { answers "$1" leader; }

leader_name() {
    local host
    for host in "${hosts[@]}"; do
        if leads "$host"; then
            echo "$host"
            return
        fi
    done
    die "cluster \"$name\" has no leader"
}

# systemd-user-sessions has run: before it, ssh refuses all but root
accepts_users() {
    in_host "$1" systemctl is-active --quiet systemd-user-sessions ssh 2>/dev/null
}

ssh_works() { ssh_to "$1" true 2>/dev/null; }

# One leader, and each of the others runs and streams from it: who streams from a primary is on its timeline.
healthy() {
    local host leader='' streaming
    for host in "${hosts[@]}"; do
        if leads "$host"; then
            [[ -z $leader ]] || return 1
            leader=$host
        elif ! answers "$host" replica; then
            return 1
        fi
    done
    [[ -n $leader ]] || return 1
    streaming=$(psql_in "$leader" -Atc "SELECT count(DISTINCT application_name) FROM pg_stat_replication
        WHERE state = 'streaming' AND application_name LIKE 'pg_'" 2>/dev/null) || return 1
    ((streaming == ${#hosts[@]} - 1))
}

wait_healthy() { # SECONDS
    await "$1" "cluster \"$name\" is not healthy after $1 s; see: $0 list" healthy
}

# The members' keys in etcd say so too: they are as old as each member's last loop.
settled() {
    local members
    members=$(in_op curl -s -m 1 "http://$(address pg1):8008/cluster") || return 1
    [[ $(grep -oE '"state": "(running|streaming)"' <<<"$members" | wc -l) == "${#hosts[@]}" ]] &&
        [[ $(grep -oE '"lag": 0\b' <<<"$members" | wc -l) == $((${#hosts[@]} - 1)) ]]
}

# A PATCH that changes nothing wakes a member's next loop: without it each step of a bootstrap waits loop_wait.
poked_healthy() {
    local host
    healthy && settled && return
    for host in "${hosts[@]}"; do
        in_op curl -s -m 1 -o /dev/null -X PATCH -d '{"pause": null}' "http://$(address "$host"):8008/config" || true
    done
    sleep 0.15
    return 1
}

#!/usr/bin/env bash
# The main job on clusters of other shapes: two hosts, Patroni's own intervals, TCP with a password file, root.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

make_cluster() { # OPTION...
    "$cluster" down >/dev/null 2>&1
    "$cluster" up "$@" >/dev/null || fail "the cluster does not come up"
    make_data
}

rolls_back() { # OPTION...
    remember
    deploy "$work/destructive.sql" "$@"
    expect_status 0
    [ -z "$(psql_on "$("$cluster" leader)" "SELECT to_regclass('dropped')")" ] || fail "the migration was not deployed"
    holdback rollback --yes
    expect_status 0
    prove_rolled_back
}

commits() {
    remember
    deploy "$work/good.sql"
    expect_status 0
    holdback commit --yes
    expect_status 0
    prove_healthy
    until_true 10 equal_everywhere 1000 'SELECT count(*) FROM added' || fail "the migration is not everywhere"
    [ "$(config)" = "$before_config" ] || fail "the DCS configuration differs"
    prove_nothing_is_left
}

two_hosts_are_enough_and_tcp_with_a_password_file_too() {
    make_cluster --hosts 2
    file=$state/cluster-tcp.yml
    rolls_back --set rebuild=rewind
    commits
}

allow_root() {
    local host
    for host in $(members); do
        "$cluster" sh "$host" 'mkdir -p -m 700 /root/.ssh && cp /home/ops/.ssh/authorized_keys /root/.ssh/ && chown -R root: /root/.ssh &&
            sed -i "s/^PermitRootLogin.*/PermitRootLogin prohibit-password/" /etc/ssh/sshd_config && systemctl reload ssh'
    done
}

root_does_it_too_at_the_intervals_that_patroni_has_by_default() {
    make_cluster --loop-wait 10 --ttl 30
    allow_root
    sed 's/user: ops/user: root/' "$state/cluster-tcp.yml" >"$work/root.yml"
    file=$work/root.yml
    rolls_back --set rebuild=wipe
}

# The test's own: a run that was ended by kill -9 must not be in the way of the next one.
a_test_cluster_whose_maker_was_killed_gives_way() {
    "$cluster" down >/dev/null 2>&1
    sleep 100 &
    HOLDBACK_TEST_OWNER=$! "$cluster" up --hosts 2 >/dev/null || fail "the cluster does not come up"
    "$cluster" up --hosts 2 >"$work/out" 2>&1 && fail "it took down a cluster that is in use"
    grep -q 'exists already' "$work/out" || fail "$(cat "$work/out")"
    kill -9 $!
    wait $! 2>/dev/null
    "$cluster" up --hosts 2 >"$work/out" 2>&1 || fail "$(cat "$work/out")"
    "$cluster" psql pg1 -c 'SELECT 1' >/dev/null || fail "the new one does not work"
}

nothing_is_left_of_a_test_cluster_that_was_killed_with_its_namespaces() {
    local groups
    mapfile -t groups < <(find /sys/fs/cgroup -maxdepth 2 -name "holdback-test-$HOLDBACK_TEST_CLUSTER")
    [ ${#groups[@]} -gt 0 ] || fail "the cluster has no control group"
    groups=("${groups[@]/%/-killed}")
    mkdir -p "${groups[@]/%//pg1/payload}" || fail "no groups can be made"
    "$cluster" sweep >/dev/null
    ! ls -d "${groups[@]}" 2>/dev/null || fail "its control groups are left"
    "$cluster" psql pg1 -c 'SELECT 1' >/dev/null || fail "a cluster that is in use was taken down"
}

run_tests \
    a_test_cluster_whose_maker_was_killed_gives_way \
    nothing_is_left_of_a_test_cluster_that_was_killed_with_its_namespaces \
    two_hosts_are_enough_and_tcp_with_a_password_file_too \
    root_does_it_too_at_the_intervals_that_patroni_has_by_default

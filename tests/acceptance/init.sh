#!/usr/bin/env bash
# holdback init: a first plan and cluster file from a running cluster, asked through one host.
# shellcheck disable=SC2317
set -uo pipefail
# shellcheck source=lib.sh
source "$(dirname "$0")/lib.sh"
# shellcheck disable=SC2154 # of lib.sh
ssh=(--ssh "identity=$state/id_ed25519" --ssh "known-hosts=$state/known_hosts")

init() { # [USER@]HOST FOLDER [OPTION...]
    holdback init "$@" "${ssh[@]}"
}

in_folder() { # FOLDER COMMAND...: as the printed commands are typed
    cd "$1" || exit 1
    shift
    holdback "$@"
    cd - >/dev/null || exit 1
}

written=(plans/blue-green.yml -c clusters/cluster-pgsql.yml --set migration=plans/migration.sql)

expect_usable() { # FOLDER
    in_folder "$1" check "${written[@]}" --strict
    expect_status 0
    in_folder "$1" preview "${written[@]}" --live --detailed-exitcode
    expect_status 2
    expect_message "0 could not be looked at"
}

contents() { # FOLDER
    (cd "$1" && find . -type f -exec sha256sum {} + | sort; find . -type f -printf '%p %T@\n' | sort)
}

what_is_written_passes_check_and_its_live_preview_works_at_once() {
    init ops@10.77.0.11 "$work/first"
    expect_status 0
    expect_message 'cluster "cluster-pgsql", Patroni '
    expect_message ", PostgreSQL $postgres."
    grep -q 'to be looked at' "$work/out" && fail "something was not found out: $(cat "$work/out")"
    expect_usable "$work/first"
    cmp "$work/first/plans/blue-green.yml" "$plan" || fail "the plan is another one"
}

a_standby_tells_the_same_as_the_leader() {
    init ops@10.77.0.12 "$work/standby"
    expect_status 0
    diff <(grep -v 'Written by' "$work/first/clusters/cluster-pgsql.yml") \
        <(grep -v 'Written by' "$work/standby/clusters/cluster-pgsql.yml") || fail "it tells something else"
}

a_second_time_is_refused_and_changes_nothing() {
    local before
    before=$(contents "$work/first")
    init ops@10.77.0.11 "$work/first"
    expect_status 3
    expect_message "\"$work/first/clusters/cluster-pgsql.yml\" is there already"
    [ "$(contents "$work/first")" = "$before" ] || fail "something was changed"
}

a_file_in_the_way_keeps_everything_from_being_written() {
    mkdir -p "$work/taken/plans"
    echo mine >"$work/taken/plans/look.sql"
    init ops@10.77.0.11 "$work/taken"
    expect_status 3
    expect_message "\"$work/taken/plans/look.sql\" is there already"
    [ "$(cd "$work/taken" && find . -type f)" = ./plans/look.sql ] || fail "something was written"
    [ "$(cat "$work/taken/plans/look.sql")" = mine ] || fail "it was overwritten"
}

other_files_of_the_folder_are_left_alone() {
    mkdir -p "$work/other"
    echo mine >"$work/other/README"
    init ops@10.77.0.11 "$work/other"
    expect_status 0
    [ "$(cat "$work/other/README")" = mine ] || fail "it was changed"
}

a_name_of_ones_own_ssh_configuration_is_enough() {
    local home=$work/home
    mkdir -p "$home/.ssh"
    printf 'Host db1\n  HostName 10.77.0.11\n  User ops\n  IdentityFile %s\n  UserKnownHostsFile %s\n' \
        "$state/id_ed25519" "$state/known_hosts" >"$home/.ssh/config"
    ssh=()
    HOME=$home init db1 "$work/alias"
    expect_status 0
    grep -q 'config: ~/.ssh/config' "$work/alias/clusters/cluster-pgsql.yml" || fail "the configuration is not named"
    HOME=$home expect_usable "$work/alias"
}

asks_for_a_password() {
    [ "$("$cluster" op curl -s -o /dev/null -w '%{http_code}' -X PATCH http://10.77.0.11:8008/config -d '{}')" = 401 ]
}

a_password_of_patroni_stays_on_its_host() {
    local host
    for host in $(members); do
        "$cluster" sh "$host" "sed -i 's/^restapi:/restapi:\n  authentication: {username: canary-user, password: canary-word}/' \
            /etc/patroni/config.yml && systemctl reload patroni"
    done
    until_true 10 asks_for_a_password ||
        fail "Patroni asks for no password"
    init ops@10.77.0.11 "$work/secret"
    expect_status 0
    expect_message 'Patroni asks "canary-user" for a password before it changes anything'
    expect_usable "$work/secret"
    grep -rF -e canary-word -e "$(cat "$state/pgpassword")" -e replicate "$work/secret/clusters" "$work/out" "$work/err" &&
        fail "a password has left its host"
    # What the comment says works.
    echo canary-word >"$work/word"
    sed -i -e 's/# user: canary-user/user: canary-user/' \
        -e "/canary-user/,\$ s|# password: .*|password: {file: $work/word}|" "$work/secret/clusters/cluster-pgsql.yml"
    expect_usable "$work/secret"
    for host in $(members); do
        "$cluster" sh "$host" "sed -i /canary/d /etc/patroni/config.yml && systemctl reload patroni"
    done
}

a_member_that_cannot_be_reached_is_told_and_written() {
    "$cluster" cut pg3 op
    init ops@10.77.0.11 "$work/cut"
    "$cluster" heal pg3
    expect_status 0
    expect_message "pg3 was not asked and is taken to be like the others: could not connect to host \"pg3\""
    grep -q '# Not asked, taken to be like the others' "$work/cut/clusters/cluster-pgsql.yml" || fail "no comment"
    expect_usable "$work/cut"
}

refused() { # STATUS MESSAGE ARGUMENT...
    local code=$1 message=$2
    shift 2
    init "$@" "$work/refused"
    expect_status "$code"
    expect_message "$message"
    [ ! -e "$work/refused" ] || fail "something was written"
}

whoever_may_not_become_root_is_refused() {
    refused 6 'could not become "root" on host "10.77.0.11" (10.77.0.11) as "nosudo"' nosudo@10.77.0.11
}

a_host_that_does_not_answer_is_refused() {
    refused 6 'could not connect to host "10.77.0.99"' ops@10.77.0.99
}

a_host_key_that_nobody_has_accepted_is_refused_and_what_to_type_is_said() {
    : >"$work/nobody"
    ssh=(--ssh "identity=$state/id_ed25519" --ssh "known-hosts=$work/nobody")
    refused 6 'the host key of host "10.77.0.11" (10.77.0.11 port 22) is not known' ops@10.77.0.11
    expect_message "This must work without a question: ssh -l ops -i $state/id_ed25519 -o UserKnownHostsFile=$work/nobody 10.77.0.11 sudo -n /bin/sh -c true"
}

several_patroni_services_on_a_host_are_told_and_one_can_be_named() {
    "$cluster" sh pg1 'mkdir -p /run/other && echo "import time; time.sleep(1000)" >/run/other/patroni &&
        printf "scope: other\nrestapi: {listen: 127.0.0.1:9}\n" >/run/other/config.yml && chown -R postgres /run/other &&
        systemd-run -q --unit=patroni-other --uid=postgres python3 /run/other/patroni /run/other/config.yml'
    refused 3 '2 Patroni services run on host "10.77.0.11": ' ops@10.77.0.11
    expect_message '"patroni-other" (scope "other")'
    expect_message 'Say which one with --service NAME.'
    refused 3 'host "10.77.0.11" has no Patroni service "patronis", only ' ops@10.77.0.11 --service patronis
    refused 1 'Patroni on host "10.77.0.11" does not tell the members of cluster "other"' ops@10.77.0.11 --service patroni-other
    init ops@10.77.0.11 "$work/named" --service patroni
    expect_status 0
    "$cluster" sh pg1 'systemctl stop patroni-other'
    expect_usable "$work/named"
}

a_host_without_patroni_is_refused() {
    "$cluster" sh pg3 'systemctl stop patroni'
    refused 3 'no Patroni runs on host "10.77.0.13"' ops@10.77.0.13
    "$cluster" sh pg3 'systemctl start patroni'
    "$cluster" wait 30 >/dev/null || fail "the cluster is not healthy"
}

a_cluster_without_its_dcs_is_refused() {
    "$cluster" kill etcd
    sleep 3
    refused 1 'does not tell the members of cluster "cluster-pgsql"' ops@10.77.0.11
    expect_message 'Its DCS may be down. Try again when this answers there: patronictl -c /etc/patroni/config.yml list'
    "$cluster" boot etcd
}

"$cluster" up >/dev/null || exit 1
run_tests \
    what_is_written_passes_check_and_its_live_preview_works_at_once \
    a_standby_tells_the_same_as_the_leader \
    a_second_time_is_refused_and_changes_nothing \
    a_file_in_the_way_keeps_everything_from_being_written \
    other_files_of_the_folder_are_left_alone \
    a_name_of_ones_own_ssh_configuration_is_enough \
    a_password_of_patroni_stays_on_its_host \
    a_member_that_cannot_be_reached_is_told_and_written \
    whoever_may_not_become_root_is_refused \
    a_host_that_does_not_answer_is_refused \
    a_host_key_that_nobody_has_accepted_is_refused_and_what_to_type_is_said \
    several_patroni_services_on_a_host_are_told_and_one_can_be_named \
    a_host_without_patroni_is_refused \
    a_cluster_without_its_dcs_is_refused

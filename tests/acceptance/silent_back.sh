#!/usr/bin/env bash
# What is in the way of a rollback: it is refused before anything is destroyed, or it still reaches the mark.
# shellcheck source=silent.bash
. "$(dirname "$0")/silent.bash"

# Nobody but the held server was stopped: the deployment is served on, and the held state is there.
is_refused_before_the_outage() { # MESSAGE
    holdback rollback --yes
    expect_status 1
    expect_message "$1"
    psql_on "$("$cluster" leader)" "SELECT 1 FROM added LIMIT 1" >/dev/null || fail "the leader was stopped"
}

# ---- the WAL from the held state to the mark ----

the_marks_wal_that_is_gone_refuses_the_rollback_before_the_outage() {
    begin detached "$work/destructive.sql"
    "$cluster" sh "$held" "mv $data/pg_wal/$(saved segment) /var/lib/postgresql/"
    is_refused_before_the_outage 'WAL'
    "$cluster" sh "$held" "mv /var/lib/postgresql/$(saved segment) $data/pg_wal/"
    holdback resume --yes
    expect_status 0
    prove_rolled_back
}

# The guard cannot see what happens after it has looked: the delay ends while the rollback begins.
a_held_node_that_passed_the_mark_is_found_before_the_outage() {
    mkdir -p "$work/plans"
    cp "$root/plans/look.sql" "$work/plans"
    awk '/^      - id: held-options$/ {
        print "      - id: dawdle"
        print "        hosts: held"
        print "        if-interrupted: repeat"
        print "        timeout: 1m"
        print "        remote-shell: {run: sleep 25}"
    } { print }' "$plan" >"$work/plans/blue-green.yml"
    choose_held
    plan=$work/plans/blue-green.yml deploy "$work/destructive.sql" --set hold=delay --set max_hold=25s
    expect_status 7
    holdback resume --yes --without-guard delay-left --why 'to see it end'
    expect_status 0
    is_refused_before_the_outage 'mark'
    # What is left is the deployment, and a node to be mended by hand.
    holdback close --why 'the hold is lost, the deployment stays'
    expect_status 0
    "$cluster" reset >/dev/null
    make_data
}

# Stopping the service would not stop it, and it would start its server again in the middle of the rollback.
a_patroni_that_runs_outside_of_its_service_is_found_before_the_outage() {
    local other
    begin detached "$work/destructive.sql"
    other=$(standbys | grep -v "$held")
    "$cluster" sh "$other" 'systemctl stop patroni'
    start_patroni_by_hand "$other"
    until_true 20 follows_again "$other" || fail "$other does not follow"
    is_refused_before_the_outage 'runs outside of service "patroni"'
    stop_patroni_by_hand "$other"
    "$cluster" sh "$other" 'systemctl start patroni'
    holdback resume --yes
    expect_status 0
    prove_rolled_back
}

follows_again() {
    [ "$(psql_on "$1" "SELECT count(*) FROM pg_stat_wal_receiver WHERE status = 'streaming'" 2>/dev/null)" = 1 ]
}

# ---- the archive ----

an_empty_archive_is_not_needed() {
    begin detached "$work/destructive.sql"
    for host in $(members); do
        "$cluster" sh "$host" "find $archive -type f -delete"
    done
    rolls_back_now
}

a_truncated_segment_in_the_archive_does_no_harm() {
    begin detached "$work/destructive.sql"
    "$cluster" sh "$held" "sudo -u postgres sh -c 'head -c 5000000 $data/pg_wal/$(saved segment) >$archive/$(saved segment)'"
    rolls_back_now
}

a_strange_history_in_the_archive_is_not_followed() {
    local next
    begin delay "$work/destructive.sql"
    next=$(printf '%08X' $(($(saved timeline) + 1)))
    "$cluster" sh "$held" "printf '%s\t0/1000000\tno recovery target specified\n' $(saved timeline) | sudo -u postgres tee $archive/$next.history >/dev/null"
    rolls_back_now
    [ "$(psql_on "$held" "SELECT ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int")" -gt $((16#$next)) ] ||
        fail "the strange timeline was used"
}

# Neither the program that is missing nor a held state that is lost is found in the middle of an outage.
a_restore_command_that_is_missing_is_refused() {
    choose_held
    sed -i 's|restore-command:.*|restore-command: /nowhere/restore %f %p|' "$file"
    deploy "$work/destructive.sql" --set hold=detached
    expect_status 9
    expect_message 'restore-runs'
}

# ---- files that somebody else has changed during the hold ----

settings_of_somebody_else_stay() { # HOLD
    begin "$1" "$work/destructive.sql"
    psql_on "$held" "ALTER SYSTEM SET log_min_duration_statement = '7s'" || fail "could not change a setting"
    "$cluster" sh "$held" "echo '# a note of somebody else' >>/etc/patroni/config.yml"
    rolls_back_now
    "$cluster" sh "$held" "grep -q log_min_duration_statement $data/postgresql.auto.conf" || fail "somebody's setting is gone"
    "$cluster" sh "$held" "tail -n 1 /etc/patroni/config.yml | grep -q 'a note of somebody else'" || fail "somebody's note is gone"
    "$cluster" sh "$held" "grep -qE 'nofailover|recovery_min_apply_delay' /etc/patroni/config.yml" && fail "our settings stay"
    expect_message 'was changed by somebody else meanwhile'
    psql_on "$held" "ALTER SYSTEM RESET log_min_duration_statement"
    "$cluster" sh "$held" "sed -i '/a note of somebody else/d' /etc/patroni/config.yml"
}

in_delay_settings_of_somebody_else_stay() { settings_of_somebody_else_stay delay; }
in_point_settings_of_somebody_else_stay() { settings_of_somebody_else_stay point; }

# ---- maintenance mode and tags of somebody else ----

in_delay_maintenance_mode_of_somebody_else_does_no_harm() {
    begin_with delay "$work/destructive.sql" --set strategy=rebuild-dcs
    expect_status 0
    "$cluster" patronictl pause >/dev/null 2>&1
    sleep 3
    rolls_back_now
}

a_held_node_that_may_not_lead_is_refused() {
    choose_held
    "$cluster" sh "$held" "cp -p /etc/patroni/config.yml /root/config.yml; printf 'tags:\n  nofailover: true\n' >>/etc/patroni/config.yml; systemctl reload patroni"
    until_true 10 is_tagged || fail "no tag"
    begin_with detached "$work/destructive.sql"
    "$cluster" sh "$held" "cp -p /root/config.yml /etc/patroni/config.yml; systemctl reload patroni"
    until_true 10 is_not_tagged || fail "the tag stays"
    expect_status 9
    expect_message 'held-may-lead'
}

is_tagged() {
    "$cluster" list | grep -q nofailover
}

is_not_tagged() {
    ! is_tagged
}

mapfile -t tests < <(chosen '^(in|a|an|the)_' "$@")
run_each "${tests[@]}"

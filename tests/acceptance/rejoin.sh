#!/usr/bin/env bash
# The others come back after a rollback: by pg_rewind, where that fails by a new copy, where there is no room for one by
# hand. What they had is not removed before all is proven.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# The shipped plan waits a minute before it believes that nothing goes on any more; here it waits five seconds.
mkdir -p "$work/plans"
cp "$root/plans/look.sql" "$work/plans"
sed 's/ 300 \]/ 25 ]/' "$plan" >"$work/plans/blue-green.yml"
plan=$work/plans/blue-green.yml
[ "$(grep -c ' 25 \]' "$plan")" -eq 1 ] || fail "the plan does not wait as it did"

leave_40_megabytes() { # HOST
    # shellcheck disable=SC2016
    "$cluster" sh "$1" 'free=$(df -B1 --output=avail /var/lib/postgresql | tail -n 1); fallocate -l $((free - 40000000)) /var/lib/filler'
}

# Patroni says so of a pg_rewind that fails. Of one that cannot be started ("--help" tells it) it makes no use, and says nothing.
# shellcheck disable=SC2016
that_fails='printf "#!/bin/sh\n[ \$1 = --help ]\n" >' that_cannot_be_started='chmod -x'

deploy_and_break_rewind() { # COMMAND
    remember
    old=$("$cluster" leader)
    deploy "$work/destructive.sql" --set rebuild=rewind
    expect_status 0
    "$cluster" sh "$old" "cp -p $bin/pg_rewind $bin/pg_rewind.kept; $1 $bin/pg_rewind"
}

roll_back_and_repair_rewind() {
    holdback rollback --yes
    "$cluster" sh "$old" "mv $bin/pg_rewind.kept $bin/pg_rewind"
}

a_node_that_pg_rewind_does_not_bring_back_is_copied_anew() {
    deploy_and_break_rewind "$that_fails"
    roll_back_and_repair_rewind
    expect_status 0
    expect_message 'does not follow by itself, pg_rewind failed'
    expect_message 'a new copy is made'
    prove_rolled_back
}

a_node_with_which_nothing_goes_on_is_copied_anew() {
    deploy_and_break_rewind "$that_cannot_be_started"
    roll_back_and_repair_rewind
    expect_status 0
    expect_message 'does not follow by itself, nothing went on for a minute'
    expect_message 'a new copy is made'
    prove_rolled_back
}

a_node_without_room_for_a_copy_keeps_what_it_has_until_there_is() {
    local before
    deploy_and_break_rewind "$that_fails"
    leave_40_megabytes "$old"
    before=$("$cluster" sh "$old" "stat -c %i $data")
    roll_back_and_repair_rewind
    expect_status 1
    expect_message 'no room for a second copy'
    [ "$("$cluster" sh "$old" "stat -c %i $data; ls -d $data.* 2>/dev/null")" = "$before" ] ||
        fail "the old data was touched"
    "$cluster" sh "$old" 'rm /var/lib/filler'
    holdback resume --yes
    expect_status 0
    prove_rolled_back
}

a_copy_that_was_asked_for_is_refused_in_the_preflight_without_room() {
    local standby
    standby=$(standbys | head -1)
    leave_40_megabytes "$standby"
    choose_held
    deploy "$work/good.sql" --set rebuild=wipe --set planned_wal=1MB
    "$cluster" sh "$standby" 'rm /var/lib/filler'
    expect_status 9
    expect_message 'disk-for-copies'
    prove_healthy
}

"$cluster" up --disk 1G >/dev/null || exit 1
# A standby that cannot follow asks again and again, and shows a WAL receiver that streams each time, for a moment.
"$cluster" patronictl edit-config --force -q -p wal_retrieve_retry_interval=10ms >/dev/null || exit 1
make_data
run_tests \
    a_node_that_pg_rewind_does_not_bring_back_is_copied_anew \
    a_node_with_which_nothing_goes_on_is_copied_anew \
    a_node_without_room_for_a_copy_keeps_what_it_has_until_there_is \
    a_copy_that_was_asked_for_is_refused_in_the_preflight_without_room

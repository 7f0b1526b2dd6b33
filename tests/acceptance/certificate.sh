#!/usr/bin/env bash
# The certificate of a commit and of a rollback, and what verify says later, on a real cluster.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

newest() { # the folder of the newest run
    find "$HOLDBACK_JOURNAL"/* -mindepth 1 -maxdepth 1 -type d | sort | tail -1
}

verify() {
    local folder
    folder=$(newest)
    holdback verify "$(basename "$folder")"
}

prove_certificate() { # OUTCOME
    local folder json
    folder=$(newest)
    json=$folder/certificate.json
    expect_message "certificate: $folder/certificate.md (17 proven)"
    grep -q "\"outcome\":\"$1\"" "$json" || fail "the outcome is not $1"
    ! grep -qE '"result":"(failed|not-proven)"|"not_asked"' "$json" || fail "$(grep -E '"result":"(failed|not-proven)"|"not_asked"' "$json")"
    grep -qF "\"head\":\"$(tail -1 "$folder/journal.jsonl" | sed 's/.*"hash":"\([0-9a-f]*\)".*/\1/')\"" "$json" ||
        fail "the certificate does not carry the hash of the journal's last line"
    (cd "$folder" && grep -o '[0-9a-f]\{64\}  [0-9].*' plan/* | cut -d: -f2- | cut -c1-64 | while read -r digest; do
        grep -q "\"sha256\":\"$digest\"" certificate.json || exit 1
    done) || fail "a file of the plan is not in the certificate"
    [ "$(stat -c %a "$folder/certificate.md")" = 600 ] || fail "others may read the certificate"
    holdback status "$(basename "$folder")"
    expect_message "$folder/certificate.md"
    verify
    expect_status 0
    expect_message 'nothing has changed'
}

a_rollback_is_certified_and_the_certificate_holds() {
    local folder
    deploy "$work/destructive.sql"
    expect_status 0
    holdback rollback --yes
    expect_status 0
    prove_certificate rolled-back
    folder=$(newest)
    # The new leader's own history says where the timeline of the mark ended.
    grep -qF "timeline 1 ends at $(grep -o '"point_lsn":"[^"]*"' "$folder/certificate.json" | head -1 | cut -d'"' -f4), which is the mark" \
        "$folder/certificate.md" || fail "the mark is not proven by the history"
    grep -q '| held-behind | .* | bytes | [1-9]' "$folder/certificate.md" || fail "a guard's extremes are missing"
}

ordinary_life_is_told_as_changes_and_fails_nothing() {
    local leader other
    leader=$("$cluster" leader)
    other=$(standbys | head -1)
    psql_on "$leader" 'CREATE TABLE later (x int)'
    psql_on "$leader" 'ALTER SYSTEM SET log_min_messages = warning'
    "$cluster" patronictl switchover --force --leader "$leader" --candidate "$other" >/dev/null 2>&1 ||
        "$cluster" patronictl switchover --force --master "$leader" --candidate "$other" >/dev/null
    "$cluster" wait 30 >/dev/null || fail "the cluster does not come back from the switchover"
    verify
    expect_status 0
    expect_message "$leader: server_role was leader, is replica"
    expect_message "$other: timeline was 2, is 3"
    expect_message 'catalog of postgres was '
    expect_message "$leader: auto_conf was "
    grep -q '^NOT TRUE' "$work/out" && fail "$(grep '^NOT TRUE' "$work/out")"
    return 0
}

a_member_that_is_down_is_said_and_is_no_proof() {
    local other
    other=$(standbys | tail -1)
    "$cluster" halt "$other" || fail "could not halt $other"
    verify
    "$cluster" boot "$other" || fail "could not boot $other"
    "$cluster" wait 60 >/dev/null || fail "$other does not come back"
    expect_status 6
    expect_message "not asked: "
    expect_message "$other: "
    grep -q '^NOT TRUE' "$work/out" && fail "$(grep '^NOT TRUE' "$work/out")"
    return 0
}

what_must_not_be_there_fails_the_proof() {
    psql_on "$("$cluster" leader)" 'CREATE SCHEMA holdback'
    verify
    psql_on "$("$cluster" leader)" 'DROP SCHEMA holdback'
    expect_status 1
    expect_message 'the schema "holdback" is gone: '
    "$cluster" op curl -s -X PATCH -d '{"ttl": 33}' "http://10.77.0.11:8008/config" >/dev/null
    verify
    "$cluster" op curl -s -X PATCH -d '{"ttl": 20}' "http://10.77.0.11:8008/config" >/dev/null
    expect_status 1
    expect_message "Patroni's configuration is what the plan found at its beginning: "
    verify
    expect_status 0
}

a_lost_certificate_is_written_again() {
    local folder
    folder=$(newest)
    rm "$folder/certificate.md" "$folder/certificate.json"
    verify
    expect_status 0
    expect_message "there was no certificate; now there is: $folder/certificate.md"
    verify
    expect_message 'nothing has changed'
}

an_altered_journal_or_plan_is_told() {
    local folder
    folder=$(newest)
    cp -a "$folder" "$work/kept"
    sed -i '40s/T/U/' "$folder/journal.jsonl"
    verify
    expect_status 1
    expect_message 'record 40'
    cp "$work/kept/journal.jsonl" "$folder/"
    sed -i '$d' "$folder/journal.jsonl"
    verify
    expect_status 1
    expect_message 'when the certificate was written'
    cp "$work/kept/journal.jsonl" "$folder/"
    echo '# more' >>"$(find "$folder/plan" -name '*blue-green.yml')"
    verify
    expect_status 1
    expect_message 'is not what the run has copied: its digest differs'
    cp -a "$work/kept/plan/." "$folder/plan/"
    verify
    expect_status 0
}

a_commit_is_certified() {
    deploy "$work/good.sql"
    expect_status 0
    holdback commit --yes
    expect_status 0
    prove_certificate committed
    expect_message 'writes are accepted, and arrive on all members'
}

a_run_that_is_open_cannot_be_verified() {
    psql_on "$("$cluster" leader)" 'DROP TABLE added'
    deploy "$work/good.sql"
    expect_status 0
    verify
    expect_status 3
    expect_message 'is deployed: only what was committed or rolled back can be verified'
    holdback rollback --yes
    expect_status 0
}

"$cluster" up >/dev/null || exit 1
make_data
run_tests \
    a_rollback_is_certified_and_the_certificate_holds \
    ordinary_life_is_told_as_changes_and_fails_nothing \
    a_member_that_is_down_is_said_and_is_no_proof \
    what_must_not_be_there_fails_the_proof \
    a_lost_certificate_is_written_again \
    an_altered_journal_or_plan_is_told \
    a_commit_is_certified \
    a_run_that_is_open_cannot_be_verified

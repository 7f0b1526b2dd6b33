#!/usr/bin/env bash
# Interrupts, terminals, gates, doubt and every exit code, on a real cluster.
# Texts for hosts and plans are not this shell's to expand.
# shellcheck disable=SC2016
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

on_leader() { # SQL
    psql_on "$("$cluster" leader)" "$1"
}

# Writes a plan of these phases, from standard input. A run that another test left open would be in its way.
write_plan() {
    "$cluster" op "$HOLDBACK" close --why 'the test is over' >/dev/null 2>&1
    {
        printf 'holdback: 1\nplan: p\nroles: {leader: {patroni: leader, one: true}}\ndefaults: {as: postgres, timeout: 30s}\n'
        cat
    } >"$work/p.yml"
    on_leader "DROP TABLE IF EXISTS t; CREATE TABLE t (what text)" 2>/dev/null
    "$cluster" sh pg1 'rm -rf /srv/t; mkdir -p /srv/t; chown postgres: /srv/t'
}

begin() { # COMMAND...: in the background, where this shell would have SIGINT ignored
    : >"$work/err"
    "$cluster" op env --default-signal=INT "$HOLDBACK" "$@" </dev/null >"$work/out" 2>"$work/err" &
    pid=$!
}

begin_plan() {
    begin deploy "$work/p.yml" -c "$file"
}

ended() { # the milliseconds that it took are in $took
    local began=${EPOCHREALTIME/./}
    wait "$pid" 2>/dev/null
    status=$?
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
}

statement_runs() {
    [ -n "$(on_leader "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()")" ]
}

no_statement_runs() {
    ! statement_runs
}

step_begins() { # STEP
    grep -qE " $1 .* begins" "$work/err"
}

rows() {
    on_leader "SELECT string_agg(what, ',' ORDER BY what) FROM t"
}

# The run that was made last: two of one second have ids in no order.
run_id() {
    find "$HOLDBACK_JOURNAL/cluster-pgsql" -name plan -printf '%T@ %h\n' | sort -n | tail -1 | sed 's|.*/||'
}

resumes() { # to the normal end
    holdback resume --yes "$@"
    expect_status 0
}

slow_plan() { # SECONDS
    write_plan <<END
deploy:
  - {id: slow, hosts: leader, sql: {run: ["INSERT INTO t VALUES ('slow')", "SELECT pg_sleep($1)"]}}
  - {id: next, hosts: leader, sql: {run: "INSERT INTO t VALUES ('next')"}}
END
}

# ---- interrupts ----

the_first_interrupt_lets_a_transaction_end_and_the_next_step_does_not_begin() {
    slow_plan 1.5
    begin_plan
    until_true 10 statement_runs || fail "the statement does not run"
    kill -INT "$pid"
    ended
    expect_status 130
    expect_message "holdback resume $(run_id)"
    [ "$(rows)" = slow ] || fail "rows: $(rows)"
    holdback status
    expect_status 0
    expect_message 'deploying, stopped'
    expect_message 'interrupted'
    resumes
    [ "$(rows)" = next,slow ] || fail "rows: $(rows)"
}

the_second_interrupt_cancels_the_statement_on_the_server() {
    slow_plan 20
    begin_plan
    until_true 10 statement_runs || fail "the statement does not run"
    kill -INT "$pid"
    sleep 0.4 # two within a quarter of a second are one
    kill -INT "$pid"
    ended
    expect_status 130
    [ "$took" -lt 2000 ] || fail "it took $took ms"
    until_true 1 no_statement_runs || fail "the statement still runs"
    [ -z "$(rows)" ] || fail "rows: $(rows)"
    sed -i 's/pg_sleep(20)/pg_sleep(0)/' "$work/p.yml"
    resumes --plan "$work/p.yml"
    [ "$(rows)" = next,slow ] || fail "rows: $(rows)"
}

waiting_plan() {
    write_plan <<'END'
deploy:
  - {id: wait, hosts: pg1, wait-until: {file: /srv/t/flag}}
  - {id: next, hosts: leader, sql: {run: "INSERT INTO t VALUES ('next')"}}
END
}

ends_while_waiting() { # SIGNAL STATUS
    waiting_plan
    begin_plan
    until_true 10 step_begins wait || fail "it does not wait"
    kill "-$1" "$pid"
    ended
    expect_status "$2"
    expect_message 'stopped while waiting'
    [ "$took" -lt 2000 ] || fail "it took $took ms"
    "$cluster" sh pg1 'touch /srv/t/flag'
    resumes
    [ "$(rows)" = next ] || fail "rows: $(rows)"
}

an_interrupt_ends_a_wait_at_once() {
    ends_while_waiting INT 130
}

a_termination_ends_a_wait_at_once() {
    ends_while_waiting TERM 143
}

a_hangup_ends_a_wait_at_once() {
    ends_while_waiting HUP 129
}

an_interrupt_ends_the_rest_before_another_try() {
    write_plan <<'END'
deploy:
  - id: again
    hosts: leader
    retry: {times: 3, delay: 20s}
    sql: {run: "INSERT INTO t SELECT 'again' FROM t HAVING 1 / count(*) > 0"}
END
    begin_plan
    until_true 10 grep -q retries "$work/err" || fail "it does not try again"
    kill -INT "$pid"
    ended
    [ "$status" -eq 130 ] || [ "$status" -eq 1 ] || fail "status $status"
    [ "$took" -lt 2000 ] || fail "it took $took ms"
    on_leader "INSERT INTO t VALUES ('row')"
    resumes
    [ "$(rows)" = again,row ] || fail "rows: $(rows)"
}

job_plan() {
    write_plan <<'END'
deploy:
  - {id: job, hosts: pg1, if-interrupted: ask, remote-shell: {run: "echo begun >>/srv/t/log; sleep 1.5; echo ended >>/srv/t/log"}}
  - {id: next, hosts: leader, sql: {run: "INSERT INTO t VALUES ('next')"}}
END
}

job_log() {
    "$cluster" sh pg1 'cat /srv/t/log 2>/dev/null' | paste -sd,
}

job_runs() {
    [ "$(job_log)" = begun ]
}

a_job_is_left_by_the_second_interrupt_and_found_again_by_resume() {
    job_plan
    begin_plan
    until_true 10 job_runs || fail "the job does not run"
    kill -INT "$pid"
    sleep 0.3
    kill -INT "$pid"
    ended
    expect_status 130
    [ "$took" -lt 2000 ] || fail "it took $took ms"
    [ "$(job_log)" = begun ] || fail "the job has ended"
    resumes
    [ "$(job_log)" = begun,ended ] || fail "job: $(job_log)"
    [ "$(rows)" = next ] || fail "rows: $(rows)"
}

a_job_whose_program_was_killed_runs_once() {
    job_plan
    begin_plan
    until_true 10 job_runs || fail "the job does not run"
    kill -KILL "$pid"
    ended
    resumes
    [ "$(job_log)" = begun,ended ] || fail "job: $(job_log)"
}

# ---- streams and terminals ----

a_reader_that_goes_away_never_stops_a_step() {
    slow_plan 0.5
    { "$cluster" op "$HOLDBACK" deploy "$work/p.yml" -c "$file" 2>&1 </dev/null; echo $? >"$work/status"; } | true
    until_true 10 test -s "$work/status" || fail "it does not end"
    [ "$(cat "$work/status")" = 0 ] || fail "status $(cat "$work/status")"
    [ "$(rows)" = next,slow ] || fail "rows: $(rows)"
    slow_plan 0
    "$cluster" op "$HOLDBACK" deploy "$work/p.yml" -c "$file" </dev/null >&- 2>&-
    [ "$(rows)" = next,slow ] || fail "rows: $(rows)"
}

# Runs COMMAND at a terminal of its own. After SEEN was printed, KEYS are typed; "HANGUP" closes the terminal.
at_terminal() { # SEEN KEYS COMMAND...
    "$cluster" op python3 -c '
import os, pty, sys
seen, keys, command = sys.argv[1].encode(), sys.argv[2], sys.argv[3:]
pid, fd = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(command[0], command)
out = b""
while True:
    try:
        data = os.read(fd, 4096)
    except OSError:
        break
    if not data:
        break
    out += data
    if seen in out and keys:
        if keys == "HANGUP":
            os.close(fd)
            break
        os.write(fd, keys.encode())
        keys = ""
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
sys.stdout.write(out.decode(errors="replace"))
sys.stdout.flush()
os._exit(code % 256)' "$@" >"$work/out" 2>"$work/err"
    status=$?
}

gate_plan() {
    write_plan <<'END'
deploy:
  - {id: first, hosts: leader, sql: {run: "INSERT INTO t VALUES ('first')"}}
  - {id: asked, hosts: leader, confirm: "Really go on?", sql: {run: "INSERT INTO t VALUES ('asked')"}}
END
}

a_terminal_that_is_gone_is_a_hangup_and_resume_goes_on() {
    waiting_plan
    at_terminal wait HANGUP "$HOLDBACK" deploy "$work/p.yml" -c "$file"
    expect_status 129
    "$cluster" sh pg1 'touch /srv/t/flag'
    resumes
    [ "$(rows)" = next ] || fail "rows: $(rows)"
}

an_interrupt_at_the_terminal_is_one_interrupt() {
    waiting_plan
    at_terminal wait $'\x03' "$HOLDBACK" deploy "$work/p.yml" -c "$file"
    expect_status 130
    "$cluster" sh pg1 'touch /srv/t/flag'
    resumes
}

a_gate_is_answered_at_the_terminal() {
    gate_plan
    at_terminal '[y/N]' $'n\n' "$HOLDBACK" deploy "$work/p.yml" -c "$file"
    expect_status 8
    [ "$(rows)" = first ] || fail "rows: $(rows)"
    at_terminal '[y/N]' $'\x03' "$HOLDBACK" resume
    expect_status 130
    [ "$(rows)" = first ] || fail "rows: $(rows)"
    at_terminal '[y/N]' $'y\n' "$HOLDBACK" resume
    expect_status 0
    expect_message 'Really go on?'
    [ "$(rows)" = asked,first ] || fail "rows: $(rows)"
}

a_gate_without_a_terminal_stops_before_its_step() {
    gate_plan
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 8
    expect_message 'Really go on?'
    expect_message '--confirm asked'
    [ "$(rows)" = first ] || fail "rows: $(rows)"
    holdback status
    expect_message 'asked'
    holdback resume
    expect_status 8
    holdback resume --confirm another
    [ "$status" -eq 8 ] || [ "$status" -eq 3 ] || fail "status $status"
    holdback resume --confirm asked
    expect_status 0
    [ "$(rows)" = asked,first ] || fail "rows: $(rows)"
    gate_plan
    holdback deploy "$work/p.yml" -c "$file" --yes
    expect_status 0
}

# ---- doubt ----

doubt_plan() { # leaves a step in doubt
    write_plan <<'END'
deploy:
  - {id: doubtful, hosts: leader, if-interrupted: ask, sql: {transaction: none, run: ["INSERT INTO t VALUES ('doubtful')", SELECT pg_sleep(1.5)]}}
  - {id: next, hosts: leader, sql: {run: "INSERT INTO t VALUES ('next')"}}
END
    begin_plan
    until_true 10 statement_runs || fail "the statement does not run"
    kill -KILL "$pid"
    ended
    until_true 5 no_statement_runs
    holdback resume --yes
    expect_status 4
    expect_message "holdback resolve $(run_id) doubtful@"
}

only_a_person_ends_a_doubt() {
    doubt_plan
    holdback resume --yes
    expect_status 4
    holdback status
    expect_message 'in-doubt'
    expect_message 'holdback resolve'
    holdback resolve "$(run_id)" doubtful --as "done"
    expect_status 3
    holdback resolve "$(run_id)" next --as not-done --why 'I looked'
    expect_status 3
    expect_message 'nothing to resolve'
    holdback resolve "$(run_id)" doubtful --as "done" --why 'I looked'
    expect_status 0
    resumes
    [ "$(rows)" = doubtful,next ] || fail "rows: $(rows)"
    holdback log "$(run_id)"
    expect_message 'I looked'
    doubt_plan
    on_leader "DELETE FROM t"
    holdback resolve "$(run_id)" "doubtful@$("$cluster" leader)" --as not-done --why 'I looked'
    expect_status 0
    resumes
    [ "$(rows)" = doubtful,next ] || fail "rows: $(rows)"
}

a_run_that_a_person_finished_is_closed_and_unlocks_the_cluster() {
    gate_plan
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 8
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 5
    holdback close "$(run_id)"
    expect_status 3
    holdback close "$(run_id)" --why 'done by hand'
    expect_status 0
    expect_message 'closed'
    holdback close "$(run_id)" --why 'done by hand'
    expect_status 0
    holdback log "$(run_id)"
    expect_message 'done by hand'
    holdback status "$(run_id)"
    expect_status 0
    expect_message 'closed'
    holdback resume
    expect_status 0
    prove_nothing_is_left
    holdback runs
    expect_message 'closed'
    gate_plan
    holdback deploy "$work/p.yml" -c "$file" --yes
    expect_status 0
}

# ---- exit codes ----

a_failed_step_ends_with_1_and_with_10_where_it_was_taken_back() {
    write_plan <<'END'
deploy:
  - {id: good, hosts: leader, sql: {run: "INSERT INTO t VALUES ('good')"}}
  - {id: bad, hosts: leader, sql: {run: SELECT 1 / 0}}
commit: []
rollback:
  - {id: undo, hosts: leader, when: {may-have-happened: good}, sql: {run: DELETE FROM t}}
  - {id: never, hosts: leader, when: {may-have-happened: bad}, sql: {run: SELECT 1 / 0}}
END
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 1
    expect_message 'division by zero'
    expect_message "holdback rollback $(run_id)"
    holdback commit
    expect_status 3
    holdback rollback
    expect_status 0
    [ -z "$(rows)" ] || fail "rows: $(rows)"
    holdback rollback "$(run_id)"
    expect_status 0
    holdback deploy "$work/p.yml" -c "$file" --on-failure rollback
    expect_status 10
    [ -z "$(rows)" ] || fail "rows: $(rows)"
    holdback status "$(run_id)"
    expect_message 'rolled-back'
}

a_preview_ends_with_2_as_long_as_something_would_change() {
    write_plan <<'END'
deploy:
  - {id: touched, hosts: pg1, remote-shell: {creates: /srv/t/made, run: touch /srv/t/made}}
END
    holdback preview "$work/p.yml" -c "$file" --live --detailed-exitcode
    expect_status 2
    "$cluster" sh pg1 'test -e /srv/t/made' && fail "the preview made it"
    prove_nothing_is_left
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 0
    holdback preview "$work/p.yml" -c "$file" --live --detailed-exitcode
    expect_status 0
}

what_is_wrong_is_3_what_is_refused_6_and_what_the_preflight_finds_9() {
    write_plan <<'END'
preflight:
  - {id: wrong, hosts: leader, wait-until: {sql: SELECT false}}
  - {id: wrong-too, hosts: leader, wait-until: {sql: SELECT 1, above: 2}}
deploy:
  - {id: never, hosts: leader, sql: {run: "INSERT INTO t VALUES ('never')"}}
END
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 9
    expect_message '"wrong"'
    expect_message '"wrong-too"'
    holdback runs
    expect_message 'refused'
    sed 's/user: ops/user: nobody/' "$file" >"$work/nobody.yml"
    holdback deploy "$work/p.yml" -c "$work/nobody.yml"
    expect_status 6
    sed -i 's/SELECT false/SELEC false/; s/id: wrong-too/id: wrong/' "$work/p.yml"
    holdback deploy "$work/p.yml" -c "$file"
    expect_status 3
    holdback resume no-such-run
    expect_status 3
    holdback deploy "$work/p.yml"
    expect_status 3
    holdback frobnicate
    expect_status 3
    [ -z "$(rows)" ] || fail "rows: $(rows)"
    prove_nothing_is_left
}

a_guard_ends_a_run_with_7_and_cancels_the_statement() {
    write_plan <<'END'
guards:
  - {id: flag, about: nobody has raised the flag, hosts: pg1, every: 100ms, shell: "[ ! -e /srv/t/flag ]"}
deploy:
  - {id: slow, hosts: leader, sql: {run: ["INSERT INTO t VALUES ('slow')", SELECT pg_sleep(20)]}}
END
    begin_plan
    until_true 10 statement_runs || fail "the statement does not run"
    "$cluster" sh pg1 'touch /srv/t/flag'
    ended
    expect_status 7
    expect_message 'nobody has raised the flag'
    [ "$took" -lt 2000 ] || fail "it took $took ms"
    until_true 1 no_statement_runs || fail "the statement still runs"
    [ -z "$(rows)" ] || fail "rows: $(rows)"
}

"$cluster" up >/dev/null || exit 1
run_tests \
    the_first_interrupt_lets_a_transaction_end_and_the_next_step_does_not_begin \
    the_second_interrupt_cancels_the_statement_on_the_server \
    an_interrupt_ends_a_wait_at_once \
    a_termination_ends_a_wait_at_once \
    a_hangup_ends_a_wait_at_once \
    an_interrupt_ends_the_rest_before_another_try \
    a_job_is_left_by_the_second_interrupt_and_found_again_by_resume \
    a_job_whose_program_was_killed_runs_once \
    a_reader_that_goes_away_never_stops_a_step \
    a_terminal_that_is_gone_is_a_hangup_and_resume_goes_on \
    an_interrupt_at_the_terminal_is_one_interrupt \
    a_gate_is_answered_at_the_terminal \
    a_gate_without_a_terminal_stops_before_its_step \
    only_a_person_ends_a_doubt \
    a_run_that_a_person_finished_is_closed_and_unlocks_the_cluster \
    a_failed_step_ends_with_1_and_with_10_where_it_was_taken_back \
    a_preview_ends_with_2_as_long_as_something_would_change \
    what_is_wrong_is_3_what_is_refused_6_and_what_the_preflight_finds_9 \
    a_guard_ends_a_run_with_7_and_cancels_the_statement

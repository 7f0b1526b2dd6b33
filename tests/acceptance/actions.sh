#!/usr/bin/env bash
# Every action, with the keys that the shipped plans do not use, on a real cluster.
# Texts for hosts and plans are not this shell's to expand.
# shellcheck disable=SC2016
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

on_leader() { # SQL
    psql_on "$("$cluster" leader)" "$1"
}

# Writes a plan of these phases, from standard input. A run that another test left open would be in its way.
write_plan() { # NAME
    "$cluster" op "$HOLDBACK" close --why 'the test is over' >/dev/null 2>&1
    {
        printf 'holdback: 1\nplan: %s\n' "$1"
        printf 'roles: {leader: {patroni: leader, one: true}, others: {patroni: replica}, next: {patroni: replica, one: true}, all: {patroni: member}}\n'
        printf 'defaults: {as: postgres, timeout: 30s}\n'
        cat
    } >"$work/$1.yml"
}

run_plan() { # NAME [OPTION...]
    local name=$1
    shift
    holdback deploy "$work/$name.yml" -c "$file" "$@"
}

rolled_back() {
    holdback rollback
    expect_status 0
}

# Everywhere and on all hosts, what a shell line prints; one line each.
on_hosts() { # LINE
    local host
    for host in $(members); do
        "$cluster" sh "$host" "$1"
    done
}

# ---- sql ----

sql_runs_with_role_database_and_settings_and_saves() {
    on_leader "CREATE ROLE app; CREATE TABLE seen (who text, mem text, db text, n int)"
    on_leader "CREATE DATABASE shop"
    psql_on "$("$cluster" leader)" "GRANT ALL ON TABLE seen TO app"
    "$cluster" psql "$("$cluster" leader)" -d shop -XqAtc "CREATE TABLE seen (who text, mem text, db text); GRANT ALL ON seen TO app"
    echo "SELECT 'a'';b' AS from_file;" >"$work/query.sql"
    write_plan sqlkeys <<'END'
deploy:
  - id: insert
    hosts: leader
    sql:
      database: shop
      role: app
      settings: {work_mem: 3MB, lock_timeout: 5s}
      run:
        - INSERT INTO seen VALUES (current_user, current_setting('work_mem'), current_database())
        - SELECT who, mem, db FROM seen
      save: [who, mem, db]
  - {id: look, hosts: leader, sql: {query: {file: query.sql}, save: [from_file]}}
  - id: copy
    hosts: leader
    sql: {run: {">=10": "INSERT INTO seen VALUES (${who}, ${mem}, ${db}, length(${from_file}))", "<10": SELECT 1 / 0}}
  - {id: shown, hosts: leader, sql: {query: "SELECT who AS shown_who FROM seen"}}
commit: []
END
    run_plan sqlkeys
    expect_status 0
    expect_message 'shown_who'
    [ "$(on_leader 'SELECT * FROM seen')" = 'app|3MB|shop|4' ] || fail "not what was expected: $(on_leader 'SELECT * FROM seen')"
    holdback commit
    expect_status 0
    prove_nothing_is_left
}

a_failed_try_is_cleaned_up_before_the_next() {
    on_leader "CREATE TABLE gate (n int); CREATE TABLE tries (n int)"
    write_plan again <<'END'
deploy:
  - id: unsteady
    hosts: leader
    retry: {times: 2, delay: 100ms}
    sql:
      transaction: none
      unless: SELECT count(*) > 0 FROM tries WHERE n = 2
      clean-up: [DROP TABLE half, INSERT INTO gate VALUES (1)]
      run: [CREATE TABLE half (x int), "INSERT INTO tries SELECT count(*) FROM gate", "SELECT 1 / (count(*) / 2) FROM gate"]
END
    run_plan again
    expect_status 0
    [ "$(on_leader 'SELECT string_agg(n::text, $$,$$ ORDER BY n) FROM tries')" = 0,1,2 ] || fail "tries: $(on_leader 'TABLE tries')"
}

a_transaction_whose_program_was_killed_happens_once() {
    on_leader "CREATE TABLE once (at timestamptz)"
    write_plan once <<'END'
deploy:
  - {id: slow, hosts: leader, sql: {run: ["INSERT INTO once VALUES (now())", SELECT pg_sleep(1.5)]}}
  - {id: after, hosts: leader, sql: {run: "INSERT INTO once VALUES (NULL)"}}
END
    "$cluster" op "$HOLDBACK" deploy "$work/once.yml" -c "$file" </dev/null >"$work/out" 2>"$work/err" &
    until_true 10 sleeps || fail "the statement does not run"
    kill -KILL "$!"
    wait "$!" 2>/dev/null
    holdback resume
    expect_status 0
    [ "$(on_leader 'SELECT count(*), count(at) FROM once')" = '2|1' ] || fail "rows: $(on_leader 'TABLE once')"
}

sleeps() {
    [ -n "$(on_leader "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(1.5)%' AND state = 'active'")" ]
}

# ---- edit-conf ----

conf_files() {
    local host
    for host in $(members); do
        "$cluster" sh "$host" 'mkdir -p /srv/conf && cd /srv/conf && rm -f * &&
            printf "# head\nshared = 1 # why\n#work_mem = 4MB\nport = 5432\n" >a.conf &&
            printf "[one]\nkey = 1\n; note\n[two]\nkey = 2\n" >a.ini &&
            printf "A=1\n#B=2\nexport C=3\n" >a.env &&
            printf "# head\nmap:\n  key: 1 # why\n  list: [1, 2]\nother: x\n" >a.yaml &&
            printf "{\"map\": {\"key\": 1}, \"gone\": true}\n" >a.json &&
            printf "first\nsecond\n" >a.txt && printf "goes\n" >gone.txt && chown -R postgres: . && chmod 0640 *'
    done
}

every_format_is_edited_and_restored_byte_for_byte() {
    local before
    conf_files
    before=$(on_hosts 'cd /srv/conf && stat -c "%n %a %U" * && md5sum *')
    write_plan formats <<'END'
variables: {value: {type: text, default: "it's ok"}}
deploy:
  - id: postgresql
    hosts: all
    edit-conf: {file: /srv/conf/a.conf, format: postgresql, set: {shared: "${value}", new: 5}, uncomment: [work_mem], comment-out: [port]}
  - {id: ini, hosts: all, edit-conf: {file: /srv/conf/a.ini, format: ini, set: {two.key: "${host.name}"}, unset: [one.key]}}
  - {id: env, hosts: all, edit-conf: {file: /srv/conf/a.env, format: env, set: {A: "x y"}, uncomment: [B], unset: [C]}}
  - {id: yaml, hosts: all, edit-conf: {file: /srv/conf/a.yaml, format: yaml, set: {map.key: 2, map.new: "a: b"}, unset: [other]}}
  - {id: json, hosts: all, edit-conf: {file: /srv/conf/a.json, format: json, set: {map: {key: 2}}, unset: [gone]}}
  - {id: text, hosts: all, edit-conf: {file: /srv/conf/a.txt, content: "new\n", mode: "0600", owner: root}, as: root}
  - {id: absent, hosts: all, edit-conf: {file: /srv/conf/gone.txt, state: absent}}
  - {id: created, hosts: all, edit-conf: {file: /srv/conf/new.txt, content: "${host.name}", mode: "0644"}}
commit: []
rollback:
  - {id: r1, hosts: all, edit-conf: {restore: postgresql}}
  - {id: r2, hosts: all, edit-conf: {restore: ini}}
  - {id: r3, hosts: all, edit-conf: {restore: env}}
  - {id: r4, hosts: all, edit-conf: {restore: yaml}}
  - {id: r5, hosts: all, edit-conf: {restore: json}}
  - {id: r6, hosts: all, edit-conf: {restore: text}, as: root}
  - {id: r7, hosts: all, edit-conf: {restore: absent}}
  - {id: r8, hosts: all, edit-conf: {restore: created}}
END
    holdback preview "$work/formats.yml" -c "$file" --live --phase deploy --detailed-exitcode
    expect_status 2
    expect_message '-export C=3'
    run_plan formats
    expect_status 0
    "$cluster" sh pg2 'cd /srv/conf && head -99 *; stat -c "%n %a %U" a.txt' >"$work/edited"
    diff - "$work/edited" >&2 <<'END' || fail "not what was expected"
==> a.conf <==
# head
shared = 'it''s ok' # why
work_mem = 4MB
#port = 5432
new = '5'

==> a.env <==
A='x y'
B=2

==> a.ini <==
[one]
; note
[two]
key = pg2

==> a.json <==
{"map": {"key": 2}}

==> a.txt <==
new

==> a.yaml <==
# head
map:
  key: 2 # why
  list: [1, 2]
  new: 'a: b'

==> new.txt <==
pg2a.txt 600 root
END
    rolled_back
    [ "$(on_hosts 'cd /srv/conf && stat -c "%n %a %U" * && md5sum *')" = "$before" ] || fail "the files are not what they were"
    prove_nothing_is_left
}

# ---- remote-shell ----

jobs_save_take_input_and_know_what_they_create() {
    local host
    conf_files
    echo 'hush very$ecret"\x' >"$work/secret"
    printf '%s\n' 'wc -c | tr -d " "' 'echo "$host_name"' >"$work/count.sh"
    write_plan jobs <<'END'
variables: {token: {type: secret}}
deploy:
  - id: facts
    hosts: all
    if-interrupted: repeat
    remote-shell: {run: "hostname; date +%Y", save: [name, year]}
  - id: own
    hosts: all
    remote-shell: {creates: /srv/conf/own, run: 'echo "$name $year" >/srv/conf/own'}
  - {id: bashed, hosts: all, if-interrupted: repeat, remote-shell: {shell: bash, run: "a=(1 2 3); false | exit ${#a[@]}", succeed-on: [3]}}
  - {id: told, hosts: leader, if-interrupted: repeat, remote-shell: {file: count.sh, stdin: "${token}", save: [size, where]}}
  - {id: removed, hosts: others, remote-shell: {removes: /srv/conf/gone.txt, run: rm /srv/conf/gone.txt}}
  - {id: again, hosts: others, remote-shell: {unless: "[ ! -e /srv/conf/gone.txt ]", run: exit 9}}
commit: []
END
    { cat "$file"; echo "variables: {token: {file: $work/secret}}"; } >"$work/secret.yml"
    holdback preview "$work/jobs.yml" -c "$work/secret.yml" --live
    cat "$work/out" "$work/err" >"$work/said"
    holdback deploy "$work/jobs.yml" -c "$work/secret.yml"
    cat "$work/out" "$work/err" >>"$work/said"
    expect_status 0
    for host in $(members); do
        [ "$("$cluster" sh "$host" cat /srv/conf/own)" = "$host $(date +%Y)" ] || fail "not $host's own values"
    done
    grep -qE 'again .* already' "$work/err" || fail "\"again\" does not say already"
    [ "$(saved size)" = "$(($(stat -c %s "$work/secret") - 1))" ] || fail "size is $(saved size)"
    [ "$(saved where)" = "$("$cluster" leader)" ] || fail "where is $(saved where)"
    grep -rqF 'very$ecret' "$work/journal" "$work/said" && fail "the secret is in the journal or on the screen"
    on_hosts 'grep -rlF "very\$ecret" /home /root/.holdback /var/lib/postgresql/.holdback /tmp 2>/dev/null' | grep . && fail "the secret is on a host"
    holdback commit
    expect_status 0
    prove_nothing_is_left
}

a_job_that_fails_says_what_it_printed_last() {
    write_plan failing <<'END'
deploy:
  - {id: broken, hosts: leader, if-interrupted: ask, remote-shell: {run: "echo first; echo last words >&2; exit 5"}}
END
    run_plan failing
    expect_status 1
    expect_message 'exit status 5'
    expect_message 'last words'
    holdback close --why 'it was a test'
    expect_status 0
}

# ---- patroni ----

tags_of() { # HOST
    "$cluster" op curl -s "http://10.77.0.1${1#pg}:8008/patroni" | grep -o '"tags": {[^}]*}'
}

tags_and_configuration_are_changed_and_restored() {
    local before yaml standby
    before=$(config)
    standby=$(standbys | head -1)
    yaml=$(on_hosts 'md5sum /etc/patroni/config.yml; stat -c "%a %U" /etc/patroni/config.yml')
    write_plan tags <<'END'
deploy:
  - {id: tag, hosts: others, patroni: {tags: {nofailover: true, clonefrom: true}}}
  - {id: patch, hosts: leader, patroni: {config: {loop_wait: 3, postgresql: {parameters: {work_mem: 5MB}, recovery_conf: null}}}}
  - {id: seen, hosts: all, wait-until: {sql: "SELECT current_setting('work_mem')", is: 5MB}}
  - {id: reread, hosts: all, if-interrupted: repeat, patroni: {reload: true}}
  - {id: asked, hosts: leader, patroni: {query: config, save: [now]}}
  - {id: history, hosts: leader, patroni: {query: history, save: [history]}}
  - {id: cluster, hosts: leader, patroni: {query: cluster, save: [members]}}
commit: []
rollback:
  - {id: untag, hosts: others, patroni: {restore: tag}}
  - {id: unpatch, hosts: leader, patroni: {restore: patch}}
  - {id: unseen, hosts: all, wait-until: {sql: "SELECT current_setting('work_mem')", is: 4MB}}
END
    run_plan tags
    expect_status 0
    tags_of "$standby" | grep -q '"nofailover": true' || fail "the tag is not in force"
    tags_of "$("$cluster" leader)" | grep -q nofailover && fail "the leader has the tag too"
    saved members | grep -q . || fail "no members were saved"
    rolled_back
    tags_of "$standby" | grep -q nofailover && fail "the tag is still in force"
    [ "$(config)" = "$before" ] || fail "the configuration differs"
    [ "$(on_hosts 'md5sum /etc/patroni/config.yml; stat -c "%a %U" /etc/patroni/config.yml')" = "$yaml" ] || fail "the files differ"
    prove_nothing_is_left
}

started() {
    for host in $(members); do
        psql_on "$host" 'SELECT pg_postmaster_start_time()'
    done
}

servers_restart_and_the_leader_moves_there_and_back() {
    local before leader
    before=$(started)
    leader=$("$cluster" leader)
    write_plan moves <<'END'
deploy:
  - {id: restart, hosts: all, serial: 1, if-interrupted: repeat, patroni: {restart: always}}
  - {id: move, hosts: leader, patroni: {leader: next}}
  - {id: follows, hosts: leader, wait-until: {patroni: {follows: next}}}
  - {id: states, hosts: next, wait-until: {patroni: {state: running, role: leader, pending-restart: false}}}
commit: []
rollback:
  - {id: back, hosts: leader, patroni: {leader: leader}}
  - {id: follows-back, hosts: next, wait-until: {patroni: {follows: leader}}}
END
    run_plan moves
    expect_status 0
    [ "$("$cluster" leader)" != "$leader" ] || fail "the leader has not moved"
    [ "$(comm -12 <(echo "$before" | sort) <(started | sort) | wc -l)" = 0 ] || fail "a server did not restart"
    rolled_back
    [ "$("$cluster" leader)" = "$leader" ] || fail "the leader has not come back"
    prove_healthy
}

# ---- wait-until, guards, groups ----

waiting_sees_ports_files_and_values_and_gives_up_when_told() {
    "$cluster" sh pg1 'rm -f /srv/conf/flag; mkdir -p /srv/conf'
    write_plan waits <<'END'
variables: {word: {default: ady}}
deploy:
  - {id: port, hosts: all, wait-until: {port: "${postgres.port}"}}
  - {id: text, hosts: pg1, wait-until: {file: /srv/conf/flag, contains: "re${word}", every: 20ms}}
  - {id: number, hosts: all, wait-until: {shell: "echo 7", above: 6}}
  - {id: steady, hosts: all, wait-until: {sql: SELECT true, stable-for: 600ms}}
  - {id: never, hosts: pg1, wait-until: {file: /srv/conf/never, fail-when: {file: /srv/conf/flag}}}
END
    { sleep 0.7; "$cluster" sh pg1 'echo "is ready" >/srv/conf/flag'; } &
    run_plan waits
    wait
    expect_status 1
    expect_message 'fail-when'
    grep -qE 'steady .* done +([6-9][0-9][0-9] ms|[0-9.]+ s)' "$work/err" || fail "stable-for is not kept"
    holdback close --why 'it was a test'
    prove_nothing_is_left
}

guards_stop_at_a_limit_unless_they_only_show_or_are_waived() {
    "$cluster" sh pg1 'mkdir -p /srv/conf; echo 5 >/srv/conf/level; chmod 644 /srv/conf/level'
    write_plan guarded <<'END'
guards:
  - {id: low, hosts: pg1, every: 100ms, shell: cat /srv/conf/level, unit: bytes, below: 10}
  - {id: high, hosts: pg1, every: 100ms, shell: cat /srv/conf/level, above: 100, show-only: true}
  - {id: other, hosts: pg1, every: 100ms, sql: SELECT false, when: {postgres: "<10"}}
  - {id: late, hosts: pg1, every: 100ms, sql: SELECT false, from: last}
deploy:
  - {id: slow, hosts: leader, sql: {run: SELECT pg_sleep(1.5)}}
  - {id: last, hosts: leader, sql: {query: SELECT 1 AS one, save: [one]}}
commit: []
rollback: []
END
    { sleep 0.8; "$cluster" sh pg1 'echo 11 >/srv/conf/level'; } &
    run_plan guarded
    wait
    expect_status 7
    expect_message '"low"'
    expect_message '11 bytes, not below 10 bytes'
    holdback resume --without-guard low
    expect_status 3
    holdback resume --without-guard low --why 'level 11 is fine'
    expect_status 7
    expect_message '"late"'
    holdback resume --without-guard late --why 'it is a test'
    expect_status 0
    rolled_back
}

a_group_takes_one_host_after_the_other_through_all_its_steps() {
    on_hosts 'rm -rf /srv/conf; mkdir -p /srv/conf; chown postgres: /srv/conf' >/dev/null
    write_plan groups <<'END'
deploy:
  - id: group
    hosts: [others, leader]
    serial: 1
    steps:
      - {id: one, remote-shell: {creates: /srv/conf/one, run: 'date +%s.%N >/srv/conf/one'}}
      - {id: two, remote-shell: {creates: /srv/conf/two, run: 'sleep 0.1; date +%s.%N >/srv/conf/two'}}
  - {id: newer, hosts: all, when: {postgres: ">=10"}, wait-until: {file: /srv/conf/two}}
  - {id: older, hosts: all, when: {postgres: "<10"}, wait-until: {file: /srv/conf/never}}
  - {id: none, hosts: all, when: {role-is-empty: others}, wait-until: {file: /srv/conf/never}}
END
    run_plan groups
    expect_status 0
    on_hosts 'sed "s/$/ $(hostname)/" /srv/conf/one /srv/conf/two' | sort -n | awk '{ print $2 }' | uniq >"$work/order"
    [ "$(wc -l <"$work/order")" = 3 ] || fail "the hosts were mixed: $(paste -sd ' ' "$work/order")"
    [ "$(tail -1 "$work/order")" = "$("$cluster" leader)" ] || fail "the leader was not the last"
}

# ---- a host that is lost ----

a_host_that_is_lost_fails_its_step_and_nothing_more_is_changed() {
    write_plan lossy <<'END'
deploy:
  - {id: asked, hosts: leader, confirm: Go on?, sql: {query: SELECT 1 AS one, save: [one]}}
  - {id: everywhere, hosts: all, timeout: 5s, remote-shell: {creates: /srv/conf/lossy, run: touch /srv/conf/lossy}}
  - {id: after, hosts: leader, remote-shell: {creates: /srv/conf/after, run: touch /srv/conf/after}}
END
    on_hosts 'rm -rf /srv/conf; mkdir -p /srv/conf; chown postgres: /srv/conf' >/dev/null
    run_plan lossy
    expect_status 8
    "$cluster" cut pg3 op
    holdback resume --confirm asked
    "$cluster" heal pg3
    expect_status 6
    expect_message 'everywhere'
    expect_message 'pg3'
    "$cluster" sh "$("$cluster" leader)" '[ ! -e /srv/conf/after ]' || fail "the next step ran"
    holdback resume
    expect_status 0
    [ "$(on_hosts 'ls /srv/conf/lossy' | wc -l)" = 3 ] || fail "the step is not done everywhere"
    prove_nothing_is_left
}

"$cluster" up >/dev/null || exit 1
run_tests \
    sql_runs_with_role_database_and_settings_and_saves \
    a_failed_try_is_cleaned_up_before_the_next \
    a_transaction_whose_program_was_killed_happens_once \
    every_format_is_edited_and_restored_byte_for_byte \
    jobs_save_take_input_and_know_what_they_create \
    a_job_that_fails_says_what_it_printed_last \
    tags_and_configuration_are_changed_and_restored \
    servers_restart_and_the_leader_moves_there_and_back \
    waiting_sees_ports_files_and_values_and_gives_up_when_told \
    guards_stop_at_a_limit_unless_they_only_show_or_are_waived \
    a_group_takes_one_host_after_the_other_through_all_its_steps \
    a_host_that_is_lost_fails_its_step_and_nothing_more_is_changed

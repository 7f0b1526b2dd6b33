#!/usr/bin/env bash
# No secret is found anywhere but where its owner put it: not on a screen, in a journal, on a host, in an argument list, an
# environment, a log or a core dump, whatever holdback does and however it ends. The same search must find what is no secret.
# Texts for hosts and plans are not this shell's to expand.
# shellcheck disable=SC2016
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

# pg-*, pgpass, wrong: of PostgreSQL; rest: of Patroni; job-*: for jobs; typed: given where only a reference may stand; told: a
# job prints it; dcs: in Patroni's configuration; the others: in configuration files on the hosts.
secrets=(pg-file pg-env pg-command pgpass wrong rest job-file job-env job-command typed told dcs
    yaml yaml-flow yaml-block yaml-token conninfo option curl url ini env json service)
given=$work/given
said=$work/said
mkdir "$said" "$work/cores"
"$here/secrets_plant.py" "$given" "${secrets[@]}" || exit 1
control=$(<"$given/control")
# shellcheck source=secrets_search.sh
. "$here/secrets_search.sh"
calls=0 preload='' kill_at=0 kill_delay=0

# ---- holdback, with the environment that its secrets come from ----

# Output goes to a file of its own. No program but holdback gets the environment.
holdback() {
    begin "$@"
    wait "$pid" 2>/dev/null
    status=$?
}

begin() { # in the background; $pg_env where it is set is in the place of pg-env
    calls=$((calls + 1))
    output=$said/$BASHPID-$calls
    : >"$output.err"
    (
        cd "$work/cores" || exit
        ulimit -c unlimited
        CONTROL=$control PG_ENV=${pg_env-$(<"$given/secret/pg-env")} JOB_ENV=$(<"$given/secret/job-env") PGPASSFILE=$given/pgpass \
            HOLDBACK_KILL_AT=$kill_at HOLDBACK_KILL_DELAY_MS=$kill_delay LD_PRELOAD=$preload \
            exec nsenter --net="/run/netns/hb-$HOLDBACK_TEST_CLUSTER-op" -- "$HOLDBACK" "$@"
    ) </dev/null >"$output.out" 2>"$output.err" &
    pid=$!
}

expect() { # STATUS COMMAND...
    local wanted=$1
    shift
    holdback "$@"
    cp "$output.out" "$work/out"
    cp "$output.err" "$work/err"
    [ "$status" -eq "$wanted" ] || {
        sed 's/^/    | /' "$work/err" "$work/out" >&2
        fail "$1: exit status $status, not $wanted"
    }
}

# pg1 is asked with the first of two ways to a password, pg2 with the other.
write_cluster() { # NAME USER REFERENCE USER REFERENCE
    cat >"$work/$1.yml" <<END
cluster: cluster-pgsql
hosts:
  pg1: {address: 10.77.0.11, postgres: {user: $2$3}}
  pg2: {address: 10.77.0.12, postgres: {user: $4$5}}
ssh: {user: ops, identity: $state/id_ed25519, known-hosts: $state/known_hosts, become: sudo}
postgres:
  reach: tcp
  data-directory: $data
  bin-directory: $bin
patroni: {config: /etc/patroni/config.yml, user: hb, password: {file: $given/secret/rest}}
variables: {from_file: {file: $given/secret/job-file}, from_command: {command: cat $given/secret/job-command}, told: {file: $given/secret/told}}
END
}

write_clusters() {
    write_cluster one hb_file ", password: {file: $given/secret/pg-file}" hb_env ', password: {env: PG_ENV}'
    write_cluster two hb_command ", password: {command: cat $given/secret/pg-command}" hb_pgpass ''
    write_cluster wrong hb_file ", password: {file: $given/secret/wrong}" hb_env ', password: {env: PG_ENV}'
    sed 's/user: ops,/user: ops, port: 2,/' "$work/one.yml" >"$work/unreachable.yml"
    sed "s|{file: $given/secret/rest}|{file: $given/secret/wrong}|" "$work/one.yml" >"$work/wrong-rest.yml"
    { sed '/^patroni:/d' "$work/one.yml" && printf 'patroni:\n  user: hb\n  ' && cat "$given/literal.yml"; } >"$given/literal-cluster.yml"
}

write_plan() { # NAME: the rest of it is standard input
    {
        printf 'holdback: 1\nplan: %s\n' "$1"
        printf 'roles: {leader: {patroni: leader, one: true}, others: {patroni: replica}, all: {patroni: member}}\n'
        printf 'defaults: {as: postgres, timeout: 30s}\n'
        printf 'variables:\n  control: {type: text}\n  from_file: {type: secret}\n  from_env: {type: secret, default: {env: JOB_ENV}}\n'
        printf '  from_command: {type: secret}\n  told: {type: secret}\n'
        cat
    } >"$work/$1.yml"
}

# The edits leave the secrets' lines as they are, and all of these are near enough to be shown around them.
write_plans() {
    write_plan all <<'END'
guards:
  - {id: watched, hosts: all, every: 200ms, sql: "SELECT ${control} <> ''"}
preflight:
  - {id: answers, hosts: all, wait-until: {sql: SELECT true}}
  - {id: leads, hosts: leader, wait-until: {patroni: {leader: leader}}}
  - {id: condition, hosts: all, wait-until: {shell: 'sh -c "sleep 0.1; true" "$control"'}}
deploy:
  - {id: control, hosts: all, if-interrupted: repeat, remote-shell: {run: 'printf %s "$control"; printf %s "-$control" | base64; echo "$control" >/tmp/hb-control; sleep 0.3'}}
  - {id: job-file, hosts: all, if-interrupted: repeat, remote-shell: {stdin: "${from_file}", run: 'sleep 0.2; sha256sum | cut -c 1-64', save: [of_file]}}
  - {id: job-env, hosts: leader, if-interrupted: repeat, remote-shell: {stdin: "${from_env}", shell: bash, run: 'sleep 0.2; sha256sum | cut -c 1-64', save: [of_env]}}
  - {id: job-command, hosts: leader, if-interrupted: repeat, remote-shell: {stdin: "${from_command}", run: 'sleep 0.2; sha256sum | cut -c 1-64', save: [of_command]}}
  - {id: row, hosts: leader, sql: {run: ["CREATE TABLE IF NOT EXISTS told (what text PRIMARY KEY)", "INSERT INTO told VALUES (${control})"]}}
  - {id: edit-yaml, hosts: all, edit-conf: {file: /srv/given/app.yml, format: yaml, set: {log.level: debug, standby.port: 5433, certificate.port: 2, port: 2}}}
  - {id: edit-conf, hosts: all, edit-conf: {file: /srv/given/app.conf, format: postgresql, set: {work_mem: 5MB, max_connections: 101}}}
  - {id: edit-ini, hosts: all, edit-conf: {file: /srv/given/app.ini, format: ini, set: {a.level: 2}}}
  - {id: edit-env, hosts: all, edit-conf: {file: /srv/given/app.env, format: env, set: {LEVEL: 2}}}
  - {id: edit-json, hosts: all, edit-conf: {file: /srv/given/app.json, format: json, set: {level: 2, a.user: y}}}
  - {id: edit-service, hosts: all, edit-conf: {file: /srv/given/app.service, format: ini, set: {Service.Restart: always}}}
  - {id: tag, hosts: others, patroni: {tags: {clonefrom: true}}}
  - {id: patch, hosts: leader, patroni: {config: {postgresql: {parameters: {log_line_prefix: "${control} "}}}}}
commit: []
rollback:
  - {id: unpatch, hosts: leader, patroni: {restore: patch}}
  - {id: untag, hosts: others, patroni: {restore: tag}}
  - {id: uncommand, hosts: all, edit-conf: {restore: edit-yaml}}
  - {id: unrow, hosts: leader, sql: {run: DROP TABLE told}}
END
    write_plan dcs <<'END'
deploy:
  - {id: dcs, hosts: leader, patroni: {config: {noted: {ldap: null, bind_password: null}}}}
commit: []
rollback:
  - {id: back, hosts: leader, patroni: {restore: dcs}}
END
    write_plan fails <<'END'
deploy:
  - {id: row, hosts: leader, sql: {run: ["CREATE TABLE twice (what text PRIMARY KEY)", "INSERT INTO twice VALUES (${control}), (${control})"]}}
END
    write_plan tells <<'END'
deploy:
  - {id: shows, hosts: leader, if-interrupted: ask, remote-shell: {stdin: "${told}", run: 'read -r given || :; echo "$given"; printf "%s\n" "$given"; sleep 0.5; printf "%s" "$given" | base64 -w 0'}}
  - {id: fails, hosts: leader, if-interrupted: ask, remote-shell: {stdin: "${told}", shell: bash, run: 'set -x; read -r given || :; echo "wrong: $given" >&2; printf "%s" "$given" | python3 -c "import json, sys, urllib.parse; text = sys.stdin.read(); print(json.dumps(text), repr(text), urllib.parse.quote(text), file=sys.stderr)"; exit 5'}}
commit: []
END
    write_plan saves <<'END'
deploy:
  - {id: saves, hosts: leader, if-interrupted: ask, remote-shell: {stdin: "${told}", run: cat, save: [shown]}}
END
    write_plan refused <<'END'
deploy:
  - {id: text, hosts: leader, if-interrupted: ask, sql: {run: "SELECT ${from_file}", transaction: none}}
  - {id: setting, hosts: leader, sql: {run: SELECT 1, settings: {"my.word": "${from_env}"}, role: "${from_command}"}}
  - {id: value, hosts: leader, edit-conf: {file: /srv/x, format: ini, set: {a.b: "${from_file}"}}}
  - {id: words, hosts: leader, if-interrupted: ask, remote-shell: {run: 'echo "$from_file"', stdin: "a ${from_file}"}}
  - {id: patch, hosts: leader, patroni: {config: {a: "${from_file}"}}}
END
}

set_up_hosts() {
    local host file
    "$cluster" psql pg1 -XqAt -v ON_ERROR_STOP=1 -f - <"$given/roles.sql" || fail "could not make the roles"
    # Before Patroni asks for a password.
    python3 -c '
import json, sys
secret = open(sys.argv[1]).read().rstrip("\n")
print(json.dumps({"noted": {"ldap": ["ldapbindpasswd=\"%s\"" % secret], "bind_password": secret},
    "postgresql": {"parameters": {"log_statement": "all", "log_connections": "on"}}}))' "$given/secret/dcs" |
        "$cluster" op curl -sf -o "$work/answer" -X PATCH --data-binary @- http://10.77.0.11:8008/config || fail "could not patch the configuration"
    for host in $(members); do
        "$cluster" sh "$host" 'install -d -o postgres -m 755 /srv/given'
        for file in "$given"/files/*; do
            "$cluster" sh "$host" "cat >/srv/given/${file##*/}; chown postgres: /srv/given/${file##*/}" <"$file"
        done
        # Over the socket the secrets' roles are let in as they are: a server in recovery has no network.
        "$cluster" sh "$host" 'sed -i -e "/^restapi:/r /dev/stdin" -e "s/\(local all  *all  *\)peer/\1trust/" /etc/patroni/config.yml
            systemctl reload patroni' <"$given/rest.yml"
    done
    until_true 10 logs_statements || fail "statements are not logged"
}

logs_statements() {
    [ "$(psql_on pg1 'SHOW log_statement') $(psql_on pg2 'SHOW log_statement')" = 'all all' ]
}

run_id() { # the newest
    find "$HOLDBACK_JOURNAL/cluster-pgsql" -name plan -printf '%T@ %h\n' | sort -n | tail -1 | sed 's|.*/||'
}

# ---- tests ----

what_is_given_where_a_reference_must_stand_is_not_repeated() {
    expect 3 check "$work/all.yml" -c "$given/literal-cluster.yml" --set "control=$control"
    expect 3 check "$work/all.yml" -c "$work/one.yml" --set "control=$control" --set "from_file=$(<"$given/secret/typed")"
    expect 3 deploy "$work/all.yml" -c "$work/one.yml" --set "control=$control" --set "from_file=$(<"$given/secret/typed")"
    expect 3 check "$work/refused.yml" -c "$work/one.yml" --set "control=$control"
    [ "$(cat "$work/err" "$work/out" | grep -c 'cannot stand here')" -ge 6 ] || fail "not every place is refused: $(cat "$work/err" "$work/out")"
    nothing_is_found_now "after what was refused"
}

nothing_is_shown_by_a_preview() {
    local format
    for format in text markdown json runbook; do
        expect 0 preview "$work/all.yml" -c "$work/one.yml" --set "control=$control" --format "$format"
        pg_env='' expect 0 preview "$work/all.yml" -c "$work/two.yml" --set "control=$control" --format "$format" --live
        # Twelve secrets of files stand in the context of the changes.
        [ "$format" = runbook ] || [ "$(grep -oF '***' "$work/out" | wc -l)" -ge 12 ] || fail "the secrets' lines are not shown in format $format"
    done
    expect 0 preview "$work/dcs.yml" -c "$work/one.yml" --set "control=$control" --live
    expect 0 preview "$work/all.yml" -c "$work/one.yml" --set "control=$control" --live --save "$said/saved-live"
    expect 0 preview "$work/all.yml" -c "$work/one.yml" --set "control=$control" --save "$said/saved"
    nothing_is_found_now "in a preview"
}

# Killed in each step, at a moment in the middle of it.
nothing_is_left_by_kill_9_in_any_step() {
    local kills=0 name on_hosts=0
    preload=$work/kill_at_sync.so
    kill_at=3 kill_delay=$((RANDOM % 60 + 1))
    holdback deploy "$work/all.yml" -c "$work/one.yml" --set "control=$control" --expect "$said/saved"
    while [ "$status" -eq 137 ]; do
        kills=$((kills + 1))
        [ "$kills" -lt 60 ] || fail "it does not come forward"
        nothing_is_found_now "after kill $kills"
        # shellcheck disable=SC2046
        [ -z "$(find_words control $(hosts_folders))" ] || on_hosts=$((on_hosts + 1))
        kill_delay=$((RANDOM % 100 + 1))
        holdback resume
    done
    preload='' kill_at=0
    [ "$status" -eq 0 ] || fail "status $status: $(cat "$output.err")"
    echo "    $kills kills"
    [ "$kills" -ge 6 ] || fail "only $kills kills"
    [ "$on_hosts" -ge 3 ] || fail "the control was not found in a run's folders"
    for name in file env command; do
        [ "$(saved "of_$name")" = "$(tr -d '\n' <"$given/secret/job-$name" | sha256sum | cut -c 1-64)" ] || fail "job-$name was not given its secret"
    done
    expect 0 status
    expect 0 log
    expect 0 log --format json
    expect 0 rollback
    expect 0 log "$(run_id)"
    nothing_is_found_now "after a rollback"
}

a_crash_leaves_no_core_with_a_secret() {
    local pg_env=''
    begin deploy "$work/all.yml" -c "$work/two.yml" --set "control=$control"
    until_true 10 grep -q 'job-file .* begins' "$output.err" || fail "no job begins"
    kill -SEGV "$pid"
    wait "$pid" 2>/dev/null
    [ ! -e "$work/cores/core" ] || fail "there is a core"
    nothing_is_found_now "after a crash"
    expect 0 resume
    expect 0 commit
    expect 0 runs
}

nothing_is_told_by_what_fails() {
    local run
    pg_env='' expect 1 deploy "$work/fails.yml" -c "$work/two.yml" --set "control=$control"
    grep -qF "$control" "$work/err" || fail "the message does not quote the data"
    expect 0 close --why 'it was a test'
    expect 6 deploy "$work/all.yml" -c "$work/wrong.yml" --set "control=$control"
    expect 6 deploy "$work/dcs.yml" -c "$work/wrong-rest.yml" --set "control=$control"
    expect 0 close --why 'it was a test'
    expect 1 deploy "$work/tells.yml" -c "$work/one.yml" --set "control=$control"
    grep -qF '***' "$work/err" || fail "what the job said is not shown"
    nothing_is_found_now "after a job that tells"
    run=$(run_id)
    expect 0 status
    expect 0 log --format json
    expect 0 resolve "$run" fails --as "done" --why "$control"
    expect 0 resume
    expect 0 commit
    expect 1 deploy "$work/saves.yml" -c "$work/one.yml" --set "control=$control"
    expect 0 close --why 'it was a test'
    expect 6 deploy "$work/all.yml" -c "$work/unreachable.yml" --set "control=$control"
    nothing_is_found_now "after failures"
}

# Patroni's own words for its old values are kept for the way back, on the host and in the journal.
a_configuration_that_is_put_back_is_not_shown() {
    expect 0 deploy "$work/dcs.yml" -c "$work/one.yml" --set "control=$control"
    expect 0 log
    expect 0 status
    expect 0 rollback
    config | grep bind_password >/dev/null || fail "the configuration is not put back"
    nothing_is_found_now "after a configuration"
    # blue-green.yml asks the server and shells about the configuration as a whole.
    expect 0 deploy "$work/dcs.yml" -c "$work/one.yml" --set "control=$control"
    expect 0 commit
}

nothing_is_left_by_a_deployment_that_is_rolled_back() {
    expect 0 deploy "$plan" -c "$work/one.yml" --set "migration=$work/good.sql" --yes
    expect 0 loss
    expect 0 rollback --yes
    expect 0 log "$(run_id)"
    expect 0 verify "$(run_id)"
    nothing_is_found_now "after a rollback"
}

# It reads Patroni's own file, which has passwords.
nothing_is_written_down_by_init() {
    expect 0 init ops@10.77.0.11 "$said/first" --ssh "identity=$state/id_ed25519" --ssh "known-hosts=$state/known_hosts"
    [ -e "$said/first/plans/blue-green.yml" ] || fail "nothing is written"
    nothing_is_found_now "after init"
}

no_help_knows_a_secret() {
    local command
    for command in init check preview deploy resume commit rollback status loss runs log resolve close verify; do
        expect 0 "$command" --help
    done
    nothing_is_found_now "in help"
}

nothing_is_found_anywhere_at_the_end() {
    search_everywhere
    nothing "at the end" "$(cat "$work"/found-* | grep -v ^control | is_allowed | is_given)"
}

# The same, for a word that is no secret and was brought to every kind of place.
the_same_search_finds_what_is_no_secret() {
    local place kind
    for place in postgres patroni sshd; do
        holds logs "log-of-$place\$"
    done
    for place in '\.out$' '\.err$' '/saved$' '/journal.jsonl$'; do
        holds operator "$place"
    done
    holds disks "$state/etcd/"
    for place in $(members); do
        holds disks "$state/$place/disk/upper$(dirname "$data")/"
        holds "memory-of-$place" /tmp/hb-control
    done
    holds machine "/tmp/holdback-control.$$\$"
    for kind in arguments environment; do
        holds processes "$kind.* $HOLDBACK\$"
        holds processes "$kind.*/dash\$"
    done
    [ "$(grep -rhaoFf "$given/control.patterns" "$said" | sort -u | wc -l)" -ge 2 ] || fail "only one form of it is found"
    (
        cd "$work/cores" || exit
        ulimit -c unlimited
        CONTROL=$control sleep 5 &
        sleep 0.1
        kill -SEGV $!
        wait $!
    ) 2>/dev/null
    # Elsewhere the kernel hands cores to a program.
    grep -q '^[^|/]*$' /proc/sys/kernel/core_pattern || return 0
    [ -n "$(find_words control "$work/cores")" ] || fail "the search finds nothing at all in a core"
}

cc -shared -fPIC -O1 -D_GNU_SOURCE -o "$work/kill_at_sync.so" "$root/tests/crash/kill_at_sync.c" -ldl -lpthread || exit 1
cc -std=gnu17 -O2 -o "$work/secrets_watch" "$here/secrets_watch.c" || exit 1
"$cluster" up --hosts 2 >/dev/null || exit 1
write_clusters
write_plans
set_up_hosts
"$work/secrets_watch" "$HOLDBACK_TEST_CLUSTER" >"$work/watched" &
watcher=$!
trap 'kill "$watcher" 2>/dev/null; clean_up' EXIT
run_tests \
    what_is_given_where_a_reference_must_stand_is_not_repeated \
    nothing_is_written_down_by_init \
    nothing_is_shown_by_a_preview \
    nothing_is_left_by_kill_9_in_any_step \
    a_crash_leaves_no_core_with_a_secret \
    nothing_is_told_by_what_fails \
    a_configuration_that_is_put_back_is_not_shown \
    nothing_is_left_by_a_deployment_that_is_rolled_back \
    no_help_knows_a_secret \
    nothing_is_found_anywhere_at_the_end \
    the_same_search_finds_what_is_no_secret

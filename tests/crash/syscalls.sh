#!/usr/bin/env bash
# kill -9 before and after every system call that changes something, in a run of each action, on a real host: sshd, Patroni
# and PostgreSQL. After each kill `resume` must reach the end of an undisturbed run, and nothing may have happened twice. When
# these are through, the same moments again, at which the sshd of the connection is killed instead.
#
#   syscalls.sh [ACTION [kill|cut]]     one action, another one every day: as many moments as fit into 75 s, evenly spread
#   syscalls.sh nightly [ACTION [...]]  every action, every moment; and every other resume is killed as well
#   ONLY='kill 17' syscalls.sh ACTION   this moment, and what holdback says
#
# Texts for hosts and plans are not this shell's to expand.
# shellcheck disable=SC2016
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

all=(sql none patroni edit-conf remote-shell wait-until)
slow=(patroni-slow) # nightly only: thousands of moments of waiting, of which it takes some
slow_most=400
lanes=(h1 h2 h3 h4) # each has a host, a cluster and a journal of its own
until_s=64    # of the short form; what follows is the end of one run
nightly=0
slowly=0.7

# ---- the hosts: each is a Patroni cluster of one ----

etcd_start() {
    local client peer
    client=$(free_port)
    peer=$(free_port)
    etcd=127.0.0.1:$client
    command etcd --name t --data-dir "$work/etcd" --listen-client-urls "http://$etcd" --advertise-client-urls "http://$etcd" \
        --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
        --initial-cluster "t=http://127.0.0.1:$peer" >"$work/etcd.log" 2>&1 &
    pids+=($!)
}

patroni_start() { # NAME
    local name=$1 port rest
    port=$(free_port)
    rest=$(free_port)
    echo "$port" >"$work/$name.postgres"
    echo "$rest" >"$work/$name.rest"
    install -d -o postgres -g postgres "$work/socket" "$work/$name.patroni"
    cat >"$work/$name.patroni/patroni.yml" <<END
scope: $name
name: $name
restapi: {listen: "127.0.0.1:$rest", connect_address: "127.0.0.1:$rest"}
etcd3: {host: "$etcd"}
bootstrap:
  dcs: {ttl: 20, loop_wait: 1, retry_timeout: 3}
  initdb: [no-sync]
postgresql:
  listen: 127.0.0.1:$port
  connect_address: 127.0.0.1:$port
  data_dir: $work/$name.patroni/data
  bin_dir: $bin
  pgpass: $work/$name.patroni/pgpass
  authentication: {superuser: {username: postgres}, replication: {username: postgres}}
  parameters: {unix_socket_directories: $work/socket, shared_buffers: 16MB}
  pg_hba: [local all all trust, host all all 127.0.0.1/32 trust, host replication all 127.0.0.1/32 trust]
tags:
  nosync: false # a comment
END
    chown postgres:postgres "$work/$name.patroni/patroni.yml"
    env -C / setpriv --reuid=postgres --regid=postgres --init-groups patroni "$work/$name.patroni/patroni.yml" \
        >"$work/$name.patroni.log" 2>&1 &
    patronis+=($!)
    servers+=("$work/$name.patroni/data")
}

# Patroni first, which would start its server again. What a lane has started dies with it.
end_all() {
    kill -KILL ${patronis[@]+"${patronis[@]}"} ${running[@]+"${running[@]}"} 2>/dev/null
    end
}

query() { # NAME SQL
    psql -XqAt -h "$work/socket" -p "$(cat "$work/$1.postgres")" -U postgres -d postgres -v ON_ERROR_STOP=1 -c "$2" 2>&1
}

rest() { # NAME PATH OPTION...
    local name=$1 path=$2
    shift 2
    curl -sS -m 5 "$@" "http://127.0.0.1:$(cat "$work/$name.rest")$path"
}

leads() { # NAME
    [ "$(query "$1" 'SELECT NOT pg_is_in_recovery()')" = t ] && rest "$1" /leader -o /dev/null -f 2>/dev/null
}

# ---- what each action does, where it begins, and where it has come to ----

plan_of() {
    printf 'holdback: 1\nplan: %s\nvariables: {folder: {about: where the effects go, type: text}}\n' "$action"
    printf 'roles: {leader: {patroni: leader, one: true}}\ndefaults: {timeout: 30s}\ndeploy:\n'
    case $action in
    sql)
        cat <<END
  - id: one
    hosts: leader
    sql: {run: ["INSERT INTO effects VALUES ('one', nextval('numbers'))", SELECT currval('numbers')::text AS number], save: [number]}
  - {id: two, hosts: leader, sql: {run: "INSERT INTO effects VALUES ('two', \${number}::int); SELECT pg_sleep(0.05)"}}
END
        ;;
    none)
        # The slow statement goes on in the server when its client is dead: resume must come before its end.
        cat <<END
  - id: one
    hosts: leader
    sql:
      transaction: none
      unless: SELECT count(*) > 0 FROM effects
      clean-up: DELETE FROM half
      run: [INSERT INTO half VALUES (1), "INSERT INTO effects SELECT 'one', 1 FROM (SELECT pg_sleep(seconds) FROM pace) AS slow"]
END
        ;;
    patroni)
        cat <<END
  - {id: patch, hosts: leader, patroni: {config: {postgresql: {parameters: {work_mem: 5MB}}}}}
  - {id: reread, hosts: leader, if-interrupted: repeat, patroni: {reload: true}}
END
        ;;
    patroni-slow)
        # These two wait for Patroni's next loop, and ask and ask meanwhile.
        cat <<END
  - {id: tag, hosts: leader, patroni: {tags: {nosync: true, clonefrom: true}}}
  - {id: on, hosts: leader, patroni: {maintenance: true}}
END
        ;;
    edit-conf)
        cat <<END
  - {id: change, hosts: leader, edit-conf: {file: "\${folder}/changed", format: postgresql, set: {port: "2"}}}
  - {id: make, hosts: leader, edit-conf: {file: "\${folder}/made", content: "made\n", mode: "0644"}}
  - {id: remove, hosts: leader, edit-conf: {file: "\${folder}/removed", state: absent}}
END
        ;;
    remote-shell)
        cat <<END
  - id: one
    hosts: leader
    if-interrupted: ask
    remote-shell: {run: 'echo "one \$\$" >>"\$folder/lines"; sleep "\$(cat "\$folder/pace")"; echo "\$\$"; exit 3', succeed-on: [3], save: [pid]}
  - {id: two, hosts: leader, if-interrupted: ask, remote-shell: {run: 'echo "two \$pid" >>"\$folder/lines"'}}
END
        ;;
    wait-until)
        cat <<END
  - {id: file, hosts: leader, wait-until: {file: "\${folder}/flag", contains: ready}}
  - {id: sql, hosts: leader, wait-until: {sql: SELECT true, every: 20ms, stable-for: 60ms}}
  - {id: leader, hosts: leader, wait-until: {patroni: {role: leader}}}
END
        ;;
    esac
}

# Patroni takes over in its next loop what it is told, and only then shows it.
is_fresh() { # NAME
    local shown
    shown=$(rest "$1" /patroni; rest "$1" /cluster)
    [[ $shown != *clonefrom* && $shown != *'"pause": true'* ]]
}

fresh() { # NAME
    local name=$1 folder=$work/$1.effects
    rm -rf "$work/$name.journal" "$folder" "$work/home-$name/.holdback"
    mkdir -p "$folder"
    case $action in
    sql | none)
        query "$name" "SET client_min_messages = error; DROP SCHEMA IF EXISTS holdback CASCADE; DROP TABLE IF EXISTS effects, half, pace;
            CREATE TABLE effects (what text, n int); CREATE TABLE half (n int);
            CREATE TABLE pace AS SELECT $slowly::float AS seconds; CREATE SEQUENCE IF NOT EXISTS numbers"
        ;;
    patroni*)
        rest "$name" /config -o /dev/null -X PATCH -d '{"pause": null, "postgresql": {"parameters": {"work_mem": null}}}'
        cp "$work/$name.yml.before" "$work/$name.patroni/patroni.yml"
        rest "$name" /reload -o /dev/null -X POST
        until is_fresh "$name"; do sleep 0.05; done
        ;;
    edit-conf)
        # Long enough to be written in pieces.
        { seq -f '# line %.0f' 3000; echo 'port = 1'; } >"$folder/changed"
        sed "s/^port = 1/port = '2'/" "$folder/changed" >"$work/$name.changed.new"
        cp "$folder/changed" "$work/$name.changed.old"
        printf 'made\n' >"$work/$name.made.new"
        printf 'to be removed\n' | tee "$folder/removed" >"$work/$name.removed.old"
        chmod 640 "$folder"/*
        chown postgres:postgres "$folder"/*
        ;;
    remote-shell) echo "$slowly" >"$folder/pace" ;;
    wait-until) echo "is ready" >"$folder/flag" ;;
    esac
}

run_state() { # NAME: of the run that was not refused, else "refused", or nothing
    "$HOLDBACK" runs --journal "$work/$1.journal" 2>/dev/null | awk 'NR > 1 && state != "done" { if ($2 != "refused" || !state) state = $2 } END { print state }'
}

# What is begun from now on need not take its time.
hurry() { # NAME
    case $action in
    none) query "$1" "UPDATE pace SET seconds = 0" ;;
    remote-shell) echo 0 >"$work/$1.effects/pace" ;;
    esac
}

state_of() { # NAME
    local name=$1 folder=$work/$1.effects
    case $action in
    sql) query "$name" "SELECT what, n = (SELECT min(n) FROM effects) FROM effects ORDER BY 1; SELECT to_regnamespace('holdback')" ;;
    none) query "$name" "SELECT what, n FROM effects; SELECT count(*) FROM half" ;;
    patroni*)
        rest "$name" /config | grep -oE '"(pause|work_mem)": *("[^"]*"|true)'
        sed -n '/^tags/,$p' "$work/$name.patroni/patroni.yml"
        stat -c '%U %G %a' "$work/$name.patroni/patroni.yml"
        rest "$name" /patroni | grep -oE '"tags": *\{[^}]*\}'
        ;;
    edit-conf)
        (cd "$folder" && find . -type f -printf '%f %u %g %m\n' | sort)
        cmp "$folder/changed" "$work/$name.changed.new"
        cmp "$folder/made" "$work/$name.made.new"
        ;;
    # The second line has what the first job printed; pids differ from run to run.
    remote-shell) awk '{ print $1, $2 == first || NR == 1; if (NR == 1) first = $2 }' "$folder/lines" ;;
    wait-until) ls -A "$folder" ;;
    esac
    echo "run: $(run_state "$name")"
    find "$work/home-$name" -mindepth 1 ! -name '.cache*'
}

# The same in full: what an undisturbed run comes to.
wanted() {
    case $action in
    sql) printf '%s\n' 'one|t' 'two|t' '' ;;
    none) printf '%s\n' 'one|1' 1 ;;
    patroni) printf '%s\n' '"work_mem": "5MB"' tags: '  nosync: false # a comment' 'postgres postgres 644' ;;
    patroni-slow)
        printf '%s\n' '"pause": true' tags: '  nosync: true # a comment' '  clonefrom: true' 'postgres postgres 644' \
            '"tags": {"nosync": true, "clonefrom": true}'
        ;;
    edit-conf) printf '%s\n' 'changed postgres postgres 640' 'made root root 644' ;;
    remote-shell) printf '%s\n' 'one 1' 'two 1' ;;
    wait-until) echo flag ;;
    esac
    echo "run: done"
}

watch_start() { # NAME
    local name=$1 folder=$work/$1.effects user
    watchers=()
    [ "$action" = edit-conf ] || return 0
    user=$(id -u postgres)
    "$work/syscalls" watch "$folder/changed" "$user" 640 "$work/$name.changed.old" "$work/$name.changed.new" >"$work/$name.watch1" &
    watchers+=($!)
    "$work/syscalls" watch "$folder/made" 0 644 - "$work/$name.made.new" >"$work/$name.watch2" &
    watchers+=($!)
    "$work/syscalls" watch "$folder/removed" "$user" 640 - "$work/$name.removed.old" >"$work/$name.watch3" &
    watchers+=($!)
}

watch_end() { # NAME
    local pid result=0
    for pid in ${watchers[@]+"${watchers[@]}"}; do
        kill "$pid" 2>/dev/null
        wait "$pid" || result=1
    done
    [ "$result" -eq 0 ] || problem=$(grep -h : "$work/$1".watch? | head -c 300)
    return "$result"
}

# ---- one run, struck at one moment ----

attempt() { # NAME HOW MOMENT COMMAND...
    local name=$1 how=$2 moment=$3
    shift 3
    set -- "$HOLDBACK" "$@" --yes --journal "$work/$name.journal"
    if [ "$how" = kill ]; then
        set -- kill "$moment" "$work/$name.report" "$@"
    else
        set -- cut "$moment" "$(cat "$work/$name.sshd.pid")" "$work/$name.report" "$@"
    fi
    local status
    "$work/syscalls" "$@" </dev/null >"$work/$name.out" 2>"$work/$name.err"
    status=$?
    { cat "$work/$name.err" && echo "status $status"; } >>"$work/$name.said"
    return "$status"
}

# What was killed before its run had begun left nothing to resume, and what was refused is over: it is typed again.
again() { # NAME HOW MOMENT
    local name=$1
    # What holdback says it had to leave behind, a person has removed when the host is back.
    grep -o 'holdback close [^ ]*' "$work/$name.err" | while read -r _ _ run; do
        "$HOLDBACK" close "$run" --why "the host is back" --journal "$work/$name.journal" >/dev/null 2>&1
    done
    case $(run_state "$name") in
    '' | refused) attempt "$@" "${deploy[@]}" ;;
    *) attempt "$@" resume ;;
    esac
}

# 0: struck, and all is well; 1: it is not, and $problem says why; 2: there is no such moment; 4: in doubt.
strike() { # NAME HOW MOMENT
    local name=$1 how=$2 moment=$3 status tries=0 second=0
    problem=
    deploy=(deploy "$work/$name.plan.yml" -c "$work/$name.yml" --set "folder=$work/$name.effects")
    : >"$work/$name.said"
    fresh "$name"
    watch_start "$name"
    attempt "$name" "$how" "$moment" "${deploy[@]}"
    status=$?
    read -r _ struck <"$work/$name.report"
    hurry "$name"
    [ "$nightly" -eq 1 ] && [ "$moment" -gt 0 ] && second=$((RANDOM % 2 * (1 + RANDOM % moments)))
    # A cut may also come when all is done but the tidying up.
    while [ "$status" -eq 137 ] || [ "$status" -eq 6 ] || grep -q 'holdback close' "$work/$name.err"; do
        tries=$((tries + 1))
        [ "$tries" -gt 3 ] && break
        again "$name" kill "$second"
        status=$?
        second=0
    done
    watch_end "$name" || return 1
    if [ "$status" -ne 0 ]; then
        problem="status $status: $(tail -3 "$work/$name.err")"
        [ "$status" -eq 4 ] && return 4
        return 1
    fi
    state_of "$name" >"$work/$name.state" 2>&1
    if ! cmp -s "$work/wanted" "$work/$name.state"; then
        problem="another end: $(diff "$work/wanted" "$work/$name.state")"
        return 1
    fi
    [ "${struck#* }" != nothing ] || return 2
}

# Of the sequence the lane's share: any beginning of it is evenly spread over the run.
lane() { # NUMBER
    local number=$1 name=${lanes[$1]} at how moment stride most=$moments kills=0 cuts=0 doubts=0 failed=0
    RANDOM=$((seed + number))
    stride=$((moments * 618 / 1000))
    until [ "$(gcd "$stride" "$moments")" -eq 1 ]; do stride=$((stride + 1)); done
    [[ " ${slow[*]} " != *" $action "* ]] || most=$slow_most
    for how in "${hows[@]}"; do
        for ((at = number; at < most; at += ${#lanes[@]})); do
            [ "$nightly" -eq 1 ] || [ "$SECONDS" -lt "$until_s" ] || break 2
            moment=$((1 + (at + seed) * stride % moments))
            strike "$name" "$how" "$moment"
            case $? in
            2) continue ;;
            1)
                failed=$((failed + 1))
                echo "FAILED  ONLY='$how $moment' $0 $action: $how $struck: $problem" >&2
                ;;
            4)
                doubts=$((doubts + 1))
                echo "in doubt: ONLY='$how $moment' $0 $action: $how $struck: $problem" >&2
                ;;
            esac
            if [ "$how" = kill ]; then kills=$((kills + 1)); else cuts=$((cuts + 1)); fi
        done
    done
    echo "$kills $cuts $doubts $failed" >"$work/$name.figures"
}

gcd() {
    local a=$1 b=$2 c
    while [ "$b" -ne 0 ]; do
        c=$((a % b))
        a=$b
        b=$c
    done
    echo "$a"
}

lane_prepare() { # NAME
    local name=$1
    plan_of >"$work/$name.plan.yml"
    cat >"$work/$name.yml" <<END
cluster: $name
hosts:
  $(host_entry "$name" "postgres: {port: $(cat "$work/$name.postgres")}, patroni: {port: $(cat "$work/$name.rest"), config: $work/$name.patroni/patroni.yml}")
postgres: {os-user: root, socket-directory: $work/socket}
patroni: {scheme: http}
END
    cp "$work/$name.patroni/patroni.yml" "$work/$name.yml.before"
}

# How many moments there are; now and then it is one more or less.
undisturbed() { # NAME
    local name=$1 count
    strike "$name" kill 0
    [ $? -eq 2 ] || fail "undisturbed, $problem"
    read -r count _ <"$work/$name.report"
    [ "$moments" -ge "$count" ] || moments=$count
}

run_action() {
    local name number began=$SECONDS kills cuts doubts failed sum=(0 0 0 0)
    moments=0
    wanted >"$work/wanted"
    for name in "${lanes[@]}"; do
        lane_prepare "$name"
        undisturbed "$name"
    done
    if [ -n "${ONLY:-}" ]; then
        # shellcheck disable=SC2086
        strike "${lanes[0]}" $ONLY
        echo "status $?, at $struck of $moments moments: ${problem:-}"
        cat "$work/${lanes[0]}.said"
        return
    fi
    rm -f "$work"/*.figures
    for number in "${!lanes[@]}"; do
        lane "$number" &
        running+=($!)
    done
    wait "${running[@]}"
    running=()
    for name in "${lanes[@]}"; do
        read -r kills cuts doubts failed <"$work/$name.figures" || fail "lane $name ended early"
        sum=($((sum[0] + kills)) $((sum[1] + cuts)) $((sum[2] + doubts)) $((sum[3] + failed)))
    done
    echo "$action: ${sum[0]} kills and ${sum[1]} cuts at $moments moments, ${sum[2]} in doubt, ${sum[3]} failed, $((SECONDS - began)) s"
    total=$((total + sum[0] + sum[1]))
    total_failed=$((total_failed + sum[3] + sum[2]))
    [ $((sum[0] + sum[1])) -gt 0 ] || total_failed=$((total_failed + 1))
}

[ "${1:-}" = nightly ] && { nightly=1; shift; }
day=$(($(date +%s) / 86400))
hows=(kill cut)
[ $# -lt 2 ] || hows=("$2")
if [ $# -gt 0 ]; then
    actions=("$1")
    [[ " ${all[*]} ${slow[*]} " == *" $1 "* ]] || fail "no action \"$1\": ${all[*]} ${slow[*]}"
elif [ "$nightly" -eq 1 ]; then
    actions=("${all[@]}" "${slow[@]}")
else
    actions=("${all[${SEED:-$day} % ${#all[@]}]}")
fi
unset HOLDBACK_JOURNAL HOLDBACK_TEST_CLUSTER
echo "seed $seed, ${actions[*]}"
patronis=() running=() total=0 total_failed=0
trap end_all EXIT
cc -O1 -D_GNU_SOURCE -o "$work/syscalls" "$here/syscalls.c" || exit 1
etcd_start
for name in "${lanes[@]}"; do
    patroni_start "$name"
    host_start "$name"
    echo "${pids[-1]}" >"$work/$name.sshd.pid"
done
for name in "${lanes[@]}"; do
    until leads "$name"; do
        [ "$SECONDS" -lt 30 ] || fail "Patroni does not come up: $(tail -3 "$work/$name.patroni.log")"
        sleep 0.2
    done
done
for action in "${actions[@]}"; do
    run_action
done
echo "$((total - total_failed)) passed, $total_failed failed"
[ "$total_failed" -eq 0 ] && [ "$total" -gt 0 ]

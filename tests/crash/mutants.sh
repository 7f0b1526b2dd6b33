#!/usr/bin/env bash
# Breaks the program in one place at a time, on a copy of it, and runs the test that must notice. A mutant that lives is a
# promise that nothing keeps.
#
#   tests/crash/mutants.sh          all
#   tests/crash/mutants.sh NAME...  some
# shellcheck disable=SC2016
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
wanted=" $* "
killed=0 alive=0
copy=$work/copy

prepare() {
    mkdir "$copy"
    (cd "$root" && git ls-files -co --exclude-standard -z | xargs -0 cp --parents -t "$copy") || exit 1
    cmake -S "$copy" -B "$work/build" -G Ninja -DDEVELOPER=ON >"$work/log" || fail "$(tail "$work/log")"
    ninja -C "$work/build" >"$work/log" || fail "$(tail "$work/log")"
}

# The test is a unit test's name, or a script of this folder with its arguments.
passes() {
    case $1 in
    unit-*) timeout 120 "$work/build/tests/$1" ;;
    failing.sh) HOLDBACK=$work/build/holdback ONLY=$2 timeout 600 "$copy/tests/crash/failing.sh" ;;
    jobs.sh) HOLDBACK=$work/build/holdback ROUND=$2 timeout 600 "$copy/tests/crash/jobs.sh" ;;
    *) HOLDBACK=$work/build/holdback timeout 600 "$copy/tests/crash/$1" "${@:2}" ;;
    esac >"$work/log" 2>&1
}

build_for() { # TEST
    local target=holdback
    [[ $1 == unit-* ]] && target=$1
    ninja -C "$work/build" "$target" crash-images >"$work/log" 2>&1
}

# A test that fails anyway notices nothing.
declare -A sound
is_sound() {
    [ -n "${sound[$*]:-}" ] || { build_for "$1" && passes "$@" && sound[$*]=yes; }
}

mutant() { # NAME FILE OLD NEW TEST...
    local name=$1 file=$copy/$2
    [ "$wanted" = "  " ] || [[ $wanted == *" $name "* ]] || return 0
    is_sound "${@:5}" || fail "${*:5} fails without a mutant: $(tail -n 3 "$work/log")"
    cp "$file" "$work/original"
    OLD=$3 NEW=$4 perl -0777 -pi -e 's/\Q$ENV{OLD}\E/$ENV{NEW}/' "$file"
    if cmp -s "$file" "$work/original"; then
        echo "ALIVE   $name: its place in $2 is not there any more"
        alive=$((alive + 1))
        return
    fi
    if build_for "$5" && ! passes "${@:5}"; then
        killed=$((killed + 1))
        echo "killed  $name  by ${*:5}"
    else
        alive=$((alive + 1))
        echo "ALIVE   $name  after ${*:5}: $(tail -n 1 "$work/log")"
    fi
    cp "$work/original" "$file"
}

prepare

# the journal
mutant tail-is-kept engine/run/journal.c 'reading->is_torn && ftruncate' 'reading == NULL && ftruncate' unit-run-journal
mutant hash-is-not-compared engine/run/journal_read.c 'memcmp(tail + HASH_KEY_LENGTH, hash, DIGEST_SIZE - 1) == 0' 'true' unit-run-journal
mutant chain-is-not-compared engine/run/journal_read.c '!equal(node_text(record->node, "prev"), out->hash)' 'false' unit-run-journal
mutant damage-is-cut-off engine/run/journal_read.c 'was_durable(bytes, length, out->end, expected)' 'was_durable(bytes, length, out->end, expected) && false' unit-run-journal
mutant failed-sync-is-forgotten engine/run/journal.c 'if (*journal->failure != '"'\\0')" 'if (false)' unit-run-journal
mutant records-are-not-synced engine/run/journal.c 'fdatasync(journal->fd) != 0' 'false' scripted.sh
mutant lock-is-ignored engine/run/lock.c 'flock(fd, LOCK_EX | LOCK_NB) != 0' 'false' jobs.sh 'client 3,client 7'

mutant begins-under-its-name engine/run/journal.c '"%s.first", path' '"%s", path' images.sh
mutant folder-is-not-synced engine/base/file.c 'if (!folder_sync(path_folder(arena, part)))' 'if (false)' images.sh
mutant run-folder-is-not-synced engine/run/deploy.c 'error = folder_sync_entry(run->arena, run->folder);' 'error = NULL;' images.sh
mutant state-is-told-too-early engine/run/outcome.c 'if (run_sync(run) == NULL)
        run_event' 'run_event' images.sh
mutant write-error-is-ignored engine/run/journal.c '        if (put < 0)
            goto failed;' '        if (put < 0)
            break;' failing.sh '^deploy write [0-9]+ 5 on$'
mutant short-write-counts-as-whole engine/run/journal.c '        bytes += put;
        left -= (size_t)put;' '        left = 0;' failing.sh '^deploy write [0-9]+ 28 on$'
mutant unsure-tail-is-not-written-again engine/run/journal.c 'size_t at = unsure_begin(reading);' 'size_t at = reading->end; (void)unsure_begin;' failing.sh '^deploy fsync 1[0-9] 5 once$'
mutant list-error-is-ignored engine/run/folder.c 'if (found < 0 && errno != ENOENT)' 'if (false)' failing.sh '^second open [0-9]+ 24 once$'
mutant hosts-forget-first engine/run/outcome.c 'struct error *error = run_sync(run);' 'struct error *error = NULL;' failing.sh '^commit write (6|7|8|9|10|11|12) [0-9]+ on'

# steps
mutant look-is-skipped engine/run/work.c 'if (look == LOOK_ALREADY)
        return STEP_ALREADY;' '' unit-run-step
mutant intent-is-not-synced engine/run/step.c 'begins", NULL);
    return run_sync(run);' 'begins", NULL);
    return NULL;' unit-run-step
mutant doubt-counts-as-not-done engine/run/step.c 'STEP_FAILED : STEP_IN_DOUBT' 'STEP_FAILED : STEP_NOTHING' unit-run-resume

# claims
mutant number-is-not-compared engine/host/wrapper.c '[ \"$hb_number $hb_run\" != \"$2 $3\" ]' '[ \"$hb_run\" != \"$3\" ]' unit-host-claim
mutant intent-is-not-left engine/host/wrapper.c '&& [ \"$hb_intent\" != \"$4 $5\" ] || return 0' '&& false || return 0' unit-host-claim
mutant relay-does-not-watch engine/host/relay.c '"    os.kill(0, 9)\n"' '"    pass\n"' unit-host-claim
mutant take-over-does-not-wait engine/host/claim.c 'flock -w 5 7 ||' 'true ||' unit-host-claim
mutant smaller-number-is-taken engine/host/claim.c '[ \"$3\" -ge \"$number\" ] || held\n"
    "  [ \"$from' 'true || held\n"
    "  [ \"$from' unit-host-claim
mutant old-journal-goes-on engine/run/claims.c 'ledger_has_intent(&run->ledger, found->intent))' 'true)' claims.sh copy
mutant number-is-not-raised engine/run/outcome.c 'run->ledger.number + 1);' 'run->ledger.number + (equal(command, "deploy") ? 1 : 0));' jobs.sh 'late 0'

# files
mutant file-is-not-compared engine/host/file.c '*) changed ;; esac\n"
    "  [ -z' '*) ;; esac\n"
    "  [ -z' unit-host-file
mutant symbolic-link-is-followed engine/host/file.c '[ ! -h \"$p\" ] || fail' 'true || fail' unit-host-file

# jobs
mutant transfer-is-not-compared engine/host/job.c "fail 'what arrived is not what was sent'" 'true' unit-host-job
mutant status-is-always-0 engine/host/wrapper.c 'echo \"exit $?\" 1' 'echo \"exit 0\" 1' unit-host-job
mutant boot-id-is-not-compared engine/host/wrapper.c '[ \"$b\" = \"$now\" ] || state=' 'true || state=' unit-host-job
mutant job-is-not-locked engine/host/wrapper.c 'flock -n 9 && [ ! -e' '[ ! -e' jobs.sh 'race 0,race 6,race 12,race 18'
mutant running-counts-as-not-done actions/remote_shell.c '        return SETTLE_RUNNING;
    case JOB_IN_DOUBT' '        return SETTLE_NOT_DONE;
    case JOB_IN_DOUBT' unit-actions-remote_shell
mutant exit-status-is-ignored actions/remote_shell_output.c 'list == NULL && status == 0' 'list == NULL' unit-actions-remote_shell

# SQL
mutant marker-is-not-seen actions/sql_marker.c '*found = result->rows == 1;' '*found = false;' unit-actions-sql_once
mutant marker-number-is-not-compared actions/sql_marker.c 'AND number > %lld' 'AND number > %lld + 1000' unit-actions-sql
mutant transaction-may-have-ended actions/sql_marker.c "WHERE pg_catalog.txid_current()::text = %s" "WHERE 'x' <> %s" unit-actions-sql
mutant clean-up-is-skipped actions/sql_run.c 'node_find(work->step->params, "clean-up") == NULL' 'true' unit-actions-sql

# Patroni
mutant patroni-is-settled-unseen actions/patroni.c 'enum look looked = look(work, error);' 'enum look looked = LOOK_ALREADY;' syscalls.sh patroni kill

echo "$killed passed, $alive failed"
[ "$alive" -eq 0 ] && [ "$killed" -gt 0 ]

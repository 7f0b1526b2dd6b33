#include "plan/hazard.h"

#include <string.h>

const struct hazard hazard_table[] = {
    {"HB001", "long work has no timeout of its own",
     "The general timeout was not chosen for an SQL file, a job or a wait for replay: it ends good "
     "work, or waits far too long for bad.",
     "A timeout: in the step or in its group.", "PostgreSQL, Client Connection Defaults"},
    {"HB002", "a shell text names a variable that nobody sets",
     "Under sh -eu the text ends there, in the middle of its work; without -u the name is empty.",
     "The value's name as the plan spells it, with underscores for dots and hyphens.",
     "POSIX, Shell Command Language, Parameter Expansion"},
    {"HB003", "a recursive rm takes a variable that may be empty",
     "rm -rf \"$x/data\" with an empty x removes /data.", "rm -rf \"${x:?}/data\"",
     "POSIX, Shell Command Language, Parameter Expansion"},
    {"HB004", "maintenance mode is turned on and never off",
     "In maintenance mode there is no failover, and nobody is told.",
     "maintenance: false in commit and in rollback.", "Patroni, Pause/Resume mode for the cluster"},
    {"HB005", "replay is paused and never resumed",
     "The standby falls behind for ever and keeps all WAL until its disk is full.",
     "SELECT pg_wal_replay_resume() in commit and in rollback.",
     "PostgreSQL, Recovery Control Functions"},
    {"HB006", "a fence is never taken away",
     "A fenced Patroni does not start at boot either: redundancy never comes back.",
     "service: started in a later step on the same hosts.", "systemctl(1), disable and mask"},
    {"HB007", "a host's name looks like a role misspelt",
     "Without a cluster file a name that is no role can only be a host.",
     "The role's name; or check with -c CLUSTER.", "README.md, First use"},
    {"HB008", "replay is paused while Patroni may resume it",
     "From PostgreSQL 14 on Patroni 2.1 and later resumes a paused replay in its next loop: "
     "nothing "
     "is held, and no error says so.",
     "maintenance: true before it, or service: stopped on the held host (its server runs on).",
     "patroni#2569; Patroni, Pause/Resume mode for the cluster"},
    {"HB009", "the mark is recorded before the hold is proven",
     "pg_wal_replay_pause() only asks. What is replayed after the mark cannot be undone: recovery "
     "then says \"requested recovery stop point is before consistent recovery point\".",
     "Pause, wait until pg_get_wal_replay_pause_state() is 'paused', then mark.",
     "PostgreSQL, Recovery Control Functions"},
    {"HB010", "a transaction id is the only mark",
     "It needs a commit record that is not flushed when txid_current() returns, none at all if the "
     "transaction rolls back, and it comes again after a wraparound.",
     "pg_create_restore_point() on the leader: a record of its own, with a name, flushed at once.",
     "PostgreSQL, Backup Control Functions"},
    {"HB011", "nothing proves that the held standby has the mark",
     "A recovery that does not find its target replays everything before it fails: the held state "
     "is gone.",
     "Wait until the standby has received the mark, and find it in its WAL with pg_waldump.",
     "PostgreSQL, pg_waldump"},
    {"HB012", "no guard watches the hold",
     "A paused replay is a flag in memory. A restart, or the crash of one backend, loses it while "
     "the deployment runs on.",
     "A guard: pg_get_wal_replay_pause_state() = 'paused' on the held host, until it is let go.",
     "PostgreSQL, Recovery Control Functions"},
    {"HB013", "a step of deploy ends the hold",
     "A restart of the server, Patroni's return, the end of maintenance mode and a promotion all "
     "let "
     "replay go on.",
     "Do that in commit.", "patroni#2569; Patroni, Pause/Resume mode for the cluster"},
    {"HB014", "commit ends the hold and leaves a rollback open",
     "Once replay goes on the mark is passed. A rollback after it would recover nothing.",
     "irreversible: the held state is replayed over", "PostgreSQL, Recovery Control Functions"},
    {"HB015", "something that needs the way back comes after an irreversible step",
     "Once an irreversible step has begun there is no rollback; what fails after it cannot be "
     "taken "
     "back, and a gate can no longer be answered with no.",
     "Put the irreversible step last, or into commit.", "schemas/plan.schema.json, irreversible"},
    {"HB016", "a synchronous standby is held",
     "With synchronous_commit = remote_apply every commit on the leader waits for its replay.",
     "Hold a replica; ask for sync_state = 'async' in the preflight.",
     "PostgreSQL, Synchronous Replication"},
    {"HB017", "Patroni is stopped in maintenance mode, and its PostgreSQL is not",
     "In maintenance mode the service leaves the server running: an old leader stays writable.",
     "service: fenced with postgres: stopped.", "Patroni, Pause/Resume mode for the cluster"},
    {"HB018", "the held standby is stopped after the leader",
     "The last Patroni that runs promotes its node. A promotion replays all that was received: the "
     "held state is gone.",
     "The held standby first, then the other replicas, the leader last.",
     "Patroni, Replication modes"},
    {"HB019", "a server is recovered while the leader may write",
     "Two servers then accept writes; what clients write to one of them is lost.",
     "Fence the leader, and prove it down, before the recovered server starts.",
     "PostgreSQL, Log-Shipping Standby Servers, Failover"},
    {"HB020", "Patroni is stopped and not fenced during a way back",
     "When that host boots its Patroni starts, with the deployment in its data, and may lead.",
     "service: fenced; and service: started when it may rejoin.", "systemctl(1), disable and mask"},
    {"HB021", "recovery settings are written under a running Patroni",
     "Patroni takes them out again and restarts the server, which then replays everything; also in "
     "maintenance mode.",
     "Stop the service on that host first.", "patroni#1426; patroni#3291"},
    {"HB022", "a recovery target stands on a command line",
     "Patroni's postgresql.conf holds empty targets: \"multiple recovery targets specified\".",
     "postgresql.auto.conf, which is read last.", "PostgreSQL, Recovery Target"},
    {"HB023", "a file is edited that Patroni rewrites",
     "Patroni writes postgresql.conf at each start and reload, and gives hot_standby on the "
     "command "
     "line: the edit is lost.",
     "postgresql.auto.conf for a lone start; Patroni's configuration for what is to stay.",
     "Patroni, Patroni configuration"},
    {"HB024", "recovery.conf is written for a server that refuses it",
     "PostgreSQL 12 and later do not start when it is there; before, Patroni overwrites it.",
     "Targets in postgresql.auto.conf and an empty recovery.signal, or when: {postgres: \"<12\"}.",
     "PostgreSQL, recovery.conf file merged into postgresql.conf"},
    {"HB025", "several recovery targets are set",
     "The server does not start: \"multiple recovery targets specified\".",
     "One target; the others of the mark serve to check where recovery stopped.",
     "PostgreSQL, Recovery Target"},
    {"HB026", "a recovery to a position includes the record that begins there",
     "pg_current_wal_insert_lsn() is where the next record begins: it is replayed, too.",
     "recovery_target_inclusive = off, or the name of a restore point.",
     "PostgreSQL, Recovery Target"},
    {"HB027", "the timeline of a recovery is left open",
     "The latest timeline may be a stranger's in the archive that forks before the target: then "
     "the "
     "server does not start.",
     "recovery_target_timeline = the number that was recorded with the mark.",
     "PostgreSQL, Timelines"},
    {"HB028", "a recovery starts without recovery.signal",
     "Without a signal file no target counts: crash recovery replays all of pg_wal, the deployment "
     "too, on the old timeline.",
     "An empty recovery.signal in the data directory, owned by the server's user.",
     "PostgreSQL, Recovering Using a Continuous Archive Backup"},
    {"HB029", "a recovery starts with both signal files",
     "standby.signal wins, so the server may stream from a leader; recovery.signal stays behind.",
     "Remove standby.signal.", "PostgreSQL, Archive Recovery"},
    {"HB030", "a recovery to a target is not promoted",
     "Without promotion the old timeline goes on: the next start replays past the target. From "
     "version 12 on a server that nobody can read (hot_standby off) shuts down there.",
     "recovery_target_action: pause, a look at the data, then pg_wal_replay_resume(); or promote.",
     "PostgreSQL, Recovery Target"},
    {"HB031", "Patroni is started on a recovered node that is not promoted",
     "Patroni removes the target and starts a standby, which replays the deployment, without any "
     "error; then it leads.",
     "Wait until pg_is_in_recovery() is false, then start Patroni.", "patroni#1870; patroni#3291"},
    {"HB032", "a server is promoted under a running Patroni",
     "Patroni did not give it the leader's lock: it demotes the server, or two lead for a while.",
     "leader: ROLE, or stop the service there first.", "Patroni, Patroni REST API, Switchover"},
    {"HB033", "the DCS is cleared while a Patroni may run",
     "Within seconds that Patroni writes its keys back, and a node with the deployment leads.",
     "Fence every member first, then cluster: absent.", "Patroni, patronictl, patronictl remove"},
    {"HB034", "maintenance mode comes back after the DCS was cleared",
     "Patroni restores its configuration from patroni.dynamic.json, pause: true included, and then "
     "never starts its server; no command helps while it is so.",
     "Take pause out of that file before Patroni starts; or turn maintenance mode off first.",
     "Patroni, Dynamic Configuration Settings"},
    {"HB035", "a last copy is removed",
     "Until another node leads with the right data, this one may be the only one that has it.",
     "Wait until the other leads, and move the directory aside until all is proven.",
     "patroni#2302; patroni#3224"},
    {"HB036", "settings of a recovery stay in postgresql.auto.conf",
     "Patroni removes recovery settings from it, but no others: listen_addresses = '' stays.",
     "edit-conf: {restore: STEP}", "PostgreSQL, Parameter Interaction via the Configuration File"},
    {"HB037", "a tag is set and never removed",
     "With nofailover a node never leads again; with noloadbalance it serves no reads.",
     "tags: {nofailover: null}, or restore: STEP, in commit and rollback.",
     "Patroni, YAML Configuration Settings, Tags"},
    {"HB038", "Patroni is started and nobody looks",
     "systemctl start succeeds although Patroni ends at once and is started again in a loop.",
     "service: started, or wait-until: {patroni: {leader: ROLE}} or {follows: ROLE} behind it.",
     "Patroni, Patroni REST API, Health check endpoints"},
    {"HB039", "a condition waits by itself",
     "A text that only looks is asked every second and has a deadline; one that sleeps answers "
     "late "
     "or never.",
     "Let it answer at once; every and timeout say how often and how long it is asked.",
     "schemas/wait-until.schema.json"},
    {"HB040", "a secret stands in the plan",
     "A plan is reviewed, previewed, copied into journals and kept for ever.",
     "A variable of type secret, for the standard input of a job; .pgpass for the server.",
     "PostgreSQL, The Password File"},
    {"HB041", "a name of before PostgreSQL 10 is used",
     "Version 10 renamed xlog to wal and location to lsn: the statement fails.",
     "pg_wal_replay_pause() and its like, or a map of versions.",
     "PostgreSQL, Release 10, Migration to Version 10"},
    {"HB042", "a lone server logs into its data directory",
     "pg_rewind and base backups copy the log to other nodes, and an old \"recovery stopping\" is "
     "found in a later run.",
     "pg_ctl -l \"$run_folder/recovery.log\"", "PostgreSQL, pg_rewind, How It Works"},
    {"HB043", "a recovery still waits for the delay of the hold",
     "recovery_min_apply_delay holds up every commit on the way to the target: an outage as long "
     "as "
     "the delay.",
     "recovery_min_apply_delay: \"0\" beside the target.", "PostgreSQL, Standby Servers"},
    {"HB044", "a recovery has no restore_command",
     "The server does not start: \"must specify restore_command when standby mode is not "
     "enabled\".",
     "The real command; where there is no archive, false: pg_wal is read then.",
     "PostgreSQL, Archive Recovery"},
};

const size_t hazard_count = sizeof hazard_table / sizeof *hazard_table;

const struct hazard *hazard_find(const char *id)
{
    for (size_t at = 0; at < hazard_count; at++) {
        if (strcmp(hazard_table[at].id, id) == 0)
            return &hazard_table[at];
    }
    return NULL;
}

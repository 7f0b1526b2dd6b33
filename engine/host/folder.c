/* The private folder of a run on a host. */
#include "host/job.h"
#include "host/wrapper.h"

static struct error *folder_call(struct host *host, struct arena *arena, const char *what,
                                 const char *run, const char *user, bool is_change,
                                 const char *text, const char *argument, int64_t deadline_ms,
                                 const char **rest)
{
    const char *arguments[] = {run, argument, NULL}, *word;
    struct wrapper_call call = {.what = what,
                                .arguments = arguments,
                                .texts = (const char *const[]){wrapper_job, text, NULL},
                                .is_change = is_change,
                                .shell = {.user = user, .deadline_ms = deadline_ms}};
    struct shell_result answer;
    struct error *error = job_names_check(arena, run, NULL);

    if (error == NULL)
        error = wrapper_call(host, arena, &call, &answer, &word, rest);
    if (error == NULL)
        shell_result_release(&answer);
    return error;
}

struct error *run_folder(struct host *host, struct arena *arena, const char *run, const char *user,
                         bool make, int64_t deadline_ms, const char **out)
{
    static const char text[] =
        "h=$HOME/.holdback r=$HOME/.holdback/$1 made=\n"
        "if [ \"$2\" = make ]; then\n"
        "  make_folder \"$h\" 755\n"
        "  make_folder \"$r\" 700\n"
        "  [ -z \"$made\" ] || sync \"$HOME\" \"$h\" \"$r\" || fail \"could not sync \\\"$r\\\"\"\n"
        "fi\n"
        "if [ -e \"$r\" ]; then\n"
        "  make_folder \"$r\" 700\n"
        "  case $(stat -c %a -- \"$r\") in 700 | ?700) ;; *) fail \"others may enter \\\"$r\\\"\" "
        ";; "
        "esac\n"
        "fi\n"
        "printf 'folder %s\\n' \"$r\"";

    return folder_call(host, arena, "could not make the run's folder", run, user, make, text,
                       make ? "make" : "", deadline_ms, out);
}

struct error *run_folder_remove(struct host *host, struct arena *arena, const char *run,
                                const char *user, int64_t deadline_ms)
{
    // The folder of all claims goes only under its lock: another run may be about to write there.
    static const char text[] =
        "h=$HOME/.holdback r=$HOME/.holdback/$1\n"
        "if [ -e \"$r\" ] || [ -h \"$r\" ]; then\n"
        "  make_folder \"$r\" 700\n"
        "  for d in \"$r\"/*/; do\n"
        "    d=${d%/}\n"
        "    job_state\n"
        "    case $state in running*) fail \"the job \\\"${d##*/}\\\" still runs\" ;; esac\n"
        "  done\n"
        "  rm -rf -- \"$r\" || fail \"could not remove \\\"$r\\\"\"\n"
        "fi\n"
        "{ [ -n \"$claim\" ] && [ ! -e /dev/fd/8 ]; } || rmdir -- \"$h\" 2>/dev/null\n"
        "echo removed";
    const char *rest;

    // The next job must look at the folder again.
    shell_remember_run(host, user, "");
    return folder_call(host, arena, "could not remove the run's folder", run, user, true, text, "",
                       deadline_ms, &rest);
}

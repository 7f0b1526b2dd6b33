/* holdback status: where a run stands, what holds, and what to type next. */
#include "cli/certificate.h"
#include "cli/display.h"
#include "cli/signals.h"
#include "run/trend.h"

#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum {
    LABEL_COLUMNS = 9,
    WATCH_MS = 1000,
    LOOKS = 5,      /* of a status that does not watch: what they tell takes about 2 s */
    PATIENCE_S = 8, /* for hosts that do not answer */
};

/* What is put together for one look at a run. */
struct picture {
    struct cli *cli;
    struct arena *arena;
    const struct run_summary *summary;
    const struct run_place *place;
    const struct text *guards; /* rows; NULL: they were not looked at */
    bool is_watch;
    struct text *out;
};

static void append_row(const struct picture *picture, const char *label, const char *words)
{
    int width = picture->cli->out.width;

    text_append_padded(picture->out, label, LABEL_COLUMNS);
    text_append_wrapped(picture->out, words, LABEL_COLUMNS, LABEL_COLUMNS,
                        width > 0 ? width - 1 : 0);
    text_append(picture->out, "\n");
}

static void append_identity(const struct picture *picture)
{
    const struct run_summary *summary = picture->summary;
    struct arena *arena = picture->arena;
    const char *state = run_state_names[summary->state];

    append_row(picture, "run", summary->id);
    text_append_padded(picture->out, "state", LABEL_COLUMNS);
    text_append_styled(picture->out, &picture->cli->out,
                       summary->is_stopped && run_state_is_open(summary->state) ? STYLE_WARNING
                                                                                : STYLE_STRONG,
                       summary->is_stopped && run_state_is_open(summary->state)
                           ? arena_printf(arena, "%s, stopped", state)
                           : state);
    text_append(picture->out, "\n");
    append_row(
        picture, "plan",
        arena_printf(arena, "%s (%s)", summary->plan_name,
                     summary->plan_file == NULL ? "?" : short_path(arena, summary->plan_file)));
    append_row(picture, "cluster",
               arena_printf(
                   arena, "%s (%s)", summary->cluster,
                   summary->cluster_file == NULL ? "?" : short_path(arena, summary->cluster_file)));
    append_row(picture, "began",
               arena_printf(arena, "%.10s %.8s UTC, by %s on %s", summary->began,
                            strlen(summary->began) > 19 ? summary->began + 11 : "", summary->by,
                            summary->from));
    append_row(picture, "at work", summary->holder == NULL ? "nobody" : summary->holder);
}

static void append_roles(const struct picture *picture, const struct node *roles)
{
    CLEANUP(text_release) struct text text = {0};

    NODE_EACH(role, roles)
    {
        text_append_format(&text, "%s%s (", text.length == 0 ? "" : ", ", role->key);
        NODE_EACH(host, role)
        text_append_format(&text, "%s%s", host == role->child ? "" : ", ", host->text);
        text_append(&text, ")");
    }
    if (text.length > 0)
        append_row(picture, "roles", text_string(&text));
}

/* The mark and whatever else steps saved; not the old content that they keep for `restore`. */
static void append_saved(const struct picture *picture)
{
    const char *label = "saved";

    for (const struct record *record = picture->summary->records; record != NULL;
         record = record->next) {
        NODE_EACH(value, node_find(record->node, "saved"))
        {
            if (value->text == NULL || ends_with(value->key, ".before"))
                continue;
            text_append_padded(picture->out, label, LABEL_COLUMNS);
            text_append_cut(picture->out,
                            arena_printf(picture->arena, "%s = %s", value->key, value->text),
                            80 - LABEL_COLUMNS - 1);
            text_append(picture->out, "\n");
            label = "";
        }
    }
}

/* Steps that have not come to a good end. */
static void append_steps(const struct picture *picture, const struct node *roles)
{
    const struct run_summary *summary = picture->summary;
    size_t told = 0;

    for (size_t at = 0; at < summary->status_count; at++) {
        const struct step_status *status = &summary->statuses[at];
        const char *title = host_title(picture->arena, roles, NULL, status->host);

        if (status->state != STEP_RUNNING && status->state != STEP_FAILED &&
            status->state != STEP_NOTHING && status->state != STEP_IN_DOUBT &&
            status->state != STEP_UNREACHABLE)
            continue;
        append_row(picture, told++ == 0 ? "step" : "",
                   arena_printf(picture->arena, "%s%s%s: %s%s%s", status->step,
                                *title == '\0' ? "" : " on ", title,
                                status->state == STEP_RUNNING && summary->holder == NULL
                                    ? "begun, and not ended"
                                    : step_state_names[status->state],
                                status->message == NULL ? "" : ": ",
                                status->message == NULL ? "" : status->message));
    }
    if (told == 0 && summary->current_step != NULL)
        append_row(
            picture, "step",
            arena_printf(picture->arena, "%s is the last one that ended", summary->current_step));
    if (summary->is_stopped && summary->stop_reason != NULL)
        append_row(picture, "stopped", summary->stop_reason);
    if (summary->is_stopped && summary->stop_hint != NULL)
        append_row(picture, "", summary->stop_hint);
}

static void append_budget(const struct picture *picture, const struct run_view *view)
{
    const char *words = budget_words(picture->arena, view);
    bool is_bounded = false;

    for (size_t at = 0; at < view->guard_count; at++)
        is_bounded |= !isnan(view->guards[at].seconds);
    if (words != NULL || is_bounded)
        append_row(picture, "budget", words == NULL ? "no limit is near" : words);
}

/* The rows of the guards, while the view is valid; the rest is known only later. */
static void watch_view(void *context, const struct run_view *view)
{
    const struct picture *picture = context;

    for (size_t at = 0; at < view->guard_count; at++) {
        const struct run_view_guard *guard = &view->guards[at];
        const char *title =
            host_title(picture->arena, view->roles, guard->guard->step.hosts, guard->host);
        const char *words = guard->words == NULL || equal(guard->words, "t") ? "" : guard->words;
        const char *state = !guard->is_known          ? "not known"
                            : guard->is_true          ? "true"
                            : guard->guard->show_only ? "shown only"
                                                      : "NOT TRUE";

        const char *lasts = isfinite(guard->seconds)
                                ? arena_printf(picture->arena, ", lasts %s",
                                               lasting_words(picture->arena, guard->seconds))
                                : "";

        append_row(picture, at == 0 ? "guards" : "",
                   arena_printf(picture->arena, "%s on %s: %s%s%s%s", guard->guard->step.id, title,
                                state, *words == '\0' ? "" : ": ", words, lasts));
    }
    if (view->guard_count == 0)
        append_row(picture, "guards", "none are in force");
    append_budget(picture, view);
}

/* Of a run that has one, or should have. */
static void append_certificate(const struct picture *picture)
{
    const struct run_summary *summary = picture->summary;
    const char *path =
        summary->folder == NULL ? NULL : certificate_path(picture->arena, summary->folder);

    if (path != NULL)
        append_row(picture, "proof", path);
    else if (summary->state == RUN_COMMITTED || summary->state == RUN_ROLLED_BACK)
        append_row(picture, "proof",
                   arena_printf(picture->arena, "there is none; holdback verify %s writes it",
                                summary->id));
}

static void append_picture(const struct picture *picture)
{
    const struct node *roles = summary_roles(picture->summary);

    append_identity(picture);
    append_roles(picture, roles);
    // What is drawn again and again has to fit on a screen.
    if (!picture->is_watch)
        append_saved(picture);
    append_steps(picture, roles);
    if (picture->guards != NULL)
        text_append_bytes(picture->out, text_string(picture->guards), picture->guards->length);
    append_certificate(picture);
    append_row(
        picture, "journal",
        arena_printf(picture->arena, "%s (%s)", picture->place->journal, picture->place->origin));
    text_append(picture->out, "\n");
    next_append(picture->out, picture->cli, picture->summary, "status");
}

/* Draws over what was drawn before; without a terminal one picture follows the other. */
static void redraw(struct cli *cli, const struct text *picture, int *drawn)
{
    CLEANUP(text_release) struct text text = {0};
    const char *at = text_string(picture);
    int lines = 0;

    if (cli->out.is_terminal && *drawn > 0)
        text_append_format(&text, "\x1b[%dA\r\x1b[J", *drawn);
    // What has left the screen at the top cannot be drawn over.
    while (*at != '\0' && (!cli->out.is_terminal || lines < cli->out.height - 1)) {
        size_t length = strcspn(at, "\n") + 1;

        text_append_bytes(&text, at, length);
        at += length;
        lines++;
    }
    if (!cli->out.is_terminal)
        text_append(&text, "\n");
    terminal_show(&cli->out, &text, WATCH_MS);
    *drawn = lines;
}

static bool wait_a_second(void)
{
    struct pollfd stop = {.fd = signals_stop_fd(), .events = POLLIN};

    for (int waited = 0; waited < WATCH_MS && *signals_first() == 0; waited += 100)
        (void)poll(&stop, 1, 100);
    return *signals_first() == 0;
}

static struct error *sample(const struct picture *picture, const char *run, int stop_fd, int looks,
                            struct trends *trends, struct run_summary *summary)
{
    const struct cli *cli = picture->cli;
    const struct run_options options = {
        .place = *picture->place,
        .run = run,
        .cluster_file = cli->options->cluster,
        .stop_fd = stop_fd,
        .interrupted = signals_first(),
    };

    return run_sample(picture->arena, &options, looks, trends, summary, watch_view,
                      (void *)picture);
}

static int watch(struct cli *cli, const struct run_place *place, const char *run)
{
    CLEANUP(trends_release) struct trends trends = {0};
    int drawn = 0;
    bool is_open = true;

    if (!signals_catch())
        return cli_fail(cli, error_new(cli->arena, ERROR_FAILED,
                                       "could not make an event descriptor: %s",
                                       errno_text(cli->arena, errno)));
    do {
        CLEANUP(arena_release) struct arena scratch = {0};
        CLEANUP(text_release) struct text text = {0};
        CLEANUP(text_release) struct text guards = {0};
        struct run_summary summary = {0};
        struct picture picture = {.cli = cli,
                                  .arena = &scratch,
                                  .summary = &summary,
                                  .place = place,
                                  .is_watch = true,
                                  .out = &guards};
        struct error *error = sample(&picture, run, signals_stop_fd(), 1, &trends, &summary);

        if (error != NULL && summary.id == NULL)
            return cli_fail(cli, error);
        if (error != NULL)
            append_row(&picture, "guards", error_text(&scratch, error));
        picture.guards = &guards;
        picture.out = &text;
        append_picture(&picture);
        terminal_measure(&cli->out);
        redraw(cli, &text, &drawn);
        is_open = run_state_is_open(summary.state);
    } while (is_open && wait_a_second());
    return *signals_first() == 0 ? 0 : 128 + *signals_first();
}

/* The guards' rows, into the picture; hosts that do not answer are not waited for. */
static void look_once(struct picture *picture, struct text *guards)
{
    CLEANUP(trends_release) struct trends trends = {0};
    struct picture look = *picture;
    struct run_summary summary = {0};
    const struct itimerspec patience = {.it_value = {.tv_sec = PATIENCE_S}};
    int timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

    look.out = guards;
    (void)timerfd_settime(timer_fd, 0, &patience, NULL);

    struct error *error = sample(&look, picture->summary->id, timer_fd, LOOKS, &trends, &summary);

    if (timer_fd >= 0)
        (void)close(timer_fd);
    if (error != NULL)
        append_row(&look, "guards", error_text(picture->arena, error));
    picture->guards = guards;
}

int command_status(struct cli *cli)
{
    CLEANUP(text_release) struct text out = {0};
    CLEANUP(text_release) struct text guards = {0};
    const struct option_list *arguments = &cli->options->arguments;
    const struct run_summary *found;
    struct run_summary summary;
    struct run_place place;
    struct picture picture = {
        .cli = cli, .arena = cli->arena, .summary = &summary, .place = &place, .out = &out};
    struct error *error =
        cli_find_run(cli, arguments->count > 0 ? arguments->values[0] : NULL, &place, &found);

    if (error != NULL)
        return cli_fail(cli, error);
    if (cli->options->watch)
        return watch(cli, &place, found->id);
    error = run_load_summary(cli->arena, found->folder, &summary);
    if (error != NULL)
        return cli_fail(cli, error);
    if (run_state_is_open(summary.state) && summary.state != RUN_PREFLIGHT)
        look_once(&picture, &guards);
    append_picture(&picture);
    return cli_print(cli, &out, 0);
}

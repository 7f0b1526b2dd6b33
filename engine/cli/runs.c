/* holdback runs: a table of all runs of a journal, newest first. */
#include "cli/command.h"

#include <string.h>

enum {
    COLUMN_COUNT = 6,
};

static const char *state_words(struct arena *arena, const struct run_summary *run)
{
    const char *state = run_state_names[run->state];

    if (run->holder != NULL)
        return arena_printf(arena, "%s, now", state);
    return run->is_stopped && run_state_is_open(run->state)
               ? arena_printf(arena, "%s, stopped", state)
               : state;
}

static void run_cells(struct arena *arena, const struct run_summary *run,
                      const char *cells[COLUMN_COUNT])
{
    cells[0] = run->id;
    cells[1] = state_words(arena, run);
    cells[2] = run->plan_name;
    cells[3] = run->cluster;
    // "2026-11-22T17:22:47.874Z"
    cells[4] = run->began == NULL || strlen(run->began) < 16
                   ? ""
                   : arena_printf(arena, "%.10s %.5s", run->began, run->began + 11);
    cells[5] = run->by;
    for (size_t at = 0; at < COLUMN_COUNT; at++) {
        if (cells[at] == NULL)
            cells[at] = "";
    }
}

int command_runs(struct cli *cli)
{
    static const char *const heads[COLUMN_COUNT] = {"run",     "state",       "plan",
                                                    "cluster", "began (UTC)", "by"};
    CLEANUP(text_release) struct text out = {0};
    struct arena *arena = cli->arena;
    struct findings findings = {.arena = arena};
    struct run_place place;
    const struct run_summary *runs;
    const char *cluster;
    size_t count;
    int widths[COLUMN_COUNT];
    struct error *error = cli_place(cli, &findings, &place, &cluster);

    if (findings.error_count > 0)
        return cli_refuse(cli, NULL, &findings);
    if (error == NULL)
        error = run_list(arena, &place, cluster, &runs, &count);
    if (error != NULL)
        return cli_fail(cli, error);
    if (count == 0) {
        text_append_format(&out, "no runs in \"%s\" (%s)\n", place.journal, place.origin);
        cli_say(cli, &out);
        return 0;
    }

    const char *(*rows)[COLUMN_COUNT] = arena_alloc(arena, (count + 1) * sizeof *rows);

    memcpy(rows[0], heads, sizeof heads);
    for (size_t at = 0; at < count; at++)
        run_cells(arena, &runs[at], rows[at + 1]);
    for (int column = 0; column < COLUMN_COUNT; column++) {
        widths[column] = 0;
        for (size_t row = 0; row <= count; row++) {
            if (string_width(rows[row][column]) > widths[column])
                widths[column] = string_width(rows[row][column]);
        }
    }
    for (size_t row = 0; row <= count; row++) {
        for (int column = 0; column < COLUMN_COUNT; column++) {
            if (column + 1 == COLUMN_COUNT)
                text_append_cut(&out, rows[row][column], widths[column]);
            else
                text_append_padded(&out, rows[row][column], widths[column] + 2);
        }
        text_append(&out, "\n");
    }
    return cli_print(cli, &out, 0);
}

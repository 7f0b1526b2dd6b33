/* The two files of a certificate, and what is said of them when a run ends. */
#include "base/file.h"
#include "cli/certificate.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

const char *certificate_count(struct arena *arena, const struct node *node, bool *has_failed)
{
    static const struct {
        const char *result, *words;
    } results[] = {{"proven", "proven"},
                   {"failed", "failed"},
                   {"not-proven", "not proven"},
                   {"does-not-apply", "not applicable"}};
    CLEANUP(text_release) struct text text = {0};

    *has_failed = false;
    for (size_t at = 0; at < ARRAY_COUNT(results); at++) {
        size_t count = 0;

        NODE_EACH(proof, node_find(node, "proofs"))
        count += equal(node_text(proof, "result"), results[at].result);
        if (count > 0)
            text_append_format(&text, "%s%zu %s", text.length == 0 ? "" : ", ", count,
                               results[at].words);
        *has_failed |= count > 0 && equal(results[at].result, "failed");
    }
    return text_copy(&text, arena);
}

struct error *certificate_write(struct arena *arena, const char *folder, const char *json,
                                const struct node *node, const char **path)
{
    CLEANUP(text_release) struct text markdown = {.limit = (size_t)64 * 1024 * 1024};
    const char *file = arena_printf(arena, "%s/%s", folder, CERTIFICATE_MARKDOWN);
    char digest[DIGEST_SIZE];

    certificate_markdown(arena, node, &markdown);
    sha256_hex(json, strlen(json), digest);
    text_append_format(&markdown, "SHA-256 of `%s`, which says the same for programs: `%s`\n",
                       CERTIFICATE_JSON, digest);

    // The JSON is what a later `verify` compares with: it comes last, when all is complete.
    struct error *error = file_write(arena, file, text_string(&markdown), markdown.length, 0600);

    if (error == NULL)
        error = file_write(arena, arena_printf(arena, "%s/%s", folder, CERTIFICATE_JSON), json,
                           strlen(json), 0600);
    *path = file;
    return error;
}

const char *certificate_path(struct arena *arena, const char *folder)
{
    const char *path = arena_printf(arena, "%s/%s", folder, CERTIFICATE_MARKDOWN);

    return access(path, R_OK) == 0 ? path : NULL;
}

static void say_unwritten(struct cli *cli, const struct error *error, const char *run)
{
    CLEANUP(text_release) struct text text = {0};

    text_append_styled(&text, &cli->err, STYLE_WARNING, "warning: ");
    text_append(&text, "there is no certificate: ");
    text_append_visible(&text, error_text(cli->arena, error),
                        strlen(error_text(cli->arena, error)));
    text_append_format(&text,
                       "\nThe run is over all the same. Write it with: holdback verify %s%s%s\n",
                       run, cli->where == NULL ? "" : " ", cli->where == NULL ? "" : cli->where);
    cli_say(cli, &text);
}

static void say_written(struct cli *cli, const struct node *node, const char *path)
{
    CLEANUP(text_release) struct text text = {0};
    bool has_failed;
    const char *count = certificate_count(cli->arena, node, &has_failed);

    text_append_format(&text, "certificate: %s (%s)\n", path, count);
    (void)terminal_write(&cli->out, &text);
    text_clear(&text);
    NODE_EACH(proof, node_find(node, "proofs"))
    {
        if (!equal(node_text(proof, "result"), "failed"))
            continue;
        text_append_styled(&text, &cli->err, STYLE_ERROR, "not true: ");
        text_append_visible(&text, node_text(proof, "about"), strlen(node_text(proof, "about")));
        text_append(&text, ": ");
        text_append_visible(&text, node_text(proof, "words"), strlen(node_text(proof, "words")));
        text_append(&text, "\n");
    }
    cli_say(cli, &text);
}

void certificate_make(struct cli *cli, const struct run_options *options,
                      const struct run_summary *summary)
{
    struct run_options asking = *options;
    struct run_summary again;
    const struct node *node = NULL;
    const char *json = NULL, *path = NULL;

    if (summary->state != RUN_COMMITTED && summary->state != RUN_ROLLED_BACK)
        return;
    // What is there already stays: it tells how it was when the run ended.
    path = certificate_path(cli->arena, summary->folder);
    if (path != NULL && certificate_read(cli->arena, summary->folder, &node) == NULL) {
        say_written(cli, node, path);
        return;
    }
    asking.run = summary->id;
    asking.observer = NULL;

    struct error *error = run_certify(cli->arena, &asking, &again, &json, &node);

    if (error == NULL)
        error = certificate_write(cli->arena, summary->folder, json, node, &path);
    if (error != NULL)
        say_unwritten(cli, error, summary->id);
    else
        say_written(cli, node, path);
}

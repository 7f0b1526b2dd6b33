/* The action remote-shell: what a job reads, and what of it must not be seen in what it prints. */
#include "remote_shell.h"

#include <string.h>

/* The secret variable that TEXT is, alone: "${name}"; NULL: it is something else. */
static const struct value *secret_variable(const struct work *work, const char *text)
{
    size_t length = strlen(text);

    if (!starts_with(text, "${") || text[length - 1] != '}')
        return NULL;

    const char *name = arena_copy(work->arena, text + 2, length - 3);
    const struct value *value = scope_find(work->scope, work->target->name, name);

    return value != NULL && value->type == VALUE_SECRET ? value : NULL;
}

bool remote_shell_reads_secret(const struct work *work)
{
    const struct node *node = node_find(work->step->params, "stdin");

    return node != NULL && secret_variable(work, node->text) != NULL;
}

struct error *remote_shell_secret(struct work *work, struct secret *out)
{
    const struct node *node = node_find(work->step->params, "stdin");
    const struct value *value = node == NULL ? NULL : secret_variable(work, node->text);
    struct secret_reference reference;

    if (value == NULL)
        return NULL;
    if (!value_read_secret(value->text, &reference))
        return error_at(work->arena, work_place(work, node), "secret \"%s\" cannot be read",
                        node->text);
    return secret_fetch(work->arena, &reference, out);
}

struct error *remote_shell_input(struct work *work, struct secret *secret,
                                 struct job_request *request)
{
    const struct node *node = node_find(work->step->params, "stdin");
    struct error *error;

    if (node == NULL)
        return NULL;
    if (secret_variable(work, node->text) == NULL) {
        error = work_text(work, node, &request->input);
        request->input_length = error == NULL ? strlen(request->input) : 0;
        return error;
    }
    error = remote_shell_secret(work, secret);
    request->input = secret->bytes;
    request->input_length = secret->length;
    return error;
}

bool remote_shell_hide(const struct work *work, const struct secret *secret, struct text *printed)
{
    if (printed->length == 0 || !remote_shell_reads_secret(work))
        return false;
    if (secret->bytes != NULL)
        return secret_hide(secret, printed);
    text_clear(printed);
    text_append(printed, "(not shown: it may hold the secret that the job read, and the secret "
                         "could not be read again to be left out)\n");
    return true;
}

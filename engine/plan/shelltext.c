#include "base/text.h"
#include "plan/shellscan.h"

#include <string.h>

static bool is_name_start(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

size_t shell_name_length(const char *text)
{
    size_t length = 0;

    if (!is_name_start(*text))
        return 0;
    while (is_name_start(text[length]) || (text[length] >= '0' && text[length] <= '9'))
        length++;
    return length;
}

struct level *scan_level(struct scan *scan)
{
    return &scan->levels[scan->depth];
}

void scan_enter(struct scan *scan, enum level_kind kind)
{
    if (scan->depth + 1 == DEEPEST) {
        scan->is_followed = false;
        scan->at += strlen(scan->at);
        return;
    }
    scan->levels[++scan->depth] = (struct level){.kind = kind};
}

void scan_leave(struct scan *scan)
{
    if (scan->depth > 0)
        scan->depth--;
}

/* The rm whose word this is, however deep in quotes and braces. */
static bool is_removed(const struct scan *scan)
{
    for (int depth = scan->depth; depth >= 0; depth--) {
        const struct level *level = &scan->levels[depth];

        if (level->kind == LEVEL_COMMAND || level->kind == LEVEL_BACKTICK)
            return level->is_rm && level->is_recursive;
    }
    return false;
}

void scan_tell_use(const struct scan *scan, const char *name, size_t length,
                   enum shell_use_kind kind)
{
    struct shell_use use = {name, length, kind, is_removed(scan)};

    if (scan->visitor->use != NULL && length > 0)
        scan->visitor->use(scan->visitor->context, &use);
}

void scan_tell_assign(const struct scan *scan, const char *name, size_t length)
{
    if (scan->visitor->assign != NULL && length > 0)
        scan->visitor->assign(scan->visitor->context, name, length);
}

void scan_tell_word(const struct scan *scan, const char *word, size_t length, int index)
{
    struct shell_word told = {word, length, index, scan->depth,
                              scan->levels[scan->depth].is_output};

    if (scan->visitor->word != NULL)
        scan->visitor->word(scan->visitor->context, &told);
}

void scan_tell_mentions(const struct scan *scan, const char *from, const char *to)
{
    for (const char *at = from; at < to; at++) {
        if (*at != '$')
            continue;

        const char *name = at + 1 + (at[1] == '{');
        size_t length = shell_name_length(name);

        scan_tell_use(scan, name, length, SHELL_MENTIONED);
        at = name + length - 1;
    }
}

enum shell_use_kind shell_brace_kind(const char *rest)
{
    const char *sign = rest + (*rest == ':');

    if (*sign == '?')
        return *rest == ':' ? SHELL_CHECKED : SHELL_USED;
    return *sign == '-' || *sign == '+' || *sign == '=' ? SHELL_DEFAULTED : SHELL_USED;
}

static void scan_brace(struct scan *scan)
{
    const char *name = scan->at + 2;

    if ((*name == '#' || *name == '!') && is_name_start(name[1]))
        name++;

    size_t length = shell_name_length(name);
    const char *rest = name + length;

    scan_tell_use(scan, name, length, shell_brace_kind(rest));
    if (starts_with(rest, "=") || starts_with(rest, ":="))
        scan_tell_assign(scan, name, length);
    // A special parameter such as ${#} or ${1} may be any single character.
    scan->at = rest + (length == 0 && *rest != '\0' && *rest != '}');
    scan_enter(scan, LEVEL_BRACE);
}

/* Behind the single-quoted text that begins at the quote. */
static const char *single_quote_end(const char *at, bool has_escapes)
{
    for (at++; *at != '\0' && *at != '\''; at++) {
        if (has_escapes && *at == '\\' && at[1] != '\0')
            at++;
    }
    return *at == '\0' ? at : at + 1;
}

void scan_single_quote(struct scan *scan, bool has_escapes)
{
    const char *end = single_quote_end(scan->at, has_escapes);

    scan_tell_mentions(scan, scan->at, end);
    scan->at = end;
}

static void scan_dollar(struct scan *scan)
{
    const char *at = scan->at;
    size_t length = shell_name_length(at + 1);

    if (length > 0) {
        scan_tell_use(scan, at + 1, length, SHELL_USED);
        scan->at += 1 + length;
    } else if (at[1] == '{') {
        scan_brace(scan);
    } else if (starts_with(at, "$((")) {
        scan->at += 3;
        scan_enter(scan, LEVEL_SUM);
    } else if (at[1] == '(') {
        scan->at += 2;
        scan_enter(scan, LEVEL_COMMAND);
    } else if (at[1] == '\'' && scan_level(scan)->kind != LEVEL_QUOTE) {
        scan->at++;
        scan_single_quote(scan, true);
    } else {
        // $$, $1, $? and the like are not ours; a dollar before anything else is only a dollar.
        scan->at += at[1] != '\0' && strchr("$?!@*#-", at[1]) != NULL ? 2 : 1;
    }
}

static void scan_backslash(struct scan *scan)
{
    if (scan->at[1] == '$')
        scan_tell_mentions(scan, scan->at + 1, scan->at + 2);
    scan->at += scan->at[1] == '\0' ? 1 : 2;
}

static void scan_backtick(struct scan *scan)
{
    scan->at++;
    for (int depth = scan->depth; depth > 0; depth--) {
        if (scan->levels[depth].kind == LEVEL_BACKTICK) {
            scan->depth = depth - 1;
            return;
        }
    }
    scan_enter(scan, LEVEL_BACKTICK);
}

bool scan_common(struct scan *scan)
{
    switch (*scan->at) {
    case '$':
        scan_dollar(scan);
        return true;
    case '\\':
        scan_backslash(scan);
        return true;
    case '`':
        scan_backtick(scan);
        return true;
    case '"':
        scan->at++;
        if (scan_level(scan)->kind == LEVEL_QUOTE)
            scan_leave(scan);
        else
            scan_enter(scan, LEVEL_QUOTE);
        return true;
    default:
        return false;
    }
}

static void scan_in_brace(struct scan *scan)
{
    bool in_quotes = scan->depth > 0 && scan->levels[scan->depth - 1].kind == LEVEL_QUOTE;

    if (*scan->at == '}') {
        scan->at++;
        scan_leave(scan);
    } else if (*scan->at == '\'' && !in_quotes) {
        scan_single_quote(scan, false);
    } else if (!scan_common(scan)) {
        scan->at++;
    }
}

static void scan_sum(struct scan *scan)
{
    struct level *level = scan_level(scan);
    size_t length = shell_name_length(scan->at);

    if (length > 0) {
        scan_tell_use(scan, scan->at, length, SHELL_MENTIONED);
        scan->at += length;
    } else if (*scan->at == ')' && level->parens == 0) {
        scan->at += scan->at[1] == ')' ? 2 : 1;
        scan_leave(scan);
    } else if (!scan_common(scan)) {
        level->parens += (*scan->at == '(') - (*scan->at == ')');
        scan->at++;
    }
}

bool shell_scan(const char *text, const struct shell_visitor *visitor)
{
    struct scan scan = {.at = text, .visitor = visitor, .is_followed = true};

    while (*scan.at != '\0') {
        switch (scan_level(&scan)->kind) {
        case LEVEL_COMMAND:
        case LEVEL_BACKTICK:
            scan_command(&scan);
            break;
        case LEVEL_QUOTE:
            if (!scan_common(&scan))
                scan.at++;
            break;
        case LEVEL_BRACE:
            scan_in_brace(&scan);
            break;
        case LEVEL_SUM:
            scan_sum(&scan);
            break;
        }
    }
    scan_command_end(&scan);
    return scan.is_followed;
}

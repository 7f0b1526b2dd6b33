/* Words, commands and here-documents. */
#include "plan/shellscan.h"

#include <string.h>

static bool word_is_one_of(const char *word, size_t length, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strlen(*words) == length && memcmp(word, *words, length) == 0)
            return true;
    }
    return false;
}

static bool is_reserved(const char *word, size_t length)
{
    static const char *const words[] = {"then", "do",   "else", "if", "while", "until",
                                        "elif", "time", "{",    "!",  "in",    NULL};

    return word_is_one_of(word, length, words);
}

static enum command_kind command_kind(const char *word, size_t length)
{
    static const char *const names[] = {"read",    "export",  "local",     "readonly", "declare",
                                        "typeset", "mapfile", "readarray", "unset",    NULL};
    static const char *const loops[] = {"for", "select", NULL};
    static const char *const getopts[] = {"getopts", NULL};

    if (word_is_one_of(word, length, names))
        return COMMAND_NAMES;
    if (word_is_one_of(word, length, loops))
        return COMMAND_FOR;
    return word_is_one_of(word, length, getopts) ? COMMAND_GETOPTS : COMMAND_OTHER;
}

/* The first word of a command. */
static void command_begin(struct scan *scan, struct level *level, const char *word, size_t length)
{
    static const char *const others[] = {".", "source", "eval", NULL};
    static const char *const cases[] = {"case", NULL}, *const esacs[] = {"esac", NULL};

    if (word_is_one_of(word, length, others))
        scan->is_followed = false;
    if (word_is_one_of(word, length, cases))
        level->cases++;
    if (word_is_one_of(word, length, esacs) && level->cases > 0)
        level->cases--;
    level->command = command_kind(word, length);
}

static bool is_recursive_option(const char *word, size_t length)
{
    static const char *const options[] = {"--recursive", NULL};

    if (length < 2 || word[0] != '-')
        return false;
    if (word[1] == '-')
        return word_is_one_of(word, length, options);
    return memchr(word, 'r', length) != NULL || memchr(word, 'R', length) != NULL;
}

static void word_end(struct scan *scan)
{
    struct level *level = scan_level(scan);
    const char *word = level->word;

    if (word == NULL)
        return;
    level->word = NULL;

    size_t length = (size_t)(scan->at - word), name = shell_name_length(word);

    if (name > 0 && name < length &&
        (word[name] == '=' || word[name] == '[' || (word[name] == '+' && word[name + 1] == '='))) {
        scan_tell_assign(scan, word, name);
        return;
    }
    if (level->word_count == 0 && is_reserved(word, length))
        return;
    scan_tell_word(scan, word, length, level->word_count);
    level->is_output = false;
    if (level->word_count++ == 0)
        command_begin(scan, level, word, length);
    else if (name == length && (level->command == COMMAND_NAMES ||
                                (level->command == COMMAND_FOR && level->word_count == 2) ||
                                (level->command == COMMAND_GETOPTS && level->word_count == 3)))
        scan_tell_assign(scan, word, name);
    if (length >= 2 && memcmp(scan->at - 2, "rm", 2) == 0 && (length == 2 || scan->at[-3] == '/'))
        level->is_rm = true;
    else if (is_recursive_option(word, length))
        level->is_recursive = true;
}

void scan_command_end(struct scan *scan)
{
    struct level *level = scan_level(scan);

    word_end(scan);
    if (level->word_count > 0 && scan->visitor->command_end != NULL)
        scan->visitor->command_end(scan->visitor->context, scan->depth);
    level->word_count = 0;
    level->is_output = false;
    level->command = COMMAND_OTHER;
    level->is_rm = level->is_recursive = false;
}

/* "<<END": the body begins on the next line. */
static void scan_here_document(struct scan *scan)
{
    struct here_document document = {0};

    scan->at += 2;
    document.strips_tabs = *scan->at == '-';
    scan->at += document.strips_tabs;
    scan->at += strspn(scan->at, " \t");
    document.end = scan->at;
    document.length = strcspn(scan->at, " \t\n;|&()<>");
    for (size_t at = 0; at < document.length; at++)
        document.is_quoted |= strchr("'\"\\", document.end[at]) != NULL;
    scan->at += document.length;
    if (scan->document_count < HERE_DOCUMENTS_MOST)
        scan->documents[scan->document_count++] = document;
}

/* Is the line at AT the delimiter, without the quotes that it may be written in? */
static bool is_delimiter(const struct here_document *document, const char *at)
{
    for (size_t index = 0; index < document->length; index++) {
        if (strchr("'\"\\", document->end[index]) != NULL)
            continue;
        if (*at++ != document->end[index])
            return false;
    }
    return *at == '\n' || *at == '\0';
}

static void tell_document(const struct scan *scan, const char *from, const char *to, bool is_quoted)
{
    if (is_quoted) {
        scan_tell_mentions(scan, from, to);
        return;
    }
    for (const char *at = from; at < to; at++) {
        if (*at == '\\') {
            at++;
            continue;
        }
        if (*at != '$')
            continue;

        const char *name = at + 1 + (at[1] == '{');
        size_t length = shell_name_length(name);

        scan_tell_use(scan, name, length,
                      at[1] == '{' ? shell_brace_kind(name + length) : SHELL_USED);
    }
}

/* Behind a newline: the bodies of the here-documents of the line that it ends. */
static void scan_bodies(struct scan *scan)
{
    for (int index = 0; index < scan->document_count; index++) {
        const struct here_document *document = &scan->documents[index];
        const char *body = scan->at, *line = body;

        while (*line != '\0' &&
               !is_delimiter(document, line + (document->strips_tabs ? strspn(line, "\t") : 0))) {
            line += strcspn(line, "\n");
            line += *line == '\n';
        }
        tell_document(scan, body, line, document->is_quoted);
        scan_tell_word(scan, body, (size_t)(line - body), -1);
        line += strcspn(line, "\n");
        scan->at = line + (*line == '\n');
    }
    scan->document_count = 0;
}

static void scan_operator(struct scan *scan)
{
    struct level *level = scan_level(scan);

    switch (*scan->at) {
    case '<':
        word_end(scan);
        if (scan->at[1] == '<' && scan->at[2] != '<')
            scan_here_document(scan);
        else
            scan->at += strspn(scan->at, "<");
        return;
    case '>':
        word_end(scan);
        scan->at += strspn(scan->at, ">|&");
        level->is_output = true;
        return;
    case '(':
        scan_command_end(scan);
        scan->at++;
        scan_enter(scan, LEVEL_COMMAND);
        return;
    case ')':
        scan_command_end(scan);
        scan->at++;
        if (level->cases == 0 && level->kind == LEVEL_COMMAND)
            scan_leave(scan);
        return;
    default:
        scan_command_end(scan);
        scan->at++;
        if (scan->at[-1] == '\n')
            scan_bodies(scan);
        return;
    }
}

void scan_command(struct scan *scan)
{
    struct level *level = scan_level(scan);
    char c = *scan->at;

    if (c == ' ' || c == '\t') {
        word_end(scan);
        scan->at++;
        return;
    }
    if (c == '#' && level->word == NULL) {
        scan->at += strcspn(scan->at, "\n");
        return;
    }
    if (strchr("\n;|&()<>", c) != NULL) {
        scan_operator(scan);
        return;
    }
    if (c == '`' && level->kind == LEVEL_BACKTICK)
        scan_command_end(scan);
    else if (level->word == NULL)
        level->word = scan->at;
    if (c == '\'')
        scan_single_quote(scan, false);
    else if (!scan_common(scan))
        scan->at++;
}

/* Edits of files with one entry per line; see edit_lines.h. */
#include "edit_lines.h"

#include <string.h>
#include <strings.h>

struct cursor {
    const char *bytes;
    size_t length;
    size_t start, end; /* of the line, without its ending */
    size_t next;       /* where the next line starts */
    int number;
};

/* What the file says about the key that is edited. */
struct survey {
    bool has_active, has_commented, has_section;
    size_t active, commented; /* where those lines start: the last of each */
    size_t append;            /* where a new entry of the section goes */
    int continued;            /* the number of a line that an active entry goes on to; or 0 */
};

size_t skip_blanks(const char *bytes, size_t at, size_t length)
{
    while (at < length && (bytes[at] == ' ' || bytes[at] == '\t'))
        at++;
    return at;
}

static bool next_line(struct cursor *cursor)
{
    const char *newline;

    if (cursor->next >= cursor->length)
        return false;
    cursor->start = cursor->next;
    newline = memchr(cursor->bytes + cursor->start, '\n', cursor->length - cursor->start);
    cursor->end = newline == NULL ? cursor->length : (size_t)(newline - cursor->bytes);
    cursor->next = newline == NULL ? cursor->length : cursor->end + 1;
    if (newline != NULL && cursor->end > cursor->start && cursor->bytes[cursor->end - 1] == '\r')
        cursor->end--;
    cursor->number++;
    return true;
}

static bool key_is(const struct line_grammar *grammar, const char *bytes, size_t length,
                   const char *key)
{
    if (strlen(key) != length)
        return false;
    return grammar->keys_ignore_case ? strncasecmp(bytes, key, length) == 0
                                     : memcmp(bytes, key, length) == 0;
}

/*
 * Reads line after line: *is_wanted where the line is an entry of the edit's key in its section.
 * The caller zeroes the state before the first line.
 */
struct state {
    bool is_elsewhere; /* in another section */
    bool continues;
};

static struct line read_line(const struct line_grammar *grammar, const struct edit *edit,
                             const struct cursor *cursor, struct state *state, bool *is_wanted)
{
    const char *bytes = cursor->bytes + cursor->start;
    struct line line = {0};

    *is_wanted = false;
    grammar->read(bytes, cursor->end - cursor->start, &line);
    if (state->continues)
        line.kind = LINE_CONTINUATION;
    state->continues = line.continues;
    if (line.kind == LINE_SECTION) {
        state->is_elsewhere = edit->depth < 2 || !key_is(grammar, bytes + line.key,
                                                         line.key_end - line.key, edit->path[0]);
    } else if (line.kind == LINE_ENTRY && !state->is_elsewhere) {
        *is_wanted =
            key_is(grammar, bytes + line.key, line.key_end - line.key, edit->path[edit->depth - 1]);
    }
    return line;
}

static struct error *take_survey(struct arena *arena, const struct line_grammar *grammar,
                                 const char *bytes, size_t length, const struct edit *edit,
                                 struct survey *out)
{
    struct cursor cursor = {.bytes = bytes, .length = length};
    struct state state = {.is_elsewhere = edit->depth > 1};
    struct survey survey = {.has_section = edit->depth < 2};
    bool has_other_section = false, was_wanted = false, is_wanted;

    while (next_line(&cursor)) {
        struct line line = read_line(grammar, edit, &cursor, &state, &is_wanted);

        if (line.kind == LINE_OPEN)
            return error_new(arena, ERROR_FAILED,
                             "line %d begins a value of several lines, which cannot be edited",
                             cursor.number);
        if (line.kind == LINE_CONTINUATION && was_wanted)
            survey.continued = cursor.number;
        if (line.kind == LINE_CONTINUATION)
            is_wanted = was_wanted;
        else if (is_wanted && line.is_commented) {
            survey.has_commented = true;
            survey.commented = cursor.start;
        } else if (is_wanted) {
            survey.has_active = true;
            survey.active = cursor.start;
        }
        if (!state.is_elsewhere && line.kind != LINE_OTHER) {
            survey.has_section = true;
            survey.append = cursor.next;
        }
        has_other_section = has_other_section || line.kind == LINE_SECTION;
        was_wanted = is_wanted && !line.is_commented;
    }
    if (!has_other_section || !survey.has_section)
        survey.append = length;
    *out = survey;
    return NULL;
}

static const char *line_ending(const char *bytes, size_t length)
{
    const char *newline = memchr(bytes, '\n', length);

    return newline != NULL && newline > bytes && newline[-1] == '\r' ? "\r\n" : "\n";
}

static struct error *append_value(struct arena *arena, const struct line_grammar *grammar,
                                  const struct edit *edit, struct text *out)
{
    const char *why = grammar->quote(edit->value->text == NULL ? "" : edit->value->text,
                                     edit->value->length, out);

    if (why == NULL)
        return NULL;
    return error_new(arena, ERROR_FAILED, "the value of \"%s\" cannot be written: %s",
                     edit_path_text(arena, edit), why);
}

static struct error *append_entry(struct arena *arena, const struct line_grammar *grammar,
                                  const char *bytes, size_t length, const struct edit *edit,
                                  const struct survey *survey, struct text *out)
{
    const char *ending = line_ending(bytes, length);
    struct error *error;

    text_append_bytes(out, bytes, survey->append);
    if (survey->append > 0 && bytes[survey->append - 1] != '\n')
        text_append(out, ending);
    if (!survey->has_section)
        text_append_format(out, "%s[%s]%s", length > 0 ? ending : "", edit->path[0], ending);
    text_append(out, edit->path[edit->depth - 1]);
    text_append(out, grammar->separator);
    error = append_value(arena, grammar, edit, out);
    text_append(out, ending);
    text_append_bytes(out, bytes + survey->append, length - survey->append);
    return error;
}

/* The line at START with the edit's value in place of its own. */
static struct error *replace_value(struct arena *arena, const struct line_grammar *grammar,
                                   const char *bytes, size_t length, const struct edit *edit,
                                   const struct survey *survey, struct text *out)
{
    CLEANUP(text_release) struct text value = {0};
    struct cursor cursor = {.bytes = bytes, .length = length, .next = survey->active};
    struct line line = {0};
    const char *start = bytes + survey->active;

    next_line(&cursor);
    grammar->read(start, cursor.end - cursor.start, &line);
    if (grammar->value(start + line.value, line.value_end - line.value, &value) &&
        value.length == edit->value->length &&
        memcmp(text_string(&value), edit->value->text == NULL ? "" : edit->value->text,
               value.length) == 0) {
        text_append_bytes(out, bytes, length);
        return NULL;
    }
    text_append_bytes(out, bytes, survey->active + line.value);
    if (line.value > 0 && line.value == line.key_end)
        text_append(out, grammar->separator);

    struct error *error = append_value(arena, grammar, edit, out);

    text_append_bytes(out, start + line.value_end, length - survey->active - line.value_end);
    return error;
}

/* Every active line of the key, dropped or turned into a comment. */
static void silence(const struct line_grammar *grammar, const char *bytes, size_t length,
                    const struct edit *edit, struct text *out)
{
    struct cursor cursor = {.bytes = bytes, .length = length};
    struct state state = {.is_elsewhere = edit->depth > 1};
    bool is_wanted;

    while (next_line(&cursor)) {
        struct line line = read_line(grammar, edit, &cursor, &state, &is_wanted);
        bool is_active = is_wanted && !line.is_commented;

        if (is_active && edit->kind == EDIT_UNSET)
            continue;
        if (is_active)
            text_append(out, "#");
        text_append_bytes(out, bytes + cursor.start, cursor.next - cursor.start);
    }
}

static struct error *uncomment(struct arena *arena, const struct line_grammar *grammar,
                               const char *bytes, size_t length, const struct edit *edit,
                               const struct survey *survey, struct text *out)
{
    struct cursor cursor = {.bytes = bytes, .length = length, .next = survey->commented};
    struct line line = {0};

    if (survey->has_active) {
        text_append_bytes(out, bytes, length);
        return NULL;
    }
    if (!survey->has_commented)
        return error_new(arena, ERROR_FAILED, "no line has \"%s\", active or commented out",
                         edit_path_text(arena, edit));
    next_line(&cursor);
    grammar->read(bytes + cursor.start, cursor.end - cursor.start, &line);
    text_append_bytes(out, bytes, skip_blanks(bytes, cursor.start, length));
    text_append_bytes(out, bytes + cursor.start + line.start, length - cursor.start - line.start);
    return NULL;
}

struct error *edit_lines(struct arena *arena, const struct line_grammar *grammar, const char *bytes,
                         size_t length, const struct edit *edit, struct text *out)
{
    struct survey survey = {0};
    struct error *error = take_survey(arena, grammar, bytes, length, edit, &survey);

    if (error != NULL)
        return error;
    if (survey.continued > 0 && edit->kind != EDIT_UNCOMMENT)
        return error_new(arena, ERROR_FAILED, "line %d goes on from \"%s\", which cannot be edited",
                         survey.continued, edit_path_text(arena, edit));
    if (edit->kind == EDIT_UNCOMMENT)
        return uncomment(arena, grammar, bytes, length, edit, &survey, out);
    if (edit->kind != EDIT_SET) {
        silence(grammar, bytes, length, edit, out);
        return NULL;
    }
    if (edit->value->kind == NODE_LIST || edit->value->kind == NODE_MAP)
        return error_new(arena, ERROR_FAILED, "the value of \"%s\" cannot be written: it is a %s",
                         edit_path_text(arena, edit), node_kind_name(edit->value->kind));
    if (survey.has_active)
        return replace_value(arena, grammar, bytes, length, edit, &survey, out);
    return append_entry(arena, grammar, bytes, length, edit, &survey, out);
}

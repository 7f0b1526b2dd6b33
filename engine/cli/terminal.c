#include "cli/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static bool is_set(const char *name)
{
    const char *value = getenv(name); // NOLINT(concurrency-mt-unsafe)

    return value != NULL && *value != '\0';
}

static bool color_is_wanted(bool is_terminal, const char *color)
{
    const char *force = getenv("CLICOLOR_FORCE"); // NOLINT(concurrency-mt-unsafe)

    if (equal(color, "always") || equal(color, "never"))
        return equal(color, "always");
    if (is_set("NO_COLOR"))
        return false;
    if (is_set("FORCE_COLOR") || (is_set("CLICOLOR_FORCE") && !equal(force, "0")))
        return true;
    return is_terminal;
}

void terminal_measure(struct terminal *terminal)
{
    struct winsize size = {0};

    if (!terminal->is_terminal)
        return;
    terminal->width = 80;
    terminal->height = 24;
    if (ioctl(terminal->fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
        terminal->width = size.ws_col;
        terminal->height = size.ws_row;
    }
}

void terminal_init(struct terminal *terminal, int fd, const char *color)
{
    const char *kind = getenv("TERM"); // NOLINT(concurrency-mt-unsafe)

    *terminal = (struct terminal){.fd = fd};
    terminal->is_terminal = isatty(fd) == 1 && kind != NULL && !equal(kind, "dumb");
    terminal->has_color = color_is_wanted(terminal->is_terminal, color);
    terminal_measure(terminal);
}

bool terminal_write(const struct terminal *terminal, const struct text *text)
{
    const char *bytes = text_string(text);

    for (size_t left = text->length; left > 0;) {
        ssize_t put = write(terminal->fd, bytes, left);

        if (put < 0 && errno == EAGAIN)
            (void)poll(&(struct pollfd){.fd = terminal->fd, .events = POLLOUT}, 1, 1000);
        else if (put < 0 && errno != EINTR)
            return false;
        if (put > 0) {
            bytes += put;
            left -= (size_t)put;
        }
    }
    return true;
}

void terminal_show(struct terminal *terminal, const struct text *text, int timeout_ms)
{
    enum { CHUNK = 512 }; // _POSIX_PIPE_BUF: a pipe that is ready takes so much without blocking.
    const char *bytes = text_string(text);
    size_t left = text->length;

    while (left > 0) {
        struct pollfd ready = {.fd = terminal->fd, .events = POLLOUT};
        int count = poll(&ready, 1, terminal->is_stalled ? 0 : timeout_ms);

        if (count < 0 && errno == EINTR)
            continue;
        terminal->is_stalled = count == 0;
        if (count <= 0 || (ready.revents & POLLOUT) == 0)
            return;

        ssize_t put = write(terminal->fd, bytes, left < CHUNK ? left : CHUNK);

        if (put < 0 && errno != EINTR && errno != EAGAIN)
            return;
        if (put > 0) {
            bytes += put;
            left -= (size_t)put;
        }
    }
}

void text_append_styled(struct text *text, const struct terminal *terminal, enum style style,
                        const char *string)
{
    static const char *const codes[] = {
        [STYLE_ERROR] = "\x1b[1;31m", [STYLE_WARNING] = "\x1b[1;33m", [STYLE_GOOD] = "\x1b[32m",
        [STYLE_STRONG] = "\x1b[1m",   [STYLE_FAINT] = "\x1b[2m",
    };

    if (terminal->has_color)
        text_append(text, codes[style]);
    text_append_visible(text, string, strlen(string));
    if (terminal->has_color)
        text_append(text, "\x1b[0m");
}

/*
 * A small table instead of wcwidth, whose answer depends on the locale that happens to be set. From
 * Unicode's EastAsianWidth.txt (W and F) and the blocks of combining marks.
 */
static const struct {
    uint32_t first, last;
    int width;
} character_widths[] = {
    {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x0610, 0x061a, 0},
    {0x064b, 0x065f, 0},   {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},
    {0x200b, 0x200d, 0},   {0x20d0, 0x20ff, 0},   {0x2e80, 0x303e, 2},   {0x3041, 0x4dbf, 2},
    {0x4e00, 0xa4cf, 2},   {0xa960, 0xa97f, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
    {0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
    {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2},
    {0x20000, 0x3fffd, 2},
};

int character_width(uint32_t character)
{
    for (size_t at = 0; at < ARRAY_COUNT(character_widths); at++) {
        if (character < character_widths[at].first)
            return 1;
        if (character <= character_widths[at].last)
            return character_widths[at].width;
    }
    return 1;
}

/* The columns of the character at BYTES as text_append_visible writes it; *size is its length. */
static int visible_width(const char *bytes, size_t length, size_t *size)
{
    uint32_t character;

    *size = utf8_length(bytes, length, &character);
    if (*size == 0) {
        *size = 1;
        return 4; // \xff
    }
    if (character_is_forbidden(character))
        return character < 0x100 ? 4 : 6;
    return character_width(character);
}

int string_width(const char *string)
{
    size_t length = strlen(string), size;
    int width = 0;

    for (size_t at = 0; at < length; at += size)
        width += visible_width(string + at, length - at, &size);
    return width;
}

static void append_one(struct text *text, const char *bytes, size_t size)
{
    if (*bytes == '\n' || *bytes == '\t')
        text_append(text, " ");
    else
        text_append_visible(text, bytes, size);
}

void text_append_cut(struct text *text, const char *string, int columns)
{
    size_t length = strlen(string), size, end = 0, at;
    int width = 0;

    for (at = 0; at < length; at += size) {
        width += visible_width(string + at, length - at, &size);
        if (width > columns)
            break;
        if (width <= columns - 3)
            end = at + size;
    }
    if (at >= length)
        end = length;
    for (size_t from = 0; from < end; from += size) {
        (void)visible_width(string + from, length - from, &size);
        append_one(text, string + from, size);
    }
    if (end < length && columns >= 3)
        text_append(text, "...");
}

void text_append_padded(struct text *text, const char *string, int columns)
{
    int width = string_width(string);

    text_append_cut(text, string, width);
    if (width < columns)
        text_append_format(text, "%*s", columns - width, "");
}

void text_append_wrapped(struct text *text, const char *string, int at, int indent, int width)
{
    bool is_first = true;

    while (*string != '\0') {
        size_t length = strcspn(string, " \n"), size;
        int word = 0;

        for (size_t from = 0; from < length; from += size)
            word += visible_width(string + from, length - from, &size);
        if (!is_first && width > 0 && at + 1 + word >= width) {
            text_append_format(text, "\n%*s", indent, "");
            at = indent;
        } else if (!is_first && at > indent) {
            text_append(text, " ");
            at++;
        }
        text_append_visible(text, string, length);
        at += word;
        is_first = false;
        string += length;
        if (*string == '\n' && string[1] != '\0') {
            text_append_format(text, "\n%*s", indent, "");
            at = indent;
        }
        if (*string != '\0')
            string++;
    }
}

/* The channels of a session. */
#include "host/libssh.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stream {
    struct session *session;
    struct stream *next;
    ssh_channel channel; /* NULL: the session is closed */
    struct ssh_channel_callbacks_struct callbacks;
    enum stream_state state;
    bool is_open; /* the channel is; a command is then still to be asked for */
    char *command, *address;
    int port;
    int status;
    char *problem;
};

static void on_status(ssh_session ssh, ssh_channel channel, int status, void *context)
{
    struct stream *stream = context;

    (void)ssh, (void)channel;
    stream->status = status & 0xff;
}

static int signal_number(const char *name)
{
    static const struct {
        const char *name;
        int number;
    } signals[] = {{"HUP", 1},   {"INT", 2},   {"QUIT", 3},  {"ILL", 4},   {"ABRT", 6},
                   {"FPE", 8},   {"KILL", 9},  {"USR1", 10}, {"SEGV", 11}, {"USR2", 12},
                   {"PIPE", 13}, {"ALRM", 14}, {"TERM", 15}};

    for (size_t at = 0; at < ARRAY_COUNT(signals); at++) {
        if (equal(signals[at].name, name))
            return signals[at].number;
    }
    return 0;
}

static void on_signal(ssh_session ssh, ssh_channel channel, const char *name, int core,
                      const char *message, const char *language, void *context)
{
    struct stream *stream = context;

    (void)ssh, (void)channel, (void)core, (void)message, (void)language;
    stream->status = 128 + signal_number(name);
}

static char *copy(const char *text)
{
    char *bytes = strdup(text);

    if (bytes == NULL)
        out_of_memory();
    return bytes;
}

static struct stream *stream_new(struct session *session)
{
    struct stream *stream = calloc(1, sizeof *stream);

    if (stream == NULL || (stream->channel = ssh_channel_new(session->ssh)) == NULL)
        out_of_memory();
    stream->session = session;
    stream->next = session->streams;
    session->streams = stream;
    stream->status = -1;
    ssh_callbacks_init(&stream->callbacks);
    stream->callbacks.userdata = stream;
    stream->callbacks.channel_exit_status_function = on_status;
    stream->callbacks.channel_exit_signal_function = on_signal;
    (void)ssh_set_channel_callbacks(stream->channel, &stream->callbacks);
    return stream;
}

struct stream *stream_command(struct session *session, const char *command)
{
    struct stream *stream = stream_new(session);

    stream->command = copy(command);
    (void)stream_state(stream);
    return stream;
}

struct stream *stream_tcp(struct session *session, const char *address, int port)
{
    struct stream *stream = stream_new(session);

    stream->address = copy(address);
    stream->port = port;
    (void)stream_state(stream);
    return stream;
}

static void stream_detach(struct stream *stream)
{
    // libssh keeps the channel until the server has closed it too, and would go on calling us.
    (void)ssh_remove_channel_callbacks(stream->channel, &stream->callbacks);
    ssh_channel_free(stream->channel);
    stream->channel = NULL;
}

void streams_detach(struct session *session)
{
    for (; session->streams != NULL; session->streams = session->streams->next)
        stream_detach(session->streams);
}

void stream_close(struct stream *stream)
{
    if (stream == NULL)
        return;
    if (stream->channel != NULL) {
        struct stream **at = &stream->session->streams;

        while (*at != stream)
            at = &(*at)->next;
        *at = stream->next;
        stream_detach(stream);
    }
    free(stream->command);
    free(stream->address);
    free(stream->problem);
    free(stream);
}

/* One step of opening: SSH_OK, SSH_AGAIN or SSH_ERROR. */
static int stream_step(struct stream *stream)
{
    if (!stream->is_open) {
        int result = stream->command != NULL
                         ? ssh_channel_open_session(stream->channel)
                         : ssh_channel_open_forward(stream->channel, stream->address, stream->port,
                                                    "127.0.0.1", 0);

        if (result != SSH_OK)
            return result;
        stream->is_open = true;
    }
    return stream->command == NULL ? SSH_OK
                                   : ssh_channel_request_exec(stream->channel, stream->command);
}

enum stream_state stream_state(struct stream *stream)
{
    if (stream->state != STREAM_OPENING || stream->channel == NULL)
        return stream->state;

    int result = stream_step(stream);

    if (result == SSH_OK) {
        stream->state = STREAM_OPEN;
    } else if (result != SSH_AGAIN) {
        stream->problem = copy(ssh_get_error(stream->session->ssh));
        stream->state = STREAM_REFUSED;
    }
    return stream->state;
}

void streams_step(struct session *session)
{
    for (struct stream *stream = session->streams; stream != NULL; stream = stream->next)
        (void)stream_state(stream);
}

const char *stream_problem(const struct stream *stream)
{
    return stream->problem;
}

ssize_t stream_read(struct stream *stream, bool is_error, char *bytes, size_t size)
{
    if (stream->channel == NULL || stream_state(stream) == STREAM_REFUSED)
        return -1;
    if (stream->state == STREAM_OPENING)
        return 0;

    int got = ssh_channel_read_nonblocking(stream->channel, bytes, (uint32_t)size, is_error);

    if (got > 0)
        return got;
    if (got < 0 || ssh_channel_is_eof(stream->channel) || ssh_channel_is_closed(stream->channel))
        return -1;
    return 0;
}

size_t stream_room(struct stream *stream)
{
    if (stream->channel == NULL || stream_state(stream) != STREAM_OPEN ||
        !ssh_channel_is_open(stream->channel))
        return 0;
    return ssh_channel_window_size(stream->channel);
}

size_t stream_write(struct stream *stream, const char *bytes, size_t length)
{
    size_t room = stream_room(stream);

    if (length > room)
        length = room;
    if (length == 0)
        return 0;

    int taken = ssh_channel_write(stream->channel, bytes, (uint32_t)length);

    return taken > 0 ? (size_t)taken : 0;
}

void stream_end(struct stream *stream)
{
    if (stream->channel != NULL && stream->state == STREAM_OPEN)
        (void)ssh_channel_send_eof(stream->channel);
}

int stream_status(const struct stream *stream)
{
    return stream->status;
}

/* netplane: the CNI plugin binary. It carries one call to the Netplane daemon and the answer back.
 *
 * The CNI_* variables are headers and stdin is the body of one HTTP/1.1 request on a unix socket; the answer's body is
 * stdout, its Cni-Exit header the exit status. No JSON is read, no memory allocated. A DEL without a daemon goes to
 * the spool, which the daemon replays. Our own errors carry cniVersion 1.1.0: we do not read the config. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef NETPLANE_VERSION
#define NETPLANE_VERSION "version unknown"
#endif
#define ABOUT "CNI netplane plugin " NETPLANE_VERSION "\nCNI protocol versions supported: 0.1.0, 0.2.0, 0.3.0, " \
              "0.3.1, 0.4.0, 1.0.0, 1.1.0\n"
#define VERSIONS "{\"cniVersion\":\"1.1.0\",\"supportedVersions\":[\"0.1.0\",\"0.2.0\"," \
                 "\"0.3.0\",\"0.3.1\",\"0.4.0\",\"1.0.0\",\"1.1.0\"]}\n"
#define CONTROLS "\1\2\3\4\5\6\7\10\11\12\13\14\15\16\17\20\21\22\23\24\25\26\27\30\31\32\33\34\35\36\37\177"
#define CALLER "mend what calls this plugin"
#define REMEDY "check that netplane-cni runs on this node and read its log"
__attribute__((used)) static const char marker[] = "netplane.io/cni-shim"; /* cni/install.py knows our binary by it */

enum { BAD_ENVIRONMENT = 4, IO_FAILURE = 5, DECODE_FAILURE = 6, TRY_AGAIN = 11, NOT_AVAILABLE = 50 }; /* CNI codes */
enum { HEAD_LIMIT = 64 << 10, BODY_LIMIT = 8 << 20, RETRY_MS = 20, TEXT_LIMIT = 2048, PATH_LIMIT = 1024 };
enum outcome { DONE, UNFINISHED, AWAY, BROKEN }; /* AWAY: certainly not carried out */

/* wait: seconds to wait for a daemon that is away; an upgrade must fail no pod and show no node as not ready.
 * patience: seconds to wait for a response; the daemon's own deadline is shorter, so callers see its error. */
static struct verb {
    const char *name;
    long wait, patience;
    int code;
    bool spools;
} verbs[] = {
    { "ADD", 60, 240, TRY_AGAIN, false }, { "CHECK", 60, 240, TRY_AGAIN, false },    { "DEL", 0, 60, TRY_AGAIN, true },
    { "GC", 0, 240, TRY_AGAIN, false },   { "STATUS", 10, 10, NOT_AVAILABLE, false }, { 0 },
};
static const char *const variables[][2] = {
    { "CNI_COMMAND", "Cni-Command" }, { "CNI_CONTAINERID", "Cni-Containerid" }, { "CNI_NETNS", "Cni-Netns" },
    { "CNI_IFNAME", "Cni-Ifname" },   { "CNI_ARGS", "Cni-Args" },               { "CNI_PATH", "Cni-Path" },
};

/* The config is read behind space for the head, so that both are sent and spooled as one piece. */
static char request[HEAD_LIMIT + BODY_LIMIT + 1], answer[HEAD_LIMIT + BODY_LIMIT + 1], text[TEXT_LIMIT], cause[128];
static char *const config = request + HEAD_LIMIT;

static const char *setting(const char *name, const char *otherwise)
{
    return getenv(name) && *getenv(name) ? getenv(name) : otherwise;
}

static long long now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* Report whether read or write should be tried again; wait for a descriptor that would block. */
static bool again(int fd, short events)
{
    if (errno == EAGAIN)
        poll(&(struct pollfd){ .fd = fd, .events = events }, 1, -1);
    return errno == EAGAIN || errno == EINTR;
}

static bool write_all(int fd, const char *data, size_t length)
{
    for (ssize_t n; length > 0; data += n, length -= (size_t)n)
        if ((n = write(fd, data, length)) < 0 && (n = 0, !again(fd, POLLOUT)))
            return false;
    return true;
}

/* Write text as a JSON string, at most six bytes for each byte. Bytes beyond ASCII may be no UTF-8: they become "?". */
static char *put_json(char *out, const char *plain)
{
    *out++ = '"';
    for (const unsigned char *s = (const unsigned char *)plain; *s; s++)
        if (*s < 0x20 || *s == '"' || *s == '\\')
            out += sprintf(out, "\\u%04x", *s);
        else
            *out++ = *s < 0x7F ? (char)*s : '?';
    *out++ = '"';
    return out;
}

/* Print a CNI error on stdout, its message as for printf; return the exit status. */
#define FAIL(code, remedy, ...) (snprintf(text, sizeof text, __VA_ARGS__), print_error(code, remedy))
static int print_error(int code, const char *remedy)
{
    static char out[8 * TEXT_LIMIT];
    char *end = out + sprintf(out, "{\n    \"cniVersion\": \"1.1.0\",\n    \"code\": %d,\n    \"msg\": ", code);
    end = put_json(end, text);
    end = put_json(end + sprintf(end, ",\n    \"details\": "), remedy);
    end = stpcpy(end, "\n}");
    write_all(STDOUT_FILENO, out, (size_t)(end - out));
    return 1;
}

/* Replace a number of seconds that is not 0 by a variable; return false if that is no whole number up to a day. */
static bool override(long *seconds, const char *name)
{
    char *end = "";
    if (*seconds && setting(name, NULL))
        *seconds = strtol(getenv(name), &end, 10);
    return !*end && *seconds >= 0 && *seconds <= 86400;
}

/* Read stdin into config. Return its length; more than BODY_LIMIT if there is more, -1 on failure. */
static ssize_t read_config(void)
{
    ssize_t length = 0, n = 1;
    while (n != 0 && length <= BODY_LIMIT) {
        n = read(STDIN_FILENO, config + length, (size_t)(BODY_LIMIT + 1 - length));
        if (n < 0 && !again(STDIN_FILENO, POLLIN))
            return -1;
        length += n > 0 ? n : 0;
    }
    return length;
}

/* Write the head right before the config. Return the start of the request; NULL after printing an error. */
static char *put_head(size_t body_length)
{
    static char head[HEAD_LIMIT];
    size_t length = (size_t)sprintf(head, "POST /v1/cni HTTP/1.1\r\nHost: netplane\r\nConnection: close\r\n");
    for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
        const char *name = variables[i][0], *value = getenv(name), *wrong = NULL;
        size_t room = sizeof head - 64 - length; /* 64: Content-Length, empty line */
        if (value && (strpbrk(value, CONTROLS) || *value == ' ' || (*value && value[strlen(value) - 1] == ' ')))
            wrong = "it has control bytes, or spaces around it"; /* they would arrive changed */
        else if (value && strlen(value) + strlen(variables[i][1]) + 4 > room)
            wrong = "the CNI variables together exceed 64 KiB";
        else if (value)
            length += (size_t)sprintf(head + length, "%s: %s\r\n", variables[i][1], value);
        if (wrong && FAIL(BAD_ENVIRONMENT, CALLER, "cannot pass on %s: %s", name, wrong))
            return NULL;
    }
    length += (size_t)sprintf(head + length, "Content-Length: %zu\r\n\r\n", body_length);
    return memcpy(config - length, head, length);
}

/* Connect; retry until the deadline while the daemon is away. Return the descriptor, or -1 with cause set. */
static int reach(const char *path, long long deadline)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address.sun_path && strcpy(cause, "its path is longer than 107 bytes"))
        return -1;
    strcpy(address.sun_path, path);
    for (;; poll(NULL, 0, RETRY_MS)) { /* not blocking: with a full backlog connect would wait without end */
        int error, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0)
            return fd;
        snprintf(cause, sizeof cause, "%s", strerror(error = errno));
        close(fd);
        if ((error != ENOENT && error != ECONNREFUSED && error != EAGAIN) || now_ms() >= deadline)
            return -1;
    }
}

/* Return the value of a header in a head that ends at end and has no NUL; "" if it is absent. */
static const char *header(const char *head, const char *end, const char *name)
{
    for (const char *line = head; line < end; line = strstr(line, "\r\n") + 2)
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            return line + strlen(name) + 1 + strspn(line + strlen(name) + 1, " ");
    return "";
}

/* Parse the bytes received so far. DONE sets body, its length and the exit status; BROKEN sets cause. */
static enum outcome parse(size_t got, const char **body, size_t *length, int *status)
{
    const char *end = memmem(answer, got, "\r\n\r\n", 4);
    if (!end && got < HEAD_LIMIT)
        return UNFINISHED;
    strcpy(cause, "its answer is not one of a netplane daemon");
    if (!end || memchr(answer, '\0', (size_t)(end - answer)) || strncmp(answer, "HTTP/1.1 ", 9) != 0)
        return BROKEN;
    snprintf(cause, sizeof cause, "it answered %.*s", (int)strcspn(answer, "\r"), answer);
    if (strncmp(answer + 9, "200 ", 4) != 0)
        return strncmp(answer + 9, "503 ", 4) == 0 ? AWAY : BROKEN;
    const char *size = header(answer, end, "Content-Length"), *code = header(answer, end, "Cni-Exit");
    size_t digits = strspn(size, "0123456789");
    *length = strtoul(size, NULL, 10);
    if (digits == 0 || size[digits] != '\r' || *length > BODY_LIMIT || strspn(code, "01") != 1 || code[1] != '\r')
        return BROKEN;
    *body = end + 4, *status = *code - '0';
    return got - (size_t)(*body - answer) >= *length ? DONE : UNFINISHED;
}

/* Send the request and print the response. BROKEN: it may have been carried out, and cause says what happened. */
static enum outcome exchange(int fd, const char *data, size_t left, long long deadline, int *status)
{
    const char *body;
    size_t got = 0, length;
    enum outcome outcome = UNFINISHED;
    for (long long wait; outcome == UNFINISHED && (wait = deadline - now_ms()) > 0;) {
        struct pollfd ready = { .fd = fd, .events = (short)(left > 0 ? POLLIN | POLLOUT : POLLIN) };
        if (poll(&ready, 1, (int)wait) <= 0)
            continue;
        bool sends = left > 0 && !(ready.revents & POLLIN);
        ssize_t n = sends ? send(fd, data, left, MSG_NOSIGNAL) : recv(fd, answer + got, sizeof answer - 1 - got, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        strcpy(cause, "the connection broke before the answer was complete");
        if (!sends)
            outcome = n > 0 ? parse(got += (size_t)n, &body, &length, status) : BROKEN;
        else if (n < 0)
            left = 0; /* a daemon that refuses the rest may have sent the reason */
        else
            data += n, left -= (size_t)n;
    }
    if (outcome == UNFINISHED)
        strcpy(cause, "it did not answer in time");
    if (outcome == DONE && !write_all(STDOUT_FILENO, body, length))
        *status = 1;
    return outcome == UNFINISHED ? BROKEN : outcome;
}

/* Write the request durably into the spool. Return 0, or the errno of what failed. */
static int spool(const char *state, const char *data, size_t length)
{
    char path[PATH_LIMIT], name[64], temporary[72];
    if (snprintf(path, sizeof path, "%s/spool", state) >= (int)sizeof path)
        return ENAMETOOLONG;
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    sprintf(name, "%012lld%09ld-%08x.request", (long long)now.tv_sec, now.tv_nsec, (unsigned)getpid());
    sprintf(temporary, "%s.tmp", name);
    mkdir(state, 0755);
    mkdir(path, 0700);
    int parent = open(state, O_RDONLY | O_DIRECTORY), dir = open(path, O_RDONLY | O_DIRECTORY);
    int fd = dir < 0 ? -1 : openat(dir, temporary, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd >= 0 && write_all(fd, data, length) && fsync(fd) == 0 && renameat(dir, temporary, dir, name) == 0 &&
        fsync(dir) == 0 && fsync(parent) == 0)
        return 0;
    int error = errno;
    if (fd >= 0)
        unlinkat(dir, temporary, 0);
    return error;
}

static int carry(const struct verb *verb, const char *data, size_t length)
{
    const char *path = setting("NETPLANE_SOCKET", "/run/netplane/cni.sock");
    const char *state = setting("NETPLANE_STATE_DIR", "/var/lib/netplane");
    long long deadline = now_ms() + verb->wait * 1000;
    enum outcome outcome = AWAY;
    int status = 1, error = 0, fd;
    do {
        if ((fd = reach(path, deadline)) < 0)
            break;
        outcome = exchange(fd, data, length, now_ms() + verb->patience * 1000, &status);
        close(fd);
    } while (outcome == AWAY && now_ms() < deadline && poll(NULL, 0, RETRY_MS) <= 0);
    if (outcome == DONE)
        return status;
    if (verb->spools && (error = spool(state, data, length)) == 0)
        return 0;
    const char *what = outcome == AWAY ? "reach" : "finish with";
    return FAIL(verb->code, REMEDY, "cannot %s the netplane daemon at %s: %s%s%s", what, path, cause,
                error ? "; cannot write to its spool: " : "", error ? strerror(error) : "");
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const char *command = setting("CNI_COMMAND", NULL);
    if (!command)
        return !write_all(STDERR_FILENO, ABOUT, sizeof ABOUT - 1);
    if (strcmp(command, "VERSION") == 0)
        return !write_all(STDOUT_FILENO, VERSIONS, sizeof VERSIONS - 1);
    struct verb *verb = verbs;
    while (verb->name && strcmp(command, verb->name) != 0)
        verb++;
    if (!verb->name)
        return FAIL(BAD_ENVIRONMENT, "use ADD, CHECK, DEL, GC, STATUS or VERSION", "cannot serve unknown CNI_COMMAND: %s", command);
    if (!override(&verb->wait, "NETPLANE_WAIT_SECONDS") || !override(&verb->patience, "NETPLANE_ANSWER_SECONDS"))
        return FAIL(BAD_ENVIRONMENT, "set whole seconds, up to a day",
                    "cannot use NETPLANE_WAIT_SECONDS and NETPLANE_ANSWER_SECONDS: one is not a number of seconds");
    ssize_t length = read_config();
    if (length < 0)
        return FAIL(IO_FAILURE, CALLER, "cannot read the network configuration: %s", strerror(errno));
    if (length > BODY_LIMIT)
        return FAIL(DECODE_FAILURE, CALLER, "cannot read the network configuration: it is larger than 8 MiB");
    char *data = put_head((size_t)length);
    return data ? carry(verb, data, (size_t)(config - data + length)) : 1;
}

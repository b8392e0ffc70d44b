/* The proxy does what its rules say, or tests that use it would prove nothing. */
#include "faults.h"
#include "request.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- A server that repeats what it is sent ------------------------------------ */

static int listener;

static size_t read_message(int fd, char *buffer, size_t size)
{
    size_t len = 0;
    for (char *body = NULL;;) {
        ssize_t count = read(fd, buffer + len, size - 1 - len);
        if (count <= 0)
            return 0;
        len += (size_t)count;
        buffer[len] = '\0';
        body = strstr(buffer, "\r\n\r\n");
        char *length = strstr(buffer, "Content-Length: ");
        if (body && len >= (size_t)(body + 4 - buffer) + strtoul(length + 16, NULL, 10))
            return len;
    }
}

static void *repeat(void *user)
{
    static char buffer[65536];
    (void)user;
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        size_t len = read_message(fd, buffer, sizeof buffer);
        if (len > 0) {
            dprintf(fd, "HTTP/1.1 200 OK\r\nEtag: real\r\nContent-Length: %zu\r\n\r\n", len);
            MUST(write(fd, buffer, len) == (ssize_t)len);
        }
    }
    return NULL;
}

static const char *start_server(pthread_t *thread)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    MUST(listener >= 0 && bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 16) == 0);
    MUST(getsockname(listener, (struct sockaddr *)&address, &len) == 0);
    *thread = start(repeat, NULL);
    return text("echo=127.0.0.1:%u", ntohs(address.sin_port));
}

/* ---- Requests through the proxy -------------------------------------------------- */

static struct faults *faults;

static struct reply ask(const char *method, const char *path)
{
    return request(method, text("%s%s", faults_url(faults, "echo"), path), "X-Auth-Token: mine\r\n", "hello", 5);
}

static void expect(const char *method, const char *path, int status, const char *header, const char *body)
{
    struct reply reply = ask(method, path);
    check_context("%s %s", method, path);
    CHECK_INT(status, reply.status);
    CHECK_HAS(header, reply.headers);
    CHECK_HAS(body, reply.body);
    reply_free(&reply);
}

static void replaced(void)
{
    expect("PUT", "/a", 200, "Etag: real", "hello");
    faults_rule(faults, "PUT */a 1 status=503 header=\"Retry-After: 7\" body=busy");
    faults_rule(faults, "PUT */a 2-3 answer-header=\"Etag: wrong\" answer-status=202");
    faults_rule(faults, "* */a 4- request-header=\"X-Auth-Token: other\"");
    expect("PUT", "/a", 503, "Retry-After: 7", "busy");
    expect("PUT", "/a", 202, "Etag: wrong", "X-Auth-Token: mine");
    expect("GET", "/a", 200, "Etag: real", "X-Auth-Token: mine");
    expect("PUT", "/b", 200, "Etag: real", "X-Auth-Token: mine");
    expect("PUT", "/a", 202, "Etag: wrong", "X-Auth-Token: mine");
    expect("PUT", "/a", 200, "Etag: real", "X-Auth-Token: other");
    CHECK_INT(7, faults_count(faults, "echo ", "\"X-Auth-Token\": \"mine\""));
    CHECK_INT(5, faults_count(faults, "echo PUT /a", "hello"));
    CHECK_INT(1, faults_count(faults, "echo PUT /a 503", ""));
    faults_clear(faults);
    CHECK_STR("", faults_log(faults));
}

static int connected(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)atoi(strrchr(faults_url(faults, "echo"), ':') + 1));
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    return fd;
}

/* What came of a request whose connection is cut. */
static const char *remains(const char *path)
{
    char   answer[4096];
    size_t len = 0;
    int    fd = connected();
    dprintf(fd, "PUT %s HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello", path);
    for (ssize_t count; (count = read(fd, answer + len, sizeof answer - 1 - len)) > 0;)
        len += (size_t)count;
    close(fd);
    return text("%.*s", (int)len, answer);
}

static void cut(void)
{
    check_context("connections that are cut");
    faults_rule(faults, "PUT */request 1 cut=request");
    faults_rule(faults, "PUT */body 1 cut-request=3");
    faults_rule(faults, "PUT */some 1 after=3 cut=within");
    faults_rule(faults, "PUT */said 1 after=3 status=408");
    faults_rule(faults, "PUT */answer 1 cut=answer");
    faults_rule(faults, "PUT */half 1 cut-answer=6");
    CHECK_STR("", remains("/request"));
    CHECK_STR("", remains("/body"));
    CHECK_STR("", remains("/some"));
    CHECK_HAS("HTTP/1.1 408 ", remains("/said"));
    CHECK_STR("", remains("/answer"));
    const char *half = remains("/half");
    CHECK_HAS("Content-Length", half);
    CHECK_STR("PUT /h", strstr(half, "\r\n\r\n") + 4);
    faults_clear(faults);
}

static void *ask_in_thread(void *user)
{
    struct reply reply = ask("GET", user);
    CHECK_INT(200, reply.status);
    reply_free(&reply);
    return NULL;
}

static void held(void)
{
    static const char *const places[] = { "request", "answer", "6" };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        check_context("held at %s", places[i]);
        faults_rule(faults, "GET */slow 1 hold=here at=%s", places[i]);
        pthread_t thread = start(ask_in_thread, (void *)"/slow");
        faults_await(faults, "here");
        CHECK_INT(i == 2, faults_count(faults, "echo GET /slow 200", ""));
        faults_release(faults, "here");
        join(thread);
        faults_settle(faults);
        faults_clear(faults);
    }
}

/* As of a server that has got all and is slow to act on it. */
static void sent_on_late(void)
{
    static const struct { const char *place; unsigned arrives; } holds[] = { { "body", 1 }, { "request", 0 } };
    for (size_t i = 0; i < sizeof holds / sizeof *holds; i++) {
        check_context("a client that has gone while its request was held at the %s", holds[i].place);
        faults_rule(faults, "PUT */late 1 hold=late at=%s", holds[i].place);
        int fd = connected();
        dprintf(fd, "PUT /late HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello");
        faults_await(faults, "late");
        close(fd);
        faults_release(faults, "late");
        faults_settle(faults);
        CHECK_INT(holds[i].arrives, faults_count(faults, "echo PUT /late 200", "hello"));
        faults_clear(faults);
    }
}

int main(void)
{
    pthread_t server;
    faults = faults_start(start_server(&server), NULL);
    replaced();
    cut();
    held();
    sent_on_late();
    faults_stop(faults);
    shutdown(listener, SHUT_RDWR);
    join(server);
    close(listener);
    return check_result();
}

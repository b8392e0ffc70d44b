#include "request.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static int connected_to(const char *host, const char *port)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *address = NULL;
    MUST(getaddrinfo(host, port, &hints, &address) == 0);
    int fd = socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, 0);
    MUST(fd >= 0 && connect(fd, address->ai_addr, address->ai_addrlen) == 0);
    freeaddrinfo(address);
    return fd;
}

static void send_all(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len;) {
        ssize_t count = send(fd, (const char *)data + done, len - done, MSG_NOSIGNAL);
        /* Who refuses early answers before all is sent. */
        if (count <= 0)
            return;
        done += (size_t)count;
    }
}

static char *receive_all(int fd, size_t *len)
{
    char *data = NULL;
    *len = 0;
    for (ssize_t count = 1; count > 0; *len += (size_t)(count > 0 ? count : 0)) {
        data = realloc(data, *len + 65537);
        MUST(data != NULL);
        count = recv(fd, data + *len, 65536, 0);
    }
    data[*len] = '\0';
    return data;
}

static void join_chunks(struct reply *reply)
{
    char  *from = reply->body, *to = reply->body;
    for (size_t length; (length = strtoul(from, &from, 16)) > 0; from += length + 2, to += length) {
        from = strstr(from, "\r\n") + 2;
        MUST(from + length <= reply->body + reply->len);
        memmove(to, from, length);
    }
    *to = '\0';
    reply->len = (size_t)(to - reply->body);
}

struct reply request(const char *method, const char *url, const char *headers, const void *body, size_t len)
{
    struct reply reply = { 0 };
    char         host[256], port[16];
    int          end = 0;
    MUST(sscanf(url, "http://%255[^:/]:%15[0-9]%n", host, port, &end) == 2);
    int         fd = connected_to(host, port);
    const char *head = text("%s %s HTTP/1.1\r\nHost: %s:%s\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", method,
                            url[end] ? url + end : "/", host, port, len, headers ? headers : "");
    send_all(fd, head, strlen(head));
    send_all(fd, body, len);
    char *all = receive_all(fd, &reply.len), *break_at = strstr(all, "\r\n\r\n");
    close(fd);
    MUST(break_at != NULL && sscanf(all, "HTTP/1.1 %d", &reply.status) == 1);
    reply.headers = text("%.*s", (int)(break_at + 2 - all), all);
    reply.len -= (size_t)(break_at + 4 - all);
    memmove(all, break_at + 4, reply.len + 1);
    reply.body = all;
    if (strcasecmp(reply_header(&reply, "Transfer-Encoding"), "chunked") == 0)
        join_chunks(&reply);
    return reply;
}

struct reply request_ok(const char *method, const char *url, const char *headers, const void *body, size_t len)
{
    struct reply reply = request(method, url, headers, body, len);
    if (reply.status / 100 != 2)
        fprintf(stderr, "%s %s: %d %s\n", method, url, reply.status, reply.body);
    MUST(reply.status / 100 == 2);
    return reply;
}

const char *reply_header(const struct reply *reply, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(reply->headers, "\r\n"); line && line[2]; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':') {
            const char *value = line + 3 + length;
            value += strspn(value, " ");
            return text("%.*s", (int)strcspn(value, "\r"), value);
        }
    return "";
}

void reply_free(struct reply *reply)
{
    free(reply->body);
    *reply = (struct reply){ 0 };
}

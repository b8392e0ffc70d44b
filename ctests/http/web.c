#include "web.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

const char *nginx(const char *name)
{
    const char *value = getenv(name);
    MUST(value != NULL);
    return value;
}

const char *plain(const char *path)
{
    return text("%s%s", nginx("NGINX_URL"), path);
}

const char *other(const char *path)
{
    return text("%s%s", nginx("NGINX_OTHER_URL"), path);
}

const char *tls(const char *path)
{
    return text("%s%s", nginx("NGINX_TLS_URL"), path);
}

const char *with_credentials(const char *credentials, const char *path)
{
    const char *address = strstr(nginx("NGINX_URL"), "//") + 2;
    return text("http://%s@%s%s", credentials, address, path);
}

void serve(const char *name, const void *data, size_t len)
{
    write_file(text("%s/%s", nginx("NGINX_IMAGES"), name), data, len);
}

/* nginx logs a request when it is through with it, which its client may be before.  A connection that
 * it has closed is logged, and so is all that it did before. */
static void wait_for_log(void)
{
    static const char  request[] = "HEAD / HTTP/1.0\r\n\r\n";
    char               answer[512];
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    int                fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_port = htons((uint16_t)atoi(strrchr(nginx("NGINX_URL"), ':') + 1));
    MUST(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(write(fd, request, sizeof request - 1) == sizeof request - 1);
    while (read(fd, answer, sizeof answer) > 0)
        continue;
    close(fd);
}

unsigned requests_with(const char *text1, const char *text2)
{
    char     line[4096];
    unsigned count = 0;
    FILE    *log;
    wait_for_log();
    log = fopen(nginx("NGINX_LOG"), "r");
    MUST(log != NULL);
    while (fgets(line, sizeof line, log))
        if (strstr(line, text1) && strstr(line, text2))
            count++;
    fclose(log);
    return count;
}

static void set(gs_config *config, const char *group, const char *key, const char *value)
{
    MUST(gs_config_set(config, group, key, value, ERR) == GS_OK);
}

static gs_registry *open_registry(gs_config *config)
{
    gs_registry *reg;
    if (!OK(gs_registry_open(config, &reg, ERR)))
        exit(check_result());
    gs_config_free(config);
    return reg;
}

gs_registry *web_registry(const char *key, ...)
{
    gs_config *config = gs_config_new();
    va_list    args;
    set(config, "glance_store", "stores", "http");
    set(config, "glance_store", "default_store", "http");
    va_start(args, key);
    for (; key; key = va_arg(args, const char *))
        set(config, "glance_store", key, va_arg(args, const char *));
    va_end(args);
    return open_registry(config);
}

gs_registry *web_and_disk(const char *dir)
{
    gs_config *config = gs_config_new();
    set(config, "DEFAULT", "enabled_backends", "web:http, disk:file");
    set(config, "glance_store", "default_backend", "web");
    set(config, "disk", "filesystem_store_datadir", dir);
    return open_registry(config);
}

static void check_into_file(gs_store *store, const char *uri, const uint8_t *data, size_t len)
{
    const char *path = text("%s/got", new_dir());
    size_t      got_len;
    int         fd = open(path, O_RDWR | O_CREAT, 0600);
    MUST(fd >= 0);
    if (OK(gs_get_fd(store, uri, fd, NULL, ERR))) {
        uint8_t *got = read_file(path, &got_len);
        CHECK_BYTES(data, len, got, got_len);
        free(got);
    }
    close(fd);
    unlink(path);
}

void check_part(gs_store *store, const char *uri, const uint8_t *data, size_t len, uint64_t offset, uint64_t length)
{
    struct sink sink = { .first = offset };
    gs_opts     opts = GS_OPTS_INIT;
    size_t      start = offset < len ? (size_t)offset : len;
    size_t      want = length == 0 || length > len - start ? len - start : (size_t)length;
    opts.offset = offset;
    opts.length = length;
    if (OK(gs_get(store, uri, sink_write, &sink, &opts, ERR)))
        CHECK_BYTES(data + start, want, sink.data, sink.len);
    sink_free(&sink);
}

void check_transfers(gs_store *store, const char *uri, const uint8_t *data, size_t len)
{
    check_image(store, uri, data, len);
    check_into_file(store, uri, data, len);
    check_part(store, uri, data, len, 0, 1);
    check_part(store, uri, data, len, len / 3, len / 2);
    check_part(store, uri, data, len, len / 2, 0);
    check_part(store, uri, data, len, len, 0);
    check_part(store, uri, data, len, len + 1, 5);
}

static void check_failure(const char *what, int http_status)
{
    check_int(__FILE__, __LINE__, what, http_status, failure.http_status);
}

void check_refused(gs_store *store, const char *uri, gs_status status, int http_status)
{
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    uint64_t    size = 4711;
    size_t      got_len;
    const char *path = text("%s/got", new_dir());
    int         fd = open(path, O_RDWR | O_CREAT, 0600);
    MUST(fd >= 0);

    FAILS(status, gs_get(store, uri, sink_write, &sink, NULL, ERR));
    check_failure("the HTTP status that gs_get reports", http_status);
    CHECK_SIZE(0, sink.len);
    FAILS(status, gs_get_fd(store, uri, fd, NULL, ERR));
    check_failure("the HTTP status that gs_get_fd reports", http_status);
    free(read_file(path, &got_len));
    CHECK_SIZE(0, got_len);
    FAILS(status, gs_reader_open(store, uri, NULL, &reader, ERR));
    check_failure("the HTTP status that gs_reader_open reports", http_status);
    CHECK(reader == NULL);
    FAILS(status, gs_get_size(store, uri, NULL, &size, ERR));
    check_failure("the HTTP status that gs_get_size reports", http_status);
    CHECK_SIZE(4711, size);

    sink_free(&sink);
    close(fd);
}

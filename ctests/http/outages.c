/* The server goes away while it is read from: the read goes on when it is back, or ends with an error. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

static uint8_t *data;
static size_t   len;

static void server(const char *verb)
{
    MUST(system(text("'%s' %s '%s' >'%s/outage.log'", nginx("NGINX_SCRIPT"), verb, nginx("NGINX_DIR"),
                     nginx("NGINX_DIR"))) == 0);
}

/* A sink that does something to the server once it has the first bytes. */
struct interruption {
    struct sink sink;
    void (*happen)(void);
};

static int interrupting_write(void *user, const uint8_t *bytes, size_t count, uint64_t offset)
{
    struct interruption *interruption = user;
    int                  result = sink_write(&interruption->sink, bytes, count, offset);
    if (interruption->happen)
        interruption->happen();
    interruption->happen = NULL;
    return result;
}

static void goes(void)
{
    server("stop");
}

static void goes_and_returns(void)
{
    server("stop");
    server("start");
}

static void goes_and_returns_with_another_image(void)
{
    uint8_t *another = new_data(len + 1, RANDOM_DATA);
    server("stop");
    serve("replacement", another, len + 1);
    MUST(rename(text("%s/replacement", nginx("NGINX_IMAGES")), text("%s/image", nginx("NGINX_IMAGES"))) == 0);
    server("start");
    free(another);
}

static void resumes(gs_store *store)
{
    struct interruption interruption = { .happen = goes_and_returns };
    check_context("a server that comes back");
    if (OK(gs_get(store, plain("/image"), interrupting_write, &interruption, NULL, ERR)))
        CHECK_BYTES(data, len, interruption.sink.data, interruption.sink.len);
    CHECK(requests_with("206 GET /image", "") > 0);
    sink_free(&interruption.sink);
}

static void is_not_mixed(gs_store *store)
{
    struct interruption interruption = { .happen = goes_and_returns_with_another_image };
    check_context("a server that comes back with another image");
    FAILS(GS_FAILED, gs_get(store, plain("/image"), interrupting_write, &interruption, NULL, ERR));
    CHECK_HAS("changed", failure.message);
    if (CHECK(interruption.sink.len < len))
        CHECK_BYTES(data, interruption.sink.len, interruption.sink.data, interruption.sink.len);
    sink_free(&interruption.sink);
}

/* What is delivered is right as far as it goes, and the error says that more was to come. */
static void ends(gs_store *store)
{
    struct interruption interruption = { .happen = goes };
    check_context("a server that goes for good");
    FAILS(GS_UNAVAILABLE, gs_get(store, plain("/image"), interrupting_write, &interruption, NULL, ERR));
    CHECK(failure.retryable);
    if (CHECK(interruption.sink.len < len))
        CHECK_BYTES(data, interruption.sink.len, interruption.sink.data, interruption.sink.len);
    sink_free(&interruption.sink);
    check_refused(store, plain("/image"), GS_UNAVAILABLE, 0);
}

static void reader_survives(gs_store *store)
{
    gs_reader *reader = NULL;
    uint8_t    buf[4096];
    size_t     count = 0, far = len - sizeof buf;
    check_context("a reader");
    server("start");
    if (!OK(gs_reader_open(store, plain("/image"), NULL, &reader, ERR)))
        return;
    server("stop");
    FAILS(GS_UNAVAILABLE, gs_reader_pread(reader, buf, sizeof buf, far, &count, ERR));
    server("start");
    if (OK(gs_reader_pread(reader, buf, sizeof buf, far, &count, ERR)))
        CHECK_BYTES(data + far, sizeof buf, buf, count);
    gs_reader_free(reader);
}

int main(void)
{
    gs_registry *patient = web_registry(NULL), *impatient = web_registry("http_retries", "0", NULL);
    len = small_run() ? 24 * MiB : 64 * MiB;
    data = new_data(len, RANDOM_DATA);
    serve("image", data, len);

    resumes(default_store(patient));
    is_not_mixed(default_store(patient));
    serve("image", data, len);
    ends(default_store(impatient));
    reader_survives(default_store(impatient));

    free(data);
    gs_registry_free(impatient);
    gs_registry_free(patient);
    return check_result();
}

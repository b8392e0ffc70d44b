/* Clusters that cannot serve, or not as usual: states STATE, on a cluster of that kind. */
#include "dog.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static gs_store *store;

static gs_status add(const char *name, const void *data, size_t len)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_status     status = gs_add(store, name, len, source_read, &source, NULL, &image, ERR);
    gs_image_free(image);
    return status;
}

/* Every call ends in this status, with these words. */
static void check_every_call(gs_status status, const char *words)
{
    const char *uri = uri_of(new_name());
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    uint64_t    size = 4711;
    FAILS(status, add(new_name(), "bytes", 5));
    CHECK_HAS(words, failure.message);
    FAILS(status, gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_HAS(words, failure.message);
    CHECK_HAS(strrchr(uri, '/') + 1, failure.message);
    FAILS(status, gs_get(store, uri, sink_write, &sink, NULL, ERR));
    FAILS(status, gs_reader_open(store, uri, NULL, &reader, ERR));
    FAILS(status, gs_delete(store, uri, NULL, ERR));
    CHECK_SIZE(0, sink.calls);
    CHECK_SIZE(4711, size);
}

/* S12 */
static void unformatted(void)
{
    check_every_call(GS_UNAVAILABLE, "dog cluster format");
    CHECK(failure.retryable);
}

static void halted(void)
{
    check_every_call(GS_UNAVAILABLE, "halted");
}

/* S13 */
static void absent(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          len = sizeof address;
    gs_registry       *reg;
    int                fd = socket(AF_INET, SOCK_STREAM, 0);
    /* Bound, but listening to nobody: no other process gets the port. */
    MUST(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    MUST(getsockname(fd, (struct sockaddr *)&address, &len) == 0);
    MUST(setenv("SHEEPDOG_PORT", text("%u", ntohs(address.sin_port)), 1) == 0);
    reg = dog_registry("sheepdog_store_retries", "0", NULL);
    store = default_store(reg);
    check_every_call(GS_UNAVAILABLE, "cannot connect");
    gs_registry_free(reg);
    close(fd);
}

static void full(void)
{
    const char *name = new_name();
    size_t      len = 3 * (size_t)object_size();
    uint8_t    *data = new_data(len, RANDOM_DATA);
    FAILS(GS_STORAGE_FULL, add(name, data, len));
    CHECK_INT(DOG_NO_VDI, ask_vdi(DOG_GET_VDI_INFO, name, "", NULL));
    OK(add(name, data, len / 3));
    check_image(store, uri_of(name), data, len / 3);
    free(data);
}

/* S18 */
static void hyper(void)
{
    const char *name = new_name();
    uint64_t    size = 4711;
    uint32_t    vid = new_vdi(name, 5, 0, false);
    FAILS(GS_NOT_SUPPORTED, gs_get_size(store, uri_of(name), NULL, &size, ERR));
    CHECK_HAS("hyper volume", failure.message);
    FAILS(GS_NOT_SUPPORTED, gs_delete(store, uri_of(name), NULL, ERR));
    CHECK_INT(vid, vid_of(name));
}

/* S15, and 0.8 and before, which free objects by themselves. */
static void round_trip(void)
{
    const char *name = new_name();
    size_t      object = object_size(), len = 3 * object + 1;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    const char *uri = add_bytes(store, name, data, len);
    uint32_t    vid = vid_of(name);
    for (uint32_t i = 0; i < 4; i++)
        CHECK_INT(vid, owner_of(vid, i));
    check_image(store, uri, data, len);
    OK(gs_delete(store, uri, NULL, ERR));
    check_absent(store, uri);
    for (uint32_t i = 0; i < 4; i++)
        CHECK(object_is_gone(vid, i));
    free(data);
}

/* S21: with a little memory, so that objects are written by several requests, answered out of order. */
static void shuffled(void)
{
    gs_registry *reg = dog_registry("transfer_memory", "8", "sheepdog_store_connections", "1", NULL);
    store = default_store(reg);
    round_trip();
    gs_registry_free(reg);
}

int main(int argc, char **argv)
{
    static const struct { const char *name; void (*check)(void); } states[] = {
        { "unformatted", unformatted }, { "halted", halted }, { "absent", absent }, { "full", full }, { "hyper", hyper },
        { "small_objects", round_trip }, { "old", round_trip }, { "shuffled", shuffled },
    };
    gs_registry *reg = dog_registry(NULL);
    bool         is_known = false;
    store = default_store(reg);
    MUST(argc == 2);
    check_context("a cluster that is %s", argv[1]);
    for (size_t i = 0; i < sizeof states / sizeof *states; i++)
        if (strcmp(states[i].name, argv[1]) == 0) {
            is_known = true;
            states[i].check();
        }
    MUST(is_known);
    gs_registry_free(reg);
    return check_result();
}

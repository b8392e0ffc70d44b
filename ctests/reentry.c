/* Callbacks run with no lock held: they may call the library again, for the same
 * store, the same image and the same registry, even free the registry. */
#include "testing.h"

#include <stdlib.h>

static const char  *dir;
static gs_registry *reg;
static gs_store    *store;
static const char  *uri;

static void use_everything(const char *id)
{
    gs_store   *found = NULL;
    gs_reader  *reader = NULL;
    gs_image   *image = NULL;
    uint8_t     byte;
    size_t      count;
    const char *inner = add_bytes(store, id, "inner", 5);
    check_image(store, inner, "inner", 5);
    check_image(store, uri, "outer", 5);
    OK(gs_registry_resolve(reg, uri, &found, ERR));
    CHECK(found == store);
    CHECK(gs_registry_get(reg, NULL) == store);
    OK(gs_reader_open(store, uri, NULL, &reader, ERR));
    OK(gs_reader_pread(reader, &byte, 1, 4, &count, ERR));
    CHECK_INT('r', byte);
    gs_reader_free(reader);
    OK(gs_copy(store, text("%s-copy", id), store, inner, NULL, &image, ERR));
    gs_image_free(image);
    OK(gs_delete(store, inner, NULL, ERR));
    OK(gs_delete(store, text("%s-copy", inner), NULL, ERR));

    gs_registry *second = file_registry(dir);
    check_image(default_store(second), uri, "outer", 5);
    gs_registry_free(second);
}

static int64_t read_with_calls(void *user, uint8_t *buf, size_t len)
{
    struct source *source = user;
    use_everything("in-read");
    return source_read(source, buf, len);
}

static int write_with_calls(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    use_everything("in-write");
    return sink_write(user, data, len, offset);
}

static int verify_with_calls(void *user, const uint8_t *data, size_t len)
{
    (void)user, (void)data, (void)len;
    use_everything("in-verify");
    return 0;
}

static int progress_with_calls(void *user, uint64_t done, uint64_t total)
{
    (void)user, (void)done, (void)total;
    use_everything("in-progress");
    return 0;
}

/* An add inside an add inside an add ... of the same store. */
static int64_t read_with_add(void *user, uint8_t *buf, size_t len)
{
    int           *depth = user;
    gs_image      *image = NULL;
    const char    *id = text("depth-%d", *depth);
    if (*depth < 0)
        return 0;
    if (*depth > 0) {
        int below = *depth - 1;
        OK(gs_add(store, id, GS_SIZE_UNKNOWN, read_with_add, &below, NULL, &image, ERR));
        gs_image_free(image);
    }
    *depth = -1;
    CHECK(len > 0);
    *buf = 'x';
    return 1;
}

static void nested_adds(void)
{
    enum { DEPTH = 20 };
    int       depth = DEPTH;
    gs_image *image = NULL;
    check_context("nested adds");
    OK(gs_add(store, "top", GS_SIZE_UNKNOWN, read_with_add, &depth, NULL, &image, ERR));
    gs_image_free(image);
    OK(gs_delete(store, text("file://%s/top", dir), NULL, ERR));
    for (int i = 1; i <= DEPTH; i++)
        OK(gs_delete(store, text("file://%s/depth-%d", dir, i), NULL, ERR));
}

/* The same id inside its own add: the inner one wins. */
static int64_t read_with_rival(void *user, uint8_t *buf, size_t len)
{
    struct source *source = user;
    if (source->calls == 0)
        add_bytes(store, "rival", "inner", 5);
    return source_read(source, buf, len);
}

static void rival(void)
{
    struct source source = { .data = (const uint8_t *)"outer", .len = 5 };
    gs_image     *image = NULL;
    const char   *rival_uri = text("file://%s/rival", dir);
    check_context("an add of the same id in the callback");
    FAILS(GS_DUPLICATE, gs_add(store, "rival", 5, read_with_rival, &source, NULL, &image, ERR));
    check_image(store, rival_uri, "inner", 5);
    OK(gs_delete(store, rival_uri, NULL, ERR));
}

/* Deleting the image that is being read does not cut the read short. */
static int write_with_delete(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    struct sink *sink = user;
    if (sink->calls == 0)
        OK(gs_delete(store, text("file://%s/large", dir), NULL, ERR));
    return sink_write(sink, data, len, offset);
}

static void delete_while_reading(void)
{
    size_t      len = small_run() ? 200 * KiB : 4 * MiB;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    struct sink sink = { 0 };
    const char *large = add_bytes(store, "large", data, len);
    check_context("delete in the write callback");
    OK(gs_get(store, large, write_with_delete, &sink, NULL, ERR));
    CHECK_BYTES(data, len, sink.data, sink.len);
    check_absent(store, large);
    sink_free(&sink);
    free(data);
}

/* Calls already running finish safely when their registry is freed. */
struct freeing { gs_registry *reg; struct source source; struct sink sink; };

static int64_t read_with_free(void *user, uint8_t *buf, size_t len)
{
    struct freeing *state = user;
    gs_registry_free(state->reg);
    state->reg = NULL;
    return source_read(&state->source, buf, len);
}

static int write_with_free(void *user, const uint8_t *data, size_t len, uint64_t offset)
{
    struct freeing *state = user;
    gs_registry_free(state->reg);
    state->reg = NULL;
    return sink_write(&state->sink, data, len, offset);
}

static void registry_freed_inside(void)
{
    size_t         len = small_run() ? 200 * KiB : 4 * MiB;
    uint8_t       *data = new_data(len, RANDOM_DATA);
    gs_image      *image = NULL;
    gs_image_info  info = GS_IMAGE_INFO_INIT;
    struct freeing state = { .reg = file_registry(dir), .source = { .data = data, .len = len } };
    check_context("the registry freed in the callback");
    MUST(OK(gs_add(default_store(state.reg), "freed", len, read_with_free, &state, NULL, &image, ERR)));
    gs_image_get_info(image, &info);
    check_image(store, info.uri, data, len);

    state.reg = file_registry(dir);
    OK(gs_get(default_store(state.reg), info.uri, write_with_free, &state, NULL, ERR));
    CHECK_BYTES(data, len, state.sink.data, state.sink.len);
    sink_free(&state.sink);
    OK(gs_delete(store, info.uri, NULL, ERR));
    gs_image_free(image);
    free(data);
}

int main(void)
{
    struct source source = { .data = (const uint8_t *)"outer", .len = 5, .piece = 2 };
    struct sink   sink = { 0 };
    gs_opts       opts = GS_OPTS_INIT;
    gs_image     *image = NULL;
    dir = new_dir();
    reg = file_registry(dir);
    store = default_store(reg);
    uri = add_bytes(store, "outer", "outer", 5);

    check_context("calls inside callbacks");
    opts.verify = verify_with_calls;
    opts.progress = progress_with_calls;
    OK(gs_add(store, "second", 5, read_with_calls, &source, &opts, &image, ERR));
    gs_image_free(image);
    OK(gs_get(store, uri, write_with_calls, &sink, NULL, ERR));
    CHECK_BYTES("outer", 5, sink.data, sink.len);
    sink_free(&sink);

    nested_adds();
    rival();
    delete_while_reading();
    registry_freed_inside();

    OK(gs_delete(store, text("file://%s/second", dir), NULL, ERR));
    OK(gs_delete(store, uri, NULL, ERR));
    CHECK_STR("", listing(dir));
    gs_registry_free(reg);
    return check_result();
}

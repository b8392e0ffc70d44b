/* gs_get* of a part: offset and length, clipped at the end of the image. */
#include "testing.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    uint64_t    offset, length;
    const char *part;
} ranges[] = {
    { 0, 0, "chunk00000remainder" },
    { 5, 0, "00000remainder" },
    { 0, 5, "chunk" },
    { 5, 5, "00000" },
    { 17, 5, "er" },
    { 0, 15, "chunk00000remai" },
    { 0, 19, "chunk00000remainder" },
    { 0, 1000, "chunk00000remainder" },
    { 18, 0, "r" },
    { 18, 1, "r" },
    { 19, 0, "" },
    { 19, 1, "" },
    { 100, 0, "" },
    { 100, 5, "" },
    { 0, UINT64_MAX, "chunk00000remainder" },
    { 5, UINT64_MAX, "00000remainder" },
    { UINT64_MAX, 0, "" },
    { UINT64_MAX, UINT64_MAX, "" },
    { INT64_MAX, INT64_MAX, "" },
};

static const char *scratch;
static gs_store   *store;

static void check_part(const char *uri, const gs_opts *opts, const void *part, size_t len)
{
    struct sink sink = { .first = opts->offset };
    if (OK(gs_get(store, uri, sink_write, &sink, opts, ERR)))
        CHECK_BYTES(part, len, sink.data, sink.len);
    CHECK_INT(len == 0 ? 0 : sink.calls, sink.calls);
    sink_free(&sink);

    size_t      got_len;
    const char *path = text("%s/part", scratch);
    int         fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0);
    OK(gs_get_fd(store, uri, fd, opts, ERR));
    uint8_t *got = read_file(path, &got_len);
    CHECK_BYTES(part, len, got, got_len);
    free(got);
    close(fd);
}

int main(void)
{
    gs_registry *reg = file_registry(new_dir());
    scratch = new_dir();
    store = default_store(reg);
    const char *uri = add_bytes(store, "image", "chunk00000remainder", 19);

    for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
        gs_opts opts = GS_OPTS_INIT;
        opts.offset = ranges[i].offset;
        opts.length = ranges[i].length;
        check_context("offset %llu length %llu", (unsigned long long)opts.offset, (unsigned long long)opts.length);
        check_part(uri, &opts, ranges[i].part, strlen(ranges[i].part));
        opts.flags = GS_SPARSE;
        check_part(uri, &opts, ranges[i].part, strlen(ranges[i].part));
    }

    size_t      len = small_run() ? 200 * KiB : 5 * MiB + 7;
    uint8_t    *data = new_data(len, SPARSE_DATA);
    const char *large = add_bytes(store, "large", data, len);
    for (size_t offset = 0; offset < len; offset += len / 7 + 1)
        for (size_t length = 1; length < len; length += len / 5 + 1) {
            gs_opts opts = GS_OPTS_INIT;
            opts.offset = offset;
            opts.length = length;
            check_context("offset %zu length %zu of %zu", offset, length, len);
            check_part(large, &opts, data + offset, length < len - offset ? length : len - offset);
        }
    free(data);
    gs_registry_free(reg);
    return check_result();
}

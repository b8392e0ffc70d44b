/* Images without a byte, and ranges that no image reaches. */
#include "web.h"

#include <stdlib.h>
#include <string.h>

/* No server understands numbers that large, so none may get them. */
static void beyond_the_end(gs_store *with, const uint8_t *data, size_t len)
{
    check_part(with, plain("/image"), data, len, 1, UINT64_MAX);
    check_part(with, plain("/image"), data, len, len / 2, (uint64_t)INT64_MAX);
    check_part(with, plain("/image"), data, len, UINT64_MAX, 1);
    check_part(with, plain("/image"), data, len, (uint64_t)INT64_MAX + 1, 0);
}

static void empty_image(gs_store *store)
{
    gs_reader *reader = NULL;
    uint8_t    byte;
    size_t     count = 4711;
    serve("empty", "", 0);
    check_context("an empty image");
    if (!OK(gs_reader_open(store, plain("/empty"), NULL, &reader, ERR)))
        return;
    CHECK_SIZE(0, gs_reader_size(reader));
    OK(gs_reader_pread(reader, &byte, 1, 0, &count, ERR));
    CHECK_SIZE(0, count);
    gs_reader_free(reader);
}

int main(void)
{
    static const size_t sizes[] = { 0, 1, 4095, 3 * MiB + 5 };
    static const char  *connections[] = { "1", "4" };
    for (size_t i = 0; i < 2; i++) {
        gs_registry *reg = web_registry("http_connections", connections[i], NULL);
        for (size_t j = 0; j < sizeof sizes / sizeof *sizes; j++) {
            uint8_t *data = new_data(sizes[j], RANDOM_DATA);
            check_context("%zu bytes by %s connections", sizes[j], connections[i]);
            serve("image", data, sizes[j]);
            beyond_the_end(default_store(reg), data, sizes[j]);
            free(data);
        }
        empty_image(default_store(reg));
        gs_registry_free(reg);
    }
    return check_result();
}

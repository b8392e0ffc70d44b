/* Random reads of images with holes, which are known once and not looked up again and again. */
#include "cluster.h"
#include "steps.h"

#include <stdlib.h>
#include <string.h>

enum { LEN = 96 * MiB + 777, STEP = 64 * KiB };

/* Data at both ends, in the middle and at an object's; all else is holes. */
static uint8_t *new_image(void)
{
    static const size_t places[] = { 0, 40 * MiB - 1, 40 * MiB, 41 * MiB + 5, 70 * MiB + 4096, LEN - 1 };
    uint8_t            *image = calloc(1, LEN);
    MUST(image != NULL);
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        image[places[i]] = (uint8_t)(i + 1);
    return image;
}

static void check_reads(gs_reader *reader, const uint8_t *image, size_t step)
{
    uint8_t *bytes = malloc(step);
    size_t   count;
    MUST(bytes != NULL);
    for (size_t at = 0; at < LEN; at += step) {
        size_t len = at + step < LEN ? step : LEN - at;
        MUST(OK(gs_reader_pread(reader, bytes, step, at, &count, ERR)));
        CHECK_BYTES(image + at, len, bytes, count);
    }
    free(bytes);
}

static void holes(gs_store *store, const uint8_t *image)
{
    static const char *const uris[] = { "snapshot", "present state" };
    for (int i = 0; i < 2; i++) {
        gs_reader *reader = NULL;
        check_context("the holes of a %s", uris[i]);
        OK(gs_reader_open(store, i ? "rbd://sparse" : uri_of("sparse"), NULL, &reader, ERR));
        unsigned before = opens();
        check_reads(reader, image, STEP);
        check_reads(reader, image, 3 * MiB + 1);
        /* What is not a snapshot may change between two reads. */
        CHECK(i ? opens() > before + 20 : opens() < before + 20);
        gs_reader_free(reader);
    }
}

/* Known holes are zeros for ever; nothing else is told of an image that has gone. */
static void deleted(gs_store *store, const uint8_t *image)
{
    gs_reader *reader = NULL;
    uint8_t    bytes[STEP], zeros[STEP] = { 0 };
    size_t     count;
    OK(gs_reader_open(store, uri_of("sparse"), NULL, &reader, ERR));
    check_context("before its image is deleted");
    OK(gs_reader_pread(reader, bytes, STEP, 20 * MiB, &count, ERR));
    CHECK_BYTES(image + 20 * MiB, STEP, bytes, count);
    OK(gs_delete(store, uri_of("sparse"), NULL, ERR));
    check_context("after its image was deleted");
    OK(gs_reader_pread(reader, bytes, STEP, 30 * MiB, &count, ERR));
    CHECK_BYTES(zeros, STEP, bytes, count);
    FAILS(GS_NOT_FOUND, gs_reader_pread(reader, bytes, STEP, 70 * MiB, &count, ERR));
    CHECK_HAS("deleted while it was read", failure.message);
    FAILS(GS_NOT_FOUND, gs_reader_pread(reader, bytes, 1, LEN - 1, &count, ERR));
    gs_reader_free(reader);
}

int main(void)
{
    uint8_t     *image = new_image();
    gs_registry *reg = rbd_registry("rbd_thin_provisioning", "true", "transfer_memory", "8", NULL);
    gs_store    *store = default_store(reg);
    MUST(OK(add(store, "sparse", image, LEN, true)));
    holes(store, image);
    deleted(store, image);
    CHECK_STR("", objects());
    gs_registry_free(reg);
    free(image);
    return check_result();
}

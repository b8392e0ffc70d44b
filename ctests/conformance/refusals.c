/* What cannot be done is one clear error, and the backend holds what it held. */
#include "backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *before;
static uint8_t    *data;
static size_t      len;

static gs_status add(const char *id, struct source *source, gs_read_fn read, uint64_t size, const gs_opts *opts)
{
    gs_image *image = NULL;
    gs_status status = gs_add(store, id, size, read, source, opts, &image, ERR);
    CHECK(status == GS_OK || image == NULL);
    gs_image_free(image);
    return status;
}

static void nothing_came(void)
{
    CHECK_STR(before, holdings());
}

/* ---- Images that are there, and that are not -------------------------------- */

static void duplicates(void)
{
    const char *id = new_id(), *uri = add_bytes(store, id, data, len), *held = holdings();
    const size_t others[] = { 0, 1, unit, len, len + 1 };
    for (size_t i = 0; i < sizeof others / sizeof *others; i += small_run() ? 2 : 1)
        for (int known = 0; known < 2; known++) {
            uint8_t      *other = new_data(others[i], ZERO_DATA);
            struct source source = { .data = other, .len = others[i] };
            check_context("%zu bytes, %s, of an id that is taken", others[i], known ? "announced" : "not announced");
            FAILS(GS_DUPLICATE, add(id, &source, source_read, known ? others[i] : GS_SIZE_UNKNOWN, NULL));
            CHECK_HAS(id, failure.message);
            CHECK_STR(held, holdings());
            free(other);
        }
    check_context("after the duplicates");
    check_image(store, uri, data, len);
    remove_image(uri, before);
}

static void absent_images(void)
{
    struct sink sink = { 0 };
    gs_reader  *reader = NULL;
    gs_image   *image = NULL;
    uint64_t    size = 4711;
    const char *uri = add_bytes(store, new_id(), data, len);
    check_context("an image that was deleted");
    OK(gs_delete(store, uri, NULL, ERR));
    FAILS(GS_NOT_FOUND, gs_delete(store, uri, NULL, ERR));
    FAILS(GS_NOT_FOUND, gs_get_size(store, uri, NULL, &size, ERR));
    FAILS(GS_NOT_FOUND, gs_get(store, uri, sink_write, &sink, NULL, ERR));
    FAILS(GS_NOT_FOUND, gs_reader_open(store, uri, NULL, &reader, ERR));
    FAILS(GS_NOT_FOUND, gs_examine(store, uri, NULL, &image, ERR));
    FAILS(GS_NOT_FOUND, gs_copy(store, new_id(), store, uri, NULL, &image, ERR));
    CHECK_INT(0, sink.calls);
    CHECK_SIZE(4711, size);
    nothing_came();
}

/* ---- Sizes ------------------------------------------------------------------- */

static void wrong_sizes(void)
{
    const size_t sizes[] = { 1, unit - 1, unit, unit + 1, 2 * unit, 2 * unit + 1 };
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i += small_run() ? 2 : 1)
        for (int off = -1; off <= 1; off += 2) {
            size_t        supplied = off < 0 ? sizes[i] - 1 : sizes[i] + 1;
            struct source source = { .data = data, .len = supplied };
            const char   *id = new_id();
            check_context("promised %zu, supplied %zu", sizes[i], supplied);
            FAILS(GS_SIZE_MISMATCH, add(id, &source, source_read, sizes[i], NULL));
            CHECK_HAS(text("%zu", sizes[i]), failure.message);
            nothing_came();
            /* The failure did not spoil the id. */
            const char *uri = add_bytes(store, id, data, supplied);
            check_image(store, uri, data, supplied);
            remove_image(uri, before);
        }
}

/* ---- Sources and verifiers --------------------------------------------------- */

static size_t fails_at;

static int64_t read_and_fail(void *user, uint8_t *buf, size_t wanted)
{
    struct source *source = user;
    return source->at >= fails_at ? -EIO : source_read(source, buf, wanted);
}

static void failing_sources(void)
{
    const size_t places[] = { 0, 1, unit, unit + 1, len };
    for (size_t i = 0; i < sizeof places / sizeof *places; i += small_run() ? 2 : 1)
        for (int known = 0; known < 2; known++) {
            struct source source = { .data = data, .len = len, .piece = 1 + unit / 2 };
            fails_at = places[i];
            /* Whoever knows the size need not ask for more than that. */
            if (known && fails_at == len)
                continue;
            check_context("a source that fails after %zu bytes, %s", fails_at, known ? "announced" : "not announced");
            FAILS(GS_CALLBACK, add(new_id(), &source, read_and_fail, known ? len : GS_SIZE_UNKNOWN, NULL));
            CHECK_INT(EIO, failure.errnum);
            nothing_came();
        }
}

struct verifier { size_t seen, refuses_at; };

static int verify(void *user, const uint8_t *piece, size_t piece_len)
{
    struct verifier *verifier = user;
    CHECK(verifier->seen + piece_len <= len);
    CHECK(memcmp(data + verifier->seen, piece, piece_len) == 0);
    verifier->seen += piece_len;
    return verifier->seen >= verifier->refuses_at;
}

static void refusing_verifiers(void)
{
    const size_t places[] = { 1, unit, unit + 1, len };
    for (size_t i = 0; i < sizeof places / sizeof *places; i += small_run() ? 2 : 1)
        for (int known = 0; known < 2; known++) {
            struct source   source = { .data = data, .len = len };
            struct verifier verifier = { .refuses_at = places[i] };
            gs_opts         opts = GS_OPTS_INIT;
            opts.verify = verify;
            opts.verify_user = &verifier;
            check_context("a verifier that refuses after %zu bytes, %s", places[i], known ? "announced" : "not announced");
            FAILS(GS_VERIFY_FAILED, add(new_id(), &source, source_read, known ? len : GS_SIZE_UNKNOWN, &opts));
            nothing_came();
        }
}

static void patient_verifier(void)
{
    struct source   source = { .data = data, .len = len, .piece = 1000 };
    struct verifier verifier = { .refuses_at = SIZE_MAX };
    gs_opts         opts = GS_OPTS_INIT;
    gs_image       *image = NULL;
    gs_image_info   info = GS_IMAGE_INFO_INIT;
    opts.verify = verify;
    opts.verify_user = &verifier;
    check_context("a verifier that sees every byte once");
    if (!OK(gs_add(store, new_id(), GS_SIZE_UNKNOWN, source_read, &source, &opts, &image, ERR)))
        return;
    CHECK_SIZE(len, verifier.seen);
    gs_image_get_info(image, &info);
    remove_image(info.uri, before);
    gs_image_free(image);
}

static void wrong_digests(void)
{
    struct source source = { .data = data, .len = len };
    gs_opts       opts = GS_OPTS_INIT;
    check_context("another MD5 expected");
    opts.expect_checksum = "900150983cd24fb0d6963f7d28e17f72";
    FAILS(GS_VERIFY_FAILED, add(new_id(), &source, source_read, len, &opts));
    nothing_came();

    check_context("an unknown hash");
    source = (struct source){ .data = data, .len = len };
    opts = (gs_opts)GS_OPTS_INIT;
    opts.hash_name = "nope";
    FAILS(GS_UNKNOWN_HASH, add(new_id(), &source, source_read, len, &opts));
    CHECK_INT(0, source.calls);
    nothing_came();
}

void check_refusals(void)
{
    before = holdings();
    len = 2 * unit + unit / 2;
    data = new_data(len + 1, RANDOM_DATA);
    duplicates();
    absent_images();
    wrong_sizes();
    failing_sources();
    refusing_verifiers();
    patient_verifier();
    wrong_digests();
    free(data);
}

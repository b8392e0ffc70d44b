/* Structs grow at their end only, so both sides say their size: too small, too
 * large and a tail that the library does not know are GS_INVALID; what is
 * filled in by the library is filled to the caller's size. */
#include "testing.h"

#include <stdlib.h>
#include <string.h>

enum { LARGEST = 4096 };

#define END_OF(type, last) (offsetof(type, last) + sizeof(((type *)0)->last))

static gs_store   *store;
static const char *uri;

static gs_status size_with(const void *opts)
{
    uint64_t size = 0;
    return gs_get_size(store, uri, opts, &size, ERR);
}

static void options(void)
{
    static const size_t wrong[] = { 0, 1, sizeof(size_t), sizeof(gs_opts) - 8, sizeof(gs_opts) - 1, LARGEST + 1, SIZE_MAX };
    static union { gs_opts opts; uint8_t bytes[LARGEST]; } big;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gs_opts opts = GS_OPTS_INIT;
        check_context("gs_opts.struct_size %zu", wrong[i]);
        opts.struct_size = wrong[i];
        if (FAILS(GS_INVALID, size_with(&opts)))
            CHECK_HAS("struct_size", failure.message);
    }
    check_context("a larger gs_opts");
    big.opts.struct_size = LARGEST;
    OK(size_with(&big));
    big.opts.struct_size = sizeof(gs_opts) + 8;
    OK(size_with(&big));
    big.bytes[sizeof(gs_opts)] = 1;
    FAILS(GS_INVALID, size_with(&big));
    big.bytes[sizeof(gs_opts)] = 0;
    big.bytes[sizeof(gs_opts) + 7] = 0x80;
    FAILS(GS_INVALID, size_with(&big));
    big.opts.struct_size = LARGEST;
    big.bytes[sizeof(gs_opts) + 7] = 0;
    big.bytes[LARGEST - 1] = 1;
    FAILS(GS_INVALID, size_with(&big));
    big.opts.struct_size = LARGEST - 1;
    OK(size_with(&big));
}

static void contexts(void)
{
    static const size_t wrong[] = { 0, sizeof(gs_context) - 1, LARGEST + 1, SIZE_MAX };
    static union { gs_context context; uint8_t bytes[LARGEST]; } big;
    gs_opts opts = GS_OPTS_INIT;

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        gs_context context = GS_CONTEXT_INIT;
        check_context("gs_context.struct_size %zu", wrong[i]);
        context.struct_size = wrong[i];
        opts.context = &context;
        if (FAILS(GS_INVALID, size_with(&opts)))
            CHECK_HAS("struct_size", failure.message);
    }
    check_context("a larger gs_context");
    big.context.struct_size = LARGEST;
    big.context.user_id = "user";
    opts.context = &big.context;
    OK(size_with(&opts));
    big.bytes[LARGEST - 1] = 1;
    FAILS(GS_INVALID, size_with(&opts));
}

/* Smaller than the members of 0.1: untouched. Larger: filled, and the tail is
 * zeroed. Nothing is ever written beyond the stated size. */
static void infos(const char *name, void (*get_info)(const void *, void *), const void *object, size_t members, size_t known)
{
    uint8_t      info[256], same[256];
    const size_t small = members - 1, large = known + 24;
    check_context("%s", name);

    memset(info, 0xaa, sizeof info);
    memcpy(info, &small, sizeof small);
    memcpy(same, info, sizeof same);
    get_info(object, info);
    CHECK(memcmp(info, same, sizeof info) == 0);

    memset(info, 0xaa, sizeof info);
    memcpy(info, &large, sizeof large);
    get_info(object, info);
    CHECK(memcmp(info, &large, sizeof large) == 0);
    CHECK(memcmp(info + sizeof large, same + sizeof large, sizeof(void *)) != 0);
    for (size_t i = known; i < large; i++)
        CHECK_INT(0, info[i]);
    for (size_t i = large; i < sizeof info; i++)
        CHECK_INT(0xaa, info[i]);

    /* Without the padding at its end: a struct that was packed more tightly. */
    memset(info, 0xaa, sizeof info);
    memcpy(info, &members, sizeof members);
    get_info(object, info);
    for (size_t i = members; i < sizeof info; i++)
        CHECK_INT(0xaa, info[i]);
}

static void store_info(const void *object, void *info) { gs_store_get_info(object, info); }
static void location_info(const void *object, void *info) { gs_location_get_info(object, info); }
static void image_info(const void *object, void *info) { gs_image_get_info(object, info); }

int main(void)
{
    gs_registry *reg = file_registry(new_dir());
    gs_location *location = NULL;
    gs_image    *image = NULL;
    store = default_store(reg);
    uri = add_bytes(store, "image", "abc", 3);
    MUST(OK(gs_location_parse(reg, store, uri, &location, ERR)));
    MUST(OK(gs_copy(store, "copy", store, uri, NULL, &image, ERR)));

    options();
    contexts();
    infos("gs_store_info", store_info, store, END_OF(gs_store_info, is_reserved), sizeof(gs_store_info));
    infos("gs_location_info", location_info, location, END_OF(gs_location_info, store_id), sizeof(gs_location_info));
    infos("gs_image_info", image_info, image, END_OF(gs_image_info, size), sizeof(gs_image_info));

    gs_image_free(image);
    gs_location_free(location);
    gs_registry_free(reg);
    return check_result();
}

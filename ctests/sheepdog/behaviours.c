/* What the sheepdog driver does, seen through the C ABI from one side and through the daemon's protocol from the
 * other.  Runs on any cluster: it formats nothing, and uses and removes VDIs of its own names only. */
#include "dog.h"

#include <stdlib.h>
#include <string.h>

enum { SIZE_AT = 536, SHIFT_AT = 555, TAG_AT = 256, RIVALS = 8 };

static gs_registry *registry;
static gs_store    *store;
static uint32_t     object;

static bool exists_as_vdi(const char *name)
{
    uint32_t result = ask_vdi(DOG_GET_VDI_INFO, name, "", NULL);
    MUST(result == DOG_SUCCESS || result == DOG_NO_VDI);
    return result == DOG_SUCCESS;
}

static void check_gone(const char *name, uint32_t vid, uint32_t objects)
{
    CHECK(!exists_as_vdi(name));
    for (uint32_t i = 0; i < objects; i++)
        CHECK(object_is_gone(vid, i));
}

static gs_status add(const char *name, const uint8_t *data, size_t len, uint64_t promised)
{
    struct source source = { .data = data, .len = len };
    gs_image     *image = NULL;
    gs_status     status = gs_add(store, name, promised, source_read, &source, NULL, &image, ERR);
    gs_image_free(image);
    return status;
}

/* S1, S3, S7: size and objects are what was added, and gone when it is deleted. */
static void what_is_stored(void)
{
    const char *name = new_name();
    size_t      len = 2 * (size_t)object + 2097275;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    const char *uri = add_bytes(store, name, data, len);
    uint32_t    vid = vid_of(name), objects = (uint32_t)((len + object - 1) / object);
    check_context("what an add stores");
    CHECK_STR(uri_of(name), uri);
    CHECK_SIZE(len, inode_number(vid, SIZE_AT, 8));
    CHECK_SIZE(object, UINT32_C(1) << inode_number(vid, SHIFT_AT, 1));
    CHECK_SIZE(0, inode_number(vid, TAG_AT, 8));
    for (uint32_t i = 0; i < objects; i++)
        CHECK_INT(vid, owner_of(vid, i));
    CHECK_INT(0, owner_of(vid, objects));
    check_image(store, uri, data, len);

    check_context("what a delete leaves");
    OK(gs_delete(store, uri, NULL, ERR));
    check_gone(name, vid, objects);
    FAILS(GS_NOT_FOUND, gs_delete(store, uri, NULL, ERR));

    /* S8: the name can be used again at once, for another VDI. */
    check_context("the name of a deleted image");
    uri = add_bytes(store, name, data, 1);
    CHECK(vid_of(name) != vid);
    OK(gs_delete(store, uri, NULL, ERR));
    free(data);
}

/* S4 */
static void duplicates(void)
{
    const char *name = new_name();
    uint8_t    *data = new_data(object + 1, RANDOM_DATA);
    const char *uri = add_bytes(store, name, data, object + 1);
    uint32_t    vid = vid_of(name);
    check_context("an id that is taken");
    FAILS(GS_DUPLICATE, add(name, data, 1, 1));
    CHECK_HAS(name, failure.message);
    CHECK_INT(vid, vid_of(name));
    check_image(store, uri, data, object + 1);
    OK(gs_delete(store, uri, NULL, ERR));
    free(data);
}

/* S5, S16: objects of zeros are not there, and parts across them are the image's. */
static void sparse_images(void)
{
    const char *name = new_name();
    size_t      len = 4 * (size_t)object;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    memset(data + object, 0, object);
    const char *uri = add_bytes(store, name, data, len);
    uint32_t    vid = vid_of(name);
    check_context("an object of zeros");
    CHECK_INT(0, owner_of(vid, 1));
    CHECK_INT(vid, owner_of(vid, 2));
    CHECK(object_is_gone(vid, 1));

    struct sink whole = { 0 };
    gs_opts     opts = GS_OPTS_INIT;
    opts.flags = GS_SPARSE;
    if (OK(gs_get(store, uri, sink_write, &whole, &opts, ERR)))
        CHECK_BYTES(data, len, whole.data, whole.len);
    CHECK_SIZE(object, whole.holes);
    sink_free(&whole);

    const uint64_t offsets[] = { 0, object - 1, object, 2 * (uint64_t)object - 1, 3 * (uint64_t)object };
    const uint64_t lengths[] = { 1, 2, object + 2, 2 * (uint64_t)object };
    opts.flags = 0;
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++)
        for (size_t j = 0; j < sizeof lengths / sizeof *lengths; j++) {
            size_t      left = len - (size_t)offsets[i];
            struct sink sink = { .first = offsets[i] };
            check_context("%llu bytes at %llu", (unsigned long long)lengths[j], (unsigned long long)offsets[i]);
            opts.offset = offsets[i];
            opts.length = lengths[j];
            if (OK(gs_get(store, uri, sink_write, &sink, &opts, ERR)))
                CHECK_BYTES(data + offsets[i], lengths[j] < left ? lengths[j] : left, sink.data, sink.len);
            sink_free(&sink);
        }
    OK(gs_delete(store, uri, NULL, ERR));
    free(data);
}

/* S6, S10, S11 */
static void sizes(void)
{
    const char *name = new_name();
    size_t      len = 2 * (size_t)object + 1;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    uint64_t    size = 4711;
    check_context("an image that was never added");
    FAILS(GS_NOT_FOUND, gs_get_size(store, uri_of(name), NULL, &size, ERR));
    FAILS(GS_NOT_FOUND, gs_delete(store, uri_of(name), NULL, ERR));

    check_context("an image of unknown size");
    OK(add(name, data, len, GS_SIZE_UNKNOWN));
    uint32_t vid = vid_of(name);
    CHECK_SIZE(len, inode_number(vid, SIZE_AT, 8));
    OK(gs_get_size(store, uri_of(name), NULL, &size, ERR));
    CHECK_SIZE(len, size);
    check_image(store, uri_of(name), data, len);
    OK(gs_delete(store, uri_of(name), NULL, ERR));

    for (int off = -1; off <= 1; off += 2) {
        uint32_t probe = new_vdi(name, 0, 0, false);
        MUST(ask_vdi(DOG_DELETE_VDI, name, "", NULL) == DOG_SUCCESS);
        check_context("an image of another size than promised");
        FAILS(GS_SIZE_MISMATCH, add(name, data, len - 1, (uint64_t)(len - 1) + (uint64_t)(int64_t)off));
        /* The next VDI of a name has the next number. */
        check_gone(name, probe + 1, 3);
    }
    free(data);
}

/* S14, S19 */
static void names_and_locations(void)
{
    const char *longest = text("%s%s", new_name(), repeated('n', 255 - strlen(new_name()))), *uri;
    gs_location *location = NULL;
    check_context("the longest name");
    uri = add_bytes(store, longest, "bytes", 5);
    check_image(store, uri, "bytes", 5);
    OK(gs_delete(store, uri, NULL, ERR));
    check_context("a longer name");
    FAILS(GS_INVALID, add(text("%sn", longest), (const uint8_t *)"x", 1, 1));
    CHECK(!exists_as_vdi(longest));
    FAILS(GS_INVALID, add("", (const uint8_t *)"x", 1, 1));

    check_context("locations");
    const char *name = new_name();
    uri = add_bytes(store, name, "bytes", 5);
    check_image(store, text("sheepdog://%s", name), "bytes", 5);
    OK(gs_delete(store, text("sheepdog://%s", name), NULL, ERR));
    check_absent(store, uri);
    FAILS(GS_BAD_URI, gs_location_parse(registry, NULL, "sheepdog://a:b:img", &location, ERR));
    CHECK_HAS("port", failure.message);
}

struct rival {
    pthread_t thread;
    uint8_t  *data;
    gs_status status;
};

static const char *contested;

static void *compete(void *user)
{
    struct rival *rival = user;
    struct source source = { .data = rival->data, .len = object };
    gs_image     *image = NULL;
    rival->status = RETURNS(gs_add(store, contested, object, source_read, &source, NULL, &image, ERR));
    gs_image_free(image);
    return NULL;
}

/* S17 */
static void rivals(void)
{
    struct rival  all[RIVALS];
    struct rival *winner = NULL;
    contested = new_name();
    for (size_t i = 0; i < RIVALS; i++)
        all[i].data = new_data(object, RANDOM_DATA);
    for (size_t i = 0; i < RIVALS; i++)
        all[i].thread = start(compete, &all[i]);
    for (size_t i = 0; i < RIVALS; i++)
        join(all[i].thread);
    check_context("eight adds of one id");
    for (size_t i = 0; i < RIVALS; i++) {
        CHECK(all[i].status == GS_DUPLICATE || (all[i].status == GS_OK && !winner));
        if (all[i].status == GS_OK)
            winner = &all[i];
    }
    MUST(winner != NULL);
    check_image(store, uri_of(contested), winner->data, object);
    OK(gs_delete(store, uri_of(contested), NULL, ERR));
    for (size_t i = 0; i < RIVALS; i++)
        free(all[i].data);
}

/* S2: as dog, QEMU and glance_store write, object by object. */
static void images_of_others(void)
{
    const char *name = new_name();
    size_t      len = 2 * (size_t)object + 5;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    uint32_t    vid = new_vdi(name, len, 0, false);
    memset(data + object, 0, object);
    for (uint32_t i = 0; i < 3; i += 2) {
        uint8_t owner[4] = { (uint8_t)vid, (uint8_t)(vid >> 8), (uint8_t)(vid >> 16), 0 };
        MUST(ask((struct request){ .opcode = DOG_CREATE_OBJECT, .oid = data_oid(vid, i), .data = data + (size_t)i * object,
                                   .len = i == 2 ? 5 : object }, NULL) == DOG_SUCCESS);
        write_inode(vid, DOG_INODE_HEADER + 4 * i, owner, sizeof owner);
    }
    check_context("an image that others wrote");
    check_image(store, uri_of(name), data, len);
    OK(gs_delete(store, uri_of(name), NULL, ERR));
    check_gone(name, vid, 3);
    free(data);
}

/* S9: the snapshot and the clone of an image live on without it. */
static void snapshots_and_clones(void)
{
    const char *name = new_name(), *clone = new_name();
    size_t      len = object + 9;
    uint8_t    *data = new_data(len, RANDOM_DATA);
    const char *uri = add_bytes(store, name, data, len);
    uint32_t    vid = vid_of(name);
    char        tag[256] = "s1";
    write_inode(vid, TAG_AT, tag, sizeof tag);
    new_vdi(name, len, vid, true);
    new_vdi(clone, len, vid, false);
    check_context("an image with a snapshot and a clone");
    check_image(store, uri, data, len);
    check_image(store, uri_of(clone), data, len);
    OK(gs_delete(store, uri, NULL, ERR));
    check_absent(store, uri);
    check_image(store, uri_of(clone), data, len);
    OK(gs_delete(store, uri_of(clone), NULL, ERR));
    CHECK_INT(DOG_SUCCESS, ask_vdi(DOG_GET_VDI_INFO, name, "s1", NULL));
    CHECK_INT(vid, owner_of(vid, 1));

    /* No business of the library's: as "dog vdi delete -s". */
    uint8_t nobody[8] = { 0 };
    write_inode(vid, DOG_INODE_HEADER, nobody, sizeof nobody);
    CHECK_INT(DOG_SUCCESS, ask_vdi(DOG_DELETE_VDI, name, "s1", NULL));
    CHECK(object_is_gone(vid, 0));
    free(data);
}

/* S20 */
static void half_deleted(void)
{
    const char *name = new_name();
    uint8_t    *data = new_data(object, RANDOM_DATA);
    const char *uri = add_bytes(store, name, data, object);
    uint32_t    vid = vid_of(name);
    check_context("a VDI that was deleted by half");
    CHECK_INT(DOG_SUCCESS, ask_vdi(DOG_DELETE_VDI, name, "", NULL));
    if (exists_as_vdi(name))
        OK(gs_delete(store, uri, NULL, ERR));
    check_gone(name, vid, 1);
    free(data);
}

/* What a killed add leaves is no image, and is removed as one. */
static void unfinished(void)
{
    const char *name = new_name();
    char        tag[256] = "glance-store: incomplete, objects: 2";
    uint64_t    size = 4711;
    uint32_t    vid = new_vdi(name, 0, 0, false);
    write_inode(vid, TAG_AT, tag, sizeof tag);
    MUST(ask((struct request){ .opcode = DOG_CREATE_OBJECT, .oid = data_oid(vid, 1), .data = "x", .len = 1 }, NULL)
         == DOG_SUCCESS);
    check_context("what a killed add left");
    check_absent(store, uri_of(name));
    FAILS(GS_NOT_FOUND, gs_get_size(store, uri_of(name), NULL, &size, ERR));
    FAILS(GS_DUPLICATE, add(name, (const uint8_t *)"x", 1, 1));
    CHECK_HAS("delete the image", failure.message);
    OK(gs_delete(store, uri_of(name), NULL, ERR));
    check_gone(name, vid, 2);
}

/* S22, of the cluster rather than of the library: that what serves here is as strict as it should be. */
static void the_cluster(void)
{
    char name[512] = "any";
    check_context("the cluster");
    CHECK_INT(DOG_VERSION, ask((struct request){ .opcode = DOG_GET_VDI_INFO, .version = 3, .data = name, .len = 512 }, NULL));
    CHECK_INT(DOG_INVALID, ask((struct request){ .opcode = 0x7f }, NULL));
    CHECK_INT(DOG_INVALID, ask((struct request){ .opcode = DOG_NEW_VDI, .data = name, .len = 255 }, NULL));
}

/* A1 to A3, and what the store says of itself. */
static void the_store(void)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_opts       opts = GS_OPTS_INIT;
    struct source source = { .data = (const uint8_t *)"x", .len = 1 };
    gs_image     *image = NULL;
    const char   *name = new_name();
    check_context("the store");
    gs_store_get_info(store, &info);
    CHECK_STR("sheepdog", info.driver);
    CHECK_INT(0x4f, info.capabilities);
    opts.hash_name = "md6";
    FAILS(GS_UNKNOWN_HASH, gs_add(store, name, 1, source_read, &source, &opts, &image, ERR));
    CHECK(!exists_as_vdi(name));
}

int main(void)
{
    registry = dog_registry(NULL);
    store = default_store(registry);
    object = object_size();
    the_cluster();
    the_store();
    what_is_stored();
    duplicates();
    sparse_images();
    sizes();
    names_and_locations();
    rivals();
    images_of_others();
    snapshots_and_clones();
    half_deleted();
    unfinished();
    gs_registry_free(registry);
    return check_result();
}

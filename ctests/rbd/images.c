/* Images as the reference lays them out: objects, sizes, features, snapshots, holes, sizes, locations. */
#include "cluster.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint8_t *data;
enum { LEN = 5 * MiB + 12345 };

static const char *snapshots(const char *id)
{
    return without_blanks(output("glance snap ls --format json 'images/%s'", id));
}

/* ---- What is made ------------------------------------------------------------ */

static void objects_of_each_chunk_size(void)
{
    static const struct { const char *chunk, *order; } rows[] = { { "1", "20" }, { "3", "21" }, { "8", "23" }, { "63", "25" } };
    gs_registry *reg = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int known = 0; known < (i ? 1 : 2); known++) {
            gs_store *store = open_store(&reg, "rbd_store_chunk_size", rows[i].chunk);
            check_context("chunks of %s MiB, size %s", rows[i].chunk, known ? "known" : "unknown");
            if (!OK(add(store, "im", data, LEN, known)))
                continue;
            const char *info = described("im");
            CHECK_HAS(text("\"order\":%s", rows[i].order), info);
            CHECK_HAS(text("\"size\":%d,", LEN), info);
            CHECK_HAS("\"format\":2", info);
            CHECK_HAS("\"features\":[\"layering\",\"exclusive-lock\",\"object-map\",\"fast-diff\",\"deep-flatten\"]", info);
            CHECK_HAS("\"name\":\"snap\"", snapshots("im"));
            CHECK_HAS("\"protected\":\"true\"", snapshots("im"));
            CHECK_STR("", output("glance image-meta list --format json images/im"));
            check_image(store, uri_of("im"), data, LEN);
            check_image(store, "rbd://im", data, LEN);
            drop(store, "im");
        }
    gs_registry_free(reg);
}

static void features_of_the_configuration(void)
{
    static const struct { const char *conf, *features; } rows[] = {
        { "3", "[\"layering\",\"striping\"]" }, { "0", "[\"layering\"]" }, { "layering,exclusive-lock", "[\"layering\",\"exclusive-lock\"]" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *conf = text("%s/features.conf", ceph("CEPH_DIR"));
        MUST(succeeds("sed 's/^\\[global\\]/&\\nrbd_default_features = %s/' %s >%s", rows[i].conf, ceph("CEPH_GLANCE_CONF"), conf));
        gs_registry *reg = rbd_registry("rbd_store_ceph_conf", conf, NULL);
        check_context("rbd_default_features = %s", rows[i].conf);
        if (OK(add(default_store(reg), "im", data, LEN, true)))
            /* rbd shows the feature of striping only where an image is striped. */
            CHECK(strstr(described("im"), rows[i].features) || (i == 0 && strstr(described("im"), "[\"layering\"]")));
        check_image(default_store(reg), uri_of("im"), data, LEN);
        drop(default_store(reg), "im");
        gs_registry_free(reg);
    }
}

static unsigned data_objects(void)
{
    return (unsigned)atoi(output("rados --conf %s --id glance -p images ls | grep -c ^rbd_data || true", ceph("CEPH_GLANCE_CONF")));
}

/* The last byte, and those at its halves down to a GiB: one wherever the image has just grown. */
static unsigned places_of(uint64_t size, uint64_t *places)
{
    unsigned count = 0;
    for (; size > 0; size = size > 1024ull * MiB ? size / 2 : 0)
        places[count++] = size - 1;
    return count;
}

static void add_of_unknown_size(gs_store *store, uint64_t size)
{
    const char *path = text("%s/growing", new_dir());
    uint64_t    places[64];
    gs_opts     opts = GS_OPTS_INIT;
    gs_image   *image = NULL;
    FILE       *file = fopen(path, "w+");
    MUST(file != NULL && ftruncate(fileno(file), (off_t)size) == 0);
    for (unsigned i = places_of(size, places); i-- > 0;)
        MUST(pwrite(fileno(file), "x", 1, (off_t)places[i]) == 1);
    opts.flags = GS_NO_CHECKSUM;
    OK(gs_add_fd(store, "im", GS_SIZE_UNKNOWN, fileno(file), &opts, &image, ERR));
    gs_image_free(image);
    fclose(file);
}

/* An image of unknown size begins with a GiB and doubles; what was too much goes again. */
static void growth(void)
{
    const uint64_t GiB = 1024ull * MiB, sizes[] = { 0, 1, MiB + 1, GiB - 1, GiB, GiB + 1, 9 * GiB + 7 };
    gs_registry   *reg = rbd_registry("rbd_thin_provisioning", "true", NULL);
    gs_store      *store = default_store(reg);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        uint64_t places[64];
        unsigned count = places_of(sizes[i], places);
        check_context("%llu bytes of unknown size", (unsigned long long)sizes[i]);
        add_of_unknown_size(store, sizes[i]);
        CHECK_HAS(text("\"size\":%llu,", (unsigned long long)sizes[i]), described("im"));
        CHECK_INT(count, data_objects());
        gs_reader *reader = NULL;
        OK(gs_reader_open(store, uri_of("im"), NULL, &reader, ERR));
        while (count-- > 0) {
            uint8_t bytes[2] = { 0 };
            size_t  read = 0;
            OK(gs_reader_pread(reader, bytes, 2, places[count], &read, ERR));
            CHECK_SIZE(count == 0 ? 1 : 2, read);
            CHECK(bytes[0] == 'x' && bytes[1] == 0);
        }
        gs_reader_free(reader);
        drop(store, "im");
    }
    gs_registry_free(reg);
}

/* ---- Holes ------------------------------------------------------------------- */

/* The size of the object that holds a MiB of the only image. */
static unsigned long size_of_object(unsigned number)
{
    return strtoul(output("rados=\"rados --conf %s --id glance -p images\"; $rados stat $($rados ls | grep '^rbd_data.*%016x$') | sed 's/.*size //'",
                          ceph("CEPH_GLANCE_CONF"), number), NULL, 10);
}

static void zeros(void)
{
    static const struct { const char *thin; unsigned objects; } rows[] = { { "true", 2 }, { "false", 3 } };
    uint8_t *image = new_data(3 * MiB, RANDOM_DATA);
    memset(image + MiB, 0, MiB);
    memset(image + 2 * MiB + 64 * KiB, 0, MiB - 64 * KiB);
    for (size_t i = 0; i < 2; i++) {
        gs_registry *reg = rbd_registry("rbd_thin_provisioning", rows[i].thin, NULL);
        check_context("zeros, thin provisioning %s", rows[i].thin);
        if (OK(add(default_store(reg), "im", image, 3 * MiB, i))) {
            CHECK_INT(rows[i].objects, data_objects());
            CHECK_INT(i == 0 ? 64 * KiB : MiB, size_of_object(2));
            check_image(default_store(reg), uri_of("im"), image, 3 * MiB);
            struct sink sink = { 0 };
            gs_opts     opts = GS_OPTS_INIT;
            opts.flags = GS_SPARSE;
            OK(gs_get(default_store(reg), uri_of("im"), sink_write, &sink, &opts, ERR));
            CHECK_SIZE(2 * MiB - 64 * KiB, sink.holes);
            CHECK_BYTES(image, 3 * MiB, sink.data, sink.len);
            sink_free(&sink);
        }
        drop(default_store(reg), "im");
        gs_registry_free(reg);
    }
    free(image);
}

/* Holes of a source are neither read nor written, and come out as holes. */
static void holes(void)
{
    const char  *path = text("%s/sparse", new_dir());
    gs_registry *reg = rbd_registry(NULL);
    struct sink  sink = { 0 };
    gs_opts      opts = GS_OPTS_INIT;
    gs_image    *image = NULL;
    size_t       len = 40 * MiB;
    MUST(succeeds("truncate -s %zu %s && dd if=/dev/urandom of=%s bs=1M count=1 seek=20 conv=notrunc", len, path, path));
    FILE *file = fopen(path, "r");
    MUST(file != NULL);
    check_context("a file of holes");
    if (OK(gs_add_fd(default_store(reg), "im", len, fileno(file), NULL, &image, ERR)))
        CHECK_INT(1, data_objects());
    fclose(file);
    uint8_t *wanted = read_file(path, &len);
    opts.flags = GS_SPARSE;
    OK(gs_get(default_store(reg), uri_of("im"), sink_write, &sink, &opts, ERR));
    CHECK_SIZE(39 * MiB, sink.holes);
    CHECK_BYTES(wanted, len, sink.data, sink.len);
    check_image(default_store(reg), uri_of("im"), wanted, len);
    sink_free(&sink);
    drop(default_store(reg), "im");
    gs_image_free(image);
    gs_registry_free(reg);
    free(wanted);
}

/* ---- Names and places -------------------------------------------------------- */

static void names(void)
{
    const char *const ids[] = { "a", "-dash", ".dot", "a b", "a@b", "a:b;c=d", "%41", "100%", "\xc3\xa4\xe2\x82\xac", "tab\there", "line\nbreak",
                                "a/b", "quote'\"\\", "?x=1#y", repeated('n', 200) };
    gs_registry  *reg = rbd_registry(NULL);
    gs_store     *store = default_store(reg);
    const char   *before = objects();
    for (size_t i = 0; i < sizeof ids / sizeof *ids; i++) {
        check_context("the id \"%s\"", ids[i]);
        const char *uri = add_bytes(store, ids[i], data, 1000);
        check_image(store, uri, data, 1000);
        FAILS(GS_DUPLICATE, add(store, ids[i], data, 1, true));
        OK(gs_delete(store, uri, NULL, ERR));
    }
    check_context("ids that no image can have");
    FAILS(GS_INVALID, add(store, "", data, 1, true));
    FAILS(GS_INVALID, add(store, repeated('n', 5000), data, 1, true));
    CHECK_STR(before, objects());
    gs_registry_free(reg);
}

static void places(void)
{
    gs_registry *reg = rbd_registry("rbd_store_user", "admin", "rbd_store_ceph_conf", ceph("CEPH_ADMIN_CONF"), NULL);
    gs_store    *store = default_store(reg);
    const char  *path = text("%s/image", new_dir());
    uint64_t     size = 0;
    write_file(path, data, LEN);
    output("admin import --no-progress %s volumes/elsewhere; admin snap create volumes/elsewhere@other 2>/dev/null", path);
    check_context("an image in another pool, with another snapshot");
    const char *uri = text("rbd://%s/volumes/elsewhere/other", ceph("CEPH_FSID"));
    OK(gs_get_size(store, uri, NULL, &size, ERR));
    CHECK_SIZE(LEN, size);
    check_image(store, uri, data, LEN);
    check_context("a snapshot that is not there");
    FAILS(GS_NOT_FOUND, gs_get_size(store, text("rbd://%s/volumes/elsewhere/snap", ceph("CEPH_FSID")), NULL, &size, ERR));
    check_context("another cluster");
    const char *foreign = "rbd://11111111-2222-3333-4444-555555555555/volumes/elsewhere/other";
    FAILS(GS_NOT_FOUND, gs_get_size(store, foreign, NULL, &size, ERR));
    CHECK_HAS("rbd_store_former_fsids", failure.message);
    FAILS(GS_NOT_FOUND, gs_delete(store, foreign, NULL, ERR));
    gs_registry_free(reg);

    reg = rbd_registry("rbd_store_user", "admin", "rbd_store_ceph_conf", ceph("CEPH_ADMIN_CONF"),
                       "rbd_store_former_fsids", "11111111-2222-3333-4444-555555555555", NULL);
    check_context("a cluster that this one was");
    OK(gs_get_size(default_store(reg), foreign, NULL, &size, ERR));
    OK(gs_delete(default_store(reg), foreign, NULL, ERR));
    CHECK_STR("", output("admin ls volumes"));
    gs_registry_free(reg);
}

/* ---- Sizes ------------------------------------------------------------------- */

static void impossible_sizes(void)
{
    const uint64_t sizes[] = { (256000000ull << 20) + 1, 1ull << 60, GS_SIZE_UNKNOWN - 1 };
    gs_registry   *reg = rbd_registry(NULL);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct source source = { .data = data, .len = LEN };
        gs_image     *image = NULL;
        check_context("an image of %llu bytes", (unsigned long long)sizes[i]);
        FAILS(GS_STORAGE_FULL, gs_add(default_store(reg), "im", sizes[i], source_read, &source, NULL, &image, ERR));
        CHECK_HAS(text("%llu bytes", (unsigned long long)sizes[i]), failure.message);
        CHECK_HAS("268435456000000 at most", failure.message);
        CHECK_HAS("rbd_store_chunk_size", failure.message);
        CHECK_INT(0, source.calls);
    }
    gs_registry_free(reg);
}

int main(void)
{
    const char *before = objects();
    data = new_data(LEN, RANDOM_DATA);
    objects_of_each_chunk_size();
    features_of_the_configuration();
    growth();
    zeros();
    holes();
    names();
    places();
    impossible_sizes();
    check_context("after everything");
    CHECK_STR(before, objects());
    free(data);
    return check_result();
}

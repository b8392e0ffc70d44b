/* A process that runs out of descriptors or threads gets errors that say so:
 * no call crashes, hangs or leaves anything, and all works again afterwards. */
#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static const char *dir;
static unsigned    refused;

/* One round of everything; each call may succeed or fail for want of `errnum`. */
static void use_library(int errnum)
{
    struct source source = { .data = (const uint8_t *)"abc", .len = 3 };
    struct sink   sink = { 0 };
    gs_registry  *reg = NULL;
    gs_image     *image = NULL;
    gs_reader    *reader = NULL;
    gs_opts       opts = GS_OPTS_INIT;
    const char   *uri = text("file://%s/image", dir), *there = text("file://%s/there", dir);
    gs_config    *cfg = config_of(SETTINGS({ "glance_store", "stores", "file" },
                                           { "glance_store", "filesystem_store_datadir", dir }));
#define MAY_FAIL(call) \
    do { \
        if (RETURNS(call) != GS_OK) { \
            refused++; \
            CHECK_INT(errnum, failure.errnum); \
        } \
    } while (0)
    opts.cancel = gs_cancel_new();
    opts.hash_name = "sha512";
    MAY_FAIL(gs_registry_open(cfg, &reg, ERR));
    gs_config_free(cfg);
    gs_store_info info = GS_STORE_INFO_INIT;
    if (reg)
        gs_store_get_info(default_store(reg), &info);
    if (reg && !info.add_disabled) {
        gs_store *store = default_store(reg);
        MAY_FAIL(gs_add(store, "image", GS_SIZE_UNKNOWN, source_read, &source, &opts, &image, ERR));
        if (image)
            OK(gs_delete(store, uri, NULL, ERR));
        opts.hash_name = NULL;
        MAY_FAIL(gs_get(store, there, sink_write, &sink, &opts, ERR));
        MAY_FAIL(gs_reader_open(store, there, &opts, &reader, ERR));
    }
#undef MAY_FAIL
    gs_reader_free(reader);
    gs_image_free(image);
    gs_registry_free(reg);
    gs_cancel_free(opts.cancel);
    sink_free(&sink);
}

static int first_free_descriptor(void)
{
    int fd = open("/dev/null", O_RDONLY);
    MUST(fd >= 0);
    close(fd);
    return fd;
}

static void descriptors(void)
{
    struct rlimit before, limit;
    const char   *entries = listing(dir);
    MUST(getrlimit(RLIMIT_NOFILE, &before) == 0);
    limit = before;
    for (int spare = 0; spare < 24; spare++) {
        check_context("%d descriptors left", spare);
        limit.rlim_cur = (rlim_t)(first_free_descriptor() + spare);
        MUST(setrlimit(RLIMIT_NOFILE, &limit) == 0);
        use_library(EMFILE);
        MUST(setrlimit(RLIMIT_NOFILE, &before) == 0);
        CHECK_STR(entries, listing(dir));
    }
    check_context("too few descriptors");
    CHECK(refused > 0);
}

/* RLIMIT_NPROC counts threads, but root is exempt. */
static void threads(void *argument)
{
    struct rlimit before, limit;
    const char   *entries = listing(dir);
    (void)argument;
    check_context("no thread left");
    MUST(getrlimit(RLIMIT_NPROC, &before) == 0);
    limit = before;
    limit.rlim_cur = 1;
    MUST(setrlimit(RLIMIT_NPROC, &limit) == 0);
    use_library(EAGAIN);
    CHECK(refused > 0);
    CHECK_STR(entries, listing(dir));
    MUST(setrlimit(RLIMIT_NPROC, &before) == 0);
    check_context("threads again");
    use_library(0);
    CHECK_STR(entries, listing(dir));
}

int main(void)
{
    dir = new_dir();
    write_file(text("%s/there", dir), "abc", 3);
    MUST(chown(dir, 65534, 65534) == 0);
    CHECK_INT(0, as_nobody(threads, NULL));
    descriptors();
    check_context("descriptors again");
    use_library(0);
    return check_result();
}

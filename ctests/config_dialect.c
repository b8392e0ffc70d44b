/* Files in oslo.config's dialect, seen through what they configure: the
 * description of a store gives back the value that a line has set, the weight an
 * integer, the ids a dict. And a whole glance-api.conf loads.
 *   config_dialect <glance-api.conf> */
#include "testing.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *dir, *path;

#define PREAMBLE \
    "[DEFAULT]\nenabled_backends = echo:file\nsound = from DEFAULT\n" \
    "[glance_store]\ndefault_backend = echo\n" \
    "[foreign]\nkey = from elsewhere\n"

static gs_registry *open_text(const char *content)
{
    gs_config   *cfg = gs_config_new();
    gs_registry *reg = NULL;
    write_file(path, content, strlen(content));
    if (OK(gs_config_load(cfg, path, ERR)))
        OK(gs_registry_open(cfg, &reg, ERR));
    gs_config_free(cfg);
    return reg;
}

static gs_store_info info_of(const gs_registry *reg, const char *id)
{
    gs_store_info info = GS_STORE_INFO_INIT;
    gs_store     *store = gs_registry_get(reg, id);
    if (CHECK(store != NULL))
        gs_store_get_info(store, &info);
    return info;
}

static void strings(void)
{
    static const struct { const char *lines, *description; } rows[] = {
        { "store_description = plain", "plain" },
        { "store_description=plain", "plain" },
        { "store_description: a colon", "a colon" },
        { "store_description : a colon", "a colon" },
        { "store_description\t=\ttabs\t", "tabs" },
        { "store_description =    blanks around   ", "blanks around" },
        { "store_description = a = b", "a = b" },
        { "store_description = a: b", "a: b" },
        { "store_description : a = b", "a = b" },
        { "store_description =", "" },
        { "store_description = \"\"", "" },
        { "store_description = \"double quotes\"", "double quotes" },
        { "store_description = 'single quotes'", "single quotes" },
        { "store_description = \"  kept blanks  \"", "  kept blanks  " },
        { "store_description = 'mixed\"", "'mixed\"" },
        { "store_description = \"open", "\"open" },
        { "store_description = it's", "it's" },
        { "store_description = \"it's\"", "it's" },
        { "store_description = a # b", "a # b" },
        { "store_description = a ; b", "a ; b" },
        { "# a comment\n; another\n\n\nstore_description = after comments", "after comments" },
        { "store_description = first\nstore_description = last", "last" },
        { "store_description = first\n[foreign]\nx = y\n[echo]\nstore_description = group again", "group again" },
        { "store_description = over\n  two lines", "over\ntwo lines" },
        { "store_description = over\n\tthree\n    lines\n\n", "over\nthree\nlines" },
        { "store_description = crlf\r", "crlf" },
        { "store_description = caf\xc3\xa9 \xe5\x9b\xbe\xe5\x83\x8f", "caf\xc3\xa9 \xe5\x9b\xbe\xe5\x83\x8f" },
        { "store_description = costs $$5", "costs $5" },
        { "store_description = costs \\$5", "costs $5" },
        { "store_description = 5 $", "5 $" },
        { "store_description = perm $filesystem_store_file_perm\nfilesystem_store_file_perm = 640", "perm 640" },
        { "store_description = ${filesystem_store_file_perm}!\nfilesystem_store_file_perm = 640", "640!" },
        { "store_description = chunk $filesystem_store_chunk_size", "chunk 65536" },
        { "store_description = $sound", "from DEFAULT" },
        { "store_description = ${DEFAULT.sound}", "from DEFAULT" },
        { "store_description = ${foreign.key} $foreign.key", "from elsewhere from elsewhere" },
        { "store_description = ${glance_store.default_backend}", "echo" },
        { "store_description = $sound and $$sound", "from DEFAULT and $sound" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("\"%s\"", rows[i].lines);
        gs_registry *reg = open_text(text(PREAMBLE "[echo]\nfilesystem_store_datadir = %s\n%s\n", dir, rows[i].lines));
        if (reg)
            CHECK_STR(rows[i].description, info_of(reg, "echo").description);
        gs_registry_free(reg);
    }
    check_context("a byte order mark, and no line break at the end");
    gs_registry *reg = open_text(text("\xef\xbb\xbf" PREAMBLE "[echo]\nfilesystem_store_datadir = %s\nstore_description = end", dir));
    if (reg)
        CHECK_STR("end", info_of(reg, "echo").description);
    gs_registry_free(reg);
}

static void integers(void)
{
    static const struct { const char *value; int32_t weight; } rows[] = {
        { "0", 0 }, { "10", 10 }, { "+5", 5 }, { "-5", -5 }, { "  7  ", 7 }, { "\"8\"", 8 }, { "", 0 },
        { "1_000", 1000 }, { "007", 7 }, { "2147483647", INT32_MAX }, { "-2147483648", INT32_MIN },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("weight = %s", rows[i].value);
        gs_registry *reg = open_text(text(PREAMBLE "[echo]\nfilesystem_store_datadir = %s\nweight = %s\n", dir, rows[i].value));
        if (reg)
            CHECK_INT(rows[i].weight, info_of(reg, "echo").weight);
        gs_registry_free(reg);
    }
}

static void dicts(void)
{
    static const struct { const char *value; size_t count; const char *first, *second; } rows[] = {
        { "a:file,b:file", 2, "a", "b" },
        { " a : file , b : file ", 2, "a", "b" },
        { "a:file", 1, "a", NULL },
        { "b:file, a:file", 2, "b", "a" },
        { "a:file,\n   b:file", 2, "a", "b" },
        { "\n   a:file,\n   b:file", 2, "a", "b" },
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check_context("enabled_backends = %s", rows[i].value);
        gs_registry *reg = open_text(text("[DEFAULT]\nenabled_backends = %s\n[a]\nfilesystem_store_datadir = %s\n"
                                          "[b]\nfilesystem_store_datadir = %s\n[glance_store]\ndefault_backend = a\n",
                                          rows[i].value, dir, dir));
        if (!reg)
            continue;
        CHECK_SIZE(rows[i].count, gs_registry_count(reg));
        const char *const expected[] = { rows[i].first, rows[i].second };
        for (size_t j = 0; j < rows[i].count; j++) {
            gs_store_info info = GS_STORE_INFO_INIT;
            gs_store_get_info(gs_registry_at(reg, j), &info);
            CHECK_STR(expected[j], info.id);
        }
        CHECK(gs_registry_at(reg, rows[i].count) == NULL);
        gs_registry_free(reg);
    }
}

/* Thin provisioning shows what a boolean has become. */
static void booleans(void)
{
    static const struct { const char *value; bool thin; } rows[] = {
        { "true", true }, { "True", true }, { "TRUE", true }, { "1", true }, { "on", true }, { "Yes", true },
        { "false", false }, { "False", false }, { "0", false }, { "OFF", false }, { "no", false }, { "\"yes\"", true },
    };
    enum { LENGTH = 4 * MiB };
    uint8_t *zeros = new_data(LENGTH, ZERO_DATA);
    for (size_t i = 0; i < (small_run() ? 2 : sizeof rows / sizeof *rows); i++) {
        struct stat st;
        check_context("filesystem_thin_provisioning = %s", rows[i].value);
        gs_registry *reg = open_text(text(PREAMBLE "[echo]\nfilesystem_store_datadir = %s\nfilesystem_thin_provisioning = %s\n",
                                          dir, rows[i].value));
        if (!reg)
            continue;
        const char *uri = add_bytes(default_store(reg), "image", zeros, LENGTH);
        CHECK(stat(text("%s/image", dir), &st) == 0);
        CHECK(rows[i].thin ? st.st_blocks * 512 < LENGTH / 8 : st.st_blocks * 512 >= LENGTH);
        OK(gs_delete(default_store(reg), uri, NULL, ERR));
        gs_registry_free(reg);
    }
    free(zeros);
}

/* Later files and calls replace earlier ones; what is set by a call is literal. */
static void layers(void)
{
    gs_config   *cfg = gs_config_new();
    gs_registry *reg = NULL;
    const char  *base = text(PREAMBLE "[echo]\nfilesystem_store_datadir = %s\nstore_description = file\nweight = 1\n", dir);
    const char  *second = text("%s/second.conf", new_dir());
    check_context("layers");
    write_file(path, base, strlen(base));
    write_file(second, "[echo]\nweight = 2\n", 18);
    OK(gs_config_set(cfg, "echo", "weight", "3", ERR));
    OK(gs_config_load(cfg, path, ERR));
    OK(gs_config_load(cfg, second, ERR));
    OK(gs_config_set(cfg, "echo", "store_description", "first", ERR));
    OK(gs_config_set(cfg, "echo", "store_description", " \"as it is\" # $$", ERR));
    if (OK(gs_registry_open(cfg, &reg, ERR))) {
        CHECK_STR(" \"as it is\" # $", info_of(reg, "echo").description);
        CHECK_INT(2, info_of(reg, "echo").weight);
    }
    gs_registry_free(reg);

    /* The configuration is collected, not consumed: it opens again, changed. */
    reg = NULL;
    OK(gs_config_set(cfg, "echo", "weight", "4", ERR));
    if (OK(gs_registry_open(cfg, &reg, ERR)))
        CHECK_INT(4, info_of(reg, "echo").weight);
    gs_registry_free(reg);
    gs_config_free(cfg);
}

/* data/glance-api.conf with this test's directory for @DIR@. */
static void whole_file(const char *sample)
{
    size_t      len;
    char       *content = read_file(sample, &len);
    const char *root = new_dir(), *filled = "";
    content[len] = '\0';
    for (char *at = content, *mark; at; at = mark ? mark + strlen("@DIR@") : NULL) {
        mark = strstr(at, "@DIR@");
        filled = text("%s%.*s%s", filled, mark ? (int)(mark - at) : (int)strlen(at), at, mark ? root : "");
    }
    free(content);

    check_context("%s", sample);
    gs_registry *reg = open_text(filled);
    if (!reg)
        return;
    CHECK_SIZE(2, gs_registry_count(reg));
    gs_store_info fast = info_of(reg, "fast"), archive = info_of(reg, "archive");
    CHECK_STR(text("  fast disks: $5 each, in %s/fast  ", root), fast.description);
    CHECK_STR("slow = large", archive.description);
    CHECK_INT(200, fast.weight);
    CHECK_INT(-5, archive.weight);
    CHECK(fast.is_default && !archive.is_default);
    CHECK_STR(NULL, fast.add_disabled);

    struct stat st;
    const char *uri = add_bytes(gs_registry_get(reg, "fast"), "image", "abc", 3);
    CHECK_STR(text("file://%s/fast/image", root), uri);
    CHECK(stat(text("%s/fast/image", root), &st) == 0);
    CHECK_INT(0640, st.st_mode & 07777);
    CHECK(!exists(text("%s/unused", root)));
    gs_registry_free(reg);
}

int main(int argc, char **argv)
{
    MUST(argc == 2);
    dir = new_dir();
    path = text("%s/test.conf", new_dir());

    strings();
    integers();
    dicts();
    booleans();
    layers();
    whole_file(argv[1]);
    return check_result();
}

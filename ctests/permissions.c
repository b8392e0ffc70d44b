/* filesystem_store_file_perm: decimal digits read as octal, set on the file
 * whatever the umask; the directory gets the execute bits that its readers need. */
#include "testing.h"

#include <string.h>
#include <sys/stat.h>

static unsigned mode_of(const char *path)
{
    struct stat st;
    MUST(stat(path, &st) == 0);
    return st.st_mode & 07777;
}

static gs_registry *with_permission(const char *dir, const char *permission)
{
    return registry_of(SETTINGS({ "glance_store", "stores", "file" }, { "glance_store", "filesystem_store_datadir", dir },
                                { "glance_store", "filesystem_store_file_perm", permission }));
}

static void modes(void)
{
    static const struct { const char *permission; unsigned file, directory; } rows[] = {
        { "744", 0744, 0711 }, { "644", 0644, 0711 }, { "444", 0444, 0711 }, { "640", 0640, 0710 },
        { "604", 0604, 0701 }, { "600", 0600, 0700 }, { "400", 0400, 0700 }, { "700", 0700, 0700 },
    };
    static const mode_t umasks[] = { 0, 022, 077 };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (size_t j = 0; j < 3; j++)
            for (int existing = 0; existing < 2; existing++) {
                const char *dir = new_dir();
                const char *data_dir = existing ? dir : text("%s/new", dir);
                check_context("permission %s, umask %o, directory %s", rows[i].permission, (unsigned)umasks[j], existing ? "there" : "new");
                MUST(chmod(dir, 0700) == 0);
                mode_t old = umask(umasks[j]);
                gs_registry *reg = with_permission(data_dir, rows[i].permission);
                add_bytes(default_store(reg), "image", "abc", 3);
                umask(old);
                CHECK_INT(rows[i].file, mode_of(text("%s/image", data_dir)));
                if (existing)
                    CHECK_INT(rows[i].directory, mode_of(data_dir));
                else
                    CHECK_INT(rows[i].directory & 0011, mode_of(data_dir) & rows[i].directory & 0011);
                gs_registry_free(reg);
            }
}

/* 0 and less leave the file to the umask and the directory alone. */
static void left_alone(void)
{
    static const char *const permissions[] = { "0", "-1", "" };
    static const struct { mode_t umask; unsigned file; } rows[] = { { 0, 0666 }, { 022, 0644 }, { 027, 0640 }, { 077, 0600 } };
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < sizeof rows / sizeof *rows; j++) {
            const char *dir = new_dir();
            check_context("permission \"%s\", umask %o", permissions[i], (unsigned)rows[j].umask);
            MUST(chmod(dir, 0700) == 0);
            mode_t old = umask(rows[j].umask);
            gs_registry *reg = with_permission(dir, permissions[i]);
            add_bytes(default_store(reg), "image", "abc", 3);
            umask(old);
            CHECK_INT(rows[j].file, mode_of(text("%s/image", dir)));
            CHECK_INT(0700, mode_of(dir));
            gs_registry_free(reg);
        }
}

/* The owner must be able to read, and digits are octal ones. */
static void refused(void)
{
    static const char *const permissions[] = { "7", "77", "200", "800", "648", "9", "77777" };
    for (size_t i = 0; i < sizeof permissions / sizeof *permissions; i++) {
        const char   *dir = new_dir();
        gs_store_info info = GS_STORE_INFO_INIT;
        check_context("permission %s", permissions[i]);
        gs_registry *reg = with_permission(dir, permissions[i]);
        gs_store_get_info(default_store(reg), &info);
        CHECK_HAS("filesystem_store_file_perm", info.add_disabled);
        CHECK_HAS(permissions[i], info.add_disabled);
        CHECK_INT(0x47, info.capabilities);
        gs_registry_free(reg);
    }
}

int main(void)
{
    modes();
    left_alone();
    refused();
    return check_result();
}

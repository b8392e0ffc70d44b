/* The INIT macros give structs that say their own size and are zero behind it.
 * Built as C99, C11 and C++11. */
#include <glance_store.h>

#include <stdio.h>
#include <string.h>

static int failures;

static void check(const char *name, const void *structure, size_t size)
{
    const unsigned char *bytes = (const unsigned char *)structure;
    size_t               stated;
    size_t               i;
    memcpy(&stated, bytes, sizeof stated);
    if (stated != size) {
        fprintf(stderr, "%s: struct_size is %lu, expected %lu\n", name, (unsigned long)stated, (unsigned long)size);
        failures++;
    }
    for (i = sizeof stated; i < size; i++)
        if (bytes[i] != 0) {
            fprintf(stderr, "%s: byte %lu is not zero\n", name, (unsigned long)i);
            failures++;
        }
}

int main(void)
{
    static gs_store_info    store = GS_STORE_INFO_INIT;
    static gs_location_info location = GS_LOCATION_INFO_INIT;
    static gs_context       context = GS_CONTEXT_INIT;
    static gs_opts          opts = GS_OPTS_INIT;
    static gs_image_info    image = GS_IMAGE_INFO_INIT;
    check("GS_STORE_INFO_INIT", &store, sizeof store);
    check("GS_LOCATION_INFO_INIT", &location, sizeof location);
    check("GS_CONTEXT_INIT", &context, sizeof context);
    check("GS_OPTS_INIT", &opts, sizeof opts);
    check("GS_IMAGE_INFO_INIT", &image, sizeof image);
    return failures ? 1 : 0;
}

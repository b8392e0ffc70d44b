/* An image from its add to its end, for valgrind: with librados under it more would take too long. */
#include "cluster.h"

#include <stdlib.h>

int main(void)
{
    size_t       len = 2 * MiB + 3, count;
    uint8_t     *data = new_data(len, SPARSE_DATA), byte;
    gs_registry *reg = rbd_registry(NULL);
    gs_store    *store = default_store(reg);
    gs_reader   *reader = NULL;
    OK(add(store, "once", data, len, false));
    FAILS(GS_DUPLICATE, add(store, "once", data, len, true));
    check_image(store, uri_of("once"), data, len);
    OK(gs_reader_open(store, uri_of("once"), NULL, &reader, ERR));
    OK(gs_reader_pread(reader, &byte, 1, len - 1, &count, ERR));
    CHECK_INT(data[len - 1], byte);
    gs_reader_free(reader);
    OK(gs_delete(store, uri_of("once"), NULL, ERR));
    gs_registry_free(reg);
    free(data);
    return check_result();
}

/* backend.h - the store that the conformance suite examines, whichever it is.
 *
 * From the environment:
 *   GS_TEST_CONFIG    an oslo.config file
 *   GS_TEST_STORE     the store's id; the default store unless set
 *   GS_TEST_UNIT      bytes of the pieces that the store cuts images into: chunks, segments, parts, objects
 *   GS_TEST_LISTING   a command that prints all that the backend holds, the same each time for the same things
 */
#ifndef BACKEND_H
#define BACKEND_H

#include "testing.h"

extern gs_registry *registry;
extern gs_store    *store;
extern size_t       unit;

void backend_open(void);
void backend_close(void);

/* What GS_TEST_LISTING prints: two equal answers mean that nothing came, went or changed. */
const char *holdings(void);

/* An id that no image of any test has. */
const char *new_id(void);

/* Removes an image and shows that nothing of it is left, compared with what was held `before`. */
void remove_image(const char *uri, const char *before);

/* What the suite consists of. */
void check_roundtrips(void);
void check_reads(void);
void check_refusals(void);
void check_cancels(void);
void check_company(void);

#endif /* BACKEND_H */

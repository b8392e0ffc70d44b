/* digest.h - the hashes of an image that is stored already. */
#ifndef DIGEST_H
#define DIGEST_H

#include "session.h"

/* Reads the whole image at `uri`; `image` then tells its hashes.  Returns an exit code. */
int digest(struct session *session, gs_store *store, const char *uri, gs_image **image);

#endif

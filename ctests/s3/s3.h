/* s3.h - what the tests of the s3 driver share: the server and the bucket that
 * with_s3.sh prepared, and a look into it by another client (s3.py). */
#ifndef S3_H
#define S3_H

#include "faults.h"

/* The smallest part that servers take. */
enum { PART = 5 * MiB };

/* Of the environment: S3_URL, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY. */
const char *env(const char *name);
/* Whether radosgw is the server; otherwise it is Swift. */
bool on_rgw(void);

/* What a command of s3.py prints. */
const char *tool(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* All that the bucket holds, uploads that are not finished included. */
const char *holdings(void);

/* One s3 store "objects" at `url`, with parts of 5 MiB from 6 MiB on, one retry, and what is set
 * beside or instead. */
gs_registry *s3_registry(const char *url, const struct setting *settings);

/* A proxy in front of the server, called "s3". */
struct faults *s3_faults(void);

/* The location of an image in the bucket at that proxy or server: s3://HOST/BUCKET/ID */
const char *uri_of(const char *url, const char *bucket, const char *id);

const char *new_id(void);
/* Adds bytes; the status, and on success the URI in `uri`. */
gs_status add(gs_store *store, const char *id, const void *data, size_t len, bool known, const char **uri);
/* The value of a header of the object, NULL for none. */
const char *header_of(const char *key, const char *name);

#endif /* S3_H */

/* cluster.h - what the tests of the rbd driver share: Ceph, as with_ceph.sh started it, and stores. */
#ifndef CLUSTER_H
#define CLUSTER_H

#include "testing.h"

/* What ctests/servers/ceph assigned to the name, such as "CEPH_FSID". */
const char *ceph(const char *name);
/* Runs the command of ctests/servers/ceph on this cluster, which must succeed. */
void ceph_script(const char *command);

/* What a shell command prints, which must succeed; `glance`, `cinder` and `admin` in it are rbd as that user. */
const char *output(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether it succeeds. */
bool succeeds(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A copy of the configuration, by that name, which a sed expression has changed. */
const char *conf_with(const char *name, const char *expression);
/* The configuration of a cluster that takes connections, until `fd` is closed, and never says a word. */
const char *silent_conf(int *fd);

/* One rbd store on the pool images, the default; settings of [glance_store] in pairs, ended by NULL, come first. */
gs_registry *rbd_registry(const char *key, ...);
/* The location of an image that was added to the pool images. */
const char *uri_of(const char *id);
/* What rbd says of it, as JSON without blanks. */
const char *described(const char *id);
/* All objects of images in the pool: two equal answers mean that nothing came or went. */
const char *objects(void);

/* The store of a registry with that setting, which takes the place of the one before. */
gs_store *open_store(gs_registry **reg, const char *key, const char *value);
/* Deletes an image, which must succeed. */
void drop(gs_store *store, const char *id);

/* An image in memory, added with a size that is known or not. */
gs_status add(gs_store *store, const char *id, const void *data, size_t len, bool known);

#endif /* CLUSTER_H */

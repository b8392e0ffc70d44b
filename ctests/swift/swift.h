/* swift.h - what the tests of the swift driver share: Keystone and Swift, as the fixture started them, a
 * proxy in front of both, and stores. */
#ifndef SWIFT_H
#define SWIFT_H

#include "faults.h"
#include "request.h"

/* What ctests/servers/swift assigned to the name, such as "SWIFT_USER". */
const char *swift(const char *name);

/* A proxy in front of "keystone" and "swift", through which a client of the one finds the other. */
struct faults *swift_faults(void);
/* The address of Keystone's API through the proxy, and of TempAuth. */
const char *keystone_through(const struct faults *faults);
const char *tempauth_through(const struct faults *faults);

/* One swift store with a container that is made for this program.  Further settings, in pairs that end with
 * NULL, come after the usual ones and prevail.  As the demo user unless these say otherwise. */
gs_registry *swift_registry(const char *auth_address, const char *key, ...) __attribute__((sentinel));
const char *own_container(void);

/* This program's containers in an account, and the objects in them, a line each. */
const char *own_listing(const char *storage_url, const char *token);

/* A user's token and what a service knows of the user. */
struct login {
    const char *token;
    const char *catalogue;
    gs_context  context;
};
/* `user` is "project:user". */
struct login log_in(const char *user, const char *key, const char *project_id);

#endif /* SWIFT_H */

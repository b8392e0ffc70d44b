/* web.h - what the tests over HTTP share: nginx, as with_nginx.sh started it, and stores. */
#ifndef WEB_H
#define WEB_H

#include "testing.h"

/* What ctests/servers/nginx assigned to the name, such as "NGINX_CA". */
const char *nginx(const char *name);

/* The URI of a path on the plain server, on its other port, by TLS, with credentials. */
const char *plain(const char *path);
const char *other(const char *path);
const char *tls(const char *path);
const char *with_credentials(const char *credentials, const char *path);

/* Puts a file below the server's root. */
void serve(const char *name, const void *data, size_t len);

/* How many requests the server's log has that hold both texts. */
unsigned requests_with(const char *text1, const char *text2);

/* One http store, the default; settings of [glance_store] in pairs, ended by NULL. */
gs_registry *web_registry(const char *key, ...);
/* Two stores: "web" (the default), as above, and "disk", a file store in `dir`. */
gs_registry *web_and_disk(const char *dir);

/* The bytes come, with their size, when all, some or many are asked for. */
void check_transfers(gs_store *store, const char *uri, const uint8_t *data, size_t len);
void check_part(gs_store *store, const char *uri, const uint8_t *data, size_t len, uint64_t offset, uint64_t length);

/* What every call that reads answers: gs_get, gs_get_fd, gs_get_size and gs_reader_open. */
void check_refused(gs_store *store, const char *uri, gs_status status, int http_status);

#endif /* WEB_H */

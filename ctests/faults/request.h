/* request.h - the tests' own requests over HTTP, to see and to change what a server holds. */
#ifndef REQUEST_H
#define REQUEST_H

#include "testing.h"

struct reply {
    int         status;
    const char *headers; /* each line ends with "\r\n" */
    char       *body;    /* malloc'ed, with a NUL behind its end */
    size_t      len;
};

/* One request over a connection of its own. `headers` are lines that end with "\r\n", or NULL. */
struct reply request(const char *method, const char *url, const char *headers, const void *body, size_t len);
/* The same, which must be answered with 2xx. */
struct reply request_ok(const char *method, const char *url, const char *headers, const void *body, size_t len);
/* "" when there is none. */
const char *reply_header(const struct reply *reply, const char *name);
void        reply_free(struct reply *reply);

#endif /* REQUEST_H */

/* Prints what a server answers to a request: fetch METHOD URL HEADER...
 * Fails unless that is 2xx. For scripts that list what a server holds, again and again. */
#include "request.h"

int main(int count, char **arguments)
{
    const char *headers = "";
    MUST(count >= 3);
    for (int i = 3; i < count; i++)
        headers = text("%s%s\r\n", headers, arguments[i]);
    struct reply reply = request_ok(arguments[1], arguments[2], headers, NULL, 0);
    fwrite(reply.body, 1, reply.len, stdout);
    reply_free(&reply);
    return check_result();
}

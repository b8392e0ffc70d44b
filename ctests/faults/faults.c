#include "faults.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST_SERVERS = 8 };

struct faults {
    pthread_mutex_t lock; /* a command and its answer belong together */
    pid_t           pid;
    FILE           *commands, *answers;
    const char     *assignments;
};

static void become_proxy(int input, int output, const char *const *servers)
{
    const char *arguments[MOST_SERVERS + 3] = { "python3", FAULTS_PROXY };
    for (int i = 0; servers[i]; i++)
        arguments[i + 2] = servers[i];
    dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execvp(arguments[0], (char **)arguments);
    perror(arguments[0]);
    _exit(127);
}

/* Lines up to the one that is just `last`. */
static const char *lines_until(FILE *file, const char *last)
{
    char       *line = NULL;
    size_t      size = 0;
    const char *all = "";
    while (getline(&line, &size, file) > 0 && strcmp(line, last) != 0)
        all = text("%s%s", all, line);
    MUST(!feof(file));
    free(line);
    return all;
}

struct faults *faults_start(const char *server, ...)
{
    const char    *servers[MOST_SERVERS + 1] = { server };
    struct faults *faults = calloc(1, sizeof *faults);
    int            input[2], output[2];
    va_list        args;
    va_start(args, server);
    for (int i = 1; (servers[i] = va_arg(args, const char *)) != NULL; i++)
        MUST(i < MOST_SERVERS);
    va_end(args);
    MUST(faults && pipe2(input, O_CLOEXEC) == 0 && pipe2(output, O_CLOEXEC) == 0);
    faults->pid = fork();
    MUST(faults->pid >= 0);
    if (faults->pid == 0)
        become_proxy(input[0], output[1], servers);
    close(input[0]);
    close(output[1]);
    pthread_mutex_init(&faults->lock, NULL);
    faults->commands = fdopen(input[1], "w");
    faults->answers = fdopen(output[0], "r");
    MUST(faults->commands && faults->answers);
    faults->assignments = lines_until(faults->answers, "\n");
    return faults;
}

void faults_stop(struct faults *faults)
{
    fclose(faults->commands);
    fclose(faults->answers);
    CHECK_INT(0, wait_for(faults->pid));
    pthread_mutex_destroy(&faults->lock);
    free(faults);
}

const char *faults_url(const struct faults *faults, const char *name)
{
    char upper[32] = "";
    for (size_t i = 0; name[i] && i < sizeof upper - 1; i++)
        upper[i] = (char)(name[i] >= 'a' && name[i] <= 'z' ? name[i] - 'a' + 'A' : name[i]);
    const char *assignment = strstr(faults->assignments, text("FAULTS_%s='", upper));
    MUST(assignment != NULL);
    const char *url = strchr(assignment, '\'') + 1;
    return text("%.*s", (int)strcspn(url, "'"), url);
}

static const char *command(struct faults *faults, const char *line)
{
    pthread_mutex_lock(&faults->lock);
    MUST(fprintf(faults->commands, "%s\n", line) > 0 && fflush(faults->commands) == 0);
    const char *answer = lines_until(faults->answers, ".\n");
    pthread_mutex_unlock(&faults->lock);
    return answer;
}

void faults_rule(struct faults *faults, const char *format, ...)
{
    char    rule[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(rule, sizeof rule, format, args);
    va_end(args);
    command(faults, text("rule %s", rule));
}

void faults_clear(struct faults *faults)
{
    command(faults, "clear");
}

void faults_await(struct faults *faults, const char *hold)
{
    command(faults, text("await %s", hold));
}

void faults_release(struct faults *faults, const char *hold)
{
    command(faults, text("release %s", hold));
}

void faults_settle(struct faults *faults)
{
    command(faults, "settle");
}

const char *faults_log(struct faults *faults)
{
    return command(faults, "log");
}

unsigned faults_count(struct faults *faults, const char *start, const char *part)
{
    unsigned    count = 0;
    const char *log = faults_log(faults);
    for (const char *line = log, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        if (strncmp(line, start, strlen(start)) == 0 && memmem(line, (size_t)(end - line), part, strlen(part)))
            count++;
    return count;
}

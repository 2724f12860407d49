/* process.c - other processes, and what a new one does to itself.
 *
 *     running --it ends, however--> ended (its descriptor is readable) --process_reap--> gone
 *
 * Started by posix_spawn: a fork of a program with threads and sockets could do nothing safely but exec anyway.
 *
 * Invariants:
 *  1. a process is signalled only before it is reaped, so its number is never another's;
 *  2. only the handle's thread reaps it. A program that awaits every child of its own (wait, SIGCHLD ignored) may take the
 *     status away: then its end is known all the same, and only the reason is not.
 */
#include "process.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sanitizer.h"
#include "troupe.h"

extern char **environ;

struct process {
    pid_t pid;
    int pidfd;
};

static atomic_bool is_troupe;

void process_is_troupe(void)
{
    atomic_store(&is_troupe, true);
}

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

/* Adds a place that was looked at to the list; true when the program is there, then it alone stands in `out`. */
static bool look(char *out, size_t size, const char *directory, const char *rest)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s", directory, rest) >= (int)sizeof path)
        return false;
    if (is_program(path)) {
        snprintf(out, size, "%s", path);
        return true;
    }
    size_t used = strlen(out);
    snprintf(out + used, size - used, "\n    %s", path);
    return false;
}

/* In the build tree the library stands in a directory below the program's. */
static bool look_beside_library(char *out, size_t size)
{
    static const char *const places[] = { "/troupe", "/../troupe", "/../bin/troupe", "/../../bin/troupe", "/../../../bin/troupe", NULL };
    Dl_info info;
    char directory[PATH_MAX];
    if (!dladdr((void *)(intptr_t)process_find, &info) || !realpath(info.dli_fname, directory))
        return false;
    char *slash = strrchr(directory, '/');
    if (!slash)
        return false;
    *slash = '\0';
    for (int i = 0; places[i]; i++)
        if (look(out, size, directory, places[i]))
            return true;
    return false;
}

static bool look_in_path(char *out, size_t size)
{
    const char *path = getenv("PATH");
    while (path && *path) {
        size_t length = strcspn(path, ":");
        char directory[PATH_MAX];
        if (length > 0 && length < sizeof directory) {
            memcpy(directory, path, length);
            directory[length] = '\0';
            if (look(out, size, directory, "/troupe"))
                return true;
        }
        path += length + (path[length] == ':');
    }
    return false;
}

int process_find(char *out, size_t size)
{
    static const char head[] = "the program 'troupe', which worker processes run, is nowhere; the environment's TROUPE may "
                               "name it. Looked for";
    const char *named = getenv("TROUPE");
    snprintf(out, size, "%s", head);
    if (named && *named)
        return look(out, size, named, "") ? 0 : TROUPE_EINVAL;
    if (atomic_load(&is_troupe)) {
        snprintf(out, size, "/proc/self/exe"); /* this very version, whatever its file has become meanwhile */
        return 0;
    }
    return look_beside_library(out, size) || look_in_path(out, size) ? 0 : TROUPE_EINVAL;
}

static bool names_same(const char *setting, const char *other)
{
    size_t length = strcspn(setting, "=");
    return strncmp(setting, other, length) == 0 && (other[length] == '=' || other[length] == '\0');
}

static bool is_changed(const char *variable, const char *const *changes)
{
    for (; *changes; changes++)
        if (names_same(variable, *changes))
            return true;
    return false;
}

/* The environment with the changes made; its strings are borrowed. NULL: no memory. */
static char **environment(const char *const *changes)
{
    size_t count = 1;
    for (char **e = environ; *e; e++)
        count++;
    for (const char *const *c = changes; *c; c++)
        count++;
    char **env = malloc(count * sizeof *env), **end = env;
    if (!env)
        return NULL;
    for (char **e = environ; *e; e++)
        if (!is_changed(*e, changes))
            *end++ = *e;
    for (; *changes; changes++)
        if (strchr(*changes, '='))
            *end++ = (char *)(uintptr_t)*changes;
    *end = NULL;
    return env;
}

static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(attributes, &none);
    posix_spawnattr_setsigdefault(attributes, &all);
    posix_spawnattr_setpgroup(attributes, 0); /* a terminal's Ctrl-C is for the program, which tells its workers */
    return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

/* The descriptors stand above those that they become. */
static int spawn(pid_t *pid, const struct process_options *o, const int fds[PROCESS_LOG], char **env)
{
    char *argv[] = { (char *)(uintptr_t)"troupe", (char *)(uintptr_t)PROCESS_ARGUMENT, NULL };
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    if (posix_spawn_file_actions_init(&actions))
        return ENOMEM;
    int rc = posix_spawnattr_init(&attributes);
    if (rc) {
        posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    rc = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    for (int i = 0; rc == 0 && i < PROCESS_LOG; i++)
        rc = posix_spawn_file_actions_adddup2(&actions, fds[i], i + 1);
    if (rc == 0)
        rc = set_attributes(&attributes);
    if (rc == 0)
        rc = posix_spawn(pid, o->program, &actions, &attributes, argv, env);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int raise_descriptors(const struct process_options *o, int fds[PROCESS_LOG])
{
    const int from[PROCESS_LOG] = { o->out, o->err, o->handover, o->log };
    bool all = true;
    for (int i = 0; i < PROCESS_LOG; i++) {
        fds[i] = fcntl(from[i], F_DUPFD_CLOEXEC, PROCESS_LOG + 1);
        all = all && fds[i] >= 0;
    }
    return all ? 0 : EMFILE;
}

int process_start(struct process **out, const struct process_options *options)
{
    static const char *const no_changes[] = { NULL };
    struct process *self = malloc(sizeof *self);
    char **env = environment(options->env ? options->env : no_changes);
    int fds[PROCESS_LOG] = { -1, -1, -1, -1 };
    int rc = self && env ? raise_descriptors(options, fds) : ENOMEM;
    if (rc == 0)
        rc = spawn(&self->pid, options, fds, env);
    for (int i = 0; i < PROCESS_LOG; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    free(env);
    if (rc) {
        free(self);
        errno = rc;
        return rc == ENOMEM ? TROUPE_ENOMEM : rc == ENOENT || rc == EACCES ? TROUPE_EINVAL : TROUPE_ELIMIT;
    }
    self->pidfd = (int)syscall(SYS_pidfd_open, self->pid, 0); /* close-on-exec by itself */
    *out = self;
    return 0;
}

int process_descriptor(const struct process *self)
{
    return self->pidfd;
}

pid_t process_id(const struct process *self)
{
    return self->pid;
}

void process_kill(struct process *self)
{
    kill(-self->pid, SIGKILL);
    kill(self->pid, SIGKILL); /* it may have left its group */
}

static void describe(const siginfo_t *info, bool known, char *reason, size_t size)
{
    if (!known)
        snprintf(reason, size, "its status was taken by the program itself");
    else if (info->si_code == CLD_EXITED)
        snprintf(reason, size, "exit status %d", info->si_status);
    else
        snprintf(reason, size, "killed by signal %d (%s)", info->si_status, strsignal(info->si_status));
}

void process_reap(struct process **process, char *reason, size_t size)
{
    struct process *self = *process;
    siginfo_t info = { 0 };
    int rc;
    *process = NULL;
    do
        rc = waitid(P_PID, (id_t)self->pid, &info, WEXITED);
    while (rc && errno == EINTR);
    describe(&info, rc == 0, reason, size);
    if (self->pidfd >= 0)
        close(self->pidfd);
    free(self);
}

/* Where the kernel has no call for it. */
static void close_one_by_one(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    while (directory && (entry = readdir(directory))) {
        int fd = atoi(entry->d_name);
        if (fd > PROCESS_LOG && fd != dirfd(directory))
            close(fd);
    }
    if (directory)
        closedir(directory);
}

void process_close_others(void)
{
    fcntl(PROCESS_HANDOVER, F_SETFD, FD_CLOEXEC);
    fcntl(PROCESS_LOG, F_SETFD, FD_CLOEXEC);
#ifdef SYS_close_range
    if (syscall(SYS_close_range, PROCESS_LOG + 1, UINT_MAX, 0) == 0)
        return;
#endif
    close_one_by_one();
}

/* Bytes of address space in use; 0: unknown. */
static uint64_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f && fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Sanitizers map more than any limit allows. */
static int limit_address_space(uint64_t bytes)
{
    uint64_t limit = mapped_bytes() + bytes;
    struct rlimit r = { .rlim_cur = limit, .rlim_max = limit };
    if (bytes == 0 || WITH_ASAN || WITH_TSAN)
        return 0;
    return setrlimit(RLIMIT_AS, &r);
}

static int become(const struct process_limits *limits)
{
    if (limits->gid >= 0 || limits->uid >= 0) {
        if (setgroups(0, NULL))
            return -1;
    }
    if (limits->gid >= 0 && setresgid((gid_t)limits->gid, (gid_t)limits->gid, (gid_t)limits->gid))
        return -1;
    if (limits->uid >= 0 && setresuid((uid_t)limits->uid, (uid_t)limits->uid, (uid_t)limits->uid))
        return -1;
    return 0;
}

static int add_nice(int nice_)
{
    errno = 0;
    if (nice_ == 0)
        return 0;
    int now = getpriority(PRIO_PROCESS, 0);
    return errno ? -1 : setpriority(PRIO_PROCESS, 0, now + nice_);
}

static int refuse(const char *what, char *why, size_t size)
{
    snprintf(why, size, "%s: %s", what, strerror(errno));
    return TROUPE_EINVAL;
}

int process_confine(const struct process_limits *limits, char *why, size_t size)
{
    if (add_nice(limits->nice))
        return refuse("option 'nice'", why, size);
    if (become(limits))
        return refuse("options 'uid' and 'gid'", why, size);
    if (limits->cwd && chdir(limits->cwd))
        return refuse("option 'cwd'", why, size);
    if (limit_address_space(limits->address_space))
        return refuse("option 'memory_limit'", why, size);
    /* Last: a change of user takes it back. */
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != limits->parent)
        _exit(1);
    return 0;
}

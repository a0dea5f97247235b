/* Makes one call that acquires a resource fail, in the keeper and the server, but never in the
 * programs on their terminals.
 *
 * The library is loaded before the C library (ld.so(8)). The test and all processes share a file:
 * the test writes the number of the call that fails, counted from that moment, and reads whether it
 * has failed and in which function. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <poll.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct control {
    atomic_uint armed; /* Number of the call that fails; 0 for none. */
    atomic_uint count; /* Calls so far. */
    atomic_uint hit;   /* Whether that call has failed. */
    char call[32];     /* Name of the function that failed. */
};

static struct control *control;

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("FAULTS_FILE"), *binary = getenv("FAULTS_BINARY");
    char exe[4096] = {0};
    if (!path || !binary || readlink("/proc/self/exe", exe, sizeof exe - 1) < 0 || strcmp(exe, binary) != 0)
        return;
    int fd = REAL(open)(path, O_RDWR | O_CLOEXEC);
    void *shared = REAL(mmap)(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    REAL(close)(fd);
    if (shared != MAP_FAILED)
        control = shared;
}

static int fails(const char *call, int error) {
    unsigned armed = control ? atomic_load(&control->armed) : 0;
    if (!armed || atomic_fetch_add(&control->count, 1) + 1 != armed)
        return 0;
    strncpy(control->call, call, sizeof control->call - 1);
    atomic_store(&control->hit, 1);
    errno = error;
    return 1;
}

#define FAULT(result, name, parameters, arguments, error)    \
    result name parameters {                                  \
        return fails(#name, error) ? (result)-1 : REAL(name) arguments; \
    }

FAULT(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE)
FAULT(int, socketpair, (int domain, int type, int protocol, int ends[2]), (domain, type, protocol, ends), EMFILE)
FAULT(int, accept4, (int fd, struct sockaddr *address, socklen_t *len, int flags), (fd, address, len, flags), EMFILE)
FAULT(int, accept, (int fd, struct sockaddr *address, socklen_t *len), (fd, address, len), EMFILE)
FAULT(int, pipe2, (int ends[2], int flags), (ends, flags), EMFILE)
FAULT(int, dup, (int fd), (fd), EMFILE)
FAULT(int, memfd_create, (const char *name, unsigned flags), (name, flags), EMFILE)
FAULT(int, epoll_create1, (int flags), (flags), EMFILE)
FAULT(int, eventfd, (unsigned value, int flags), (value, flags), EMFILE)
FAULT(int, timerfd_create, (int clock, int flags), (clock, flags), EMFILE)
FAULT(int, posix_openpt, (int flags), (flags), ENOSPC)
FAULT(int, ftruncate, (int fd, off_t len), (fd, len), ENOSPC)
FAULT(int, ftruncate64, (int fd, off64_t len), (fd, len), ENOSPC)
FAULT(int, fsync, (int fd), (fd), ENOSPC)
FAULT(int, fdatasync, (int fd), (fd), ENOSPC)
FAULT(pid_t, fork, (void), (), EAGAIN)
FAULT(ssize_t, sendmsg, (int fd, const struct msghdr *message, int flags), (fd, message, flags), ENOBUFS)
FAULT(ssize_t, pwrite, (int fd, const void *bytes, size_t len, off_t at), (fd, bytes, len, at), ENOSPC)
FAULT(ssize_t, pwrite64, (int fd, const void *bytes, size_t len, off64_t at), (fd, bytes, len, at), ENOSPC)

FAULT(ssize_t, splice, (int in, off64_t *from, int out, off64_t *to, size_t len, unsigned flags),
      (in, from, out, to, len, flags), ENOMEM)
FAULT(int, poll, (struct pollfd *fds, nfds_t count, int timeout), (fds, count, timeout), ENOMEM)
FAULT(int, signalfd, (int fd, const sigset_t *mask, int flags), (fd, mask, flags), EMFILE)
FAULT(int, bind, (int fd, const struct sockaddr *address, socklen_t len), (fd, address, len), ENOMEM)
FAULT(int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC)
FAULT(int, rename, (const char *from, const char *to), (from, to), ENOSPC)
FAULT(int, linkat, (int from, const char *name, int to, const char *as, int flags), (from, name, to, as, flags), ENOSPC)

/* This function returns the error number rather than setting errno. */
int posix_spawnp(pid_t *pid, const char *file, const posix_spawn_file_actions_t *actions, const posix_spawnattr_t *attributes,
                 char *const arguments[], char *const environment[]) {
    return fails("posix_spawnp", EAGAIN)
               ? EAGAIN
               : REAL(posix_spawnp)(pid, file, actions, attributes, arguments, environment);
}

#define MODE(flags)                         \
    mode_t mode = 0;                        \
    if ((flags) & (O_CREAT | O_TMPFILE)) {  \
        va_list rest;                       \
        va_start(rest, flags);              \
        mode = va_arg(rest, mode_t);        \
        va_end(rest);                       \
    }

int open(const char *path, int flags, ...) {
    MODE(flags)
    return fails("open", EMFILE) ? -1 : REAL(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    MODE(flags)
    return fails("open64", EMFILE) ? -1 : REAL(open64)(path, flags, mode);
}

int openat(int at, const char *path, int flags, ...) {
    MODE(flags)
    return fails("openat", EMFILE) ? -1 : REAL(openat)(at, path, flags, mode);
}

int openat64(int at, const char *path, int flags, ...) {
    MODE(flags)
    return fails("openat64", EMFILE) ? -1 : REAL(openat64)(at, path, flags, mode);
}

DIR *opendir(const char *path) {
    return fails("opendir", EMFILE) ? NULL : REAL(opendir)(path);
}

static int duplicates(int command) {
    return command == F_DUPFD || command == F_DUPFD_CLOEXEC;
}

int fcntl(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return duplicates(command) && fails("fcntl", EMFILE) ? -1 : REAL(fcntl)(fd, command, argument);
}

int fcntl64(int fd, int command, ...) {
    va_list rest;
    va_start(rest, command);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return duplicates(command) && fails("fcntl64", EMFILE) ? -1 : REAL(fcntl64)(fd, command, argument);
}

int ioctl(int fd, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    return request == TIOCGPTPEER && fails("ioctl", EMFILE) ? -1 : REAL(ioctl)(fd, request, argument);
}

int epoll_ctl(int epoll, int operation, int fd, struct epoll_event *event) {
    int acquires = operation == EPOLL_CTL_ADD;
    return acquires && fails("epoll_ctl", ENOSPC) ? -1 : REAL(epoll_ctl)(epoll, operation, fd, event);
}

/* Memory that the process allocates for itself, as malloc(3) does, is exempt: no process survives
 * that failure. */
static int is_own(int flags, int protection) {
    return (flags & MAP_ANONYMOUS) && protection != PROT_NONE;
}

void *mmap(void *at, size_t len, int protection, int flags, int fd, off_t from) {
    int acquires = !is_own(flags, protection);
    return acquires && fails("mmap", ENOMEM) ? MAP_FAILED : REAL(mmap)(at, len, protection, flags, fd, from);
}

void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t from) {
    int acquires = !is_own(flags, protection);
    return acquires && fails("mmap64", ENOMEM) ? MAP_FAILED : REAL(mmap64)(at, len, protection, flags, fd, from);
}

/* Only writes to regular files fail. */
ssize_t write(int fd, const void *bytes, size_t len) {
    struct stat file;
    int acquires = control && fd > 2 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
    return acquires && fails("write", ENOSPC) ? -1 : REAL(write)(fd, bytes, len);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *), void *argument) {
    return fails("pthread_create", EAGAIN) ? EAGAIN : REAL(pthread_create)(thread, attributes, start, argument);
}

long syscall(long number, ...) {
    va_list rest;
    long a[6];
    va_start(rest, number);
    for (int at = 0; at < 6; at++)
        a[at] = va_arg(rest, long);
    va_end(rest);
    if (number == SYS_pidfd_open && fails("pidfd_open", EMFILE))
        return -1;
    return REAL(syscall)(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

/* Either the kernel has no memory for the message, or the descriptors do not fit and the message is
 * delivered without them. */
ssize_t recvmsg(int fd, struct msghdr *message, int flags) {
    if (fails("recvmsg, memory", ENOMEM))
        return -1;
    ssize_t len = REAL(recvmsg)(fd, message, flags);
    struct cmsghdr *part = len > 0 ? CMSG_FIRSTHDR(message) : NULL;
    if (!part || part->cmsg_type != SCM_RIGHTS || !fails("recvmsg", 0))
        return len;
    int *received = (int *)CMSG_DATA(part);
    for (size_t at = 0; at < (part->cmsg_len - CMSG_LEN(0)) / sizeof *received; at++)
        REAL(close)(received[at]);
    message->msg_controllen = 0;
    message->msg_flags |= MSG_CTRUNC;
    return len;
}

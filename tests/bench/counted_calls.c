/*
 * Counts what a thread asks the C library for: memory, and calls of the kernel. For LD_PRELOAD.
 *
 * Each thread has a line in a file that is mapped and shared: its number, its name, and one counter for
 * each of COUNTED below. Whoever reads the file twice sees what was asked for in between, and the
 * threads do no more than add to a number. Read by test_real_time.py.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { MALLOC, FREE, IOCTL, POLL, READ, WRITE, SYSCALL, SLEEP, COUNTED };
enum { THREADS = 64 };

struct line {
    int32_t thread;
    char name[20];
    uint64_t counts[COUNTED];
};

static struct line spare;
static struct line *lines;
static __thread struct line *mine;

/* By number, not by wrapper: nothing that is counted is called in here. */
static void map(void) {
    int fd = (int)syscall(SYS_openat, AT_FDCWD, COUNTS_FILE, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || syscall(SYS_ftruncate, fd, sizeof(struct line) * THREADS) != 0) return;
    void *at = mmap(0, sizeof(struct line) * THREADS, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (at != MAP_FAILED) __atomic_store_n(&lines, at, __ATOMIC_RELEASE);
    syscall(SYS_close, fd);
}

__attribute__((constructor)) static void begin(void) { map(); }

static struct line *line_of_this_thread(void) {
    if (mine) return mine;
    struct line *all = __atomic_load_n(&lines, __ATOMIC_ACQUIRE);
    if (!all) return &spare;
    int32_t thread = (int32_t)syscall(SYS_gettid);
    for (int i = 0; i < THREADS; i++) {
        int32_t nobody = 0;
        if (__atomic_compare_exchange_n(&all[i].thread, &nobody, thread, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
            return mine = &all[i];
    }
    return &spare;
}

static void count(int what) {
    __atomic_fetch_add(&line_of_this_thread()->counts[what], 1, __ATOMIC_RELAXED);
}

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

void *malloc(size_t size) { count(MALLOC); return __libc_malloc(size); }
void *calloc(size_t number, size_t size) { count(MALLOC); return __libc_calloc(number, size); }
void *realloc(void *old, size_t size) { count(MALLOC); return __libc_realloc(old, size); }
void *aligned_alloc(size_t alignment, size_t size) { count(MALLOC); return __libc_memalign(alignment, size); }
int posix_memalign(void **at, size_t alignment, size_t size) {
    count(MALLOC);
    *at = __libc_memalign(alignment, size);
    return *at ? 0 : 12; /* ENOMEM */
}
void free(void *old) { if (old) count(FREE); __libc_free(old); }

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int ioctl(int fd, unsigned long request, ...) {
    static int (*next)(int, unsigned long, ...);
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    count(IOCTL);
    if (!next) next = dlsym(RTLD_NEXT, "ioctl");
    return next(fd, request, argument);
}

int poll(struct pollfd *fds, nfds_t number, int timeout) {
    static int (*next)(struct pollfd *, nfds_t, int);
    count(POLL);
    if (!next) next = NEXT(poll);
    return next(fds, number, timeout);
}

ssize_t read(int fd, void *at, size_t size) {
    static ssize_t (*next)(int, void *, size_t);
    count(READ);
    if (!next) next = NEXT(read);
    return next(fd, at, size);
}

ssize_t write(int fd, const void *at, size_t size) {
    static ssize_t (*next)(int, const void *, size_t);
    count(WRITE);
    if (!next) next = NEXT(write);
    return next(fd, at, size);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time, struct timespec *left) {
    static int (*next)(clockid_t, int, const struct timespec *, struct timespec *);
    count(SLEEP);
    if (!next) next = NEXT(clock_nanosleep);
    return next(clock, flags, time, left);
}

/* Keeps a second copy of the journal that holds only what was synced: what a power cut would leave.
 *
 * Preloaded into the agent. It follows the writes to JOURNAL and JOURNAL-wal and, when a file is
 * synced, carries them over to the copy in DURABLE; a new file has a name there only once its folder
 * was synced too. With KILL_AT=n the process kills itself at its n-th write, sync or truncation of
 * these files, which are thus all tried. With LIES=1 syncs do nothing, as on a disk that lies.
 * With TIME_SHIFT=s the clock of day is s seconds off. Configuration: the environment, or the lines
 * NAME=value of the file POWER_CUT_FILE, read at the first call of each process.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { JOURNAL, WAL, FILES, MOST = 65536 };
struct range { off_t start, end; };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pid_t owner;
static char journal[PATH_MAX - 8], folder[PATH_MAX], durable[PATH_MAX - 32];
static long kill_at, calls, lies, shift;
static struct { struct range dirty[MOST]; int count; off_t cut; int named, gone; } files[FILES];

static void set(const char *name, const char *value)
{
    if (!value) return;
    if (!strcmp(name, "JOURNAL")) snprintf(journal, sizeof journal, "%s", value);
    if (!strcmp(name, "DURABLE")) snprintf(durable, sizeof durable, "%s", value);
    if (!strcmp(name, "KILL_AT")) kill_at = atol(value);
    if (!strcmp(name, "LIES")) lies = atol(value);
    if (!strcmp(name, "TIME_SHIFT")) shift = atol(value);
}

static void configure(void)
{
    static const char *names[] = {"JOURNAL", "DURABLE", "KILL_AT", "LIES", "TIME_SHIFT"};
    if (owner == getpid()) return;
    owner = getpid();
    for (int i = 0; i < 5; i++) set(names[i], getenv(names[i]));
    const char *path = getenv("POWER_CUT_FILE");
    FILE *file = path ? fopen(path, "re") : NULL;
    char line[PATH_MAX + 64];
    while (file && fgets(line, sizeof line, file)) {
        char *value = strchr(line, '=');
        if (!value) continue;
        *value++ = 0;
        value[strcspn(value, "\n")] = 0;
        set(line, value);
    }
    if (file) fclose(file);
    snprintf(folder, sizeof folder, "%s", journal);
    char *slash = strrchr(folder, '/');
    if (slash) *slash = 0;
    memset(files, 0, sizeof files);
    for (int which = 0; which < FILES; which++) {
        char copy[PATH_MAX];
        snprintf(copy, sizeof copy, "%s/%s", durable, which == WAL ? "wal" : "journal");
        files[which].cut = -1;
        files[which].named = access(copy, F_OK) == 0;
    }
}

/* Which of the files a descriptor is, FILES for their folder, -1 for any other. */
static int which(int fd)
{
    char link[64], path[PATH_MAX];
    configure();
    if (!*journal || !*durable) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    if (!strcmp(path, journal)) return JOURNAL;
    if (!strncmp(path, journal, strlen(journal)) && !strcmp(path + strlen(journal), "-wal")) return WAL;
    return strcmp(path, folder) ? -1 : FILES;
}

static void step(void)
{
    if (kill_at && ++calls >= kill_at) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

static void touch(int file, off_t start, off_t end)
{
    struct range *last = files[file].count ? &files[file].dirty[files[file].count - 1] : NULL;
    if (last && last->end == start) { last->end = end; return; }
    if (files[file].count == MOST) { fprintf(stderr, "power_cut: too many writes\n"); abort(); }
    files[file].dirty[files[file].count++] = (struct range){start, end};
}

static ssize_t real_pwrite(int fd, const void *data, size_t size, off_t at)
{
    static ssize_t (*next)(int, const void *, size_t, off_t);
    if (!next) next = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite64");
    return next(fd, data, size, at);
}

static int real_ftruncate(int fd, off_t length)
{
    static int (*next)(int, off_t);
    if (!next) next = (int (*)(int, off_t))dlsym(RTLD_NEXT, "ftruncate64");
    return next(fd, length);
}

/* Carry a synced file over to its copy. */
static void carry(int file, int fd)
{
    static char buffer[1 << 16];
    char name[PATH_MAX];
    const char *hidden = files[file].named ? "" : ".unnamed";
    snprintf(name, sizeof name, "%s/%s%s", durable, file == WAL ? "wal" : "journal", hidden);
    int copy = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    if (copy < 0) { perror("power_cut"); abort(); }
    if (files[file].cut >= 0 && real_ftruncate(copy, files[file].cut)) abort();
    for (int i = 0; i < files[file].count; i++) {
        struct range *one = &files[file].dirty[i];
        for (off_t at = one->start; at < one->end;) {
            off_t left = one->end - at, most = sizeof buffer;
            size_t size = left < most ? left : most;
            ssize_t got = pread(fd, buffer, size, at);
            if (got <= 0) break;
            if (real_pwrite(copy, buffer, got, at) != got) abort();
            at += got;
        }
    }
    close(copy);
    files[file].count = 0;
    files[file].cut = -1;
}

static int real_unlink(const char *path)
{
    static int (*next)(const char *);
    if (!next) next = (int (*)(const char *))dlsym(RTLD_NEXT, "unlink");
    return next(path);
}

static void name_all(void)
{
    for (int file = 0; file < FILES; file++) {
        char hidden[PATH_MAX], name[PATH_MAX];
        snprintf(name, sizeof name, "%s/%s", durable, file == WAL ? "wal" : "journal");
        snprintf(hidden, sizeof hidden, "%s/%s.unnamed", durable, file == WAL ? "wal" : "journal");
        if (files[file].gone) real_unlink(name);
        if (!rename(hidden, name)) files[file].named = 1;
        files[file].gone = 0;
    }
}

static int synced(int fd, const char *call)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, call);
    pthread_mutex_lock(&lock);
    int file = which(fd);
    if (file >= 0) step();
    pthread_mutex_unlock(&lock);
    if (file >= 0 && lies) return 0;
    int done = next(fd);
    pthread_mutex_lock(&lock);
    if (!done && file == FILES) name_all();
    if (!done && (file == JOURNAL || file == WAL)) carry(file, fd);
    pthread_mutex_unlock(&lock);
    return done;
}

int fsync(int fd) { return synced(fd, "fsync"); }
int fdatasync(int fd) { return synced(fd, "fdatasync"); }

ssize_t pwrite64(int fd, const void *data, size_t size, off_t at)
{
    pthread_mutex_lock(&lock);
    int file = which(fd);
    if (file >= 0) step();
    ssize_t done = real_pwrite(fd, data, size, at);
    if ((file == JOURNAL || file == WAL) && done > 0) touch(file, at, at + done);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

int ftruncate64(int fd, off_t length)
{
    pthread_mutex_lock(&lock);
    int file = which(fd);
    if (file >= 0) step();
    int done = real_ftruncate(fd, length);
    if (!done && (file == JOURNAL || file == WAL) && (files[file].cut < 0 || length < files[file].cut))
        files[file].cut = length;
    pthread_mutex_unlock(&lock);
    return done;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int unlink(const char *path)
{
    pthread_mutex_lock(&lock);
    configure();
    size_t length = strlen(journal);
    if (*journal && !strncmp(path, journal, length) && !strcmp(path + length, "-wal")) {
        char hidden[PATH_MAX];
        step();
        snprintf(hidden, sizeof hidden, "%s/wal.unnamed", durable);
        real_unlink(hidden);
        files[WAL].named = files[WAL].count = 0;
        files[WAL].cut = -1;
        files[WAL].gone = 1; /* once the folder is synced */
    }
    pthread_mutex_unlock(&lock);
    return real_unlink(path);
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
    int done = next(clock, now);
    if (!done && clock == CLOCK_REALTIME) {
        if (owner != getpid()) { pthread_mutex_lock(&lock); configure(); pthread_mutex_unlock(&lock); }
        now->tv_sec += shift;
    }
    return done;
}

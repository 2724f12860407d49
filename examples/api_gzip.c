/* api_gzip.c - compresses files on all processors: a pool for a C program that knows no Lua.
 *
 *     cc api_gzip.c $(pkg-config --cflags --libs troupe) -lz -o api_gzip && ./api_gzip FILE...
 *
 * FILE becomes FILE.gz; the file stays. A step compresses 64 KiB, so Ctrl-C or an error elsewhere would stop it soon. */
#include <stdlib.h>
#include <string.h>
#include <troupe.h>
#include <zlib.h>

struct file { const char *path; FILE *in; gzFile out; bool failed; };

static int compress_some(void *user, enum troupe_task_status status)
{
    struct file *f = user;
    char name[4096], bytes[65536];
    if (!f->in) {
        snprintf(name, sizeof name, "%s.gz", f->path);
        f->failed = !(f->in = fopen(f->path, "rb")) || !(f->out = gzopen(name, "wb6"));
    }
    size_t size = f->failed ? 0 : fread(bytes, 1, sizeof bytes, f->in);
    if (size > 0 && status == TROUPE_TASK_RUNNING && gzwrite(f->out, bytes, (unsigned)size) == (int)size)
        return TROUPE_CHECKING_IN;
    f->failed |= size > 0 || (f->out && gzclose(f->out) != Z_OK);
    return TROUPE_FINISHED;
}

static void report(void *user)
{
    struct file *f = user;
    printf("%s: %s\n", f->path, f->failed ? "failed" : "compressed");
    if (f->in)
        fclose(f->in);
}

static void reap(struct troupe_task *task, void *user, enum troupe_task_status status)
{
    (void)user, (void)status;
    troupe_task_status(task, NULL);
}

int main(int argc, char **argv)
{
    struct troupe_pool *pool = troupe_pool_create(&(struct troupe_pool_args){.name = "gzip", .on_change = reap});
    struct file *files = calloc((size_t)argc, sizeof *files);
    int failed = !pool || !files;
    for (int i = 1; i < argc && !failed; i++) {
        files[i].path = argv[i];
        struct troupe_task_args task = {.run = compress_some, .cleanup = report, .user = &files[i]};
        failed |= !troupe_pool_enqueue(pool, &task);
    }
    for (int done = 1; done < argc && !failed;)
        done += troupe_pool_turn(pool, -1);
    for (int i = 1; i < argc && files; i++)
        failed |= files[i].failed;
    troupe_pool_destroy(&pool);
    free(files);
    return failed;
}

/* replay.c - runs a fuzz target over its kept corpus, without libFuzzer: make check's part of fuzzing. Prints
 * TAP.
 *
 * The program replay_NAME takes every file of tests/fuzz/corpus/NAME below top_srcdir, or the files it is
 * given.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"

static int count;

static int replay(const char *path)
{
    FILE *file = fopen(path, "rb");
    unsigned char *bytes = NULL;
    size_t size = 0, got;

    if (!file) {
        printf("not ok %d - %s cannot be read\n", ++count, path);
        return 1;
    }
    do {
        unsigned char *more = realloc(bytes, size + 4096);

        if (!more)
            abort();
        bytes = more;
        got = fread(bytes + size, 1, 4096, file);
        size += got;
    } while (got > 0);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    printf("ok %d - %s\n", ++count, strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
    fflush(stdout);
    return 0;
}

static int replay_all(const char *name)
{
    const char *top = getenv("top_srcdir");
    char path[4096];
    struct dirent *entry;
    DIR *directory;
    int length = snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", top ? top : ".", name), failed = 0;

    directory = opendir(path);
    if (!directory) {
        printf("not ok %d - %s cannot be read\n", ++count, path);
        return 1;
    }
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.') {
            snprintf(path + length, sizeof path - (size_t)length, "/%s", entry->d_name);
            failed += replay(path);
        }
    closedir(directory);
    return failed;
}

int main(int argc, char **argv)
{
    const char *name = strstr(argv[0], "replay_");
    int failed = 0;

    for (int i = 1; i < argc; i++)
        failed += replay(argv[i]);
    if (argc == 1)
        failed = replay_all(name ? name + strlen("replay_") : "");
    if (count == 0)
        printf("not ok %d - the corpus is empty\n", ++count);
    printf("1..%d\n", count);
    return failed || count == 0;
}

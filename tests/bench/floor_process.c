/* floor_process.c - the bare way of a job to another process and back: ZeroMQ over ipc, and nothing done there.
 *
 * Prints the seconds of a round trip, p50 and p99, and how many letters a second come back when WINDOW are on their way.
 *
 *   floor_process TRIPS COUNT WINDOW
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <zmq.h>

enum { SIZE = 64 };

static char there[64], back[64];

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "floor_process: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *open_socket(void *context, int type, const char *endpoint)
{
    int none = 0;
    void *socket = zmq_socket(context, type);
    check(socket != NULL, "zmq_socket");
    zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    check((type == ZMQ_PULL ? zmq_bind : zmq_connect)(socket, endpoint) == 0, endpoint);
    return socket;
}

/* Sends back what comes, until a letter that says that it was the last. */
static int echo(void)
{
    char letter[SIZE] = "";
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_PULL, there), *out = open_socket(context, ZMQ_PUSH, back);
    while (letter[0] == 0) {
        check(zmq_recv(in, letter, SIZE, 0) == SIZE, "zmq_recv");
        check(zmq_send(out, letter, SIZE, 0) == SIZE, "zmq_send");
    }
    zmq_close(in);
    int forever = -1;
    zmq_setsockopt(out, ZMQ_LINGER, &forever, sizeof forever);
    zmq_close(out);
    zmq_ctx_term(context);
    return 0;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void time_trips(void *out, void *in, int trips)
{
    char letter[SIZE] = "";
    double *took = malloc(sizeof *took * (size_t)trips);
    check(took != NULL, "malloc");
    for (int i = 0; i < trips; i++) {
        double begin = seconds();
        check(zmq_send(out, letter, SIZE, 0) == SIZE && zmq_recv(in, letter, SIZE, 0) == SIZE, "a round trip");
        took[i] = seconds() - begin;
    }
    qsort(took, (size_t)trips, sizeof *took, by_size);
    printf("%.9f %.9f", took[trips / 2], took[trips * 99 / 100]);
    free(took);
}

static void time_window(void *out, void *in, int count, int window)
{
    char letter[SIZE] = "";
    double begin = seconds();
    for (int sent = 0, got = 0; got < count; got++) {
        for (; sent < count && sent - got < window; sent++)
            check(zmq_send(out, letter, SIZE, 0) == SIZE, "zmq_send");
        check(zmq_recv(in, letter, SIZE, 0) == SIZE, "zmq_recv");
    }
    printf(" %.0f\n", count / (seconds() - begin));
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    snprintf(there, sizeof there, "ipc:///tmp/floor-process-%ld-there", (long)getpid());
    snprintf(back, sizeof back, "ipc:///tmp/floor-process-%ld-back", (long)getpid());
    pid_t child = fork(); /* before there is anything of ZeroMQ */
    if (child == 0)
        return echo();
    char letter[SIZE] = "", last[SIZE] = "x";
    void *context = zmq_ctx_new();
    void *in = open_socket(context, ZMQ_PULL, back), *out = open_socket(context, ZMQ_PUSH, there);
    check(zmq_send(out, letter, SIZE, 0) == SIZE && zmq_recv(in, letter, SIZE, 0) == SIZE, "the first letter");
    time_trips(out, in, atoi(argv[1]));
    time_window(out, in, atoi(argv[2]), atoi(argv[3]));
    check(zmq_send(out, last, SIZE, 0) == SIZE && zmq_recv(in, last, SIZE, 0) == SIZE, "the last letter");
    zmq_close(in);
    zmq_close(out);
    zmq_ctx_term(context);
    bool good = waitpid(child, NULL, 0) == child;
    unlink(there + sizeof "ipc://" - 1); /* libzmq leaves what it was bound to */
    unlink(back + sizeof "ipc://" - 1);
    return good ? 0 : 1;
}

/* floor_mail.c - the bare way of a job's mail over ZeroMQ: four hops, and nothing done at any of them.
 *
 * The submitter pushes to a thread in the middle, this one to a worker, which pushes back the same way. Each has one
 * socket to pull from, as a mailbox has. Prints the seconds of a round trip, p50 and p99, and how many a second make
 * it when WINDOW are in flight.
 *
 *   floor_mail TRIPS COUNT WINDOW
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <zmq.h>

enum { SIZE = 64, WORKERS = 2 };
enum { TO_WORKER, TO_OWNER, END }; /* a letter's first byte */

static void *context;
static const char *const owner_box = "inproc://owner", *const middle_box = "inproc://middle";
static const char *const worker_boxes[WORKERS] = {"inproc://worker0", "inproc://worker1"};

static void check(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "floor_mail: %s: %s\n", what, zmq_strerror(zmq_errno()));
    exit(1);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void *open_socket(int type, const char *box)
{
    int none = 0;
    void *socket = zmq_socket(context, type);
    check(socket != NULL, "zmq_socket");
    zmq_setsockopt(socket, ZMQ_SNDHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &none, sizeof none);
    zmq_setsockopt(socket, ZMQ_LINGER, &none, sizeof none);
    check((type == ZMQ_PULL ? zmq_bind : zmq_connect)(socket, box) == 0, box);
    return socket;
}

static void post(void *socket, const char *letter)
{
    check(zmq_send(socket, letter, SIZE, 0) == SIZE, "zmq_send");
}

static void receive(void *socket, char *letter)
{
    check(zmq_recv(socket, letter, SIZE, 0) == SIZE, "zmq_recv");
}

static void *stand_between(void *pull)
{
    char letter[SIZE];
    void *owner = open_socket(ZMQ_PUSH, owner_box), *workers[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        workers[i] = open_socket(ZMQ_PUSH, worker_boxes[i]);
    for (unsigned turn = 0;;) {
        receive(pull, letter);
        if (letter[0] == TO_OWNER) {
            post(owner, letter);
            continue;
        }
        if (letter[0] == END)
            break;
        letter[0] = TO_OWNER;
        post(workers[turn++ % WORKERS], letter);
    }
    for (int i = 0; i < WORKERS; i++) {
        post(workers[i], letter);
        zmq_close(workers[i]);
    }
    zmq_close(owner);
    zmq_close(pull);
    return NULL;
}

static void *work(void *pull)
{
    char letter[SIZE];
    void *middle = open_socket(ZMQ_PUSH, middle_box);
    for (;;) {
        receive(pull, letter);
        if (letter[0] == END)
            break;
        post(middle, letter);
    }
    zmq_close(middle);
    zmq_close(pull);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double difference = *(const double *)a - *(const double *)b;
    return (difference > 0) - (difference < 0);
}

static void measure_trips(void *middle, void *own, long count)
{
    char letter[SIZE] = {0};
    double *trips = malloc((size_t)count * sizeof *trips);
    check(trips != NULL, "no memory");
    for (long i = 0; i < count; i++) {
        double begin = seconds();
        letter[0] = TO_WORKER;
        post(middle, letter);
        receive(own, letter);
        trips[i] = seconds() - begin;
    }
    qsort(trips, (size_t)count, sizeof *trips, compare);
    printf("%.9f %.9f", trips[count / 2], trips[count * 99 / 100]);
    free(trips);
}

static void measure_rate(void *middle, void *own, long count, long window)
{
    char letter[SIZE] = {0};
    long taken = 0;
    double begin = seconds();
    for (long i = 0; i < count; i++) {
        letter[0] = TO_WORKER;
        post(middle, letter);
        if (i + 1 - taken >= window) {
            receive(own, letter);
            taken++;
        }
    }
    for (; taken < count; taken++)
        receive(own, letter);
    printf(" %.0f\n", (double)count / (seconds() - begin));
}

int main(int argc, char **argv)
{
    pthread_t threads[1 + WORKERS];
    check(argc == 4, "TRIPS COUNT WINDOW expected");
    context = zmq_ctx_new();
    void *own = open_socket(ZMQ_PULL, owner_box), *middle_pull = open_socket(ZMQ_PULL, middle_box);
    for (int i = 0; i < WORKERS; i++)
        check(pthread_create(&threads[1 + i], NULL, work, open_socket(ZMQ_PULL, worker_boxes[i])) == 0, "pthread_create");
    check(pthread_create(&threads[0], NULL, stand_between, middle_pull) == 0, "pthread_create");
    void *middle = open_socket(ZMQ_PUSH, middle_box);
    measure_trips(middle, own, atol(argv[1]));
    measure_rate(middle, own, atol(argv[2]), atol(argv[3]));
    char letter[SIZE] = {END};
    post(middle, letter);
    for (int i = 0; i <= WORKERS; i++)
        pthread_join(threads[i], NULL);
    zmq_close(middle);
    zmq_close(own);
    zmq_ctx_term(context);
    return 0;
}

/* model_dispatcher.c - a random life of many pools against a plain model of what a dispatcher promises.
 *
 *     model_dispatcher [jobs [seed]]        100,000 jobs unless said otherwise
 *
 * The model keeps every job's place in the plainest way, tells the dispatcher random events (submit,
 * begin, park, done, cancel, stop, kill, withdraw, return, refuse, recall answers, losses, failed starts, decisions
 * about retries, resize, pause, close, time) and checks every action:
 *
 * 1. Each job gets exactly one end, the one that its events led to, with its own load and result.
 * 2. What runs is the first by priority and order of all that wait, on a worker that is up and may have
 *    one more.
 * 3. An idle worker gets a job before any other gets a second; no job waits while a worker is idle.
 * 4. No start beyond the limit, nor beyond the jobs waiting; no stop of a worker with jobs, save that one too many may
 *    be stopped while parked jobs remain; one recall at a time each.
 * 5. When a tick has been answered the next deadline is ahead: no loop would spin on it.
 * 6. A closed pool ends, and says so once, last.
 * 7. A repeating job reports every turn that ended once, and has no turn before its time.
 * 8. A worker gets no more jobs than it may run, nor more at once than its concurrency; then it is stopped.
 * 9. A run is asked to end, broken into and given up when its time has passed, in this order, never sooner, and
 *    by the time a tick has been answered never later.
 * 9. The jobs of a gang start together, one after the other, on idle workers; nothing overtakes them, and they end together
 *    before that. No more jobs start in any span of time than the rate lets.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher.h"
#include "troupe.h"

enum { PRIORITIES = 5, WORKERS = 12, NUMBERS = 2 * WORKERS, JOBS = 4000, HAND = 300, RATE = 20, GANG = 6 };

enum place { UNUSED, DELAYED, QUEUED, HANDED, PARKED, ASKING, ASKED, GANGED, ENDING, ENDED };
enum life { VACANT, STARTING, UP, STOPPING };

struct model_job {
    enum place place;
    int priority;
    bool first;
    int64_t order;
    int prev, next; /* in its priority; 0: none */
    double due;
    uint64_t tie;
    int retries, attempts;
    double base, wait, factor, max, jitter;
    bool cancelled, asks, scheduled;
    double every, start, turn;
    int leader, gang_next;     /* of a waiting gang: its first job, and the one behind; 0: none */
    int gang_size, gang_count; /* of a leader */
    bool reporting; /* a turn has ended as: */
    enum job_end report_end;
    int report_attempts;
    void *report;
    double timeout;
    bool stopping, overdue, killed;
    int phase; /* of its run: 0 none, 1 its time runs, 2 in its grace, 3 broken into */
    double limit;
    int breaks;
    int worker;
    enum job_end end;
    void *result;
};

struct model_worker {
    enum life state;
    int hand[HAND]; /* job ids in the order handed */
    int held;
    int begun; /* of them */
    int parked[JOBS]; /* in the order parked */
    int parked_count;
    int left; /* jobs it may still be given */
    bool retired;
    bool asked;
    bool fresh; /* was given a job or reported one done since it was asked or answered */
};

/* One pool. */
static struct dispatcher *dispatcher;
static struct model_job jobs[JOBS + 1];
static struct model_worker workers[NUMBERS + 1];
static int submitted, ended, delayed, queued, handed, scheduled, repeating;
static int asked[JOBS], asked_count;
static uint64_t generator;
static int gathering; /* the leader of a gang that is not whole; 0: none */
static int ganged; /* jobs of waiting gangs that are not in the queue */
static int launching; /* the job of a gang that must run next; 0: none */
static int rate_jobs;
static double rate_per, starts[RATE]; /* the latest starts */
static int start_at;
static int head[PRIORITIES];
static int64_t front[PRIORITIES], back[PRIORITIES];
static uint64_t ties;
static int limit, max_credit, max_jobs, concurrency;
static int long_share; /* percent of runs that are not tiny */
static double now, shortest;
static bool paused, closing, soon, drained, start_failed;
static char tokens[2 * JOBS + 2];

/* The whole run. */
static uint64_t seed;
static uint64_t events;
static uint64_t ends[JOB_ENDS], retried, recalled, parked, abandoned, reported, questions, retirements, gangs, pressed, forsaken;

static void fail(const char *what, int64_t id)
{
    printf("not ok 1 - %s (job or worker %" PRId64 ", event %" PRIu64 ")\n", what, id, events);
    exit(EXIT_FAILURE);
}

static void require(bool holds, const char *what, int64_t id)
{
    if (!holds)
        fail(what, id);
}

static uint64_t splitmix64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t next_random(void)
{
    return splitmix64(&seed);
}

static int below(int n)
{
    return (int)(next_random() % (uint64_t)n);
}

static bool chance(int percent)
{
    return below(100) < percent;
}

/* Where jobs are. */

static void link_by_order(int id)
{
    struct model_job *job = &jobs[id];
    int prev = 0;
    int next = head[job->priority];
    while (next && jobs[next].order < job->order) {
        prev = next;
        next = jobs[next].next;
    }
    job->prev = prev;
    job->next = next;
    if (prev)
        jobs[prev].next = id;
    else
        head[job->priority] = id;
    if (next)
        jobs[next].prev = id;
    job->place = QUEUED;
    queued++;
}

static void enqueue(int id)
{
    struct model_job *job = &jobs[id];
    job->stopping = job->overdue = false;
    job->order = job->first ? --front[job->priority] : back[job->priority]++;
    start_failed = false;
    link_by_order(id);
}

/* How many more may start now. */
static int count_rate(void)
{
    int free = rate_jobs ? 0 : JOBS;
    for (int i = 0; i < rate_jobs; i++)
        free += starts[i] + rate_per <= now;
    return free;
}

static void unqueue(int id)
{
    struct model_job *job = &jobs[id];
    if (job->prev)
        jobs[job->prev].next = job->next;
    else
        head[job->priority] = job->next;
    if (job->next)
        jobs[job->next].prev = job->prev;
    queued--;
}

static void put_off(int id, double until, bool is_scheduled)
{
    jobs[id].place = DELAYED;
    jobs[id].stopping = jobs[id].overdue = false;
    jobs[id].due = until;
    jobs[id].tie = ties++;
    jobs[id].scheduled = is_scheduled;
    scheduled += is_scheduled;
    delayed++;
}

static void out_of_delayed(int id)
{
    scheduled -= jobs[id].scheduled;
    delayed--;
}

static void will_end(int id, enum job_end end, void *result)
{
    jobs[id].place = ENDING;
    jobs[id].end = end;
    jobs[id].result = result;
    repeating -= jobs[id].every > 0;
}

/* All jobs of the waiting gang end, its leader last; out of their places. */
static void end_gang(int id, enum job_end end)
{
    int leader = jobs[id].leader;
    if (jobs[leader].place == QUEUED)
        unqueue(leader);
    if (leader == gathering) {
        queued--;
        ganged--;
    }
    gathering = leader == gathering ? 0 : gathering;
    int next = jobs[leader].gang_next;
    jobs[leader].leader = 0;
    while (next) {
        int member = next;
        next = jobs[member].gang_next;
        jobs[member].leader = 0;
        queued--;
        ganged--;
        will_end(member, end, NULL);
    }
    will_end(leader, end, NULL);
}

static void skip_turn(int id)
{
    struct model_job *job = &jobs[id];
    do
        job->turn++;
    while (job->start + job->turn * job->every < now);
    job->attempts = 0;
    job->wait = job->base;
    put_off(id, job->start + job->turn * job->every, true);
}

/* A run has ended, and is not tried again. */
static void conclude(int id, enum job_end end, void *result)
{
    struct model_job *job = &jobs[id];
    if (job->every == 0 || job->cancelled || closing) {
        will_end(id, end, result);
        return;
    }
    require(!job->reporting, "a turn is reported before the next ends", id);
    job->reporting = true;
    job->report_end = end;
    job->report = result;
    job->report_attempts = job->attempts;
    skip_turn(id);
}

static void set_limit(int id, int phase, double at)
{
    jobs[id].phase = phase;
    jobs[id].limit = at;
}

/* No worker has it any more. */
static void leave(int id)
{
    jobs[id].phase = jobs[id].breaks = 0;
}

static void out_of_hand(int id)
{
    leave(id);
    struct model_worker *worker = &workers[jobs[id].worker];
    int i = 0;
    while (worker->hand[i] != id)
        i++;
    worker->held--;
    handed--;
    worker->begun -= i < worker->begun;
    memmove(&worker->hand[i], &worker->hand[i + 1], (size_t)(worker->held - i) * sizeof(int));
}

static void out_of_parked(int id)
{
    leave(id);
    struct model_worker *worker = &workers[jobs[id].worker];
    int i = 0;
    while (worker->parked[i] != id)
        i++;
    worker->parked_count--;
    handed--;
    memmove(&worker->parked[i], &worker->parked[i + 1], (size_t)(worker->parked_count - i) * sizeof(int));
}

static void put_back(int id)
{
    workers[jobs[id].worker].left++;
    jobs[id].stopping = jobs[id].overdue = false;
    if (jobs[id].cancelled || soon || (closing && jobs[id].every > 0))
        will_end(id, JOB_CANCELLED, NULL);
    else
        link_by_order(id);
}

static void retry(int id)
{
    struct model_job *job = &jobs[id];
    double wait = job->max > 0 && job->wait > job->max ? job->max : job->wait;
    job->wait = wait * (job->factor == 0 ? 1 : job->factor);
    retried++;
    if (wait > 0 && job->jitter > 0)
        wait *= 1 - job->jitter * ((double)(splitmix64(&generator) >> 11) * 0x1p-53);
    if (wait > 0)
        put_off(id, now + wait, false);
    else
        enqueue(id);
}

static bool run_again(int id, enum job_end end, void *result)
{
    struct model_job *job = &jobs[id];
    if (job->cancelled || soon || (job->retries >= 0 && job->attempts > job->retries))
        return false;
    if (!job->asks) {
        retry(id);
        return true;
    }
    job->place = ASKING;
    job->end = end;
    job->result = result;
    asked[asked_count++] = id;
    return true;
}

static void out_of_asked(int id)
{
    int i = 0;
    while (asked[i] != id)
        i++;
    asked[i] = asked[--asked_count];
}

/* Actions. */

static int count_workers(enum life state)
{
    int n = 0;
    for (int i = 1; i <= NUMBERS; i++)
        n += workers[i].state == state;
    return n;
}

static int count_retired(void)
{
    int n = 0;
    for (int i = 1; i <= NUMBERS; i++)
        n += workers[i].retired;
    return n;
}

static bool is_spent(const struct model_worker *worker)
{
    return max_jobs && worker->left <= 0;
}

static int count_idle(void)
{
    int n = 0;
    for (int i = 1; i <= NUMBERS; i++) {
        const struct model_worker *worker = &workers[i];
        bool takes = !is_spent(worker) && worker->parked_count < concurrency;
        n += worker->state == UP && worker->held == 0 && takes;
    }
    return n;
}

/* One that has had its jobs, of which some are parked, gets one more when it cannot be replaced. */
static void renew(struct model_worker *worker)
{
    if (!is_spent(worker) || worker->held || !worker->parked_count || worker->state != UP)
        return;
    require(count_retired() >= limit || !count_workers(VACANT), "a spent worker is replaced", worker - workers);
    worker->left = 1;
}

/* The leader of the gang that is next; 0: there is none. */
static int next_gang(void)
{
    for (int p = PRIORITIES - 1; p >= 0; p--) {
        if (head[p])
            return jobs[head[p]].leader;
    }
    return 0;
}

static void check_rate(const struct action *a)
{
    require(count_rate() > 0, "no more start than the rate lets", a->id);
    if (!rate_jobs)
        return;
    starts[start_at] = now;
    start_at = (start_at + 1) % rate_jobs;
}

/* A gang's first job, or another, is handed out. */
static void check_launch(const struct action *a)
{
    int id = (int)a->id;
    struct model_job *job = &jobs[id];
    if (job->leader == id) {
        require(count_idle() >= job->gang_size, "a gang has a worker for each", a->id);
        require(count_rate() >= job->gang_size, "a gang keeps to the rate", a->id);
        gangs++;
    } else {
        require(launching == id, "a gang starts in order", a->id);
        queued--;
        ganged--;
    }
    require(workers[a->worker].held == 0, "a gang's jobs have workers of their own", a->id);
    launching = job->gang_next;
    job->leader = job->gang_next = 0;
}

static void check_run(const struct action *a)
{
    int id = (int)a->id;
    struct model_job *job = &jobs[id];
    struct model_worker *worker = &workers[a->worker];
    require(!paused, "a paused pool hands out", a->id);
    require(job->place == QUEUED || job->place == GANGED, "what runs was queued", a->id);
    bool member = job->place == GANGED;
    for (int p = PRIORITIES - 1; p > job->priority && !member; p--)
        require(!head[p], "higher priority runs first", a->id);
    require(member || head[job->priority] == id, "equal jobs run in order", a->id);
    if (job->leader)
        check_launch(a);
    require(worker->held == 0 || !rate_jobs, "with a rate nothing is handed in advance", a->id);
    check_rate(a);
    require(worker->state == UP, "what runs is handed to a worker that is up", a->id);
    renew(worker);
    require(!is_spent(worker), "a worker gets no more jobs than it may run", a->id);
    worker->left--;
    require(worker->held + worker->parked_count < concurrency, "no more at once than its concurrency", a->id);
    require(worker->held == 0 || count_idle() == 0, "idle workers come first", a->id);
    require(worker->held < max_credit, "no more than max_credit in a hand", a->id);
    double in_advance = worker->held ? (worker->held + 1) * shortest : 0;
    require(in_advance <= 200e-6 * (1 + 1e-9), "credit follows run times", a->id);
    require(a->attempt == job->attempts + 1, "attempts are counted", a->id);
    require(a->load == &tokens[id], "the load is the job's", a->id);
    if (!member)
        unqueue(id);
    job->place = HANDED;
    job->worker = a->worker;
    worker->hand[worker->held++] = id;
    worker->fresh = true;
    handed++;
}

static void check_end(const struct action *a)
{
    struct model_job *job = &jobs[a->id];
    int alive = count_workers(STARTING) + count_workers(UP);
    bool alone = a->end == JOB_FAILED && job->leader && !paused && start_failed && alive > 0;
    if (alone && next_gang() == job->leader && alive < jobs[job->leader].gang_size)
        end_gang((int)a->id, JOB_FAILED); /* its workers do not come up */
    require(job->place == ENDING, "one end for each job", a->id);
    require(!job->reporting, "a report comes before the end", a->id);
    require(job->end == a->end, "the end is what the events led to", a->id);
    require(job->result == a->result, "the result is the job's", a->id);
    require(job->attempts == a->attempt, "attempts are told at the end", a->id);
    require(a->load == &tokens[a->id], "the load comes back", a->id);
    job->place = ENDED;
    ends[a->end]++;
    ended++;
}

static void check_start(const struct action *a)
{
    int starting = count_workers(STARTING);
    int alive = starting + count_workers(UP);
    bool in_range = a->worker >= 1 && a->worker <= NUMBERS;
    require(in_range && workers[a->worker].state == VACANT, "a start has a free number", a->worker);
    int places = alive + count_workers(STOPPING) - count_retired();
    int gang = next_gang(), size = gang ? jobs[gang].gang_size : 0;
    require(places < (size > limit ? size : limit), "no start above the limit", a->worker);
    require(!paused, "a paused pool starts nobody", a->worker);
    if (gang)
        require(count_idle() + starting < size, "no start beyond what a gang needs", a->worker);
    else
        require(queued - ganged > starting, "no start without a job for it", a->worker);
    require(!start_failed || alive == 0, "no start is repeated while a worker lives", a->worker);
    workers[a->worker] = (struct model_worker){.state = STARTING, .left = max_jobs};
}

static void check_stop(const struct action *a)
{
    struct model_worker *worker = &workers[a->worker];
    require(worker->state == UP && worker->held == 0, "only idle workers are stopped", a->worker);
    bool may_retire = count_retired() < limit && count_workers(VACANT) > 0; /* else it may be one too many */
    bool retires = is_spent(worker) && worker->parked_count && may_retire;
    require(worker->parked_count == 0 || retires || count_workers(STARTING) + count_workers(UP) > limit,
            "a worker with parked jobs is stopped only when it is too many", a->worker);
    worker->state = STOPPING;
    worker->retired = retires;
    retirements += retires;
}

static void check_report(const struct action *a)
{
    struct model_job *job = &jobs[a->id];
    require(job->reporting, "one report for each turn", a->id);
    require(job->report_end == a->end && job->report == a->result, "the report is the turn's", a->id);
    require(job->report_attempts == a->attempt && a->load == &tokens[a->id], "the report is the job's", a->id);
    job->reporting = false;
    reported++;
}

static void check_ask(const struct action *a)
{
    struct model_job *job = &jobs[a->id];
    require(job->place == ASKING, "one question for each failed run", a->id);
    require(job->end == a->end && job->result == a->result, "the question is about the run", a->id);
    require(job->attempts == a->attempt && a->load == &tokens[a->id], "the question is about the job", a->id);
    job->place = ASKED;
    questions++;
}

/* At the next draw one of these does not end whatever is done to it. */
static int stuck;

static void check_limit(const struct action *a, int phase)
{
    struct model_job *job = &jobs[a->id];
    require(job->place == HANDED || job->place == PARKED, "a worker has what is to end", a->id);
    require(job->worker == a->worker, "it is that worker", a->id);
    require(job->phase == phase && job->limit <= now, "no run is ended before its time", a->id);
    require(a->load == &tokens[a->id], "the load is the job's", a->id);
}

static void check_halt(const struct action *a)
{
    check_limit(a, 1);
    jobs[a->id].stopping = jobs[a->id].overdue = true;
    set_limit((int)a->id, 2, now + 1);
}

static void check_break(const struct action *a)
{
    struct model_job *job = &jobs[a->id];
    check_limit(a, job->phase == 3 ? 3 : 2);
    require(job->breaks++ < 10, "patience has an end", a->id);
    set_limit((int)a->id, 3, now + 0.1);
    pressed++;
}

static void check_abandon(const struct action *a)
{
    check_limit(a, 3);
    require(jobs[a->id].breaks == 10, "a job is given up last", a->id);
    set_limit((int)a->id, 3, now + 0.1);
    jobs[a->id].breaks = 10;
    stuck = (int)a->id;
}

static void check_action(const struct action *a)
{
    struct model_worker *worker = &workers[a->worker];
    require(!drained, "nothing follows the last action", a->id);
    require(!launching || a->kind == ACTION_RUN, "nothing comes between the jobs of a gang", a->id);
    switch (a->kind) {
    case ACTION_START:
        check_start(a);
        break;
    case ACTION_STOP:
        check_stop(a);
        break;
    case ACTION_REPORT:
        check_report(a);
        break;
    case ACTION_ASK:
        check_ask(a);
        break;
    case ACTION_RUN:
        check_run(a);
        break;
    case ACTION_RECALL:
        require(worker->state == UP && worker->held > 0, "a recall is for one with jobs", a->worker);
        require(!worker->asked, "a recall is asked once", a->worker);
        worker->asked = true;
        worker->fresh = false;
        break;
    case ACTION_HALT:
        check_halt(a);
        break;
    case ACTION_BREAK:
        check_break(a);
        break;
    case ACTION_ABANDON:
        check_abandon(a);
        break;
    case ACTION_END:
        check_end(a);
        break;
    case ACTION_DRAINED:
        require(closing && ended == submitted, "drained after the last job", a->id);
        require(count_workers(VACANT) == NUMBERS, "drained after the last worker", a->id);
        drained = true;
    }
}

/* The gang is next, and was not started. */
static void check_gang_waits(const struct model_job *leader, int alive)
{
    int size = leader->gang_size, starting = count_workers(STARTING);
    require(count_idle() < size || count_rate() < size, "a gang starts as soon as it can", size);
    int most = size > limit ? size : limit;
    bool room = alive + count_workers(STOPPING) - count_retired() < most && count_workers(VACANT);
    if (start_failed && alive > 0)
        require(alive >= size, "a gang without hope fails", size);
    else
        require(!room || count_idle() + starting >= size, "workers are started for a gang", size);
}

/* What must not be left undone when the actions have been drawn dry. */
static void check_rest(void)
{
    struct dispatcher_counts counts;
    dispatcher_count(dispatcher, &counts);
    for (int i = 1; i <= NUMBERS; i++) {
        bool over = is_spent(&workers[i]) && workers[i].state == UP;
        require(!over || workers[i].held || workers[i].parked_count, "a worker that has run its jobs is stopped", i);
        renew(&workers[i]);
    }
    require(counts.pending == (size_t)queued, "pending is counted", counts.pending);
    require(counts.delayed + counts.scheduled == (size_t)delayed, "delayed is counted", counts.delayed);
    require(counts.scheduled == (size_t)scheduled, "scheduled is counted", counts.scheduled);
    require(counts.asked == (size_t)asked_count, "asked is counted", counts.asked);
    require(counts.handed == (size_t)handed, "handed is counted", counts.handed);
    require(counts.idle == (size_t)count_idle(), "idle is counted", counts.idle);
    int alive = count_workers(STARTING) + count_workers(UP);
    require(counts.workers == (size_t)alive, "workers are counted", counts.workers);
    bool loaded = false;
    bool recalling = false;
    for (int i = 1; i <= NUMBERS; i++) {
        loaded = loaded || (workers[i].state == UP && workers[i].held > 1 && workers[i].fresh);
        recalling = recalling || workers[i].asked;
    }
    if (paused)
        return;
    require(!launching, "a gang starts whole", launching);
    int gang = next_gang();
    if (gang) {
        check_gang_waits(&jobs[gang], alive);
        return;
    }
    int in_queue = queued - ganged;
    bool held_up = count_rate() == 0 || in_queue == 0;
    bool idle = count_idle() > 0;
    require(held_up || !idle, "no job waits while a worker is idle", 0);
    require(in_queue || !idle || !loaded || recalling, "an idle worker is given what another has not begun", 0);
    if (held_up)
        return;
    bool room = alive + count_workers(STOPPING) - count_retired() < limit && (!start_failed || alive == 0);
    require(!room || in_queue <= count_workers(STARTING), "workers are started for what waits", 0);
}

static void give_up(int id);

static void draw_dry(void)
{
    struct action action;
    while (dispatcher_next(dispatcher, &action)) {
        check_action(&action);
        if (stuck)
            give_up(stuck);
        stuck = 0;
    }
    check_rest();
}

/* Events. */

/* One more job of the gang that gathers, or the first of one. */
static void submit_ganged(int most)
{
    if (submitted == JOBS || queued + delayed + handed - repeating > most)
        return;
    int id = submitted + 1;
    struct model_job *job = &jobs[id], *leader = &jobs[gathering ? gathering : id];
    int size = 2 + below(GANG - 1);
    *job = (struct model_job){.priority = gathering ? leader->priority : below(PRIORITIES),
                              .first = gathering ? leader->first : chance(10)};
    struct job_spec spec = {
        .id = (uint64_t)id,
        .load = &tokens[id],
        .priority = (job->priority - 2) * 1000000000,
        .first = job->first,
        .gang = (uint64_t)(gathering ? gathering : id),
        .gang_size = size,
    };
    job->retries = spec.retry.retries = chance(20);
    bool fits = gathering || (size <= limit && (!rate_jobs || size <= rate_jobs));
    int rc = dispatcher_submit(dispatcher, &spec, now);
    require(rc == (closing ? TROUPE_EDEAD : fits ? 0 : TROUPE_EINVAL), "a gang is taken when it can start", id);
    if (rc)
        return;
    submitted++;
    queued++;
    ganged++;
    job->place = GANGED;
    if (!gathering) {
        gathering = id;
        job->gang_size = size;
    } else {
        int last = gathering;
        while (jobs[last].gang_next)
            last = jobs[last].gang_next;
        jobs[last].gang_next = id;
    }
    job->leader = gathering;
    if (++leader->gang_count < leader->gang_size)
        return;
    queued--;
    ganged--;
    enqueue(gathering);
    for (int member = leader->gang_next; member; member = jobs[member].gang_next)
        jobs[member].order = leader->first ? --front[leader->priority] : back[leader->priority]++;
    gathering = 0;
}

static void submit(int most)
{
    static const double waits[] = {0, 0, 0.0001, 0.001, 0.01};
    if (submitted == JOBS || queued + delayed + handed - repeating > most)
        return;
    int id = submitted + 1;
    struct model_job *job = &jobs[id];
    *job = (struct model_job){.priority = chance(60) ? 2 : below(PRIORITIES), .first = chance(5)};
    struct job_spec spec = {
        .id = (uint64_t)id,
        .load = &tokens[id],
        .priority = (job->priority - 2) * 1000000000,
        .first = job->first,
        .delay = chance(10) ? waits[below(5)] : 0,
        .scheduled = chance(50),
        .every = chance(3) && repeating < 20 ? 0.0003 * (1 + below(20)) : 0,
        .timeout = chance(10) ? waits[1 + below(4)] : 0,
    };
    job->every = spec.every;
    job->start = now + spec.delay;
    job->timeout = spec.timeout;
    if (chance(20)) {
        spec.retry = (struct job_retry){below(4) - 1, waits[below(5)], below(3), waits[below(5)],
                                        chance(30) ? 0.1 * below(11) : 0, chance(30)};
        job->retries = spec.retry.retries;
        job->wait = job->base = spec.retry.base;
        job->jitter = spec.retry.jitter;
        job->asks = spec.retry.asks;
        job->factor = spec.retry.factor;
        job->max = spec.retry.max;
    }
    int rc = dispatcher_submit(dispatcher, &spec, now);
    require(rc == (closing ? TROUPE_EDEAD : 0), "a submit is taken until the close", id);
    if (rc)
        return;
    submitted++;
    repeating += spec.every > 0;
    if (spec.delay > 0)
        put_off(id, now + spec.delay, spec.scheduled || spec.every > 0);
    else
        enqueue(id);
}

/* Some worker in that state, with so many jobs at least; 0: none was found. */
static int pick(enum life state, int held)
{
    int i = 1 + below(NUMBERS);
    for (int n = 0; n < NUMBERS; n++, i = i % NUMBERS + 1) {
        if (workers[i].state == state && workers[i].held >= held)
            return i;
    }
    return 0;
}

static double run_time(void)
{
    if (!chance(long_share))
        return 1e-6 * (1 + below(30));
    return chance(50) ? 0.01 : 0.0003;
}

/* A job in the worker's hand that has begun. */
static int begun_by(struct model_worker *worker)
{
    if (worker->begun == 0 || chance(10))
        worker->begun += worker->begun < worker->held;
    return worker->hand[below(worker->begun)];
}

/* The job has begun, if nobody said so before; and its worker says so now, if it has a timeout. */
static void begin(int id)
{
    struct model_job *job = &jobs[id];
    require(!dispatcher_begun(dispatcher, job->worker, (uint64_t)id, now), "a beginning is taken", id);
    if (job->timeout > 0 && job->phase == 0)
        set_limit(id, 1, now + job->timeout);
}

static void park(void)
{
    int w = pick(UP, 1);
    if (!w)
        return;
    struct model_worker *worker = &workers[w];
    int id = begun_by(worker);
    if (chance(50))
        begin(id);
    require(!dispatcher_parked(dispatcher, w, (uint64_t)id, now), "a park is taken", id);
    require(dispatcher_parked(dispatcher, w, (uint64_t)id, now) == TROUPE_EINVAL, "a job parks once", id);
    int phase = jobs[id].phase, breaks = jobs[id].breaks;
    out_of_hand(id);
    jobs[id].phase = phase;
    jobs[id].breaks = breaks;
    handed++;
    jobs[id].place = PARKED;
    worker->parked[worker->parked_count++] = id;
    worker->fresh = true;
    parked++;
}

/* Some worker with parked jobs; 0: none was found. */
static int pick_parking(void)
{
    int i = 1 + below(NUMBERS);
    for (int n = 0; n < NUMBERS; n++, i = i % NUMBERS + 1) {
        if (workers[i].parked_count)
            return i;
    }
    return 0;
}

static void finish(void)
{
    int w = pick(UP, 1);
    int parking = pick_parking();
    bool of_parked = parking && (!w || chance(20));
    if (of_parked)
        w = parking;
    if (!w)
        return;
    struct model_worker *worker = &workers[w];
    int id = of_parked ? worker->parked[below(worker->parked_count)] : begun_by(worker);
    if ((jobs[id].killed || jobs[id].overdue) && id % 3 == 0)
        return; /* it does not end */
    enum job_run how = chance(85) ? RUN_FINE : chance(80) ? RUN_FAILED : RUN_KILLED;
    double ran = run_time();
    if (!of_parked)
        shortest = ran < shortest ? ran : shortest;
    void *result = &tokens[JOBS + id];
    void *dropped;
    int rc = dispatcher_done(dispatcher, w, (uint64_t)id, how, ran, result, &dropped, now);
    require(!rc, "done is taken", id);
    if (of_parked)
        out_of_parked(id);
    else
        out_of_hand(id);
    jobs[id].attempts++;
    worker->fresh = worker->fresh || !of_parked;
    const struct model_job *job = &jobs[id];
    enum job_end bad = job->overdue ? JOB_EXPIRED : how == RUN_KILLED ? JOB_KILLED : JOB_FAILED;
    if (how == RUN_FINE && !job->overdue)
        conclude(id, job->stopping ? JOB_STOPPED : JOB_FINISHED, result);
    else if (run_again(id, bad, result))
        require(dropped == (jobs[id].place == ASKING ? NULL : result), "a failed run's result is dropped", id);
    else
        conclude(id, bad, result);
    require(!dropped || (jobs[id].place != ENDING && !jobs[id].reporting), "a final result is not dropped", id);
}

static void decide(void)
{
    if (!asked_count)
        return;
    int id = asked[below(asked_count)];
    struct model_job *job = &jobs[id];
    bool again = chance(50);
    void *dropped;
    int rc = dispatcher_decide(dispatcher, (uint64_t)id, again, &dropped, now);
    require(rc == (job->place == ASKED ? 0 : TROUPE_EINVAL), "an answer is taken after its question", id);
    if (rc)
        return;
    require(dropped == (again ? job->result : NULL), "the result of a run that is repeated is dropped", id);
    out_of_asked(id);
    if (again)
        retry(id);
    else
        conclude(id, job->end, job->result);
}

/* Some job begins late, is refused, or does so in another's place. */
static void begin_or_refuse(void)
{
    int w = pick(UP, 1);
    struct model_worker *worker = &workers[w];
    if (!w)
        return;
    if (chance(60)) {
        begin(begun_by(worker));
        return;
    }
    if (worker->held <= worker->begun)
        return;
    int id = worker->hand[worker->held - 1];
    require(!dispatcher_refused(dispatcher, w, (uint64_t)id, now), "a refusal is taken", id);
    out_of_hand(id);
    put_back(id);
    worker->fresh = false;
}

static void answer_recall(void)
{
    int w = 1 + below(NUMBERS);
    struct model_worker *worker = &workers[w];
    if (worker->state != UP || !worker->asked)
        return;
    worker->begun += worker->begun == 0 && worker->held > 0 && chance(80);
    while (worker->held > worker->begun && chance(95)) {
        /* In order, in reverse, or any. */
        int unbegun = worker->held - worker->begun;
        int i = worker->begun + (w % 3 == 0 ? 0 : w % 3 == 1 ? unbegun - 1 : below(unbegun));
        int id = worker->hand[i];
        require(!dispatcher_returned(dispatcher, w, (uint64_t)id, now), "a return is taken", id);
        out_of_hand(id);
        put_back(id);
        recalled++;
        if (chance(20))
            draw_dry();
    }
    worker->asked = false;
    worker->fresh = false;
    require(!dispatcher_recall_done(dispatcher, w, now), "a recall's answer is taken", w);
}

/* Cancels, stops or kills; a worker has it: what that makes of it. */
static int tell_to_end(int id)
{
    static const double graces[] = {0, 0.0001, 0.01, 2};
    struct model_job *job = &jobs[id];
    bool handed_out = job->place == HANDED || job->place == PARKED;
    if (chance(40))
        return (int)dispatcher_cancel(dispatcher, (uint64_t)id, now);
    job->stopping = job->stopping || handed_out;
    if (chance(50))
        return (int)dispatcher_stop(dispatcher, (uint64_t)id, now);
    double grace = graces[below(4)];
    if (handed_out)
        job->killed = true;
    bool sooner = job->phase == 2 && job->limit <= now + grace;
    if (handed_out && job->phase != 3 && !sooner)
        set_limit(id, 2, now + grace);
    return dispatcher_kill(dispatcher, (uint64_t)id, grace, now);
}

static void cancel(void)
{
    if (!submitted)
        return;
    int id = chance(70) && submitted > 50 ? submitted - below(50) : 1 + below(submitted);
    struct model_job *job = &jobs[id];
    int answer = tell_to_end(id);
    if (job->place == HANDED) {
        require(answer == CANCEL_HANDED, "a handed job is taken back first", id);
        job->cancelled = true;
        struct model_worker *worker = &workers[job->worker];
        bool begun = worker->begun > 0 && worker->hand[0] == id;
        if (!begun && worker->begun <= 1 && chance(50)) {
            int rc = dispatcher_withdraw(dispatcher, (uint64_t)id, now);
            require(!rc, "a withdrawal is taken", id);
            worker->left++;
            out_of_hand(id);
            will_end(id, JOB_CANCELLED, NULL);
        }
    } else if (job->place == PARKED) {
        require(answer == CANCEL_HANDED, "a parked job has begun", id);
        require(dispatcher_withdraw(dispatcher, (uint64_t)id, now) == TROUPE_EINVAL, "a parked job stays", id);
        job->cancelled = true;
    } else if (job->place == ASKING || job->place == ASKED) {
        require(answer == CANCEL_HANDED, "a job that ran is not cancelled", id);
        out_of_asked(id);
        will_end(id, job->end, job->result);
    } else if (job->leader) {
        require(answer == CANCEL_ENDED, "a gang that waits is cancelled at once", id);
        end_gang(id, JOB_CANCELLED);
    } else if (job->place == QUEUED || job->place == DELAYED) {
        require(answer == CANCEL_ENDED, "a waiting job is cancelled at once", id);
        if (job->place == QUEUED)
            unqueue(id);
        else
            out_of_delayed(id);
        will_end(id, JOB_CANCELLED, NULL);
    } else {
        require(answer == CANCEL_UNKNOWN, "an ended job cannot be cancelled", id);
    }
}

static void cancel_pending(bool all)
{
    for (int p = PRIORITIES - 1; p >= 0; p--) {
        while (head[p]) {
            int id = head[p];
            if (jobs[id].leader) {
                end_gang(id, JOB_CANCELLED);
                continue;
            }
            unqueue(id);
            if (jobs[id].every > 0 && !all)
                skip_turn(id);
            else
                will_end(id, JOB_CANCELLED, NULL);
        }
    }
    for (int id = 1; all && id <= submitted; id++) {
        if (jobs[id].place != DELAYED)
            continue;
        out_of_delayed(id);
        will_end(id, JOB_CANCELLED, NULL);
    }
}

/* Of a soon close: all that run were asked to end. */
static void stop_handed(void)
{
    for (int id = 1; id <= submitted; id++)
        jobs[id].stopping = jobs[id].stopping || jobs[id].place == HANDED || jobs[id].place == PARKED;
}

static void close_pool(bool at_once)
{
    dispatcher_close(dispatcher, at_once, now);
    closing = true;
    paused = false;
    for (int id = 1; id <= submitted; id++) {
        bool waits = jobs[id].place == QUEUED || jobs[id].place == DELAYED;
        if (jobs[id].every == 0 || !waits)
            continue;
        if (jobs[id].place == QUEUED)
            unqueue(id);
        else
            out_of_delayed(id);
        will_end(id, JOB_CANCELLED, NULL);
    }
    if (gathering)
        end_gang(gathering, JOB_CANCELLED);
    if (!at_once || soon)
        return;
    soon = true;
    cancel_pending(true);
    stop_handed();
    while (asked_count) {
        int id = asked[--asked_count];
        will_end(id, jobs[id].end, jobs[id].result);
    }
}

/* It had begun when its worker was lost. */
static void lose_job(int id)
{
    struct model_job *job = &jobs[id];
    enum job_end end = job->overdue ? JOB_EXPIRED : job->killed ? JOB_KILLED : JOB_LOST;
    job->attempts++;
    if (!run_again(id, end, NULL))
        conclude(id, end, NULL);
}

static void lose(int w)
{
    struct model_worker *worker = &workers[w];
    int rc = dispatcher_worker_down(dispatcher, w, chance(10), now);
    require(!rc, "a loss is taken", w);
    int held = worker->held;
    int hand[HAND];
    memcpy(hand, worker->hand, sizeof hand);
    for (int i = held; i-- > 0;) {
        int id = hand[i];
        out_of_hand(id);
        if (i > 0)
            put_back(id);
        else
            lose_job(id);
    }
    while (worker->parked_count) {
        int id = worker->parked[0];
        out_of_parked(id);
        lose_job(id);
    }
    *worker = (struct model_worker){0};
}

/* The worker is given up, or the job alone. */
static void give_up(int id)
{
    int w = jobs[id].worker;
    if (chance(50)) {
        lose(w);
        return;
    }
    forsaken++;
    require(!dispatcher_forsake(dispatcher, (uint64_t)id, now), "a job is given up", id);
    if (jobs[id].place == HANDED)
        out_of_hand(id);
    else
        out_of_parked(id);
    jobs[id].attempts++;
    will_end(id, jobs[id].overdue ? JOB_EXPIRED : JOB_KILLED, NULL);
}

static void start_fails(int w)
{
    require(!dispatcher_worker_down(dispatcher, w, true, now), "a failed start is taken", w);
    workers[w] = (struct model_worker){0};
    start_failed = true;
    if (count_workers(UP) + count_workers(STARTING))
        return;
    for (int p = PRIORITIES - 1; p >= 0; p--) {
        while (head[p]) {
            int id = head[p];
            if (jobs[id].leader) {
                end_gang(id, JOB_FAILED);
                continue;
            }
            unqueue(id);
            conclude(id, JOB_FAILED, NULL);
        }
    }
}

static void worker_event(void)
{
    int w = 1 + below(NUMBERS);
    switch (workers[w].state) {
    case VACANT:
        require(dispatcher_worker_down(dispatcher, w, false, now) == TROUPE_EINVAL, "no such worker", w);
        break;
    case STARTING:
        if (chance(5)) {
            start_fails(w);
            break;
        }
        require(!dispatcher_worker_up(dispatcher, w, now), "a worker comes up", w);
        workers[w].state = UP;
        start_failed = false;
        break;
    case UP:
        if (chance(7))
            lose(w);
        break;
    case STOPPING:
        if (workers[w].parked_count) {
            if (chance(7))
                lose(w);
            break;
        }
        require(!dispatcher_worker_down(dispatcher, w, false, now), "a stopped worker ends", w);
        workers[w] = (struct model_worker){0};
    }
}

static int sooner(const void *a, const void *b)
{
    const struct model_job *x = &jobs[*(const int *)a], *y = &jobs[*(const int *)b];
    if (x->due != y->due)
        return x->due < y->due ? -1 : 1;
    return x->tie < y->tie ? -1 : 1;
}

static void tick(void)
{
    static int due[JOBS];
    int count = 0;
    double deadline = dispatcher_deadline(dispatcher);
    bool jump = deadline >= 0 && chance(30);
    double step = chance(3) ? 0.1 : 1e-6 * below(1000);
    now = jump && deadline > now ? deadline : now + step;
    for (int id = 1; delayed && id <= submitted; id++) {
        if (jobs[id].place == DELAYED && jobs[id].due <= now)
            due[count++] = id;
    }
    require(!jump || deadline <= now, "a deadline can be kept", 0);
    qsort(due, (size_t)count, sizeof *due, sooner);
    dispatcher_tick(dispatcher, now);
    for (int i = 0; i < count; i++) {
        out_of_delayed(due[i]);
        enqueue(due[i]);
    }
    if (chance(50))
        return;
    draw_dry();
    deadline = dispatcher_deadline(dispatcher);
    require(deadline < 0 || deadline > now, "what was due is done", 0);
}

static void rule(void)
{
    switch (below(closing ? 8 : 6)) {
    case 0:
    case 1: {
        int n = 1 + below(WORKERS);
        require(!dispatcher_resize(dispatcher, n, now), "a resize is taken", n);
        limit = n;
        break;
    }
    case 2:
    case 3:
    case 4:
        dispatcher_pause(dispatcher, !paused, now);
        paused = !closing && !paused;
        break;
    case 5: {
        if (chance(80))
            break;
        bool all = chance(30);
        dispatcher_cancel_pending(dispatcher, all, now);
        cancel_pending(all);
        break;
    }
    default:
        if (chance(10))
            close_pool(true);
    }
}

static void event(int most)
{
    int kind = below(100);
    events++;
    if (kind < 3 || (gathering && kind < 20))
        submit_ganged(most);
    else if (kind < 30)
        submit(most);
    else if (kind < 64)
        finish();
    else if (kind < 70)
        park();
    else if (kind < 74)
        cancel();
    else if (kind < 76)
        begin_or_refuse();
    else if (kind < 82)
        answer_recall();
    else if (kind < 85)
        decide();
    else if (kind < 93)
        worker_event();
    else if (kind < 98 || chance(70))
        tick();
    else
        rule();
}

static void check_states(void)
{
    static const enum job_state states[] = {
        [UNUSED] = JOB_NONE, [DELAYED] = JOB_DELAYED, [QUEUED] = JOB_QUEUED,
        [HANDED] = JOB_HANDED, [PARKED] = JOB_RUNNING, [ASKING] = JOB_ASKED, [ASKED] = JOB_ASKED, [GANGED] = JOB_QUEUED, [ENDING] = JOB_NONE,   [ENDED] = JOB_NONE,
    };
    for (int id = 1; id <= submitted; id++) {
        enum job_state state = dispatcher_state(dispatcher, (uint64_t)id);
        bool handed_out = jobs[id].place == HANDED || jobs[id].place == PARKED;
        require((state == JOB_STOPPING) == (handed_out && jobs[id].stopping), "what was asked to end is stopping", id);
        if (state == JOB_STOPPING)
            continue;
        if (state == JOB_RUNNING && jobs[id].place != PARKED) {
            require(workers[jobs[id].worker].hand[0] == id, "the first in a hand is running", id);
            state = JOB_HANDED;
        }
        require(state == states[jobs[id].place], "the state is the job's", id);
    }
}

static void open_pool(void)
{
    static const int credits[] = {0, 1, 2, 5, 256};
    limit = 1 + below(WORKERS);
    max_credit = credits[below(5)];
    long_share = below(4) * below(4);
    max_jobs = chance(40) ? 1 + below(chance(50) ? 5 : 200) : 0;
    concurrency = chance(40) ? 1 + below(chance(50) ? 5 : 100) : 0;
    generator = next_random();
    rate_jobs = chance(15) ? 1 + below(RATE) : 0;
    rate_per = 0.0001 * (1 + below(20));
    start_at = gathering = launching = ganged = 0;
    for (int i = 0; i < RATE; i++)
        starts[i] = -1e9;
    struct dispatcher_options options = {.workers = limit, .max_credit = max_credit,
                                         .max_jobs = max_jobs, .concurrency = concurrency, .seed = generator,
                                         .rate_jobs = rate_jobs, .rate_per = rate_per,
                                         .idle_timeout = chance(50) ? 0.003 : 0};
    require(!dispatcher_new(&dispatcher, &options), "a pool opens", 0);
    max_credit = max_credit ? max_credit : 256;
    concurrency = concurrency ? concurrency : 1000;
    memset(workers, 0, sizeof workers);
    memset(head, 0, sizeof head);
    memset(front, 0, sizeof front);
    memset(back, 0, sizeof back);
    submitted = ended = delayed = queued = handed = scheduled = repeating = asked_count = 0;
    ties = 0;
    now = 0;
    shortest = 200e-6;
    paused = closing = soon = drained = start_failed = false;
}

/* One pool's whole life; the number of its jobs. */
static int live(void)
{
    int count = 1 + below(JOBS);
    int most = chance(50) ? 30 : 1000;
    open_pool();
    while (submitted < count) {
        event(most);
        if (chance(70))
            draw_dry();
    }
    draw_dry();
    check_states();
    if (chance(10)) {
        abandoned += (uint64_t)(submitted - ended);
        dispatcher_destroy(&dispatcher);
        return submitted;
    }
    close_pool(chance(30));
    if (chance(20))
        close_pool(chance(50));
    for (uint64_t last = events + 10000000; !drained; draw_dry()) {
        event(most);
        require(events < last, "a closed pool ends", (submitted - ended));
    }
    require(ended == submitted, "each job ends", (submitted - ended));
    dispatcher_destroy(&dispatcher);
    return submitted;
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 100000;
    uint64_t done = 0;
    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    while (done < wanted)
        done += (uint64_t)live();
    uint64_t total = abandoned;
    for (int i = 0; i < JOB_ENDS; i++)
        total += ends[i];
    require(total == done, "every end is counted once", (int64_t)done);
    printf("1..1\nok 1 - every job had exactly one outcome\n");
    printf("# %" PRIu64 " jobs, %" PRIu64 " events: ", done, events);
    printf("finished %" PRIu64 ", failed %" PRIu64 ", ", ends[JOB_FINISHED], ends[JOB_FAILED]);
    printf("cancelled %" PRIu64 ", lost %" PRIu64 ", ", ends[JOB_CANCELLED], ends[JOB_LOST]);
    printf("retried %" PRIu64 ", recalled %" PRIu64 ", parked %" PRIu64 ", ", retried, recalled, parked);
    printf("reported %" PRIu64 ", asked %" PRIu64 ", retired %" PRIu64 ", ", reported, questions, retirements);
    printf("gangs %" PRIu64 ", ", gangs);
    printf("stopped %" PRIu64 ", killed %" PRIu64 ", ", ends[JOB_STOPPED], ends[JOB_KILLED]);
    printf("expired %" PRIu64 ", breaks %" PRIu64 ", ", ends[JOB_EXPIRED], pressed);
    printf("forsaken %" PRIu64 ", abandoned %" PRIu64 "\n", forsaken, abandoned);
    return EXIT_SUCCESS;
}

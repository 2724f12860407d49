/* dispatcher_script.c - see dispatcher_script.h.
 *
 * One event a line, times and all literal; several on a line, parted by `;`, are one batch. After each
 * line the dispatcher is drawn dry, and exactly the lines that follow with `>` must come out, in this
 * order.
 *
 *     pool workers=2 credit=8 idle=5 max_jobs=3 concurrency=2 seed=1 rate=5 per=1
 *                                      the first line; what is left out is the default
 *     submit 7 prio=5 first delay=1 scheduled every=5 retries=2 base=1 factor=2 max=10 jitter=0.5 asks gang=7 size=2 timeout=3
 *     decide 7 yes   decide 7 no
 *     up w1          down w1          down w1 failed
 *     done w1 7 ok ran=0.001           done w1 7 bad    done w1 7 killed
 *     park w1 7      return w1 7      recalled w1      withdraw 7
 *     begun w1 7     spent w1 7       refuse w1 7      stop 7           kill 7 grace=1      forsake 7
 *     sync 7         unsync 7
 *     cancel 7       cancel-pending [delayed]          resize 3
 *     pause          resume           close            close soon
 *     at 2.5         tick 2.5         the time from now on; tick also tells the dispatcher
 *     state 7        deadline         count pending
 *
 *     > start w1     > stop w1        > run w1 7 [attempt=2]
 *     > recall w1    > end 7 finished|failed|cancelled|lost|stopped|killed|expired|spent [attempt=1] [result]
 *     > halt w1 7    > break w1 7     > abandon w1 7                                > drained
 *     > report 7 finished [attempt=1] [result]          > ask 7 failed [attempt=1] [result]
 *     > drop 7       a failed run's result came back from dispatcher_done
 *     > = word       what an event answered: ended, handed, unknown; einval, edead; a state; a number; never
 *
 * An event that answers 0 prints no `=`. Attempts are printed when they are not what a plain life has: 1
 * in a run, and in an end that a run led to; none in another. Blank lines and what follows a # do not
 * count.
 */
#include "dispatcher_script.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dispatcher.h"
#include "troupe.h"

struct script {
    struct dispatcher *dispatcher;
    double now;
    char *words[16]; /* of the event being told */
    int count;
    char said[4096]; /* what the dispatcher answered to the line, as the script would write it */
    size_t size;
};

static char verdict[16384];

/* Loads are these numbers, results their negatives, so that a mix-up shows. */
static char tokens[1000];

static void say(struct script *self, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct script *self, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    size_t room = sizeof self->said - self->size;
    int n = vsnprintf(self->said + self->size, room, format, list);
    va_end(list);
    if (n > 0)
        self->size += (size_t)n < room ? (size_t)n : room - 1;
}

static void *load_of(uint64_t id)
{
    return &tokens[id];
}

static void *result_of(uint64_t id)
{
    return &tokens[id + 500];
}

/* The word's value when it is name=value; else NULL. */
static const char *option(const struct script *self, const char *name)
{
    size_t size = strlen(name);
    for (int i = 1; i < self->count; i++) {
        if (strncmp(self->words[i], name, size) == 0 && self->words[i][size] == '=')
            return self->words[i] + size + 1;
    }
    return NULL;
}

static double number(const struct script *self, const char *name, double otherwise)
{
    const char *value = option(self, name);
    return value ? strtod(value, NULL) : otherwise;
}

static bool has(const struct script *self, const char *word)
{
    for (int i = 1; i < self->count; i++) {
        if (strcmp(self->words[i], word) == 0)
            return true;
    }
    return false;
}

static int worker(const struct script *self)
{
    return self->count > 1 && self->words[1][0] == 'w' ? atoi(self->words[1] + 1) : -1;
}

static uint64_t id_at(const struct script *self, int i)
{
    return self->count > i ? strtoull(self->words[i], NULL, 10) : 0;
}

static void answer(struct script *self, int rc)
{
    const char *word = rc == TROUPE_EINVAL ? "einval" : rc == TROUPE_EDEAD ? "edead" : troupe_strerror(rc);
    if (rc)
        say(self, "> = %s\n", word);
}

static void tell_pool(struct script *self)
{
    struct dispatcher_options options = {
        .workers = (int)number(self, "workers", 1),
        .max_credit = (int)number(self, "credit", 0),
        .idle_timeout = number(self, "idle", 0),
        .max_jobs = (int)number(self, "max_jobs", 0),
        .concurrency = (int)number(self, "concurrency", 0),
        .rate_jobs = (int)number(self, "rate", 0),
        .rate_per = number(self, "per", 0),
        .seed = (uint64_t)number(self, "seed", 0),
    };
    dispatcher_destroy(&self->dispatcher);
    answer(self, dispatcher_new(&self->dispatcher, &options));
}

static void tell_submit(struct script *self)
{
    uint64_t id = id_at(self, 1);
    struct job_spec spec = {
        .id = id,
        .load = load_of(id),
        .priority = (int32_t)number(self, "prio", 0),
        .first = has(self, "first"),
        .delay = number(self, "delay", 0),
        .scheduled = has(self, "scheduled"),
        .every = number(self, "every", 0),
        .gang = (uint64_t)number(self, "gang", 0),
        .gang_size = (int32_t)number(self, "size", 0),
        .retry.retries = (int32_t)number(self, "retries", 0),
        .retry.base = number(self, "base", 0),
        .retry.factor = number(self, "factor", 0),
        .retry.max = number(self, "max", 0),
        .retry.jitter = number(self, "jitter", 0),
        .retry.asks = has(self, "asks"),
        .timeout = number(self, "timeout", 0),
    };
    answer(self, dispatcher_submit(self->dispatcher, &spec, self->now));
}

static void tell_done(struct script *self)
{
    void *dropped;
    uint64_t id = id_at(self, 2);
    enum job_run how = has(self, "ok") ? RUN_FINE : has(self, "killed") ? RUN_KILLED : RUN_FAILED;
    int rc = dispatcher_done(self->dispatcher, worker(self), id, how, number(self, "ran", 1), result_of(id), &dropped,
                             self->now);
    answer(self, rc);
    if (dropped)
        say(self, dropped == result_of(id) ? "> drop %d\n" : "> drop of another than %d\n", (int)id);
}

static void tell_decide(struct script *self)
{
    void *dropped;
    uint64_t id = id_at(self, 1);
    answer(self, dispatcher_decide(self->dispatcher, id, has(self, "yes"), &dropped, self->now));
    if (dropped)
        say(self, dropped == result_of(id) ? "> drop %d\n" : "> drop of another than %d\n", (int)id);
}

/* cancel, stop or kill */
static void tell_cancel(struct script *self)
{
    static const char *const words[] = {"unknown", "ended", "handed"};
    struct dispatcher *d = self->dispatcher;
    uint64_t id = id_at(self, 1);
    int rc = self->words[0][0] == 'c'   ? (int)dispatcher_cancel(d, id, self->now)
             : self->words[0][0] == 's' ? (int)dispatcher_stop(d, id, self->now)
                                        : dispatcher_kill(d, id, number(self, "grace", 1), self->now);
    say(self, "> = %s\n", rc < 0 ? troupe_strerror(rc) : words[rc]);
}

static void tell_state(struct script *self)
{
    static const char *const words[] = {"none", "delayed", "queued", "handed", "running", "parked", "asked", "ganged",
                                        "stopping", "syncing"};
    say(self, "> = %s\n", words[dispatcher_state(self->dispatcher, id_at(self, 1))]);
}

static void tell_deadline(struct script *self)
{
    double at = dispatcher_deadline(self->dispatcher);
    if (at < 0)
        say(self, "> = never\n");
    else
        say(self, "> = %g\n", at);
}

static void tell_count(struct script *self)
{
    struct dispatcher_counts counts;
    dispatcher_count(self->dispatcher, &counts);
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        {"pending", counts.pending}, {"delayed", counts.delayed},   {"handed", counts.handed},
        {"scheduled", counts.scheduled}, {"asked", counts.asked},
        {"workers", counts.workers}, {"idle", counts.idle},         {"finished", counts.finished},
        {"failed", counts.failed},   {"cancelled", counts.cancelled}, {"lost", counts.lost},
        {"retried", counts.retried}, {"stopped", counts.stopped},
    };
    for (int i = 1; i < self->count; i++) {
        for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
            if (strcmp(self->words[i], rows[k].name) == 0)
                say(self, "> = %d\n", (int)rows[k].value);
        }
    }
}

static void tell_time(struct script *self)
{
    self->now = strtod(self->count > 1 ? self->words[1] : "0", NULL);
    if (strcmp(self->words[0], "tick") == 0)
        dispatcher_tick(self->dispatcher, self->now);
}

/* False: no such event. */
static bool tell(struct script *self)
{
    const char *event = self->words[0];
    struct dispatcher *d = self->dispatcher;
    double now = self->now;
    if (strcmp(event, "pool") == 0)
        tell_pool(self);
    else if (strcmp(event, "submit") == 0)
        tell_submit(self);
    else if (strcmp(event, "done") == 0)
        tell_done(self);
    else if (strcmp(event, "up") == 0)
        answer(self, dispatcher_worker_up(d, worker(self), now));
    else if (strcmp(event, "down") == 0)
        answer(self, dispatcher_worker_down(d, worker(self), has(self, "failed"), now));
    else if (strcmp(event, "park") == 0)
        answer(self, dispatcher_parked(d, worker(self), id_at(self, 2), now));
    else if (strcmp(event, "return") == 0)
        answer(self, dispatcher_returned(d, worker(self), id_at(self, 2), now));
    else if (strcmp(event, "recalled") == 0)
        answer(self, dispatcher_recall_done(d, worker(self), now));
    else if (strcmp(event, "withdraw") == 0)
        answer(self, dispatcher_withdraw(d, id_at(self, 1), now));
    else if (strcmp(event, "begun") == 0)
        answer(self, dispatcher_begun(d, worker(self), id_at(self, 2), now));
    else if (strcmp(event, "spent") == 0)
        answer(self, dispatcher_spent(d, worker(self), id_at(self, 2), now));
    else if (strcmp(event, "refuse") == 0)
        answer(self, dispatcher_refused(d, worker(self), id_at(self, 2), now));
    else if (strcmp(event, "sync") == 0 || strcmp(event, "unsync") == 0)
        dispatcher_sync(d, id_at(self, 1), event[0] == 's');
    else if (strcmp(event, "forsake") == 0)
        answer(self, dispatcher_forsake(d, id_at(self, 1), now));
    else if (strcmp(event, "cancel") == 0 || strcmp(event, "stop") == 0 || strcmp(event, "kill") == 0)
        tell_cancel(self);
    else if (strcmp(event, "cancel-pending") == 0)
        dispatcher_cancel_pending(d, has(self, "delayed"), now);
    else if (strcmp(event, "decide") == 0)
        tell_decide(self);
    else if (strcmp(event, "resize") == 0)
        answer(self, dispatcher_resize(d, (int)id_at(self, 1), now));
    else if (strcmp(event, "pause") == 0 || strcmp(event, "resume") == 0)
        dispatcher_pause(d, event[0] == 'p', now);
    else if (strcmp(event, "close") == 0)
        dispatcher_close(d, has(self, "soon"), now);
    else if (strcmp(event, "at") == 0 || strcmp(event, "tick") == 0)
        tell_time(self);
    else if (strcmp(event, "state") == 0)
        tell_state(self);
    else if (strcmp(event, "deadline") == 0)
        tell_deadline(self);
    else if (strcmp(event, "count") == 0)
        tell_count(self);
    else
        return false;
    return true;
}

/* How a job or a run of it ended: `word` says which. */
static void say_end(struct script *self, const char *word, const struct action *action)
{
    static const char *const words[] = {"finished", "failed", "cancelled", "lost", "stopped", "killed", "expired", "spent"};
    bool never_ran = action->end == JOB_CANCELLED || (action->end == JOB_FAILED && !action->result);
    bool ran = !never_ran;
    say(self, "> %s %d %s", word, (int)action->id, words[action->end]);
    if (action->attempt != ran)
        say(self, " attempt=%d", action->attempt);
    if (action->result)
        say(self, action->result == result_of(action->id) ? " result" : " result of another");
}

static void say_action(struct script *self, const struct action *action)
{
    switch (action->kind) {
    case ACTION_START:
        say(self, "> start w%d", action->worker);
        break;
    case ACTION_STOP:
        say(self, "> stop w%d", action->worker);
        break;
    case ACTION_RECALL:
        say(self, "> recall w%d", action->worker);
        break;
    case ACTION_DRAINED:
        say(self, "> drained");
        break;
    case ACTION_HALT:
        say(self, "> halt w%d %d", action->worker, (int)action->id);
        break;
    case ACTION_BREAK:
        say(self, "> break w%d %d", action->worker, (int)action->id);
        break;
    case ACTION_ABANDON:
        say(self, "> abandon w%d %d", action->worker, (int)action->id);
        break;
    case ACTION_END:
        say_end(self, "end", action);
        break;
    case ACTION_REPORT:
        say_end(self, "report", action);
        break;
    case ACTION_ASK:
        say_end(self, "ask", action);
        break;
    case ACTION_RUN:
        say(self, "> run w%d %d", action->worker, (int)action->id);
        if (action->attempt != 1)
            say(self, " attempt=%d", action->attempt);
        break;
    }
    bool of_worker = action->kind == ACTION_START || action->kind == ACTION_STOP || action->kind == ACTION_RECALL;
    bool with_job = !of_worker && action->kind != ACTION_DRAINED;
    if (with_job && action->load != load_of(action->id))
        say(self, " with another's load");
    say(self, "\n");
}

static void split(struct script *self, char *event)
{
    char *rest;
    self->count = 0;
    for (char *word = strtok_r(event, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (self->count < (int)(sizeof self->words / sizeof *self->words))
            self->words[self->count++] = word;
    }
}

/* Tells the events of one line, then draws the dispatcher dry. False: an event is not known. */
static bool tell_line(struct script *self, char *line)
{
    char *rest;
    for (char *event = strtok_r(line, ";", &rest); event; event = strtok_r(NULL, ";", &rest)) {
        split(self, event);
        if (self->count && !tell(self))
            return false;
    }
    struct action action;
    /* More than any script's line leads to: an action found again and again. */
    for (int i = 0; i < 200 && self->dispatcher && dispatcher_next(self->dispatcher, &action); i++)
        say_action(self, &action);
    return true;
}

/* The next line without comment and blanks around it; NULL at the end. */
static char *next_line(char **text, int *number_of_line)
{
    char *line = *text;
    if (!*line)
        return NULL;
    char *end = line + strcspn(line, "\n");
    *text = *end ? end + 1 : end;
    *end = 0;
    line[strcspn(line, "#")] = 0;
    line += strspn(line, " \t");
    for (end = line + strlen(line); end > line && strchr(" \t", end[-1]);)
        *--end = 0;
    ++*number_of_line;
    return line;
}

static const char *complain(const char *what, int line, const char *event, const char *wanted,
                            const char *got)
{
    snprintf(verdict, sizeof verdict, "line %d, %s: %s\nwanted:\n%sgot:\n%s", line, event, what, wanted, got);
    return verdict;
}

static const char *run(struct script *self, char *text)
{
    char event[256] = "";
    char wanted[4096] = "";
    int at = 0;
    int number_of_line = 0;
    for (;;) {
        char *line = next_line(&text, &number_of_line);
        if (line && !*line)
            continue;
        if (line && *line == '>') {
            size_t size = strlen(wanted);
            snprintf(wanted + size, sizeof wanted - size, "%s\n", line);
            continue;
        }
        if (strcmp(wanted, self->said))
            return complain("another answer", at, event, wanted, self->said);
        if (!line)
            return NULL;
        snprintf(event, sizeof event, "%s", line);
        at = number_of_line;
        wanted[0] = 0;
        self->said[0] = 0;
        self->size = 0;
        if (!tell_line(self, line))
            return complain("no such event", at, event, "", "");
    }
}

const char *dispatcher_script_run(const char *script)
{
    struct script self = {0};
    char *text = strdup(script);
    const char *complaint = text ? run(&self, text) : "no memory";
    free(text);
    dispatcher_destroy(&self.dispatcher);
    return complaint;
}

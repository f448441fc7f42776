// landmark.h - Landmark's agent for C and C++, in one file.
//
// A program states facts about itself: that its main loop has just passed here, that a
// piece of work began, how long a queue is. This file sends them to landmarkd, which
// judges them and answers load balancers. It needs Linux, GCC or Clang, C99 or C++11,
// and nothing but libc.
//
// Include it where you need it. In exactly one file, define LANDMARK_IMPLEMENTATION
// first, and include it before every other header:
//
//	#define LANDMARK_IMPLEMENTATION
//	#include "landmark.h"
//
//	static landmark_set marks; // zero is an empty set
//
//	int main(void)
//	{
//		landmark *loop = landmark_alive(&marks, "main loop", 1000, NULL);
//		landmark_config config = {0};
//		config.service = "epg";
//		if (landmark_start(&marks, &config) != 0)
//			fprintf(stderr, "landmark: %s\n", landmark_error(&marks));
//		while (serve_next_request()) // every 200 ms at least
//			landmark_reach(loop);
//		landmark_close(&marks); // goodbye; an exit without it is a crash to landmarkd
//	}
//
// For a loop that may sleep in epoll, use landmark_loop. docs/embedding.md says which
// landmark to put where, and agent/c/README.md has more examples.
//
// # What it never does
//
// It starts no thread and installs no signal handler. It allocates no memory: the set
// holds everything. It never waits for landmarkd, but landmark_close does, for at most a
// second. While landmarkd is away, it looks for its socket four times a second at most,
// and only when the program calls it. After landmarkd has come back, it sends the whole
// state again. Every function does nothing if the landmark is NULL, so a declaration
// that failed does no harm.
//
// # What a landmark proves
//
// Only the code that does the work may reach a landmark. Nothing here does so by itself:
// what is sent was called by the program. landmarkd learns of a pass of an Alive or Loop
// at most every ReportInterval, a quarter of the landmark's time, at least 25 ms and at
// most 500 ms. So it is sent that much more than the landmark's time, and finds a hang
// that much later. A loop that keeps its time is never called late.
//
// # Threads, signals, fork
//
// All functions may be called from any number of threads at once, on any landmark. Only
// the declarations, landmark_start and landmark_close wait for another thread that is in
// one of them. The others may also be called in a signal handler.
//
// After fork, the child does not speak for its parent: there, all functions do nothing.
// The child may call landmark_start on the same set, and then speaks for itself. None of
// its landmarks has been reached then. So a prefork server declares its landmarks in the
// parent, and calls landmark_start in each child. A program that puts itself into the
// background by fork calls landmark_start after it.
//
// A program that closes descriptors that it did not open must do so before
// landmark_start.
#ifndef LANDMARK_H
#define LANDMARK_H

#if defined(LANDMARK_IMPLEMENTATION) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE // for the clocks and system calls, which -std=c99 hides
#endif

#include <stddef.h>
#include <stdint.h>

// LANDMARK_MAX is how many landmarks a set holds, as many as landmarkd takes from one
// process.
#define LANDMARK_MAX 64

#ifdef __cplusplus
extern "C" {
#endif

// A landmark_set holds the landmarks of one program, in 54 kB. It must be zero at first and
// live as long as the program: make it static. Its members are not for you.
typedef struct landmark_set landmark_set;

// A landmark is one landmark of a set, of any kind. It lives as long as the set.
typedef struct landmark landmark;

// An impact is what a failing landmark does to the service. The numbers are the same in
// every Landmark protocol.
enum {
	// The default of the kind.
	LANDMARK_DEFAULT = 0,
	// Fails liveness and readiness: a supervisor restarts the program, and until then
	// it gets no work. The default of Alive, Deadline and Loop.
	LANDMARK_CRITICAL = 1,
	// Fails readiness only: the program gets no work. The default of Condition.
	LANDMARK_READINESS = 2,
	// Lowers the weight only: the program gets less work. The default of Level.
	LANDMARK_DEGRADING = 3,
	// Changes nothing. The landmark is only shown.
	LANDMARK_INFORMATIONAL = 4
};

// landmark_options are what a declaration may say beyond its arguments. Set all to zero
// first. NULL stands for a struct of zeros.
typedef struct landmark_options {
	// What a failing landmark does: one of LANDMARK_CRITICAL to LANDMARK_INFORMATIONAL,
	// or 0 for the default of the kind.
	int impact;
	// The landmark fails if it is not reached within this time from its declaration to
	// landmarkd, 1 to 86,400,000 ms. 0 means no limit: until it is reached, the program
	// counts as starting.
	int64_t start_within_ms;
	// Condition only: it fails if it was not set for this time, 1 to 86,400,000 ms. 0
	// means that a setting counts until the next one.
	int64_t ttl_ms;
} landmark_options;

// landmark_config says what a set reports as, and where to. Set all to zero first.
// landmark_start copies the strings.
typedef struct landmark_config {
	// The name by which checkers ask for the program: a letter or digit, then at most 89
	// letters, digits, dots, underscores and hyphens. It must not be "liveness",
	// "readiness" or "startup", or end in a hyphen and one of them. Required.
	const char *service;
	// Distinguishes the processes of one service: 1 to 128 bytes of printable ASCII.
	// NULL or "" means a name that landmarkd makes from the process number.
	const char *instance;
	// The path of landmarkd's notify.sock, at most 107 bytes. NULL or "" means
	// $LANDMARK_NOTIFY_SOCKET, else /run/landmark/notify.sock as root, else
	// $XDG_RUNTIME_DIR/landmark/notify.sock, else /run/landmark/notify.sock.
	const char *socket;
	// Not 0: also notify the service manager, such as systemd, if $NOTIFY_SOCKET is set.
	// See landmark_start.
	int service_manager;
} landmark_config;

// landmark_alive declares an Alive: a landmark in a loop that never sleeps for long. It
// fails when the loop did not pass it (landmark_reach) for within_ms, 100 to 86,400,000.
// For a loop that may sleep, use landmark_loop.
//
// The name is 1 to 128 bytes of printable UTF-8 without a colon, and is copied. This and
// the other declarations return NULL if an argument is wrong; landmark_error says how.
// Landmarks may be declared at any time, best before landmark_start. They cannot be
// removed.
landmark *landmark_alive(landmark_set *set, const char *name, int64_t within_ms, const landmark_options *options);

// landmark_loop declares a Loop: a landmark of a main loop that may sleep in epoll_wait
// or poll while there is nothing to do. It fails when the loop did not answer for
// within_ms, 100 to 86,400,000. The kernel wakes the loop regularly through the
// descriptor landmark_loop_fd, and the loop calls landmark_answer.
landmark *landmark_loop(landmark_set *set, const char *name, int64_t within_ms, const landmark_options *options);

// landmark_loop_fd returns the descriptor of a Loop, a timerfd that becomes readable
// every ReportInterval. Wait for it as for any other, with EPOLLIN or POLLIN, and call
// landmark_answer when it is readable. Do not close it: landmark_close does. It is -1
// before landmark_start and after landmark_close.
int landmark_loop_fd(const landmark *l);

// landmark_answer records that the main loop answers. Call it on the main loop itself,
// and nowhere else: only then it proves that this loop works. It reads the descriptor,
// and otherwise is landmark_reach.
void landmark_answer(landmark *l);

// landmark_reach records that the program passes an Alive or a Loop. It costs less than
// an atomic addition while no report is due, and one system call sendto when one is, on
// a kernel with asynchronous I/O (CONFIG_AIO). On others, and where a seccomp filter
// returns an error for io_setup, it reads CLOCK_MONOTONIC_COARSE each time, which costs
// three atomic additions.
void landmark_reach(landmark *l);

// landmark_deadline declares a Deadline: a landmark around pieces of work. It fails when
// one of them is open for longer than within_ms, 100 to 86,400,000. Any number may be
// open at once, and the oldest counts. While none is open the landmark is healthy, even
// before the first, unless it has start_within_ms. landmarkd may see the age of an open
// piece up to a sixteenth of within_ms too small, never too large.
landmark *landmark_deadline(landmark_set *set, const char *name, int64_t within_ms, const landmark_options *options);

// A landmark_work is a piece of work that was begun. Zero is one that has ended. It may
// be moved, and ended on any thread, but only one copy may be ended.
typedef struct landmark_work {
	landmark *of;
	uint32_t epoch;
} landmark_work;

// landmark_begin records that a piece of work begins. End it with landmark_end.
//
// A hang right after it must be seen, so it sends a datagram if landmarkd believes that
// none is open. If another is open, it sends at most one per ReportInterval.
// landmark_end sends one if the oldest piece that landmarkd knows of has ended. So a
// piece of work that is alone costs two datagrams. It costs hardly any if the set also
// has an Alive or Loop with the impact critical that is passed regularly, as every
// server's main loop has: the next pass then carries the end.
landmark_work landmark_begin(landmark *l);

// landmark_end records that the piece of work has ended, and sets it to zero.
void landmark_end(landmark_work *work);

// landmark_level_above declares a Level: a number that should stay small, such as the
// length of a queue. Above degrade_at the program gets less work, and the less the closer
// the number is to fail_at. At fail_at the landmark fails. If both are equal, the program
// gets full work or none. The limits are finite, and fail_at is not the smaller one.
landmark *landmark_level_above(landmark_set *set, const char *name, double degrade_at, double fail_at, const landmark_options *options);

// landmark_level_below declares a Level for a number that should stay large, such as free
// space. It works as landmark_level_above does, in the other direction: fail_at is not
// the larger one.
landmark *landmark_level_below(landmark_set *set, const char *name, double degrade_at, double fail_at, const landmark_options *options);

// landmark_level_set records the number of a Level. It sends a datagram when the number
// crosses a limit for the worse, for the better at most every 5 ms, and otherwise every
// 500 ms. The datagrams of other landmarks carry the latest number, too. A number that is
// not finite, such as a division by zero, is recorded as the worst number, so that a
// calculation error does not hide a failure.
void landmark_level_set(landmark *l, double number);

// landmark_condition declares a Condition: something that is met or not, with a reason.
// It fails while it is not met, and with ttl_ms also when it was not set for that time.
landmark *landmark_condition(landmark_set *set, const char *name, const landmark_options *options);

// landmark_condition_set records whether a Condition is met, and why. The reason is cut
// to 255 bytes; NULL means none. It is UTF-8: other bytes and control characters become
// question marks. It sends a datagram when met changes, and otherwise at most every
// ReportInterval. If two threads set a Condition at the same instant, the reason of the
// later one may be lost.
void landmark_condition_set(landmark *l, int met, const char *reason);

// landmark_start starts to report the set, and returns at once. landmarkd need not run
// yet. It returns 0, or an errno value, which landmark_error explains:
//
//	EINVAL    a declaration or the configuration is wrong; nothing is reported
//	EALREADY  the set has been started
//	EMFILE, ENFILE, ENOMEM  the kernel refused a descriptor; nothing is reported
//
// A process must not start two sets for the same service.
//
// With service_manager, the set also notifies the socket in $NOTIFY_SOCKET, for systemd
// units with Type=notify and WatchdogSec=: READY=1 once each landmark that counts for
// readiness was reached; then WATCHDOG=1, at half of $WATCHDOG_USEC, while no critical
// landmark fails and one of them is an Alive or a Loop; the reason otherwise, as STATUS;
// and STOPPING=1 on landmark_close, after which the process must end. These too are sent
// only by the program's own calls. It works without landmarkd. $WATCHDOG_PID is
// respected. One set of a process may have it.
int landmark_start(landmark_set *set, const landmark_config *config);

// landmark_error returns what is wrong: the first mistake in a declaration, or why
// landmark_start failed. It names the landmark and says what to do. NULL means nothing. No
// other thread may declare or start meanwhile.
const char *landmark_error(const landmark_set *set);

// landmark_drain asks for no more work. It is sent at once, and to every landmarkd that
// comes. landmark_resume takes it back. The main loop must keep turning until the balancers
// have noticed, or it is stalled.
void landmark_drain(landmark_set *set);
void landmark_resume(landmark_set *set);

// landmark_close says goodbye: landmarkd then shows the program as draining, and as
// stopped once the process has ended. Without it, the end of the process is a crash.
// It waits at most a second if landmarkd does not read. It closes the set's descriptors;
// landmark_start may start the set again. In a child of fork it only closes the
// descriptors.
void landmark_close(landmark_set *set);

// What follows is not part of the interface.
//
// A pass goes from landmark_reach to landmark_pass_, which marks the landmark if it is
// due, and landmark_request_, which lets one thread at a time call landmark_flush_. That
// calls landmark_report_ for landmarkd, landmark_manage_ for the service manager, and
// landmark_arm_ for the timer, after which landmark_reach finds nothing due.

enum {
	landmark_max_name_ = 128,
	landmark_max_reason_ = 255,
	landmark_max_service_ = 90,
	landmark_max_path_ = 107,      // of a Unix socket: unix(7)
	landmark_max_message_ = 4096,  // of a notification, as for systemd
	landmark_buckets_ = 64         // of a Deadline, a power of two
};

// struct landmark_open_ holds the open work of a Deadline, without a limit. The time is
// cut into epochs, of a 32nd to a 16th of Within. A bucket is the number of an epoch, and
// how many pieces that began in it are open. There are buckets for more than twice
// Within. Work that is still open when its bucket is needed for a new epoch is counted as
// overdue.
struct landmark_open_ {
	uint64_t bucket[landmark_buckets_]; // epoch << 32 | count
	uint64_t overdue;                   // the oldest epoch << 32 | count
	uint64_t count;                     // all that is open
	uint32_t begun;                     // 1 once a piece of work has begun
	uint32_t shift;                     // an epoch is 1 << shift ns
};

// struct landmark_setting_ is what a Condition was set to. The reason is stored as words,
// which are read and written atomically.
struct landmark_setting_ {
	uint64_t state; // number of the setting << 1 | met
	uint64_t lock;  // odd while a thread writes reason
	uint64_t of;    // the number of the setting that reason belongs to
	uint64_t reason[(landmark_max_reason_ + 1) / 8];
};

struct landmark_level_ {
	double degrade_at, fail_at;
	uint64_t number; // the bits of a double
	uint32_t below;
	uint32_t set; // 1 once it was set
};

struct landmark {
	// landmark_reach reads these two. While they are equal, nothing is due. tick is the
	// number of expiries of the set's timer, which the kernel counts; see
	// landmark_arm_. seen is its value when nothing was due.
	const uint32_t *tick;
	uint32_t seen;
	uint32_t never; // 0: what tick points to if there is no timer
	uint64_t due;   // CLOCK_MONOTONIC in ns: when to send the next pass or setting
	uint64_t passed;   // when the latest one that is still to be sent happened
	uint64_t believed; // what landmarkd believes of a Deadline or Level
	uint64_t sent;     // Level: when it was last sent
	landmark_set *set;
	uint64_t declared_at;
	uint64_t within;   // ns; of a Condition its TTL; 0 = none
	uint64_t start_within;
	uint64_t interval; // between two passes or settings that are sent
	uint32_t index;    // in the set
	uint8_t kind, impact;
	int timer; // of a Loop, -1 if it has none
	char name[landmark_max_name_ + 1];
	union {
		struct landmark_open_ open;
		struct landmark_setting_ setting;
		struct landmark_level_ level;
	} of;
} __attribute__((aligned(64)));

// struct landmark_link_ is a datagram socket that is connected to a path.
struct landmark_link_ {
	int fd; // 0 = none: the set may be all zero
	int connected;
	uint64_t retry_at; // do not try before
	char path[landmark_max_path_ + 1]; // "" = not used
};

struct landmark_set {
	uint32_t count; // of landmarks
	uint32_t state;
	uint32_t declaring; // a thread declares
	// A thread that wants to send sets wanted, and then busy. If another thread is busy,
	// that one sends. So no thread waits.
	uint32_t wanted, busy;
	uint32_t draining;
	uint64_t dirty; // a bit for each landmark that has something to send
	uint64_t retry_at;               // do not send before; 0 = at once
	uint64_t carried_until;          // until then a critical Alive or Loop will carry what is dirty

	// The members below belong to the thread that is busy.
	int pid;
	struct landmark_link_ sidecar, manager;
	uint32_t declared; // how many landmarks this landmarkd knows
	uint32_t drain_sent;
	const uint32_t *tick; // in the ring of context; NULL = the kernel has none
	unsigned long context; // of asynchronous I/O
	int timer;
	uint32_t ticked; // tick when the timer was set
	uint64_t armed;  // when the timer expires, 0 = never
	uint32_t polling;
	uint64_t behind;     // how far the clock of landmark_pass_ may be behind
	uint64_t watchdog, fed_at; // the service manager's
	uint64_t status_at;
	uint32_t ready_sent, status; // status: the problem that was sent
	size_t prefix;
	char message[landmark_max_message_];
	char error[320];
	uint32_t start_failed; // error is of landmark_start, not of a declaration

	landmark landmarks[LANDMARK_MAX];
};

#ifdef LANDMARK_IMPLEMENTATION

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#if !defined(CLOCK_MONOTONIC) || (defined(__GLIBC__) && !defined(__USE_MISC))
#error "include landmark.h before every other header in the file that defines LANDMARK_IMPLEMENTATION, or compile it with -D_GNU_SOURCE"
#endif

#define LANDMARK_LOAD_(p) __atomic_load_n((p), __ATOMIC_SEQ_CST)
#define LANDMARK_PEEK_(p) __atomic_load_n((p), __ATOMIC_RELAXED)
#define LANDMARK_STORE_(p, v) __atomic_store_n((p), (v), __ATOMIC_SEQ_CST)
#define LANDMARK_SWAP_(p, v) __atomic_exchange_n((p), (v), __ATOMIC_SEQ_CST)
#define LANDMARK_CAS_(p, old, v) __atomic_compare_exchange_n((p), (old), (v), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

enum {
	landmark_alive_kind_ = 1, // the numbers of the monitoring protocol
	landmark_deadline_kind_ = 2,
	landmark_loop_kind_ = 3,
	landmark_level_kind_ = 4,
	landmark_condition_kind_ = 5
};

enum { landmark_idle_ = 0, landmark_started_ = 1 }; // states of a set

enum { landmark_ok_, landmark_full_, landmark_gone_ }; // results of sending

#define LANDMARK_MS_ UINT64_C(1000000) // ns
#define LANDMARK_STALE_ UINT32_MAX     // a value of seen that tick never has
#define LANDMARK_RETRY_GONE_ (250 * LANDMARK_MS_)
#define LANDMARK_RETRY_FULL_ (25 * LANDMARK_MS_)
#define LANDMARK_NO_BELIEF_ UINT64_MAX

static uint64_t landmark_clock_(clockid_t clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

static uint64_t landmark_now_(void) { return landmark_clock_(CLOCK_MONOTONIC); }

// landmark_coarse_ is some ms behind landmark_now_ and needs a fifth of the time.
static uint64_t landmark_coarse_(void) { return landmark_clock_(CLOCK_MONOTONIC_COARSE); }

// # Text

// landmark_rune_ returns the length of the UTF-8 character at s, and whether it is
// printable; 0 if there is none. It does not know each character that Unicode calls
// unprintable, but those that change how a line looks.
static size_t landmark_rune_(const char *s, int *printable)
{
	const unsigned char *b = (const unsigned char *)s;
	uint32_t r;
	size_t n, i;
	if (b[0] < 0x80) {
		*printable = b[0] >= 0x20 && b[0] != 0x7f;
		return 1;
	}
	n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
	if (b[0] < 0xc2 || b[0] > 0xf4)
		return 0;
	r = b[0] & (0xffu >> (n + 1));
	for (i = 1; i < n; i++) {
		if ((b[i] & 0xc0) != 0x80)
			return 0;
		r = r << 6 | (b[i] & 0x3f);
	}
	if ((n == 3 && r < 0x800) || (n == 4 && r < 0x10000) || r > 0x10ffff || (r >= 0xd800 && r <= 0xdfff))
		return 0;
	*printable = r > 0xa0 && r != 0xad && !(r >= 0x2000 && r <= 0x200f) && !(r >= 0x2028 && r <= 0x202f) &&
		!(r >= 0x205f && r <= 0x206f) && r != 0x3000 && !(r >= 0xe000 && r <= 0xf8ff) && r != 0xfeff &&
		(r & 0xfffe) != 0xfffe && !(r >= 0xfff0 && r <= 0xfffb) && r < 0xe0000;
	return n;
}

// landmark_clean_ copies a reason, cut to landmark_max_reason_ bytes, into words, which
// end in a zero byte.
static void landmark_clean_(uint64_t words[(landmark_max_reason_ + 1) / 8], const char *reason)
{
	char text[landmark_max_reason_ + 1];
	size_t n = 0, size;
	int printable;
	memset(text, 0, sizeof text);
	for (; reason != NULL && *reason != 0 && n < landmark_max_reason_; reason += size) {
		size = landmark_rune_(reason, &printable);
		if (size == 0 || !printable) {
			text[n++] = *reason == '\n' || *reason == '\t' ? ' ' : '?';
			size = size == 0 ? 1 : size;
			continue;
		}
		if (n + size > landmark_max_reason_)
			break;
		memcpy(text + n, reason, size);
		n += size;
	}
	memcpy(words, text, sizeof text);
}

// A landmark_text_ is text that is appended to. Once it does not fit, it is full.
typedef struct landmark_text_ {
	char *at;
	size_t length, size;
	int full;
} landmark_text_;

static void landmark_append_(landmark_text_ *t, const char *s)
{
	size_t n = strlen(s);
	if (t->full || n > t->size - t->length) {
		t->full = 1;
		return;
	}
	memcpy(t->at + t->length, s, n);
	t->length += n;
}

static void landmark_append_uint_(landmark_text_ *t, uint64_t n)
{
	char digits[24];
	size_t i = sizeof digits - 1;
	digits[i] = 0;
	do
		digits[--i] = (char)('0' + n % 10);
	while ((n /= 10) > 0);
	landmark_append_(t, digits + i);
}

// landmark_append_double_ writes a dot where the program's locale has another sign.
static void landmark_append_double_(landmark_text_ *t, double d)
{
	char raw[64], text[64];
	size_t i, n = 0;
	snprintf(raw, sizeof raw, "%.17g", d);
	for (i = 0; raw[i] != 0; i++) {
		if (strchr("+-0123456789e", raw[i]) != NULL)
			text[n++] = raw[i];
		else if (n > 0 && text[n - 1] != '.')
			text[n++] = '.';
	}
	text[n] = 0;
	landmark_append_(t, text);
}

// # Declarations

static uint64_t landmark_report_interval_(uint64_t limit)
{
	uint64_t quarter = limit / 4;
	if (limit == 0 || quarter > 500 * LANDMARK_MS_)
		return 500 * LANDMARK_MS_;
	return quarter < 25 * LANDMARK_MS_ ? 25 * LANDMARK_MS_ : quarter;
}

// landmark_next_due_ is a little earlier than one interval later, so that a Loop whose
// timer has this interval does not miss it by the accuracy of the clock.
static uint64_t landmark_next_due_(const landmark *l, uint64_t now)
{
	uint64_t early = l->interval / 8 + l->set->behind;
	return early < l->interval ? now + l->interval - early : now;
}

static const char *landmark_check_name_(const char *name)
{
	size_t n = 0, size;
	int printable;
	if (name == NULL || *name == 0)
		return "the name is empty: use 1 to 128 bytes";
	for (; name[n] != 0; n += size) {
		if (n > landmark_max_name_)
			break;
		size = landmark_rune_(name + n, &printable);
		if (size == 0)
			return "the name is not UTF-8";
		if (!printable)
			return "the name has a character that is not printable: use printable UTF-8";
		if (name[n] == ':')
			return "the name has a colon: leave it out";
	}
	return n > landmark_max_name_ ? "the name is longer than 128 bytes: shorten it" : NULL;
}

static int landmark_in_range_(int64_t ms, int64_t least) { return ms >= least && ms <= INT64_C(86400000); }

static int landmark_has_within_(const landmark *l)
{
	return l->kind == landmark_alive_kind_ || l->kind == landmark_loop_kind_ || l->kind == landmark_deadline_kind_;
}

static const char *landmark_check_(const landmark *l, const char *name, int64_t within_ms, const landmark_options *o)
{
	const char *wrong = landmark_check_name_(name);
	if (wrong != NULL)
		return wrong;
	if (landmark_has_within_(l) && !landmark_in_range_(within_ms, 100))
		return "within_ms must be 100 to 86400000";
	if (o->start_within_ms != 0 && !landmark_in_range_(o->start_within_ms, 1))
		return "start_within_ms must be 1 to 86400000; use 0 for no limit";
	if (o->ttl_ms != 0 && l->kind != landmark_condition_kind_)
		return "only a Condition has ttl_ms; use 0";
	if (o->ttl_ms != 0 && !landmark_in_range_(o->ttl_ms, 1))
		return "ttl_ms must be 1 to 86400000; use 0 for no limit";
	if (o->impact < LANDMARK_DEFAULT || o->impact > LANDMARK_INFORMATIONAL)
		return "impact is none of LANDMARK_CRITICAL, _READINESS, _DEGRADING and _INFORMATIONAL, nor 0";
	if (l->kind != landmark_level_kind_)
		return NULL;
	if (!isfinite(l->of.level.degrade_at) || !isfinite(l->of.level.fail_at))
		return "the limits are not finite numbers";
	if (!l->of.level.below && l->of.level.fail_at < l->of.level.degrade_at)
		return "it fails before it degrades; give the smaller number first, or use landmark_level_below";
	if (l->of.level.below && l->of.level.fail_at > l->of.level.degrade_at)
		return "it fails before it degrades; give the larger number first, or use landmark_level_above";
	return NULL;
}

static void landmark_fail_(landmark_set *set, const char *what, const char *name, const char *wrong)
{
	if (set->error[0] == 0)
		snprintf(set->error, sizeof set->error, "%s%s%.128s%s%s", what, name[0] != 0 ? " \"" : "", name,
			name[0] != 0 ? "\": " : ": ", wrong);
}

static void landmark_request_(landmark_set *set);
static int landmark_open_timer_(landmark *l);

// landmark_declare_ completes the next landmark of the set, in which the caller has set
// what is special to its kind, and publishes it. The caller has set declaring.
static landmark *landmark_declare_(landmark *l, const char *name, int64_t within_ms, const landmark_options *options)
{
	static const landmark_options none = {0, 0, 0};
	static const uint8_t impacts[] = {0, LANDMARK_CRITICAL, LANDMARK_CRITICAL, LANDMARK_CRITICAL, LANDMARK_DEGRADING, LANDMARK_READINESS};
	const landmark_options *o = options != NULL ? options : &none;
	landmark_set *set = l->set;
	const char *wrong = landmark_check_(l, name, within_ms, o);
	uint32_t i;
	for (i = 0; wrong == NULL && i < set->count; i++)
		if (strcmp(set->landmarks[i].name, name) == 0)
			wrong = "declared twice; give each landmark a name of its own";
	if (wrong != NULL) {
		landmark_fail_(set, "landmark", name != NULL ? name : "", wrong);
		return NULL;
	}
	memcpy(l->name, name, strlen(name) + 1);
	l->impact = o->impact != 0 ? (uint8_t)o->impact : impacts[l->kind];
	l->within = (uint64_t)(l->kind == landmark_condition_kind_ ? o->ttl_ms : within_ms) * LANDMARK_MS_;
	l->start_within = (uint64_t)o->start_within_ms * LANDMARK_MS_;
	l->interval = landmark_report_interval_(l->within);
	if (set->watchdog > 0 && l->interval > set->watchdog / 4)
		l->interval = set->watchdog / 4;
	l->index = set->count;
	l->tick = &l->never;
	l->seen = 0;
	l->due = 0;
	l->timer = -1;
	l->declared_at = landmark_now_();
	if (l->kind == landmark_deadline_kind_)
		while (UINT64_C(2) << l->of.open.shift <= l->within / 16)
			l->of.open.shift++;
	if (l->kind == landmark_level_kind_)
		l->believed = LANDMARK_NO_BELIEF_;
	return l;
}

// landmark_new_ returns the next landmark of the set, or NULL if there is none. It waits
// while another thread declares one.
static landmark *landmark_new_(landmark_set *set, const char *name, int kind)
{
	landmark *l;
	struct timespec pause = {0, 100000};
	if (set == NULL)
		return NULL;
	while (LANDMARK_SWAP_(&set->declaring, 1) != 0)
		nanosleep(&pause, NULL);
	if (set->count == LANDMARK_MAX) {
		landmark_fail_(set, "landmark", name != NULL ? name : "", "a set holds at most 64 landmarks; let several workers share one");
		LANDMARK_STORE_(&set->declaring, 0);
		return NULL;
	}
	l = &set->landmarks[set->count];
	memset(l, 0, sizeof *l);
	l->set = set;
	l->kind = (uint8_t)kind;
	return l;
}

static landmark *landmark_publish_(landmark_set *set, landmark *l)
{
	if (l != NULL)
		LANDMARK_STORE_(&set->count, set->count + 1);
	if (l != NULL && LANDMARK_LOAD_(&set->state) == landmark_started_) {
		if (l->kind == landmark_loop_kind_ && landmark_open_timer_(l) != 0)
			landmark_fail_(set, "landmark", l->name, "the kernel refused a timerfd");
		landmark_request_(set);
	}
	LANDMARK_STORE_(&set->declaring, 0);
	return l;
}

landmark *landmark_alive(landmark_set *set, const char *name, int64_t within_ms, const landmark_options *options)
{
	landmark *l = landmark_new_(set, name, landmark_alive_kind_);
	return l == NULL ? NULL : landmark_publish_(set, landmark_declare_(l, name, within_ms, options));
}

landmark *landmark_loop(landmark_set *set, const char *name, int64_t within_ms, const landmark_options *options)
{
	landmark *l = landmark_new_(set, name, landmark_loop_kind_);
	return l == NULL ? NULL : landmark_publish_(set, landmark_declare_(l, name, within_ms, options));
}

landmark *landmark_deadline(landmark_set *set, const char *name, int64_t within_ms, const landmark_options *options)
{
	landmark *l = landmark_new_(set, name, landmark_deadline_kind_);
	return l == NULL ? NULL : landmark_publish_(set, landmark_declare_(l, name, within_ms, options));
}

landmark *landmark_condition(landmark_set *set, const char *name, const landmark_options *options)
{
	landmark *l = landmark_new_(set, name, landmark_condition_kind_);
	return l == NULL ? NULL : landmark_publish_(set, landmark_declare_(l, name, 0, options));
}

static landmark *landmark_new_level_(landmark_set *set, const char *name, double degrade_at, double fail_at, int below, const landmark_options *options)
{
	landmark *l = landmark_new_(set, name, landmark_level_kind_);
	if (l == NULL)
		return NULL;
	l->of.level.degrade_at = degrade_at;
	l->of.level.fail_at = fail_at;
	l->of.level.below = (uint32_t)below;
	return landmark_publish_(set, landmark_declare_(l, name, 0, options));
}

landmark *landmark_level_above(landmark_set *set, const char *name, double degrade_at, double fail_at, const landmark_options *options)
{
	return landmark_new_level_(set, name, degrade_at, fail_at, 0, options);
}

landmark *landmark_level_below(landmark_set *set, const char *name, double degrade_at, double fail_at, const landmark_options *options)
{
	return landmark_new_level_(set, name, degrade_at, fail_at, 1, options);
}

// # Recording

// landmark_mark_ makes the next datagram carry the landmark's state.
static void landmark_mark_(landmark *l)
{
	uint64_t bit = UINT64_C(1) << l->index;
	if ((LANDMARK_LOAD_(&l->set->dirty) & bit) == 0)
		__atomic_fetch_or(&l->set->dirty, bit, __ATOMIC_SEQ_CST);
}

// landmark_changed_ sends the landmark's state now, unless the last datagram failed just
// before. Then a later one carries it.
static void landmark_changed_(landmark *l)
{
	landmark_set *set = l->set;
	uint64_t retry_at = LANDMARK_PEEK_(&set->retry_at);
	landmark_mark_(l);
	if (LANDMARK_LOAD_(&set->state) != landmark_started_)
		return;
	if (retry_at == 0 || set->manager.path[0] != 0 || landmark_now_() >= retry_at)
		landmark_request_(set);
}

// landmark_quiet_ reports whether nothing is due for the landmark.
static int landmark_quiet_(landmark *l)
{
	const uint32_t *tick = LANDMARK_PEEK_(&l->tick);
	return LANDMARK_PEEK_(tick) == LANDMARK_PEEK_(&l->seen);
}

// landmark_pass_ sends a pass or a setting if that is due.
static void landmark_pass_(landmark *l)
{
	landmark_set *set = l->set;
	int ticking = LANDMARK_PEEK_(&l->tick) != &l->never;
	uint64_t now, due = LANDMARK_LOAD_(&l->due);
	if (LANDMARK_LOAD_(&set->state) != landmark_started_)
		return;
	now = ticking ? landmark_now_() : landmark_coarse_();
	if (now >= due) {
		if (!LANDMARK_CAS_(&l->due, &due, landmark_next_due_(l, now)))
			return; // another thread sends it
		LANDMARK_STORE_(&l->passed, now);
		landmark_mark_(l);
		landmark_request_(set);
	} else if (ticking) {
		landmark_request_(set); // the timer has expired, for another landmark
	}
}

void landmark_reach(landmark *l)
{
	if (l == NULL || landmark_quiet_(l))
		return;
	if (l->kind == landmark_alive_kind_ || l->kind == landmark_loop_kind_)
		landmark_pass_(l);
}

void landmark_answer(landmark *l)
{
	uint64_t expiries;
	int fd = landmark_loop_fd(l);
	ssize_t n;
	if (l == NULL || l->kind != landmark_loop_kind_)
		return;
	if (fd >= 0 && getpid() == l->set->pid) { // a child would take what wakes its parent
		int saved = errno;
		n = read(fd, &expiries, sizeof expiries); // fails if it was not readable
		(void)n;
		errno = saved;
	}
	landmark_reach(l);
}

int landmark_loop_fd(const landmark *l) { return l == NULL ? -1 : LANDMARK_PEEK_(&l->timer); }

static uint32_t landmark_epoch_(const landmark *l, uint64_t now)
{
	return now <= l->declared_at ? 0 : (uint32_t)((now - l->declared_at) >> l->of.open.shift);
}

// landmark_retire_ counts n pieces of an old epoch as overdue, and takes them back if n is
// negative.
static void landmark_retire_(struct landmark_open_ *open, uint32_t epoch, int64_t n)
{
	uint64_t old = LANDMARK_LOAD_(&open->overdue), since;
	do
		since = (uint32_t)old == 0 ? epoch : old >> 32;
	while (!LANDMARK_CAS_(&open->overdue, &old, since << 32 | (uint32_t)((int64_t)(uint32_t)old + n)));
}

landmark_work landmark_begin(landmark *l)
{
	landmark_work work = {NULL, 0};
	struct landmark_open_ *open;
	uint64_t *bucket, old;
	uint32_t epoch;
	if (l == NULL || l->kind != landmark_deadline_kind_)
		return work;
	open = &l->of.open;
	epoch = landmark_epoch_(l, landmark_now_());
	bucket = &open->bucket[epoch % landmark_buckets_];
	old = LANDMARK_LOAD_(bucket);
	for (;;) {
		uint32_t begun = (uint32_t)(old >> 32), count = (uint32_t)old;
		if (begun == epoch) {
			if (LANDMARK_CAS_(bucket, &old, old + 1))
				break;
			continue;
		}
		// Count them as overdue first, so that no reader misses them.
		if (count > 0)
			landmark_retire_(open, begun, count);
		if (LANDMARK_CAS_(bucket, &old, (uint64_t)epoch << 32 | 1))
			break;
		if (count > 0)
			landmark_retire_(open, begun, -(int64_t)count);
	}
	__atomic_fetch_add(&open->count, 1, __ATOMIC_SEQ_CST);
	if (LANDMARK_PEEK_(&open->begun) == 0)
		LANDMARK_STORE_(&open->begun, 1);
	work.of = l;
	work.epoch = epoch;
	if (LANDMARK_LOAD_(&l->believed) == 0)
		landmark_changed_(l);
	else if (!landmark_quiet_(l))
		landmark_pass_(l);
	return work;
}

// landmark_work_age_ returns the age of work that began in the epoch, in ns. It is at
// most one epoch too small, and never too large. Epochs may have wrapped around.
static uint64_t landmark_work_age_(const landmark *l, uint32_t epoch, uint64_t now)
{
	uint64_t since = now <= l->declared_at ? 0 : now - l->declared_at;
	uint32_t epochs = landmark_epoch_(l, now) - epoch;
	if (epochs == 0 || epochs > INT32_MAX)
		return 0; // it began meanwhile
	return ((uint64_t)(epochs - 1) << l->of.open.shift) + (since & ((UINT64_C(1) << l->of.open.shift) - 1));
}

// landmark_carried_ reports whether what changes now need not be sent now: a critical
// Alive or Loop is passed regularly and will carry it in time, while a piece of work that
// has ended and began in the epoch would not seem too old.
static int landmark_carried_(const landmark *l, uint32_t epoch)
{
	uint64_t until = LANDMARK_LOAD_(&l->set->carried_until), now = landmark_coarse_();
	uint64_t age = landmark_work_age_(l, epoch, now) + (UINT64_C(1) << l->of.open.shift);
	return now < until && until - now + age < l->within;
}

void landmark_end(landmark_work *work)
{
	landmark *l;
	struct landmark_open_ *open;
	uint64_t *bucket, old, believed;
	int known; // landmarkd may know of this piece as the oldest
	if (work == NULL || work->of == NULL)
		return;
	l = work->of;
	work->of = NULL;
	open = &l->of.open;
	bucket = &open->bucket[work->epoch % landmark_buckets_];
	old = LANDMARK_LOAD_(bucket);
	for (;;) {
		if (old >> 32 != work->epoch) {
			if ((uint32_t)LANDMARK_LOAD_(&open->overdue) == 0)
				return;
			landmark_retire_(open, work->epoch, -1);
			known = 1;
			break;
		}
		if ((uint32_t)old == 0)
			return; // a copy of it was ended
		if (LANDMARK_CAS_(bucket, &old, old - 1)) {
			known = (uint32_t)old == 1;
			break;
		}
	}
	__atomic_fetch_sub(&open->count, 1, __ATOMIC_SEQ_CST);
	if (!known)
		return;
	believed = LANDMARK_LOAD_(&l->believed);
	if (old >> 32 == work->epoch && believed != (UINT64_C(1) << 32 | work->epoch))
		return;
	if (landmark_carried_(l, (uint32_t)believed))
		landmark_mark_(l);
	else
		landmark_changed_(l);
}

// landmark_oldest_ returns 1 << 32 | the epoch in which the oldest open piece of work
// began, or 0 if none is open.
static uint64_t landmark_oldest_(landmark *l, uint64_t now)
{
	struct landmark_open_ *open = &l->of.open;
	uint32_t current = landmark_epoch_(l, now), i;
	int32_t age = -1;
	uint64_t oldest = 0;
	for (i = 0; i <= landmark_buckets_; i++) {
		uint64_t b = LANDMARK_LOAD_(i < landmark_buckets_ ? &open->bucket[i] : &open->overdue);
		int32_t a = (int32_t)(current - (uint32_t)(b >> 32));
		if ((uint32_t)b == 0)
			continue;
		if (a < 0)
			a = 0; // it began meanwhile
		if (a > age) {
			age = a;
			oldest = UINT64_C(1) << 32 | b >> 32;
		}
	}
	return oldest;
}

// landmark_zone_ returns 0 for a good number, 1 for a degraded and 2 for a failing one.
static uint64_t landmark_zone_(const landmark *l, double n)
{
	double degrade = l->of.level.degrade_at, fail = l->of.level.fail_at;
	if (l->of.level.below) {
		n = -n;
		degrade = -degrade;
		fail = -fail;
	}
	return n >= fail ? 2 : n > degrade ? 1 : 0;
}

static double landmark_number_(landmark *l)
{
	uint64_t bits = LANDMARK_LOAD_(&l->of.level.number);
	double number;
	memcpy(&number, &bits, sizeof number);
	return number;
}

void landmark_level_set(landmark *l, double number)
{
	uint64_t bits, zone, believed, now;
	if (l == NULL || l->kind != landmark_level_kind_)
		return;
	if (!isfinite(number))
		number = l->of.level.below ? -DBL_MAX : DBL_MAX;
	memcpy(&bits, &number, sizeof bits);
	LANDMARK_STORE_(&l->of.level.number, bits);
	if (LANDMARK_PEEK_(&l->of.level.set) == 0)
		LANDMARK_STORE_(&l->of.level.set, 1);
	zone = landmark_zone_(l, number);
	believed = LANDMARK_LOAD_(&l->believed);
	if (zone == believed) {
		landmark_mark_(l); // the number counts within a zone, too
		if (!landmark_quiet_(l))
			landmark_pass_(l);
		return;
	}
	now = landmark_coarse_();
	if (believed == LANDMARK_NO_BELIEF_ || zone > believed || now >= LANDMARK_PEEK_(&l->sent) + 5 * LANDMARK_MS_)
		landmark_changed_(l);
	else
		landmark_mark_(l);
}

// landmark_reason_ copies the reason of a setting, or none if a thread is writing it.
static void landmark_reason_(struct landmark_setting_ *s, uint64_t number, uint64_t words[(landmark_max_reason_ + 1) / 8])
{
	uint64_t lock = LANDMARK_LOAD_(&s->lock), of = LANDMARK_LOAD_(&s->of);
	size_t i;
	for (i = 0; i < (landmark_max_reason_ + 1) / 8; i++)
		words[i] = LANDMARK_LOAD_(&s->reason[i]);
	if (lock % 2 == 1 || of != number || LANDMARK_LOAD_(&s->lock) != lock)
		words[0] = 0;
}

void landmark_condition_set(landmark *l, int met, const char *reason)
{
	uint64_t words[(landmark_max_reason_ + 1) / 8], last[(landmark_max_reason_ + 1) / 8];
	uint64_t state, number, lock;
	struct landmark_setting_ *s;
	size_t i;
	if (l == NULL || l->kind != landmark_condition_kind_)
		return;
	s = &l->of.setting;
	met = met != 0;
	landmark_clean_(words, reason);
	state = LANDMARK_LOAD_(&s->state);
	if (state >> 1 != 0 && (int)(state & 1) == met) {
		landmark_reason_(s, state >> 1, last);
		if (strcmp((const char *)words, (const char *)last) == 0) {
			if (!landmark_quiet_(l))
				landmark_pass_(l);
			return;
		}
	}
	do
		number = (state >> 1) + 1;
	while (!LANDMARK_CAS_(&s->state, &state, number << 1 | (uint64_t)met));
	lock = LANDMARK_LOAD_(&s->lock);
	if (lock % 2 == 0 && LANDMARK_CAS_(&s->lock, &lock, lock + 1)) {
		for (i = 0; i < (landmark_max_reason_ + 1) / 8; i++)
			LANDMARK_STORE_(&s->reason[i], words[i]);
		LANDMARK_STORE_(&s->of, number);
		LANDMARK_STORE_(&s->lock, lock + 2);
	}
	LANDMARK_STORE_(&l->passed, landmark_now_());
	if (state >> 1 == 0 || (int)(state & 1) != met) {
		landmark_changed_(l);
	} else {
		landmark_mark_(l); // only the reason
		if (!landmark_quiet_(l))
			landmark_pass_(l);
	}
}

void landmark_drain(landmark_set *set)
{
	if (set == NULL)
		return;
	LANDMARK_STORE_(&set->draining, 1);
	if (LANDMARK_LOAD_(&set->state) == landmark_started_)
		landmark_request_(set);
}

void landmark_resume(landmark_set *set)
{
	if (set == NULL)
		return;
	LANDMARK_STORE_(&set->draining, 0);
	if (LANDMARK_LOAD_(&set->state) == landmark_started_)
		landmark_request_(set);
}

// # Sending

static void landmark_close_fd_(int *fd)
{
	if (*fd > 0)
		close(*fd);
	*fd = 0;
}

// landmark_connect_ connects the link, and returns whether it could.
static int landmark_connect_(struct landmark_link_ *link)
{
	struct sockaddr_un address;
	size_t n = strlen(link->path);
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	memset(&address, 0, sizeof address);
	address.sun_family = AF_UNIX;
	memcpy(address.sun_path, link->path, n);
	if (link->path[0] == '@')
		address.sun_path[0] = 0; // an abstract address
	else
		length++;
	if (link->fd <= 0)
		link->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (link->fd >= 0 && link->fd <= 2) { // a program that has closed them may use them again
		int low = link->fd;
		link->fd = fcntl(low, F_DUPFD_CLOEXEC, 3);
		close(low);
	}
	if (link->fd < 0) {
		link->fd = 0;
		return 0;
	}
	if (connect(link->fd, (struct sockaddr *)&address, length) != 0) {
		if (errno == EBADF || errno == ENOTSOCK)
			link->fd = 0; // the program closed it
		return 0;
	}
	link->connected = 1;
	return 1;
}

static int landmark_send_(struct landmark_link_ *link, const char *message, size_t length)
{
	ssize_t n;
	do
		n = sendto(link->fd, message, length, MSG_DONTWAIT | MSG_NOSIGNAL, NULL, 0);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return landmark_ok_;
	if (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS || errno == ENOMEM)
		return landmark_full_;
	if (errno == EBADF || errno == ENOTSOCK)
		link->fd = 0; // the program closed it
	link->connected = 0;
	return landmark_gone_;
}

static void landmark_append_option_(landmark_text_ *t, const char *key, uint64_t ns)
{
	if (ns == 0)
		return;
	landmark_append_(t, key);
	landmark_append_uint_(t, ns / 1000);
	landmark_append_(t, "us,");
}

// landmark_allowed_ is the time that landmarkd is to allow. It learns of a pass or setting
// up to one interval late.
static uint64_t landmark_allowed_(const landmark *l)
{
	uint64_t most = UINT64_C(86400000) * LANDMARK_MS_, allowed = l->within + landmark_report_interval_(l->within);
	if (l->within == 0 || l->kind == landmark_deadline_kind_)
		return l->within;
	return allowed < most ? allowed : most;
}

static void landmark_append_declaration_(landmark_text_ *t, const landmark *l)
{
	static const char *const kinds[] = {"", "alive", "deadline", "alive", "level", "condition"};
	static const char *const impacts[] = {"", "critical", "readiness", "degrading", "informational"};
	landmark_append_(t, "X_LANDMARK_DECLARE=");
	landmark_append_(t, l->name);
	landmark_append_(t, ":");
	landmark_append_(t, kinds[l->kind]);
	landmark_append_(t, ":");
	landmark_append_option_(t, l->kind == landmark_condition_kind_ ? "ttl=" : "within=", landmark_allowed_(l));
	landmark_append_option_(t, "start_within=", l->start_within);
	if (l->kind == landmark_level_kind_) {
		landmark_append_(t, "degrade_at=");
		landmark_append_double_(t, l->of.level.degrade_at);
		landmark_append_(t, ",fail_at=");
		landmark_append_double_(t, l->of.level.fail_at);
		landmark_append_(t, l->of.level.below ? ",below=1," : ",");
	}
	landmark_append_(t, "impact=");
	landmark_append_(t, impacts[l->impact]);
	landmark_append_(t, "\n");
}

static void landmark_append_name_(landmark_text_ *t, const char *key, const landmark *l)
{
	landmark_append_(t, key);
	landmark_append_(t, l->name);
}

// landmark_append_open_ appends what is open. It reads again after it has set believed:
// either it sees what landmark_begin or landmark_end of another thread changes, or that
// thread sees the belief, which has become wrong, and sends again.
static void landmark_append_open_(landmark_text_ *t, landmark *l, uint64_t now)
{
	uint64_t oldest, count;
	do {
		oldest = landmark_oldest_(l, now);
		LANDMARK_STORE_(&l->believed, oldest);
	} while (landmark_oldest_(l, now) != oldest);
	count = LANDMARK_LOAD_(&l->of.open.count);
	landmark_append_name_(t, "X_LANDMARK_OPEN=", l);
	landmark_append_(t, ":");
	landmark_append_uint_(t, oldest == 0 ? 0 : count == 0 ? 1 : count);
	if (oldest != 0) {
		landmark_append_(t, ":");
		landmark_append_uint_(t, landmark_work_age_(l, (uint32_t)oldest, now) / 1000);
	}
	landmark_append_(t, "\n");
}

static void landmark_append_fact_(landmark_text_ *t, landmark *l, uint64_t now)
{
	uint64_t state, words[(landmark_max_reason_ + 1) / 8];
	double number;
	if (l->kind != landmark_alive_kind_ && l->kind != landmark_loop_kind_)
		LANDMARK_STORE_(&l->due, landmark_next_due_(l, now));
	switch (l->kind) {
	case landmark_alive_kind_:
	case landmark_loop_kind_:
		// An older pass must not look like a new one. It is old if it could not be sent
		// at first, or if the thread that sends had to wait for the processor.
		if (now > LANDMARK_LOAD_(&l->passed) + l->interval) {
			LANDMARK_STORE_(&l->due, 0);
			return;
		}
		landmark_append_name_(t, "X_LANDMARK_REACH=", l);
		landmark_append_(t, "\n");
		if (l->impact == LANDMARK_CRITICAL)
			LANDMARK_STORE_(&l->set->carried_until, now + 2 * l->interval);
		return;
	case landmark_deadline_kind_:
		if (LANDMARK_LOAD_(&l->of.open.begun))
			landmark_append_open_(t, l, now);
		return;
	case landmark_level_kind_:
		if (!LANDMARK_LOAD_(&l->of.level.set))
			return;
		do {
			number = landmark_number_(l);
			LANDMARK_STORE_(&l->believed, landmark_zone_(l, number));
		} while (landmark_zone_(l, landmark_number_(l)) != l->believed);
		LANDMARK_STORE_(&l->sent, now);
		landmark_append_name_(t, "X_LANDMARK_LEVEL=", l);
		landmark_append_(t, ":");
		landmark_append_double_(t, number);
		landmark_append_(t, "\n");
		return;
	default:
		state = LANDMARK_LOAD_(&l->of.setting.state);
		if (state == 0)
			return;
		landmark_reason_(&l->of.setting, state >> 1, words);
		landmark_append_name_(t, "X_LANDMARK_CONDITION=", l);
		landmark_append_(t, state & 1 ? ":1:" : ":0:");
		landmark_append_(t, (const char *)words);
		landmark_append_(t, "\n");
	}
}

static landmark_text_ landmark_new_message_(landmark_set *set)
{
	landmark_text_ t;
	t.at = set->message;
	t.length = set->prefix;
	t.size = sizeof set->message;
	t.full = 0;
	return t;
}

// landmark_send_state_ sends the declarations that landmarkd does not know, and then what
// has changed: as few datagrams as it fits in. If one fails, the rest stays dirty.
static int landmark_send_state_(landmark_set *set, uint64_t now)
{
	landmark_text_ t = landmark_new_message_(set);
	uint32_t count = LANDMARK_LOAD_(&set->count), declared = set->declared, next = 0;
	uint32_t drain = LANDMARK_LOAD_(&set->draining), drained = set->drain_sent;
	uint64_t taken = LANDMARK_SWAP_(&set->dirty, 0);
	int result = landmark_ok_;
	while (result == landmark_ok_) {
		size_t before = t.length;
		if (declared < count) {
			landmark_append_declaration_(&t, &set->landmarks[declared]);
		} else if (drained != drain) {
			landmark_append_(&t, drain ? "X_LANDMARK_DRAIN=1\n" : "X_LANDMARK_DRAIN=0\n");
		} else {
			while (next < count && (taken >> next & 1) == 0)
				next++;
			if (next == count)
				break;
			landmark_append_fact_(&t, &set->landmarks[next], now);
		}
		if (t.full) {
			result = landmark_send_(&set->sidecar, set->message, before);
			t = landmark_new_message_(set);
			set->declared = result == landmark_ok_ ? declared : set->declared;
			continue;
		}
		if (declared < count)
			declared++;
		else if (drained != drain)
			drained = drain;
		else
			next++;
	}
	if (result == landmark_ok_ && t.length > set->prefix)
		result = landmark_send_(&set->sidecar, set->message, t.length);
	if (result == landmark_ok_) {
		set->declared = declared;
		set->drain_sent = drained;
		return result;
	}
	__atomic_fetch_or(&set->dirty, taken, __ATOMIC_SEQ_CST);
	return result;
}

// landmark_greet_ makes the next datagrams send the whole state, to a landmarkd that
// knows nothing. The next pass of each Alive and Loop is due.
static void landmark_greet_(landmark_set *set)
{
	uint32_t i, count = LANDMARK_LOAD_(&set->count);
	set->declared = 0;
	set->drain_sent = 0;
	for (i = 0; i < count; i++) {
		landmark *l = &set->landmarks[i];
		if (l->kind != landmark_alive_kind_ && l->kind != landmark_loop_kind_)
			landmark_mark_(l);
		else if ((LANDMARK_LOAD_(&set->dirty) >> i & 1) == 0)
			LANDMARK_STORE_(&l->due, 0);
	}
}

// landmark_report_ sends to landmarkd what is due.
static int landmark_report_(landmark_set *set, uint64_t now)
{
	int attempt, result = landmark_gone_;
	for (attempt = 0; attempt < 2; attempt++) {
		if (!set->sidecar.connected) {
			if (!landmark_connect_(&set->sidecar))
				return landmark_gone_;
			landmark_greet_(set);
		}
		result = landmark_send_state_(set, now);
		if (result != landmark_gone_)
			return result;
	}
	return result;
}

// landmark_postpone_ sends nothing for the delay. What could not be sent stays dirty.
static void landmark_postpone_(landmark_set *set, uint64_t now, uint64_t delay)
{
	uint32_t i, count = LANDMARK_LOAD_(&set->count);
	LANDMARK_STORE_(&set->retry_at, now + delay);
	for (i = 0; i < count; i++) {
		landmark *l = &set->landmarks[i];
		LANDMARK_STORE_(&l->due, now + (delay < l->interval ? delay : l->interval));
		if ((l->kind == landmark_alive_kind_ || l->kind == landmark_loop_kind_) && LANDMARK_LOAD_(&l->passed) == 0)
			LANDMARK_STORE_(&l->due, 0); // the service manager waits for the first pass
	}
}

// # The service manager

static int landmark_is_reached_(landmark *l)
{
	switch (l->kind) {
	case landmark_deadline_kind_:
		return l->start_within == 0 || LANDMARK_LOAD_(&l->of.open.begun) != 0;
	case landmark_level_kind_:
		return LANDMARK_LOAD_(&l->of.level.set) != 0;
	case landmark_condition_kind_:
		return LANDMARK_LOAD_(&l->of.setting.state) != 0;
	default:
		return LANDMARK_LOAD_(&l->passed) != 0;
	}
}

// landmark_is_failing_ reports whether the landmark fails at now.
static int landmark_is_failing_(landmark *l, uint64_t now)
{
	uint64_t state, oldest, passed = LANDMARK_LOAD_(&l->passed);
	if (!landmark_is_reached_(l))
		return l->start_within > 0 && now > l->declared_at + l->start_within;
	switch (l->kind) {
	case landmark_deadline_kind_:
		oldest = landmark_oldest_(l, now);
		return oldest != 0 && landmark_work_age_(l, (uint32_t)oldest, now) > l->within;
	case landmark_level_kind_:
		return landmark_zone_(l, landmark_number_(l)) == 2;
	case landmark_condition_kind_:
		state = LANDMARK_LOAD_(&l->of.setting.state);
		return (state & 1) == 0 || (l->within > 0 && now > passed + landmark_allowed_(l));
	default:
		return now > passed + landmark_allowed_(l);
	}
}

static int landmark_notify_(landmark_set *set, const char *message, uint64_t now)
{
	struct landmark_link_ *link = &set->manager;
	int attempt;
	if (now < link->retry_at)
		return 0;
	for (attempt = 0; attempt < 2; attempt++) {
		int result;
		if (!link->connected && !landmark_connect_(link))
			break;
		result = landmark_send_(link, message, strlen(message));
		if (result == landmark_ok_)
			return 1;
		if (result == landmark_full_)
			return 0;
	}
	link->retry_at = now + LANDMARK_RETRY_GONE_;
	return 0;
}

static void landmark_append_duration_(landmark_text_ *t, uint64_t ns)
{
	uint64_t ms = ns / LANDMARK_MS_;
	if (ms < 1000) {
		landmark_append_uint_(t, ms);
		landmark_append_(t, " ms");
		return;
	}
	landmark_append_uint_(t, ms / 1000);
	if (ms / 100 % 10 != 0) {
		landmark_append_(t, ".");
		landmark_append_uint_(t, ms / 100 % 10);
	}
	landmark_append_(t, " s");
}

static void landmark_append_ago_(landmark_text_ *t, const char *what, uint64_t age, const char *and_then, uint64_t allowed)
{
	landmark_append_(t, what);
	landmark_append_duration_(t, age);
	landmark_append_(t, " ago");
	landmark_append_(t, and_then);
	if (allowed > 0)
		landmark_append_duration_(t, allowed);
}

// landmark_append_reason_ explains why the landmark fails, as landmarkd does.
static void landmark_append_reason_(landmark_text_ *t, landmark *l, uint64_t now)
{
	uint64_t state, passed = LANDMARK_LOAD_(&l->passed), words[(landmark_max_reason_ + 1) / 8];
	uint64_t age = now > passed ? now - passed : 0;
	landmark_append_(t, l->name);
	if (!landmark_is_reached_(l)) {
		landmark_append_ago_(t, " was never reached, declared ", now - l->declared_at, ", allowed ", l->start_within);
		return;
	}
	switch (l->kind) {
	case landmark_deadline_kind_:
		landmark_append_ago_(t, " began ", landmark_work_age_(l, (uint32_t)landmark_oldest_(l, now), now), " and has not ended, allowed ", l->within);
		return;
	case landmark_level_kind_:
		landmark_append_(t, " is ");
		landmark_append_double_(t, landmark_number_(l));
		landmark_append_(t, ", fails at ");
		landmark_append_double_(t, l->of.level.fail_at);
		return;
	case landmark_condition_kind_:
		state = LANDMARK_LOAD_(&l->of.setting.state);
		if (state & 1) {
			landmark_append_ago_(t, " was last set ", age, ", valid for ", landmark_allowed_(l));
			return;
		}
		landmark_reason_(&l->of.setting, state >> 1, words);
		landmark_append_(t, " does not hold");
		landmark_append_(t, words[0] != 0 ? ": " : "");
		landmark_append_(t, (const char *)words);
		return;
	default:
		landmark_append_ago_(t, l->kind == landmark_loop_kind_ ? " last answered " : " last passed ", age, ", allowed ", landmark_allowed_(l));
	}
}

// The problems that the service manager learns of. The first two have the index of a
// landmark in their low bits.
enum {
	landmark_fails_ = 0x100,   // a critical landmark fails
	landmark_awaits_ = 0x200,  // one that counts for readiness was not reached
	landmark_no_start_ = 0x300, // none counts for readiness
	landmark_no_proof_ = 0x400  // none proves that the program is alive
};

// landmark_problem_ returns the first problem, 0 if there is none. starting is set if the
// program has not started.
static uint32_t landmark_problem_(landmark_set *set, uint64_t now, int *starting)
{
	uint32_t i, count = LANDMARK_LOAD_(&set->count), failing = 0, unreached = landmark_no_start_;
	int proof = 0;
	for (i = 0; i < count; i++) {
		landmark *l = &set->landmarks[i];
		if (l->impact != LANDMARK_CRITICAL && l->impact != LANDMARK_READINESS)
			continue;
		if (unreached == landmark_no_start_)
			unreached = 0;
		if (unreached == 0 && !landmark_is_reached_(l))
			unreached = landmark_awaits_ | i;
		if (l->impact != LANDMARK_CRITICAL)
			continue;
		// The other kinds are also healthy while the program does nothing at all.
		proof = proof || l->kind == landmark_alive_kind_ || l->kind == landmark_loop_kind_;
		if (failing == 0 && landmark_is_failing_(l, now))
			failing = landmark_fails_ | i;
	}
	*starting = unreached != 0 && !set->ready_sent; // a later declaration does not undo it
	if (failing != 0)
		return failing;
	if (*starting)
		return unreached;
	return set->watchdog > 0 && !proof ? (uint32_t)landmark_no_proof_ : 0;
}

static void landmark_append_problem_(landmark_text_ *t, landmark_set *set, uint32_t problem, uint64_t now)
{
	landmark *l = &set->landmarks[problem & 0xff];
	switch (problem & ~0xffu) {
	case landmark_fails_:
		landmark_append_reason_(t, l, now);
		return;
	case landmark_awaits_:
		landmark_append_(t, l->name);
		landmark_append_ago_(t, " has not been reached yet, declared ", now - l->declared_at, "", 0);
		return;
	case landmark_no_start_:
		landmark_append_(t, "the program has declared no landmark that counts for readiness");
		return;
	case landmark_no_proof_:
		landmark_append_(t, "nothing proves that the program is alive; declare an Alive or a Loop that is critical, or remove WatchdogSec=");
	}
}

// landmark_manage_ sends the service manager READY=1 once the program has started,
// WATCHDOG=1 while it has no problem, and its problem otherwise. While it lasts, it is
// sent again with each WATCHDOG=1 that is not sent, because its reason has an age.
static void landmark_manage_(landmark_set *set, uint64_t now)
{
	char lines[landmark_max_name_ + landmark_max_reason_ + 256];
	landmark_text_ t = {lines, 0, sizeof lines - 1, 0};
	int starting, ready, alive, status;
	uint32_t problem = landmark_problem_(set, now, &starting);
	uint64_t gap = 1000 * LANDMARK_MS_;
	ready = !starting && !set->ready_sent;
	alive = set->watchdog > 0 && problem == 0 && now - set->fed_at >= set->watchdog / 4;
	if (problem == set->status && gap < set->watchdog / 2)
		gap = set->watchdog / 2;
	status = now - set->status_at >= gap && (problem != set->status || (problem != 0 && set->watchdog > 0));
	status = status || (ready && problem != set->status);
	if (!ready && !alive && !status)
		return;
	landmark_append_(&t, ready ? "READY=1\n" : "");
	landmark_append_(&t, alive ? "WATCHDOG=1\n" : "");
	if (status) {
		landmark_append_(&t, "STATUS=");
		landmark_append_problem_(&t, set, problem, now);
		landmark_append_(&t, "\n");
	}
	lines[t.length] = 0;
	if (!landmark_notify_(set, lines, now))
		return; // the next call tries again
	set->ready_sent = set->ready_sent || ready;
	if (alive)
		set->fed_at = now;
	if (status) {
		set->status = problem;
		set->status_at = now;
	}
}

// # The timer
//
// landmark_reach must know that nothing is due without reading a clock, which costs more
// than all else. So the set has a timer, which expires when the next pass or setting is
// due, and a request of asynchronous I/O that waits for it. When it expires, the kernel
// adds a completion to the ring that it shares with the process, and with that changes
// the ring's tail. No thread or signal is involved, and nothing is sent: only the
// program's next call does that.

struct landmark_ring_ { // struct aio_ring of fs/aio.c; part of the kernel's interface
	uint32_t id, nr, head, tail, magic, compat_features, incompat_features, header_length;
};

struct landmark_iocb_ { // struct iocb of linux/aio_abi.h
	uint64_t data;
	uint32_t key_and_flags[2];
	uint16_t opcode;
	int16_t priority;
	uint32_t fd;
	uint64_t buffer, bytes;
	int64_t offset;
	uint64_t reserved;
	uint32_t flags, result_fd;
};

// landmark_open_ring_ prepares the timer, unless the kernel cannot.
static void landmark_open_ring_(landmark_set *set)
{
	const struct landmark_ring_ *ring;
	set->tick = NULL;
	set->armed = 0;
	set->polling = 0;
	if (set->context == 0 && syscall(SYS_io_setup, 1L, &set->context) != 0) {
		set->context = 0;
		return;
	}
	ring = (const struct landmark_ring_ *)set->context;
	if (ring->magic != 0xa10a10a1 || ring->incompat_features != 0)
		return;
	set->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (set->timer < 0) {
		set->timer = 0;
		return;
	}
	set->tick = &ring->tail;
	set->ticked = LANDMARK_LOAD_(set->tick);
}

// landmark_poll_timer_ makes the kernel count the timer's next expiry in tick.
static int landmark_poll_timer_(landmark_set *set)
{
	struct landmark_iocb_ request, *requests[1];
	memset(&request, 0, sizeof request);
	request.opcode = 5; // IOCB_CMD_POLL
	request.fd = (uint32_t)set->timer;
	request.buffer = POLLIN;
	requests[0] = &request;
	return syscall(SYS_io_submit, set->context, 1L, requests) == 1;
}

// landmark_arm_ sets the timer to the next time at which anything is due, and lets the
// landmarks that are not due be quiet until then.
static void landmark_arm_(landmark_set *set)
{
	uint32_t i, count = LANDMARK_LOAD_(&set->count);
	uint64_t next = UINT64_MAX, now = landmark_now_();
	struct itimerspec when;
	if (set->tick != NULL && LANDMARK_LOAD_(set->tick) != set->ticked) {
		uint64_t events[8][4]; // struct io_event
		struct timespec at_once = {0, 0};
		while (syscall(SYS_io_getevents, set->context, 0L, 8L, events, &at_once) == 8) {
		}
		set->ticked = LANDMARK_LOAD_(set->tick);
		set->armed = 0;
		set->polling = 0;
	}
	for (i = 0; i < count; i++) {
		uint64_t due = LANDMARK_LOAD_(&set->landmarks[i].due);
		if (due > now && due < next)
			next = due;
	}
	if (set->tick != NULL && next != UINT64_MAX && (set->armed == 0 || next < set->armed)) {
		memset(&when, 0, sizeof when);
		when.it_value.tv_sec = (time_t)(next / UINT64_C(1000000000));
		when.it_value.tv_nsec = (long)(next % UINT64_C(1000000000));
		if (timerfd_settime(set->timer, TFD_TIMER_ABSTIME, &when, NULL) != 0 ||
			(!set->polling && !landmark_poll_timer_(set)))
			set->tick = NULL; // the program has closed the descriptor; read the clock instead
		set->polling = 1;
		set->armed = next;
	}
	for (i = 0; i < count; i++) {
		landmark *l = &set->landmarks[i];
		uint64_t due = LANDMARK_LOAD_(&l->due);
		LANDMARK_STORE_(&l->seen, set->tick != NULL && due > now ? set->ticked : LANDMARK_STALE_);
		__atomic_store_n(&l->tick, set->tick != NULL ? set->tick : &l->never, __ATOMIC_SEQ_CST);
	}
}

// # When to send

// landmark_silence_ makes all landmarks quiet, until landmark_arm_.
static void landmark_silence_(landmark_set *set)
{
	uint32_t i, count = LANDMARK_LOAD_(&set->count);
	LANDMARK_STORE_(&set->state, (uint32_t)landmark_idle_);
	for (i = 0; i < count; i++) {
		landmark *l = &set->landmarks[i];
		LANDMARK_STORE_(&l->seen, 0);
		__atomic_store_n(&l->tick, &l->never, __ATOMIC_SEQ_CST);
	}
}

// landmark_flush_ sends what is due to landmarkd and the service manager. Only the thread
// that has set busy calls it.
static void landmark_flush_(landmark_set *set)
{
	uint64_t now = landmark_now_();
	int saved = errno;
	if (LANDMARK_LOAD_(&set->state) != landmark_started_)
		return;
	if (getpid() != set->pid) {
		landmark_silence_(set);
		return;
	}
	if (now >= set->retry_at) {
		int result = landmark_report_(set, now);
		if (result == landmark_ok_)
			LANDMARK_STORE_(&set->retry_at, 0);
		else
			landmark_postpone_(set, now, result == landmark_full_ ? LANDMARK_RETRY_FULL_ : LANDMARK_RETRY_GONE_);
	}
	if (set->manager.path[0] != 0)
		landmark_manage_(set, now);
	landmark_arm_(set);
	errno = saved;
}

// landmark_request_ sends what is due. If another thread is sending, that thread does it.
static void landmark_request_(landmark_set *set)
{
	LANDMARK_STORE_(&set->wanted, 1);
	while (LANDMARK_LOAD_(&set->wanted) && LANDMARK_SWAP_(&set->busy, 1) == 0) {
		LANDMARK_STORE_(&set->wanted, 0);
		landmark_flush_(set);
		LANDMARK_STORE_(&set->busy, 0);
	}
}

// # Start and close

static int landmark_alphanumeric_(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static const char *landmark_check_service_(const char *name)
{
	static const char *const aspects[] = {"readiness", "liveness", "startup"};
	const char *last;
	size_t i, n;
	if (name == NULL || *name == 0)
		return "is empty: give the service a name";
	n = strlen(name);
	if (n > landmark_max_service_)
		return "is longer than 90 bytes: shorten it";
	if (!landmark_alphanumeric_(name[0]))
		return "must begin with a letter or a digit";
	for (i = 0; i < n; i++)
		if (!landmark_alphanumeric_(name[i]) && strchr("._-", name[i]) == NULL)
			return "has another character: use letters, digits, '.', '_' and '-' only";
	last = strrchr(name, '-') != NULL ? strrchr(name, '-') + 1 : name;
	for (i = 0; i < 3; i++)
		if (strcmp(last, aspects[i]) == 0)
			return "ends in the name of an aspect: choose another name";
	return NULL;
}

static const char *landmark_check_instance_(const char *name)
{
	size_t i, n = strlen(name);
	if (n > landmark_max_name_)
		return "is longer than 128 bytes: shorten it";
	for (i = 0; i < n; i++)
		if (name[i] < ' ' || name[i] > '~')
			return "has another character: use printable ASCII";
	return NULL;
}

static int landmark_set_path_(struct landmark_link_ *link, const char *path)
{
	if (strlen(path) > landmark_max_path_)
		return 0;
	memcpy(link->path, path, strlen(path) + 1);
	return 1;
}

static int landmark_set_socket_(landmark_set *set, const char *path)
{
	const char *variable = getenv("LANDMARK_NOTIFY_SOCKET"), *runtime = getenv("XDG_RUNTIME_DIR");
	char beside[landmark_max_path_ + 2];
	if (path == NULL || *path == 0)
		path = variable;
	if (path != NULL && *path != 0)
		return landmark_set_path_(&set->sidecar, path);
	if (geteuid() == 0 || runtime == NULL || *runtime == 0)
		return landmark_set_path_(&set->sidecar, "/run/landmark/notify.sock");
	snprintf(beside, sizeof beside, "%s/landmark/notify.sock", runtime);
	return landmark_set_path_(&set->sidecar, beside);
}

// landmark_set_manager_ reads what systemd says to a program: sd_notify(3) and
// sd_watchdog_enabled(3).
static int landmark_set_manager_(landmark_set *set)
{
	const char *path = getenv("NOTIFY_SOCKET"), *usec = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	if (path == NULL || (path[0] != '/' && path[0] != '@'))
		return 1; // there is none
	if (usec != NULL && (pid == NULL || *pid == 0 || strtol(pid, NULL, 10) == getpid()))
		set->watchdog = (uint64_t)strtoull(usec, NULL, 10) * 1000;
	return landmark_set_path_(&set->manager, path);
}

static int landmark_open_timer_(landmark *l)
{
	struct itimerspec when;
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (fd < 0)
		return errno;
	memset(&when, 0, sizeof when);
	when.it_interval.tv_sec = (time_t)(l->interval / UINT64_C(1000000000));
	when.it_interval.tv_nsec = (long)(l->interval % UINT64_C(1000000000));
	when.it_value.tv_nsec = 1; // at once
	timerfd_settime(fd, 0, &when, NULL);
	LANDMARK_STORE_(&l->timer, fd);
	return 0;
}

static void landmark_close_all_(landmark_set *set)
{
	uint32_t i;
	landmark_close_fd_(&set->sidecar.fd);
	landmark_close_fd_(&set->manager.fd);
	set->sidecar.connected = set->manager.connected = 0;
	landmark_close_fd_(&set->timer);
	set->tick = NULL; // the ring stays: another thread may just read it
	for (i = 0; i < set->count; i++) {
		int fd = LANDMARK_SWAP_(&set->landmarks[i].timer, -1);
		if (fd >= 0)
			close(fd);
	}
}

// landmark_forget_ makes the set of a parent that of its child.
static void landmark_forget_(landmark_set *set)
{
	uint32_t i;
	landmark_silence_(set);
	landmark_close_all_(set);
	set->context = 0; // it is the parent's
	set->busy = set->wanted = set->declaring = set->draining = 0;
	for (i = 0; i < set->count; i++) {
		landmark *l = &set->landmarks[i];
		l->passed = 0;
		l->declared_at = landmark_now_();
		if (l->kind == landmark_deadline_kind_) {
			memset(l->of.open.bucket, 0, sizeof l->of.open.bucket);
			l->of.open.overdue = l->of.open.count = l->believed = 0;
			l->of.open.begun = 0;
		} else if (l->kind == landmark_level_kind_) {
			l->of.level.set = 0;
			l->believed = LANDMARK_NO_BELIEF_;
		} else if (l->kind == landmark_condition_kind_) {
			memset(&l->of.setting, 0, sizeof l->of.setting);
		}
	}
	set->dirty = 0;
}

static int landmark_configure_(landmark_set *set, const landmark_config *config)
{
	const char *instance = config->instance != NULL ? config->instance : "";
	const char *wrong = landmark_check_service_(config->service);
	landmark_text_ t = landmark_new_message_(set);
	t.length = 0;
	if (wrong != NULL) {
		landmark_fail_(set, "service", config->service != NULL ? config->service : "", wrong);
		return EINVAL;
	}
	if ((wrong = landmark_check_instance_(instance)) != NULL) {
		landmark_fail_(set, "instance", "", wrong);
		return EINVAL;
	}
	if (!landmark_set_socket_(set, config->socket)) {
		landmark_fail_(set, "socket", "", "its path is longer than 107 bytes, the maximum for a Unix socket; use a shorter one");
		return EINVAL;
	}
	set->watchdog = 0;
	set->manager.path[0] = 0;
	if (config->service_manager && !landmark_set_manager_(set)) {
		landmark_fail_(set, "service_manager", "", "the path in $NOTIFY_SOCKET is longer than 107 bytes, the maximum for a Unix socket");
		return EINVAL;
	}
	landmark_append_(&t, "X_LANDMARK_SERVICE=");
	landmark_append_(&t, config->service);
	if (*instance != 0) {
		landmark_append_(&t, "\nX_LANDMARK_INSTANCE=");
		landmark_append_(&t, instance);
	}
	landmark_append_(&t, "\n");
	set->prefix = t.length;
	return 0;
}

// landmark_begin_ starts the set, which is configured.
static int landmark_begin_(landmark_set *set)
{
	struct timespec resolution = {0, 0};
	uint32_t i;
	clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
	landmark_open_ring_(set);
	set->behind = set->tick != NULL ? 0 : (uint64_t)resolution.tv_nsec;
	set->retry_at = set->sidecar.retry_at = set->manager.retry_at = 0;
	set->carried_until = set->fed_at = set->status_at = 0;
	set->ready_sent = set->status = 0;
	for (i = 0; i < set->count; i++) {
		landmark *l = &set->landmarks[i];
		l->due = 0;
		if (l->kind == landmark_alive_kind_ || l->kind == landmark_loop_kind_)
			l->passed = 0;
		l->interval = landmark_report_interval_(l->within);
		if (set->watchdog > 0 && l->interval > set->watchdog / 4)
			l->interval = set->watchdog / 4;
		if (l->kind == landmark_loop_kind_) {
			int error = landmark_open_timer_(l);
			if (error != 0) {
				landmark_fail_(set, "landmark", l->name, "the kernel refused a timerfd; raise the limit of open files");
				landmark_close_all_(set);
				return error;
			}
		}
	}
	LANDMARK_STORE_(&set->state, (uint32_t)landmark_started_);
	return 0;
}

int landmark_start(landmark_set *set, const landmark_config *config)
{
	struct timespec pause = {0, 100000};
	int error;
	if (set == NULL || config == NULL)
		return EINVAL;
	if (set->pid != 0 && set->pid != getpid())
		landmark_forget_(set);
	else if (LANDMARK_LOAD_(&set->state) == landmark_started_)
		return EALREADY;
	while (LANDMARK_SWAP_(&set->declaring, 1) != 0)
		nanosleep(&pause, NULL);
	set->pid = getpid();
	if (set->start_failed)
		set->error[0] = 0;
	error = set->error[0] != 0 ? EINVAL : 0;
	set->start_failed = 0;
	if (error == 0) {
		error = landmark_configure_(set, config);
		error = error != 0 ? error : landmark_begin_(set);
		set->start_failed = error != 0;
	}
	LANDMARK_STORE_(&set->declaring, 0);
	if (error == 0)
		landmark_request_(set);
	return error;
}

const char *landmark_error(const landmark_set *set) { return set != NULL && set->error[0] != 0 ? set->error : NULL; }

// landmark_goodbye_ says goodbye. It waits while landmarkd does not read, for a second.
static void landmark_goodbye_(landmark_set *set)
{
	uint64_t now = landmark_now_(), until = now + 1000 * LANDMARK_MS_;
	if (set->manager.path[0] != 0)
		landmark_notify_(set, "STOPPING=1\nSTATUS=\n", now);
	for (; now < until; now = landmark_now_()) {
		landmark_text_ t;
		struct pollfd writable;
		int result = landmark_report_(set, now);
		if (result == landmark_ok_) {
			t = landmark_new_message_(set);
			landmark_append_(&t, "STOPPING=1\n");
			result = landmark_send_(&set->sidecar, set->message, t.length);
		}
		if (result == landmark_ok_ || (result == landmark_gone_ && !landmark_connect_(&set->sidecar)))
			return;
		if (result == landmark_gone_) {
			landmark_greet_(set);
			continue;
		}
		writable.fd = set->sidecar.fd;
		writable.events = POLLOUT;
		poll(&writable, 1, 10);
	}
}

void landmark_close(landmark_set *set)
{
	struct timespec pause = {0, 1000000};
	int tries, saved = errno;
	if (set == NULL || set->pid == 0)
		return;
	if (set->pid != getpid()) {
		landmark_silence_(set);
		landmark_close_all_(set);
		return;
	}
	for (tries = 0; LANDMARK_SWAP_(&set->busy, 1) != 0; tries++) {
		if (tries == 1000)
			return; // a signal handler has interrupted the thread that sends
		nanosleep(&pause, NULL);
	}
	if (LANDMARK_LOAD_(&set->state) == landmark_started_) {
		landmark_goodbye_(set);
		landmark_silence_(set);
	}
	landmark_close_all_(set);
	LANDMARK_STORE_(&set->busy, 0);
	errno = saved;
}

#endif // LANDMARK_IMPLEMENTATION

#ifdef __cplusplus
}
#endif

#endif // LANDMARK_H

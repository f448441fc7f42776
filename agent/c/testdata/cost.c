// cost has two uses. With the argument "calls" it brackets calls of landmark_reach with
// the system call getppid, so that a tracer can count the calls between:
//
//	getppid, passes while nothing is due, getppid, one pass when it is due, getppid
//
// With a number it prints what an atomic addition, landmark_reach, and landmark_begin with
// landmark_end cost, in ns, each the least of several rounds with this many calls.
#include "../landmark.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static landmark_set marks;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void marker(void) { syscall(SYS_getppid); }

// calls returns 0 if the host let it run without a pause, so that nothing was due.
static int calls(landmark *l)
{
	struct timespec interval = {0, 500000000};
	uint64_t start = now();
	int i;
	landmark_reach(l); // sent: the first, or due
	marker();
	for (i = 0; i < 100000; i++)
		landmark_reach(l);
	marker();
	if (now() - start > 400000000) // an eighth less than the interval
		return 1;
	nanosleep(&interval, NULL);
	marker();
	landmark_reach(l);
	marker();
	return 0;
}

static uint64_t counter;

// An addition in a function of its own, as landmark_reach is.
__attribute__((noinline)) static void add(uint64_t *n) { __atomic_fetch_add(n, 1, __ATOMIC_SEQ_CST); }

static void compare(landmark *l, landmark *d, long n)
{
	double least[3] = {0, 0, 0};
	int round, part;
	long i;
	for (round = 0; round < 20; round++) {
		uint64_t at[4];
		at[0] = now();
		for (i = 0; i < n; i++)
			add(&counter);
		at[1] = now();
		for (i = 0; i < n; i++)
			landmark_reach(l);
		at[2] = now();
		landmark_reach(l); // it carries the Deadline
		for (i = 0; i < n; i++) {
			landmark_work work = landmark_begin(d);
			landmark_end(&work);
		}
		at[3] = now();
		for (part = 0; part < 3; part++)
			if (round == 0 || (double)(at[part + 1] - at[part]) < least[part])
				least[part] = (double)(at[part + 1] - at[part]);
	}
	for (part = 0; part < 3; part++)
		printf("%.3f ", least[part] / (double)n);
}

int main(int argc, char **argv)
{
	landmark *l = landmark_alive(&marks, "loop", 86400000, NULL), *d = landmark_deadline(&marks, "work", 86400000, NULL);
	landmark_config config = {0};
	config.service = "epg";
	if (argc != 2 || landmark_start(&marks, &config) != 0)
		return 1;
	landmark_reach(l);
	if (marks.tick == NULL)
		return 77; // the kernel has no asynchronous I/O
	if (strcmp(argv[1], "calls") != 0) {
		compare(l, d, atol(argv[1]));
		return 0;
	}
	while (calls(l) != 0) {
	}
	return 0;
}

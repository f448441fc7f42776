// threads calls everything from several threads at once, also in a signal handler and in
// children of fork, while landmarkd comes and goes. Once it can read a byte, landmarkd
// stays. Then nothing is open, and the passes of the main thread carry that until standard
// input ends.
#include "../landmark.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { threads = 4 };

static landmark_set marks;
static landmark *loop, *shared, *work, *queue, *ready, *later;
static int rounds;

static void on_signal(int number)
{
	landmark_work w = landmark_begin(work);
	(void)number;
	landmark_reach(shared);
	landmark_level_set(queue, 3);
	landmark_condition_set(ready, 1, "a signal");
	landmark_end(&w);
}

static void *run(void *argument)
{
	int thread = *(int *)argument, i;
	char name[32];
	landmark *own;
	snprintf(name, sizeof name, "thread %d", thread);
	own = landmark_alive(&marks, name, 100, NULL);
	if (own == NULL)
		abort();
	for (i = 0; i < rounds; i++) {
		landmark_work w = landmark_begin(work), inner = landmark_begin(work);
		landmark_reach(own);
		landmark_reach(shared);
		landmark_level_set(queue, (i + thread) % 30);
		landmark_condition_set(ready, (i + thread) % 7 != 0, i % 2 ? "odd" : "even");
		if (i % 100 == thread)
			landmark_drain(&marks);
		if (i % 100 == 50 + thread)
			landmark_resume(&marks);
		landmark_end(&w);
		landmark_reach(later);
		landmark_end(&inner);
		if (i % 512 == 0)
			usleep(1000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t ids[threads];
	int numbers[threads], i;
	landmark_config config;
	struct itimerval every;
	struct sigaction action;
	struct pollfd input;
	char byte;
	memset(&config, 0, sizeof config);
	memset(&every, 0, sizeof every);
	memset(&action, 0, sizeof action);
	memset(&input, 0, sizeof input);
	input.events = POLLIN;
	if (argc != 2)
		return 2;
	rounds = atoi(argv[1]);
	loop = landmark_loop(&marks, "main loop", 100, NULL);
	shared = landmark_alive(&marks, "shared", 100, NULL);
	work = landmark_deadline(&marks, "work", 100, NULL);
	queue = landmark_level_above(&marks, "queue", 10, 20, NULL);
	ready = landmark_condition(&marks, "ready", NULL);
	config.service = "epg";
	if (landmark_start(&marks, &config) != 0) {
		fprintf(stderr, "%s\n", landmark_error(&marks));
		return 1;
	}
	action.sa_handler = on_signal;
	action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	every.it_interval.tv_usec = every.it_value.tv_usec = 2000;
	setitimer(ITIMER_REAL, &every, NULL);
	for (i = 0; i < threads; i++) {
		numbers[i] = i;
		if (pthread_create(&ids[i], NULL, run, &numbers[i]) != 0)
			return 1;
	}
	for (i = 0; i < 20; i++) {
		pid_t child;
		landmark_answer(loop);
		usleep(5000);
		if (i % 4 != 0)
			continue;
		child = fork();
		if (child == 0) {
			landmark_reach(shared);
			landmark_answer(loop);
			_exit(0);
		}
		waitpid(child, NULL, 0);
	}
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	memset(&every, 0, sizeof every);
	setitimer(ITIMER_REAL, &every, NULL);
	if (read(0, &byte, 1) != 1)
		return 1;
	landmark_resume(&marks);
	landmark_level_set(queue, 15);
	landmark_condition_set(ready, 1, "the last");
	while (poll(&input, 1, 10) == 0)
		landmark_answer(loop);
	landmark_close(&marks);
	landmark_reach(loop);
	landmark_begin(work);
	return 0;
}

// belief lets threads begin and end work at once, again and again, and checks each time
// that landmarkd was sent what is open in the end.
#define LANDMARK_IMPLEMENTATION
#include "../landmark.h"

#include <pthread.h>
#include <sched.h>

enum { threads = 2, bursts = 20000 };

static landmark_set marks;
static landmark *work, *queue;
static uint32_t burst, ended;

static void *run(void *argument)
{
	uint32_t number;
	(void)argument;
	for (number = 1; number <= bursts; number++) {
		int i, n = (int)(number % 3) + 1, spins = 0;
		while (LANDMARK_LOAD_(&burst) != number)
			if (++spins % 1000 == 0)
				sched_yield();
		for (i = 0; i < n; i++) {
			landmark_work w = landmark_begin(work);
			landmark_level_set(queue, (double)(number % 3 * 10));
			landmark_end(&w);
		}
		__atomic_fetch_add(&ended, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

int main(void)
{
	pthread_t ids[threads];
	uint32_t number;
	int i, checked = 0, wrong = 0;
	landmark_config config = {0};
	config.service = "epg";
	work = landmark_deadline(&marks, "work", 86400000, NULL);
	queue = landmark_level_above(&marks, "queue", 10, 20, NULL);
	if (landmark_start(&marks, &config) != 0)
		return 1;
	for (i = 0; i < threads; i++)
		if (pthread_create(&ids[i], NULL, run, NULL) != 0)
			return 1;
	for (number = 1; number <= bursts; number++) {
		LANDMARK_STORE_(&ended, 0);
		LANDMARK_STORE_(&burst, number);
		while (LANDMARK_LOAD_(&ended) != threads)
			sched_yield();
		if (LANDMARK_LOAD_(&marks.retry_at) != 0)
			continue; // the socket was full: a later call sends it
		checked++;
		wrong += LANDMARK_LOAD_(&work->believed) != 0 || LANDMARK_LOAD_(&work->of.open.count) != 0;
	}
	for (i = 0; i < threads; i++)
		pthread_join(ids[i], NULL);
	printf("%d of %d wrong\n", wrong, checked);
	return wrong > 0 || checked == 0;
}

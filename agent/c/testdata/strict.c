// A file that uses landmark.h after other headers, in strict C99 or C++11.
#include <stdio.h>
#include <string.h>

#include "../landmark.h"

static landmark_set marks;

int main(void)
{
	landmark_options options;
	landmark_config config;
	landmark_work work;
	landmark *l, *d, *c, *q;
	memset(&options, 0, sizeof options);
	memset(&config, 0, sizeof config);
	options.impact = LANDMARK_INFORMATIONAL;
	config.service = "epg";
	config.socket = "/nonexistent/notify.sock";
	l = landmark_alive(&marks, "main loop", 1000, NULL);
	d = landmark_deadline(&marks, "answering", 1000, &options);
	c = landmark_condition(&marks, "ready", NULL);
	q = landmark_level_above(&marks, "queue", 1, 2, NULL);
	if (landmark_start(&marks, &config) != 0)
		return 1;
	landmark_reach(l);
	landmark_condition_set(c, 1, "");
	landmark_level_set(q, 1.5);
	work = landmark_begin(d);
	landmark_end(&work);
	landmark_end(&work);
	landmark_reach(NULL);
	landmark_answer(NULL);
	landmark_condition_set(NULL, 1, NULL);
	landmark_level_set(NULL, 1);
	work = landmark_begin(NULL);
	landmark_end(&work);
	landmark_drain(NULL);
	landmark_close(NULL);
	landmark_close(&marks);
	puts(landmark_error(&marks) == NULL ? "ok" : landmark_error(&marks));
	return 0;
}

// What the files of epgd-c share.
#ifndef EPGD_H
#define EPGD_H

#include "../../agent/c/landmark.h"

#include <stdint.h>

// A request asks for the programme of a channel at a time, in seconds since 1970.
typedef struct request {
	uint16_t channel;
	int64_t at;
} request;

enum {
	request_size = 14,
	answer_size = 18 + 255 // at most
};

// parse_request parses request_size bytes. It returns whether they begin with the magic.
int parse_request(request *q, const uint8_t *bytes);

// answer writes the answer to a request and returns its size.
int answer(uint8_t *bytes, const request *q);

// A server is the listening socket and what the main loop needs.
typedef struct server {
	int listener, signals, poller;
	landmark *loop;
	int paused; // no connection is accepted until the next answer of the loop
} server;

// serve is the main loop. It returns when SIGTERM or SIGINT arrives.
void serve(server *s);

// log_line writes a line to standard error.
void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

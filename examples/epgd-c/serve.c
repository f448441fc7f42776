// The main loop: one thread, which sleeps in epoll_wait.

#define _GNU_SOURCE
#include "epgd.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	max_connections = 4000,
	idle_seconds = 300 // how long a connection may wait for its next request
};

// A connection waits for the rest of a request.
typedef struct connection {
	int fd, size;
	time_t active;
	struct connection *next, *previous;
	uint8_t bytes[request_size];
} connection;

static connection list = {-1, 0, 0, &list, &list, {0}};
static int count;

static time_t seconds(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

static int watch(server *s, int fd, void *what)
{
	struct epoll_event e;
	memset(&e, 0, sizeof e);
	e.events = EPOLLIN;
	e.data.ptr = what;
	return epoll_ctl(s->poller, EPOLL_CTL_ADD, fd, &e);
}

static void hang_up(connection *c)
{
	close(c->fd);
	c->next->previous = c->previous;
	c->previous->next = c->next;
	free(c);
	count--;
}

// connections_allowed leaves some descriptors for all else.
static int connections_allowed(void)
{
	struct rlimit files;
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < max_connections + 32)
		return (int)files.rlim_cur - 32;
	return max_connections;
}

static void accept_all(server *s)
{
	for (;;) {
		int fd = accept4(s->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		connection *c;
		if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (fd < 0) {
			if (errno != EAGAIN) { // such as out of descriptors: do not spin
				epoll_ctl(s->poller, EPOLL_CTL_DEL, s->listener, NULL);
				s->paused = 1;
			}
			return;
		}
		c = count < connections_allowed() ? calloc(1, sizeof *c) : NULL;
		if (c == NULL || watch(s, fd, c) != 0) {
			free(c);
			close(fd);
			continue;
		}
		c->fd = fd;
		c->active = seconds();
		c->next = list.next;
		c->previous = &list;
		list.next->previous = c;
		list.next = c;
		count++;
	}
}

// serve_connection answers what has arrived. A client that does not read its answers loses
// the connection.
static void serve_connection(connection *c)
{
	uint8_t bytes[answer_size];
	request q;
	ssize_t n = recv(c->fd, c->bytes + c->size, (size_t)(request_size - c->size), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		hang_up(c);
		return;
	}
	c->size += (int)n;
	c->active = seconds();
	if (c->size < request_size)
		return;
	c->size = 0;
	if (!parse_request(&q, c->bytes)) {
		hang_up(c);
		return;
	}
	n = answer(bytes, &q);
	if (send(c->fd, bytes, (size_t)n, MSG_NOSIGNAL) != n)
		hang_up(c);
}

// tick does what is due several times a second.
static void tick(server *s)
{
	connection *c, *next;
	// The loop's answer to the timer. It must be given here, on the main loop, and nowhere
	// else: only then it proves that this loop works.
	landmark_answer(s->loop);
	for (c = list.next; c != &list; c = next) {
		next = c->next;
		if (seconds() - c->active > idle_seconds)
			hang_up(c);
	}
	if (s->paused && watch(s, s->listener, &s->listener) == 0)
		s->paused = 0;
}

// hang blocks the loop as a deadlock or an endless computation would, until SIGUSR2. It
// returns whether the program must end.
static int hang(void)
{
	sigset_t awaited;
	int number;
	sigemptyset(&awaited);
	sigaddset(&awaited, SIGUSR2);
	sigaddset(&awaited, SIGTERM);
	sigaddset(&awaited, SIGINT);
	log_line("the main loop hangs until SIGUSR2");
	do
		number = sigwaitinfo(&awaited, NULL);
	while (number < 0);
	if (number != SIGUSR2)
		return 1;
	log_line("the main loop continues");
	return 0;
}

// take_signals returns whether the program must end.
static int take_signals(server *s)
{
	struct signalfd_siginfo info;
	while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			return 1;
		if (info.ssi_signo == SIGUSR1 && hang())
			return 1;
	}
	return 0;
}

void serve(server *s)
{
	watch(s, s->listener, &s->listener);
	watch(s, s->signals, &s->signals);
	watch(s, landmark_loop_fd(s->loop), s->loop);
	for (;;) {
		struct epoll_event events[64];
		int i, n = epoll_wait(s->poller, events, 64, -1), signalled = 0;
		for (i = 0; i < n; i++) {
			void *what = events[i].data.ptr;
			if (what == &s->listener)
				accept_all(s);
			else if (what == &s->signals)
				signalled = 1;
			else if (what != (void *)s->loop)
				serve_connection(what);
		}
		// These close connections and may end the loop, so they come last.
		for (i = 0; i < n; i++)
			if (events[i].data.ptr == (void *)s->loop)
				tick(s);
		if (signalled && take_signals(s))
			return;
	}
}

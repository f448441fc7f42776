// tcp is what LMP over TCP costs at least on this machine: a server with one epoll
// descriptor and no more work than to copy the nonce, and a client that can saturate
// it, or landmarkd. Both have one thread, and their only waits are in epoll_wait.
//
//	cc -O2 -o tcp tcp.c
//	tcp serve
//	tcp check PORT CONNECTIONS DEPTH SECONDS REQUEST
//	tcp watch PORT CONNECTIONS SECONDS REQUEST
//
// serve listens at 127.0.0.1, prints its port, and answers until its standard input
// ends: each frame, whatever its kind, gets one answer of 32 bytes that says SERVING.
// Each byte of its standard input makes it send one more answer, with a weight one less,
// on every connection that is open.
//
// check keeps DEPTH requests on their way on each of CONNECTIONS connections for so many
// seconds, or until one is answered, for at most ten seconds more. DEPTH 0 opens a new
// connection for each request, and closes it after the answer. REQUEST is a frame in
// hexadecimal. It prints the answers per second, the median and 99th percentile of the
// time from a request to its answer in µs, and its own CPU seconds:
//
//	412345.0 answers/s 38.1 p50_us 71.9 p99_us 0.98 cpu_s
//
// A DEPTH of requests is sent at once, and the next when all of it is answered.
//
// watch opens the connections, sends REQUEST on each, and prints "ready" when each has
// one answer. After that, each time that every connection has had an answer which differs
// from the one before in more than its ages, it prints the CLOCK_MONOTONIC time in ns at
// which the first and the last had it. It ends after so many seconds, or once its
// standard input has ended.
//
//	ready
//	81723490812345 81723491023456
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 10000000000LL // ns, how much longer check waits for its first answer

enum { HEADER = 32, BUFFER = 8192, EVENTS = 128, MAX_FD = 65536, SAMPLES = 1 << 20 };

// conn is a connection, at the index of its descriptor.
struct conn {
	unsigned char in[BUFFER];
	int have;                  // bytes in in
	int open;                  // of the server: it is open. Of the client: answers awaited
	int fresh;                 // of watch: it has the latest answer
	unsigned char nonce[8];    // of the server: of the last request
	unsigned char last[20];    // of watch: of the last answer
	int64_t sent;
};

static struct conn *conns[MAX_FD];
static int highest;
static int poller;

static void fail(const char *what) {
	perror(what);
	exit(1);
}

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static struct conn *conn_of(int fd) {
	if (fd >= MAX_FD) {
		fprintf(stderr, "too many connections\n");
		exit(1);
	}
	if (!conns[fd] && !(conns[fd] = malloc(sizeof *conns[fd])))
		fail("malloc");
	if (fd > highest)
		highest = fd;
	memset(conns[fd], 0, sizeof *conns[fd]);
	return conns[fd];
}

static void add(int fd) {
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};
	if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e) < 0 && errno != EPERM) // EPERM: a file
		fail("epoll_ctl");
}

static int frame_length(const unsigned char *b) { return b[6] << 8 | b[7]; }

static void answer_to(unsigned char *out, const unsigned char *nonce, int weight) {
	static const unsigned char start[8] = {0x4C, 0x4D, 1, 0x81, 1, 0, 0, HEADER};
	memset(out, 0, HEADER);
	memcpy(out, start, 8);
	memcpy(out + 8, nonce, 8);
	out[16] = weight;
}

// answer reads what is there and answers each whole frame. It returns 0 at the end.
static int answer(int fd, struct conn *c) {
	unsigned char out[BUFFER];
	int n = read(fd, c->in + c->have, BUFFER - c->have), used = 0, size = 0;
	if (n <= 0)
		return n < 0 && errno == EAGAIN;
	c->have += n;
	while (c->have - used >= HEADER && c->have - used >= frame_length(c->in + used)) {
		int length = frame_length(c->in + used);
		if (length < HEADER)
			return 0;
		memcpy(c->nonce, c->in + used + 8, 8);
		answer_to(out + size, c->nonce, 100);
		size += HEADER;
		used += length;
	}
	memmove(c->in, c->in + used, c->have -= used);
	return size == 0 || write(fd, out, size) == size;
}

static void serve(void) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof at;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1, weight = 100;
	if (bind(listener, (void *)&at, size) < 0 || listen(listener, 4096) < 0)
		fail("listen");
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	getsockname(listener, (void *)&at, &size);
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	add(listener);
	add(0);
	for (struct epoll_event events[EVENTS];;) {
		int n = epoll_wait(poller, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				for (int c; (c = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0; add(c))
					conn_of(c)->open = 1;
			} else if (fd == 0) {
				char b;
				if (read(0, &b, 1) != 1)
					return;
				weight--;
				for (int c = 0; c <= highest; c++)
					if (conns[c] && conns[c]->open) {
						unsigned char out[HEADER];
						answer_to(out, conns[c]->nonce, weight);
						if (write(c, out, HEADER) != HEADER)
							conns[c]->open = 0;
					}
			} else if (!answer(fd, conns[fd])) {
				conns[fd]->open = 0;
				close(fd);
			}
		}
	}
}

static int connect_to(int port) {
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	if (fd < 0 || connect(fd, (void *)&at, sizeof at) < 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	conn_of(fd);
	add(fd);
	return fd;
}

static void send_all(int fd, const unsigned char *b, int size) {
	for (int n; size > 0; b += n, size -= n)
		if ((n = write(fd, b, size)) < 0) {
			if (errno != EAGAIN)
				fail("write");
			n = 0;
		}
}

static int by_value(const void *a, const void *b) {
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

static void check(int port, int connections, int depth, double seconds, const unsigned char *request, int size) {
	static float samples[SAMPLES]; // of the last answers, in µs
	int each = depth ? depth : 1;
	unsigned char *batch = malloc((size_t)size * each);
	for (int i = 0; i < each; i++)
		memcpy(batch + (size_t)i * size, request, size);
	int64_t count = 0, sampled = 0, began = now(), end = began + (int64_t)(seconds * 1e9), t = began;
	for (int i = 0; i < connections; i++) {
		int fd = connect_to(port);
		conns[fd]->sent = now();
		conns[fd]->open = each;
		send_all(fd, batch, each * size);
	}
	for (struct epoll_event events[EVENTS]; t < end || !count;) {
		if (t >= end + PATIENCE) {
			fprintf(stderr, "no request was answered\n");
			exit(1);
		}
		int n = epoll_wait(poller, events, EVENTS, 1000);
		t = now();
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			struct conn *c = conns[fd];
			int got = read(fd, c->in + c->have, BUFFER - c->have);
			if (got <= 0) {
				fprintf(stderr, "the server closed a connection\n");
				exit(1);
			}
			c->have += got;
			int used = 0;
			for (; c->have - used >= HEADER && c->have - used >= frame_length(c->in + used); used += frame_length(c->in + used)) {
				if (c->in[used + 4] != 1) {
					fprintf(stderr, "an answer is not SERVING\n");
					exit(1);
				}
				samples[sampled++ % SAMPLES] = (t - c->sent) / 1e3;
				count++;
				c->open--;
			}
			memmove(c->in, c->in + used, c->have -= used);
			if (c->open > 0)
				continue;
			if (depth == 0) {
				close(fd);
				fd = connect_to(port);
			}
			conns[fd]->sent = depth ? t : now();
			conns[fd]->open = each;
			send_all(fd, batch, each * size);
		}
	}
	struct rusage used;
	getrusage(RUSAGE_SELF, &used);
	int kept = sampled < SAMPLES ? sampled : SAMPLES;
	qsort(samples, kept, sizeof samples[0], by_value);
	printf("%.1f answers/s %.1f p50_us %.1f p99_us %.2f cpu_s\n", count / ((t - began) / 1e9), samples[kept / 2], samples[kept * 99LL / 100],
	       used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
}

static void watch(int port, int connections, double seconds, const unsigned char *request, int size) {
	int answered = 0, changed = 0;
	int64_t end = now() + (int64_t)(seconds * 1e9), first = 0;
	for (int i = 0; i < connections; i++)
		send_all(connect_to(port), request, size);
	add(0);
	for (struct epoll_event events[EVENTS]; now() < end;) {
		int n = epoll_wait(poller, events, EVENTS, 1000);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == 0) {
				char b;
				if (read(0, &b, 1) != 1)
					return;
				continue;
			}
			struct conn *c = conns[fd];
			int got = read(fd, c->in + c->have, BUFFER - c->have);
			if (got <= 0) {
				fprintf(stderr, "the server closed a connection\n");
				exit(1);
			}
			c->have += got;
			int used = 0;
			for (; c->have - used >= HEADER && c->have - used >= frame_length(c->in + used); used += frame_length(c->in + used)) {
				unsigned char *a = c->in + used, *before = c->last, answer[20];
				memcpy(answer, a, 20); // status, cause and weight: not the ages
				if (!c->open) {
					c->open = 1;
					if (++answered == connections) {
						printf("ready\n");
						fflush(stdout);
					}
				} else if (memcmp(before, answer, sizeof answer) && !c->fresh) {
					c->fresh = 1;
					if (changed++ == 0)
						first = now();
				}
				memcpy(before, answer, sizeof answer);
			}
			memmove(c->in, c->in + used, c->have -= used);
		}
		if (changed == connections) {
			printf("%lld %lld\n", (long long)first, (long long)now());
			fflush(stdout);
			for (int fd = changed = 0; fd <= highest; fd++)
				if (conns[fd])
					conns[fd]->fresh = 0;
		}
	}
}

static int parse_hex(const char *text, unsigned char *b, int max) {
	int n = 0;
	for (unsigned x; n < max && sscanf(text, "%2x", &x) == 1; text += 2)
		b[n++] = x;
	return n;
}

int main(int count, char **arguments) {
	struct rlimit files;
	unsigned char request[BUFFER];
	const char *mode = count > 1 ? arguments[1] : "";
	getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
	poller = epoll_create1(EPOLL_CLOEXEC);
	if (!strcmp(mode, "serve"))
		serve();
	else if (!strcmp(mode, "check") && count == 7)
		check(atoi(arguments[2]), atoi(arguments[3]), atoi(arguments[4]), atof(arguments[5]), request, parse_hex(arguments[6], request, BUFFER));
	else if (!strcmp(mode, "watch") && count == 6)
		watch(atoi(arguments[2]), atoi(arguments[3]), atof(arguments[4]), request, parse_hex(arguments[5], request, BUFFER));
	else {
		fprintf(stderr, "usage: tcp serve | check PORT CONNECTIONS DEPTH SECONDS REQUEST | watch PORT CONNECTIONS SECONDS REQUEST\n");
		return 2;
	}
}

/* udp answers LMP CHECK over UDP as fast as the kernel allows, for comparison with
 * landmarkd. It judges nothing: each answer is SERVING.
 *
 *	cc -O2 -Wall -o udp udp.c
 *	./udp 127.0.0.1 0
 *
 * The arguments are the IPv4 address and the port to listen on. With port 0 the kernel
 * chooses one. udp prints the port and a newline when it is ready, and runs until it is
 * killed. As a third argument it takes how many datagrams it reads at most with one
 * system call; without it 32.
 *
 * It sends and receives the same bytes as landmarkd: an answer has 32 bytes, the nonce
 * of its request, and leaves from the address that the request was sent to (IP_PKTINFO).
 * It blocks in recvmmsg(2) until there is at least one datagram, takes all that are
 * there, and answers them with one sendmmsg(2).
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { most = 1024, header = 32, longest = 1472 };

static unsigned char data[most][longest], answers[most][header];
static struct sockaddr_in from[most];
static union {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
} control[most];
static struct iovec in[most], out[most];
static struct mmsghdr requests[most], replies[most];

static void die(const char *what) {
	perror(what);
	exit(1);
}

static int listen_udp(const char *address, const char *port) {
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_port = htons(atoi(port))};
	socklen_t size = sizeof local;
	int on = 1, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		die("socket");
	if (inet_pton(AF_INET, address, &local.sin_addr) != 1) {
		fprintf(stderr, "udp: %s is no IPv4 address\n", address);
		exit(2);
	}
	if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on))
		die("setsockopt");
	if (bind(fd, (struct sockaddr *)&local, size))
		die("bind");
	if (getsockname(fd, (struct sockaddr *)&local, &size))
		die("getsockname");
	printf("%d\n", ntohs(local.sin_port));
	fflush(stdout);
	return fd;
}

/* prepare lets the kernel write the next n requests into their buffers. */
static void prepare(int n) {
	for (int i = 0; i < n; i++) {
		in[i] = (struct iovec){data[i], longest};
		requests[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &in[i], .msg_iovlen = 1,
			.msg_control = &control[i], .msg_controllen = sizeof control[i],
		};
	}
}

/* answer writes the answer to a request of n bytes, or returns 0 if it is none. */
static int answer(unsigned char *a, const unsigned char *q, int n) {
	if (n < header || q[0] != 0x4C || q[1] != 0x4D || q[2] != 1 || q[3] != 1 || (q[6] << 8 | q[7]) > n)
		return 0;
	memset(a, 0, header);
	memcpy(a, "\x4C\x4D\x01\x81\x01\0\0\x20", 8);
	memcpy(a + 8, q + 8, 8); /* the nonce */
	a[16] = 100;             /* the weight */
	return 1;
}

/* leave_from makes the answer leave from the address that the request was sent to. */
static void leave_from(struct msghdr *m) {
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
		((struct in_pktinfo *)CMSG_DATA(c))->ipi_ifindex = 0; /* the routing table chooses */
	m->msg_flags = 0;
}

int main(int argc, char **argv) {
	if (argc < 3) {
		fprintf(stderr, "usage: udp ADDRESS PORT [BATCH]\n");
		return 2;
	}
	int fd = listen_udp(argv[1], argv[2]), batch = argc > 3 ? atoi(argv[3]) : 32;
	if (batch < 1 || batch > most) {
		fprintf(stderr, "udp: the batch must be 1 to %d\n", most);
		return 2;
	}
	for (prepare(batch);;) {
		int n = recvmmsg(fd, requests, batch, MSG_WAITFORONE, NULL), m = 0;
		for (int i = 0; i < n; i++) {
			if (!answer(answers[m], data[i], requests[i].msg_len))
				continue;
			leave_from(&requests[i].msg_hdr);
			out[m] = (struct iovec){answers[m], header};
			replies[m].msg_hdr = requests[i].msg_hdr;
			replies[m].msg_hdr.msg_iov = &out[m];
			m++;
		}
		for (int sent = 0; sent < m;) {
			int k = sendmmsg(fd, replies + sent, m - sent, 0);
			sent += k > 0 ? k : 1; /* an answer that cannot be sent is lost */
		}
		if (n > 0)
			prepare(n);
	}
}

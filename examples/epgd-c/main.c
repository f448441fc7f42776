// Command epgd-c is epgd in C: a small server for a programme guide (EPG), with a binary
// protocol, an epoll main loop, and Landmark's header. It speaks the protocol of epgd, so
// that epgd -ask gets programmes from it.
//
//	epgd-c [-listen HOST:PORT] [-service epg] [-instance NAME] [-within 1s] [-notify-socket PATH] [-notify]
//
// SIGUSR1 makes the main loop hang: the process and its port stay alive, but no client
// gets a programme. SIGUSR2 lets the loop continue. SIGTERM and SIGINT end the program
// with a goodbye to landmarkd, even if the loop hangs. With -notify it also reports to
// the service manager that started it.
//
// Exit codes: 0 ended by a signal; 1 could not serve; 2 bad arguments.

#define LANDMARK_IMPLEMENTATION
#include "epgd.h"

#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>

#ifndef VERSION
#define VERSION "devel"
#endif

static landmark_set marks;

void log_line(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	fprintf(stderr, "epgd-c: ");
	vfprintf(stderr, format, arguments);
	fprintf(stderr, "\n");
	va_end(arguments);
}

// listen_at returns a socket that listens at HOST:PORT, or -1 with the reason in wrong.
static int listen_at(const char *address, const char **wrong)
{
	char host[256];
	const char *colon = strrchr(address, ':');
	struct addrinfo hints, *found;
	int fd = -1, on = 1, error;
	memset(&hints, 0, sizeof hints);
	hints.ai_socktype = SOCK_STREAM;
	hints.ai_flags = AI_PASSIVE;
	if (colon == NULL || (size_t)(colon - address) >= sizeof host) {
		*wrong = "give HOST:PORT, such as 127.0.0.1:9000";
		return -1;
	}
	snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
	if (host[0] == '[' && host[strlen(host) - 1] == ']') { // IPv6
		memmove(host, host + 1, strlen(host));
		host[strlen(host) - 1] = 0;
	}
	error = getaddrinfo(host[0] == 0 ? NULL : host, colon + 1, &hints, &found);
	if (error != 0) {
		*wrong = gai_strerror(error);
		return -1;
	}
	fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, 512) != 0) {
		*wrong = errno == EADDRINUSE ? "stop the program that listens there, or choose another address" : strerror(errno);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(found);
	return fd;
}

// parse_ms parses a time such as 500ms or 1.5s. It returns -1 if it is none.
static int64_t parse_ms(const char *text)
{
	char *unit;
	double n = strtod(text, &unit);
	double factor = strcmp(unit, "ms") == 0 ? 1 : strcmp(unit, "s") == 0 ? 1000 : strcmp(unit, "m") == 0 ? 60000 : -1;
	return unit == text || factor < 0 || !(n >= 0 && n < 1e9) ? -1 : (int64_t)(n * factor);
}

static const char usage[] =
	"usage: epgd-c [flags]\n\n"
	"epgd-c serves a programme guide and reports its main loop to landmarkd.\n"
	"SIGUSR1 makes the main loop hang, SIGUSR2 lets it continue.\n\n"
	"  -listen HOST:PORT     serve programmes there (default 127.0.0.1:9000)\n"
	"  -service NAME         report as this service (default epg)\n"
	"  -instance NAME        report as this instance; if empty, landmarkd makes a name\n"
	"  -within TIME          the main loop must answer within this time (default 1s)\n"
	"  -notify-socket PATH   report to this socket of landmarkd; if empty, $LANDMARK_NOTIFY_SOCKET\n"
	"                        or landmarkd's default\n"
	"  -notify               report also to the service manager that started the program, for systemd's\n"
	"                        Type=notify and WatchdogSec=\n"
	"  -version              print the version and exit\n";

int main(int argc, char **argv)
{
	const char *listen_address = "127.0.0.1:9000", *within = "1s", *wrong = "";
	landmark_config config;
	server s;
	sigset_t handled;
	int i;
	memset(&config, 0, sizeof config);
	memset(&s, 0, sizeof s);
	config.service = "epg";
	for (i = 1; i < argc; i++) {
		const char *flag = argv[i][0] == '-' && argv[i][1] == '-' ? argv[i] + 1 : argv[i];
		const char **value = strcmp(flag, "-listen") == 0 ? &listen_address
			: strcmp(flag, "-service") == 0 ? &config.service
			: strcmp(flag, "-instance") == 0 ? &config.instance
			: strcmp(flag, "-within") == 0 ? &within
			: strcmp(flag, "-notify-socket") == 0 ? &config.socket : NULL;
		if (strcmp(flag, "-h") == 0 || strcmp(flag, "-help") == 0) {
			fputs(usage, stdout);
			return 0;
		}
		if (strcmp(flag, "-notify") == 0) {
			config.service_manager = 1;
			continue;
		}
		if (strcmp(flag, "-version") == 0) {
			puts("epgd-c " VERSION);
			return 0;
		}
		if (value == NULL || i + 1 == argc) {
			log_line("%s: unknown, or its value is missing; epgd-c -h lists the flags", argv[i]);
			return 2;
		}
		*value = argv[++i];
	}

	// Blocked, they wait in the descriptor and for hang.
	sigemptyset(&handled);
	sigaddset(&handled, SIGUSR1);
	sigaddset(&handled, SIGUSR2);
	sigaddset(&handled, SIGTERM);
	sigaddset(&handled, SIGINT);
	sigprocmask(SIG_BLOCK, &handled, NULL);
	s.signals = signalfd(-1, &handled, SFD_NONBLOCK | SFD_CLOEXEC);
	s.poller = epoll_create1(EPOLL_CLOEXEC);
	s.listener = listen_at(listen_address, &wrong);
	if (s.listener < 0) {
		log_line("-listen %s: %s", listen_address, wrong);
		return 1;
	}
	if (s.signals < 0 || s.poller < 0) {
		log_line("%s", strerror(errno));
		return 1;
	}
	s.loop = landmark_loop(&marks, "main loop", parse_ms(within), NULL);
	if (landmark_start(&marks, &config) != 0) {
		log_line("%s", landmark_error(&marks));
		return 2;
	}
	log_line("serving programmes on %s as the service %s", listen_address, config.service);
	serve(&s);
	landmark_close(&marks);
	return 0;
}

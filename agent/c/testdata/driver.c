// driver runs commands from standard input, one a line, with its fields separated by
// tabs, and answers each with a line.
#include "../landmark.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static landmark_set marks;
static landmark *named[LANDMARK_MAX + 1];
static char names[LANDMARK_MAX + 1][256];
static int count;
static landmark_work works[16];

static landmark *find(const char *name)
{
	int i;
	for (i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return named[i];
	return NULL;
}

static int silent; // in a child

static int answer(const char *what)
{
	if (silent)
		return 1;
	printf("%s\n", what);
	fflush(stdout);
	return 1;
}

static int answer_error(void) { return answer(landmark_error(&marks) != NULL ? landmark_error(&marks) : "ok"); }

// declare KIND NAME [within|degrade_at [fail_at]] [impact start_within ttl]
static int declare(char **f)
{
	landmark_options o = {0, 0, 0};
	landmark *l = NULL;
	int level = strncmp(f[1], "level", 5) == 0, condition = strcmp(f[1], "condition") == 0;
	char **rest = f + (level ? 5 : condition ? 3 : 4);
	int i;
	for (i = 0; i < 3 && rest[i] != NULL; i++) {
		if (i == 0)
			o.impact = atoi(rest[0]);
		else if (i == 1)
			o.start_within_ms = atoll(rest[1]);
		else
			o.ttl_ms = atoll(rest[2]);
	}
	if (strcmp(f[1], "alive") == 0)
		l = landmark_alive(&marks, f[2], atoll(f[3]), &o);
	else if (strcmp(f[1], "loop") == 0)
		l = landmark_loop(&marks, f[2], atoll(f[3]), &o);
	else if (strcmp(f[1], "deadline") == 0)
		l = landmark_deadline(&marks, f[2], atoll(f[3]), &o);
	else if (strcmp(f[1], "level_above") == 0)
		l = landmark_level_above(&marks, f[2], strtod(f[3], NULL), strtod(f[4], NULL), &o);
	else if (strcmp(f[1], "level_below") == 0)
		l = landmark_level_below(&marks, f[2], strtod(f[3], NULL), strtod(f[4], NULL), &o);
	else if (condition)
		l = landmark_condition(&marks, f[2], &o);
	if (l != NULL) {
		snprintf(names[count], sizeof names[count], "%s", f[2]);
		named[count++] = l;
	}
	return answer_error();
}

static int start(char **f)
{
	landmark_config config = {NULL, NULL, NULL, 0};
	config.service = f[1];
	config.instance = f[2];
	config.service_manager = f[2] != NULL && f[3] != NULL;
	return answer(landmark_start(&marks, &config) == EALREADY ? "EALREADY" : landmark_error(&marks) != NULL ? landmark_error(&marks) : "ok");
}

// refuse_aio makes the kernel refuse io_setup, as a seccomp filter of a container may.
static int refuse_aio(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		return answer(strerror(errno));
	return answer("ok");
}

static int run(char **f);

// child runs the rest of the line in a child of fork.
static int child(char **f)
{
	pid_t pid;
	int status;
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		silent = 1;
		while (f[1] != NULL) {
			char *words[4] = {NULL, NULL, NULL, NULL};
			int i;
			for (i = 0; i < 3 && (i == 0 || words[i - 1] != NULL); i++)
				words[i] = strtok(i == 0 ? f[1] : NULL, " ");
			run(words);
			f++;
		}
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return answer(WIFEXITED(status) && WEXITSTATUS(status) == 0 ? "ok" : "the child crashed");
}

static int run(char **f)
{
	landmark *l = f[1] != NULL ? find(f[1]) : NULL;
	if (strcmp(f[0], "declare") == 0)
		return declare(f);
	if (strcmp(f[0], "start") == 0)
		return start(f);
	if (strcmp(f[0], "fork") == 0)
		return child(f);
	if (strcmp(f[0], "reach") == 0)
		landmark_reach(l);
	else if (strcmp(f[0], "answer") == 0)
		landmark_answer(l);
	else if (strcmp(f[0], "readable") == 0) {
		struct pollfd p = {landmark_loop_fd(l), POLLIN, 0};
		return answer(poll(&p, 1, 0) == 1 ? "ok" : "not readable");
	} else if (strcmp(f[0], "wait") == 0) { // for the descriptor of a Loop, once a pass is due
		struct pollfd p;
		usleep(25000);
		p.fd = landmark_loop_fd(l);
		p.events = POLLIN;
		if (poll(&p, 1, -1) != 1)
			return answer("not readable");
		landmark_answer(l);
	} else if (strcmp(f[0], "begin") == 0)
		works[atoi(f[2])] = landmark_begin(l);
	else if (strcmp(f[0], "end") == 0)
		landmark_end(&works[atoi(f[1])]);
	else if (strcmp(f[0], "level") == 0)
		landmark_level_set(l, strtod(f[2], NULL));
	else if (strcmp(f[0], "condition") == 0)
		landmark_condition_set(l, atoi(f[2]), f[3]);
	else if (strcmp(f[0], "drain") == 0)
		landmark_drain(&marks);
	else if (strcmp(f[0], "resume") == 0)
		landmark_resume(&marks);
	else if (strcmp(f[0], "close") == 0)
		landmark_close(&marks);
	else if (strcmp(f[0], "refuse_aio") == 0)
		return refuse_aio();
	else if (strcmp(f[0], "closefrom3") == 0)
		for (int fd = 3; fd < 64; fd++)
			close(fd);
	else
		return answer("no such command");
	return answer("ok");
}

int main(void)
{
	static char line[4096];
	while (fgets(line, sizeof line, stdin) != NULL) {
		char *fields[10] = {NULL};
		int n = 0;
		char *rest = line, *field;
		line[strcspn(line, "\n")] = 0;
		while (n < 9 && (field = strsep(&rest, "\t")) != NULL)
			fields[n++] = field;
		run(fields);
	}
	return 0;
}

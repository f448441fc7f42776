/* ipvs answers for the kernel's IPVS, so that keepalived runs its checkers on a host
 * without it: every call for IPVS succeeds and does nothing. What a check costs is not
 * changed by it, because keepalived calls IPVS only when a real server goes in or out.
 *
 *	cc -O2 -shared -fPIC -o ipvs.so ipvs.c -ldl
 *	LD_PRELOAD=./ipvs.so keepalived --check ...
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* IP_VS_BASE_CTL of linux/ip_vs.h, and the calls from there on. */
static int for_ipvs(int level, int name) { return level == IPPROTO_IP && name >= 1024 + 64 + 64 && name < 1024 + 64 + 128; }

int getsockopt(int fd, int level, int name, void *value, socklen_t *size) {
	static int (*kernel)(int, int, int, void *, socklen_t *);
	if (for_ipvs(level, name)) {
		memset(value, 0, *size);
		return 0;
	}
	if (!kernel)
		kernel = dlsym(RTLD_NEXT, "getsockopt");
	return kernel(fd, level, name, value, size);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t size) {
	static int (*kernel)(int, int, int, const void *, socklen_t);
	if (for_ipvs(level, name))
		return 0;
	if (!kernel)
		kernel = dlsym(RTLD_NEXT, "setsockopt");
	return kernel(fd, level, name, value, size);
}

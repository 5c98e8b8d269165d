// What a process under test takes for the time and for its disk. Loaded by LD_PRELOAD into an ordinary build
// (preload.mjs), so that nothing of it stands in ours.
//   HUITANG_TEST_CLOCK=FILE   seconds, written in FILE, are added to the wall clock; read at each look at the clock
//   HUITANG_TEST_DISK=FILE    while FILE exists, the disk hangs: fsync and fdatasync do not return
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static time_t step(void) {
  const char* path = getenv("HUITANG_TEST_CLOCK");
  char text[32] = {0};
  const int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return 0;
  const ssize_t size = read(fd, text, sizeof text - 1);
  close(fd);
  return size > 0 ? (time_t)strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec* at) {
  static int (*real)(clockid_t, struct timespec*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "clock_gettime");
  const int result = real(clock, at);
  if (result == 0 && clock == CLOCK_REALTIME) at->tv_sec += step();
  return result;
}

static void hang(void) {
  const char* path = getenv("HUITANG_TEST_DISK");
  while (path && access(path, F_OK) == 0) usleep(10000);
}

int fsync(int fd) {
  static int (*real)(int);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "fsync");
  hang();
  return real(fd);
}

int fdatasync(int fd) {
  static int (*real)(int);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "fdatasync");
  hang();
  return real(fd);
}

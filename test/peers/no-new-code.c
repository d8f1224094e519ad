/* Runs a command that can not make memory executable any more: 3 where the kernel has no such rule. */
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SET_MDWE 65
#define REFUSE_EXEC_GAIN 1

int main(int argc, char **argv) {
  (void)argc;
  if (prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0) != 0) return 3;
  execv(argv[1], argv + 1);
  perror(argv[1]);
  return 1;
}

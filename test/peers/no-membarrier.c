/*
 * Runs a command whose calls of membarrier are refused, as some sandboxes do: 3 where the kernel has
 * no such filters. Without the kernel's headers, which musl's compiler does not find.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/filter.h and linux/seccomp.h */
struct instruction {
  unsigned short code;
  unsigned char if_true, if_false;
  unsigned int operand;
};
struct program {
  unsigned short length;
  struct instruction *instructions;
};
#define LOAD_WORD 0x20
#define JUMP_IF_EQUAL 0x15
#define RETURN 0x06
#define FILTER_MODE 2
#define ALLOW 0x7fff0000u
#define REFUSE (0x00050000u | EPERM)

int main(int argc, char **argv) {
  /* The number of the call lies at the start of what a filter sees. */
  struct instruction instructions[] = {
      {LOAD_WORD, 0, 0, 0},
      {JUMP_IF_EQUAL, 0, 1, SYS_membarrier},
      {RETURN, 0, 0, REFUSE},
      {RETURN, 0, 0, ALLOW},
  };
  struct program program = {4, instructions};
  (void)argc;
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return 3;
  if (prctl(PR_SET_SECCOMP, FILTER_MODE, &program) != 0) return 3;
  execv(argv[1], argv + 1);
  perror(argv[1]);
  return 1;
}

#include "bare.h"

volatile struct trap_record trapped;
volatile u64 resume, resume_rsp, trap_stack;
void (*volatile on_interrupt)(struct frame* frame);
static int failures;
static u64 user_return_rsp, user_return_rip;

void print(const char* text) {
  for (; *text; ++text) {
    while (!(inb(0x3fd) & 0x20)) {
    }
    outb(0x3f8, *text);
  }
}

void print_hex(u64 value) {
  char text[19] = "0x";
  for (int i = 0; i < 16; ++i) text[2 + i] = "0123456789abcdef"[value >> (60 - 4 * i) & 15];
  text[18] = 0;
  print(text);
}

void expect_equal(u64 got, u64 want, const char* what, int line) {
  if (got == want) return;
  ++failures;
  print("line ");
  char digits[8];
  int n = 0;
  do digits[n++] = (char)('0' + line % 10);
  while (line /= 10);
  char ordered[9];
  for (int i = 0; i < n; ++i) ordered[i] = digits[n - 1 - i];
  ordered[n] = 0;
  print(ordered);
  print(": ");
  print(what);
  print(" is ");
  print_hex(got);
  print(", not ");
  print_hex(want);
  print("\n");
}

void trap(struct frame* frame) {
  if (frame->vector == 0x80 && user_return_rip) {  // ring 3 is done
    frame->rip = user_return_rip;
    frame->rsp = user_return_rsp;
    frame->cs = 0x08;
    frame->ss = 0x10;
    return;
  }
  if (frame->vector >= 32 && on_interrupt) {
    on_interrupt(frame);
    return;
  }
  trap_stack = (u64)frame;
  trapped.count++;
  trapped.vector = frame->vector;
  trapped.error = frame->error;
  trapped.rip = frame->rip;
  trapped.cs = frame->cs;
  trapped.rflags = frame->rflags;
  trapped.rsp = frame->rsp;
  trapped.ss = frame->ss;
  trapped.cr2 = READ_CR(2);
  if ((frame->cs & 3) && user_return_rip) {
    frame->rip = user_return_rip;
    frame->rsp = user_return_rsp;
    frame->cs = 0x08;
    frame->ss = 0x10;
  } else if (resume) {
    frame->rip = resume;
    frame->rsp = resume_rsp;
    frame->rflags &= ~0x100UL;  // no further single steps
    resume = 0;
  } else {
    print("unexpected vector ");
    print_hex(frame->vector);
    print(" error ");
    print_hex(frame->error);
    print(" at ");
    print_hex(frame->rip);
    print("\n");
    leave(2);
  }
}

static u8 user_stack[8192] __attribute__((aligned(4096)));

void __attribute__((noinline)) in_user_mode(void (*function)(void)) {
  idt[0x80].type = 0xee;
  trapped.count = 0;
  __asm__ volatile(
      "push %%rbx\n\tpush %%rbp\n\tpush %%r12\n\tpush %%r13\n\tpush %%r14\n\tpush %%r15\n\t"
      "movq %%rsp, %0\n\t"
      "leaq 1f(%%rip), %%rax\n\tmovq %%rax, %1\n\t"
      "pushq $0x23\n\tpushq %3\n\tpushq $0x202\n\tpushq $0x3b\n\tpushq %2\n\tiretq\n"
      "1:\n\tpop %%r15\n\tpop %%r14\n\tpop %%r13\n\tpop %%r12\n\tpop %%rbp\n\tpop %%rbx\n\tcld\n\tcli"
      : "=m"(user_return_rsp), "=m"(user_return_rip)
      : "r"(function), "r"(user_stack + sizeof user_stack - 8)
      : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
  user_return_rip = 0;
}

u64* page_entry(u64 page) {
  static u64 directory[512] __attribute__((aligned(4096)));
  static u64 table[512] __attribute__((aligned(4096)));
  if (!pdpt[1]) {
    pdpt[1] = (u64)directory | 7;
    directory[0] = (u64)table | 7;
  }
  return &table[page];
}

int strict(void) {
  u32 a = 0x40000000, b, c, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  return b != 0x54474354;  // "TCGT"
}

void* memset(void* to, int value, u64 count) {
  u8* at = to;
  while (count--) *at++ = (u8)value;
  return to;
}

void* memcpy(void* to, const void* from, u64 count) {
  u8* a = to;
  const u8* b = from;
  while (count--) *a++ = *b++;
  return to;
}

int main(void) {
  test();
  print(failures ? "FAILED\n" : "PASSED\n");
  return failures ? 1 : 0;
}

// Compatibility mode: 32-bit and 16-bit code under long mode, far transfers between them, operand and address sizes,
// segment limits, and instructions that 64-bit mode does not have (SDM vol. 1, 3.3; vol. 2).
#include "bare.h"

u32 got[16];

// Calls 32-bit code at the label through the 0x40 segment, 16-bit code through 0x48; each returns by a far RET.
#define CALL_FAR(selector, label)                                                                              \
  __asm__ volatile("pushq %%rbx\n\tpushq %%rbp\n\tmovl $" #label ", far_pointer\n\tmovw $" #selector           \
                   ", far_pointer + 4\n\tlcall *far_pointer\n\tpopq %%rbp\n\tpopq %%rbx"                      \
                   ::: "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc")
__asm__(".data\n.globl far_pointer\nfar_pointer: .long 0\n.word 0\n.text");

__asm__(
    ".code32\n"
    "code32:\n\t"
    "movl $0xffffffff, %eax\n\tincl %eax\n\tmovl %eax, got\n\t"            // INC by its one-byte form
    "movl $0x12345678, %eax\n\tpushal\n\tmovl $0, %eax\n\tpopal\n\tmovl %eax, got + 4\n\t"
    "movb $0x0f, %al\n\tmovb $0, %ah\n\taaa\n\tmovzwl %ax, %eax\n\tmovl %eax, got + 8\n\t"
    "movb $0x79, %al\n\taddb $0x35, %al\n\tdaa\n\tmovzbl %al, %eax\n\tmovl %eax, got + 12\n\t"
    "movb $123, %al\n\taam\n\tmovzwl %ax, %eax\n\tmovl %eax, got + 16\n\t"
    "movw $0x0507, %ax\n\taad\n\tmovzwl %ax, %eax\n\tmovl %eax, got + 20\n\t"
    "pushw %ds\n\tpopw %es\n\tmovl %esp, %ecx\n\tpushl %ds\n\tsubl %esp, %ecx\n\tmovl %ecx, got + 24\n\tpopl %ds\n\t"
    "movl $0xffffffff, %ebx\n\tmovl got32 + 1(%ebx), %eax\n\tmovl %eax, got + 28\n\t"  // the address wraps at 4 GiB
    "movl $0x10000, %ecx\n\txorl %eax, %eax\n1: incl %eax\n\taddr16 loop 1b\n\tmovl %eax, got + 32\n\t"  // counts CX
    "call 2f\n2: popl %eax\n\tsubl $2b, %eax\n\tmovl %eax, got + 36\n\t"
    "movl %cs, %eax\n\tmovl %eax, got + 40\n\t"
    "lret\n"
    ".data\ngot32: .long 0xfeedface\n.text\n"
    ".code16\n"
    "code16:\n\t"
    "movl $0x11112222, %eax\n\tmovw $0x3333, %ax\n\taddr32 movl %eax, got\n\t"
    "movw $0xffff, %bx\n\tincw %bx\n\tmovzwl %bx, %eax\n\taddr32 movl %eax, got + 4\n\t"
    "movw $3, %cx\n\txorw %ax, %ax\n1: addw %cx, %ax\n\tloop 1b\n\tmovzwl %ax, %eax\n\taddr32 movl %eax, got + 8\n\t"
    "lretl\n"
    ".code64\n");

static void compatibility32(void) {
  CALL_FAR(0x40, code32);
  EXPECT(got[0], 0);
  EXPECT(got[1], 0x12345678);
  EXPECT(got[2], 0x0105);
  EXPECT(got[3], 0x14);  // 79 + 35 = 114 in decimal
  EXPECT(got[4], 0x0c03);
  EXPECT(got[5], 57);
  EXPECT(got[6], 4);
  EXPECT(got[7], 0xfeedface);
  EXPECT(got[8], 0x10000);
  EXPECT(got[9], 0);
  EXPECT(got[10], 0x40);
}

static void compatibility16(void) {
  // 16-bit code must lie below 64 KiB of its segment: the descriptor's base is set to the code's page.
  extern u8 code16[];
  const u64 base = (u64)code16;
  gdt[9] = 0x00009b000000ffff | (base & 0xffffff) << 16 | (base >> 24) << 56;
  __asm__ volatile("pushq %%rbx\n\tmovl $0, far_pointer\n\tmovw $0x48, far_pointer + 4\n\tlcall *far_pointer\n\t"
                   "popq %%rbx" ::: "rax", "rcx", "rdx", "memory", "cc");
  EXPECT(got[0], 0x11113333);
  EXPECT(got[1], 0);
  EXPECT(got[2], 6);
}

// SYSENTER from 64-bit user code and SYSEXIT back.
u64 sysenter_seen;
__asm__(
    ".globl sysenter_entry\nsysenter_entry:\n\tincq sysenter_seen\n\tmov $user_after, %edx\n\tmov %r10, %rcx\n\t"
    "sysexitq\n");
extern u8 sysenter_entry[];
__attribute__((used)) static void user_sysenter(void) {
  __asm__ volatile("mov %%rsp, %%r10\n\tsysenter\n.globl user_after\nuser_after:\n\tint $0x80" ::: "r10", "rcx", "rdx");
}

static void fast_entry(void) {
  wrmsr(0x174, 0x40);  // CS 0x40, SS 0x48; SYSEXIT with REX.W: CS 0x60 + 3, SS 0x68 + 3
  gdt[8] = 0x00af9b000000ffff;
  gdt[9] = 0x00cf93000000ffff;
  gdt[12] = 0x00affb000000ffff;
  gdt[13] = 0x00cff3000000ffff;
  wrmsr(0x175, (u64)stack0_top);
  wrmsr(0x176, (u64)sysenter_entry);
  sysenter_seen = 0;
  in_user_mode(user_sysenter);
  EXPECT(trapped.count, 0);
  EXPECT(sysenter_seen, 1);
  gdt[8] = 0x00cf9b000000ffff;
}

static void bases(void) {
  static u64 data[2] = {0x1111, 0x2222};
  u64 value;
  wrmsr(0xc0000100, (u64)data);
  __asm__ volatile("movq %%fs:8, %0" : "=r"(value));
  EXPECT(value, 0x2222);
  wrmsr(0xc0000101, (u64)data);
  wrmsr(0xc0000102, (u64)(data + 1));
  __asm__ volatile("swapgs\n\tmovq %%gs:0, %0\n\tswapgs" : "=r"(value));
  EXPECT(value, 0x2222);
  WRITE_CR(4, READ_CR(4) | 1 << 16);  // FSGSBASE
  __asm__ volatile("wrfsbase %1\n\trdfsbase %0" : "=r"(value) : "r"((u64)0x123456789));
  EXPECT(value, 0x123456789);
  TRY("movabs $0x8000000000000000, %%rax\n\twrgsbase %%rax", "i"(0));
  if (strict()) EXPECT_FAULT(13, 0);
  wrmsr(0xc0000100, 0);
}

// A return to an outer level makes null selectors 0, whatever their two low bits, and leaves the bases of FS and GS.
static u16 user_selectors[4];
static void user_reads_selectors(void) {
  __asm__ volatile("movw %%ds, %0\n\tmovw %%es, %1\n\tmovw %%fs, %2\n\tmovw %%gs, %3\n\tint $0x80"
                   : "=m"(user_selectors[0]), "=m"(user_selectors[1]), "=m"(user_selectors[2]), "=m"(user_selectors[3]));
}

static void null_selectors(void) {
  for (u64 n = 0; n < 4; ++n) user_selectors[n] = 0xffff;
  u64 base;
  __asm__ volatile("movl %0, %%ds\n\tmovl %1, %%es\n\tmovl %2, %%fs\n\tmovl %0, %%gs" ::"r"(3), "r"(2), "r"(1));
  wrmsr(0xc0000101, 0x123456789);
  in_user_mode(user_reads_selectors);
  __asm__ volatile("rdgsbase %0" : "=r"(base));
  wrmsr(0xc0000101, 0);
  EXPECT(base, 0x123456789);
  if (strict()) {
    for (u64 n = 0; n < 4; ++n) EXPECT(user_selectors[n], 0);
  }
}

static void identifiers(void) {
  u32 a = 0, b, c, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  EXPECT(a >= 7, 1);
  a = 0x80000001;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  EXPECT(d >> 29 & 1, 1);  // long mode
  EXPECT(d >> 20 & 1, 1);  // NX
  EXPECT(d >> 11 & 1, 1);  // SYSCALL
}

int test(void) {
  compatibility32();
  compatibility16();
  bases();
  null_selectors();
  identifiers();
  fast_entry();
  return 0;
}

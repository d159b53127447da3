// Exceptions: vectors, error codes, priorities, what is pushed, IST, double fault; and how rings are crossed (SDM vol. 3,
// chapters 5 and 6).
#include "bare.h"

enum { DE, DB, NMI, BP, OF, BR, UD, NM, DF, TS = 10, NP, SS, GP, PF, MF = 16, AC, XM = 19 };

// The error code of a bad gate: its vector as an index, and the IDT bit.
static u64 gate_error(u64 vector) { return vector * (strict() ? 8 : 16) + 2; }

static void simple(void) {
  TRY("xor %%edx, %%edx\n\txor %%ecx, %%ecx\n\tmov $1, %%eax\n\tdiv %%ecx", "i"(0));
  EXPECT_FAULT(DE, 0);
  TRY("mov $-1, %%edx\n\tmov $1, %%ecx\n\tdiv %%ecx", "i"(0));  // the quotient does not fit
  EXPECT_FAULT(DE, 0);
  TRY("mov $0x80000000, %%eax\n\tcltd\n\tmov $-1, %%ecx\n\tidiv %%ecx", "i"(0));
  EXPECT_FAULT(DE, 0);
  TRY("ud2", "i"(0));
  EXPECT_FAULT(UD, 0);
  TRY(".byte 0x06", "i"(0));  // PUSH ES is gone in 64-bit mode
  EXPECT_FAULT(UD, 0);
  TRY(".byte 0xf0, 0x90", "i"(0));  // LOCK NOP
  EXPECT_FAULT(UD, 0);
  TRY(".byte 0xf0, 0x01, 0xc0", "i"(0));  // LOCK ADD to a register
  EXPECT_FAULT(UD, 0);
  TRY("int3", "i"(0));
  EXPECT_FAULT(BP, 0);
  // More than 15 bytes.
  TRY(".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90", "i"(0));
  EXPECT_FAULT(GP, 0);
}

u64 saved_rip;
static void trap_and_fault_addresses(void) {
  // A breakpoint's saved rip is behind it, a fault's is at it.
  TRY("leaq 1f(%%rip), %%rdx\n\tmov %%rdx, saved_rip(%%rip)\n1: int3", "i"(0));
  EXPECT(trapped.rip, saved_rip + 1);
  TRY("leaq 1f(%%rip), %%rdx\n\tmov %%rdx, saved_rip(%%rip)\n1: ud2", "i"(0));
  EXPECT(trapped.rip, saved_rip);
}

// Outside RAM only ones are fetched: an invalid opcode. No device hears of it.
static void device_code(void) {
  if (!strict()) return;
  *page_entry(0) = 0xfec00000 | 7;
  TRY("mov $0x40000000, %%eax\n\tjmp *%%rax", "i"(0));
  EXPECT_FAULT(UD, 0);
  EXPECT(trapped.rip, 0x40000000);
}

static void protection(void) {
  TRY("mov $0x1000, %%eax\n\tmov %%ax, %%ds", "i"(0));  // beyond the GDT
  EXPECT_FAULT(GP, 0x1000);
  TRY("mov $0x28, %%eax\n\tmov %%ax, %%ds", "i"(0));  // a TSS is no data
  EXPECT_FAULT(GP, 0x28);
  gdt[12] = 0x00cf13000000ffff;  // data, not present (0x60)
  TRY("mov $0x60, %%eax\n\tmov %%ax, %%ds", "i"(0));
  EXPECT_FAULT(NP, 0x60);
  TRY("mov $0x60, %%eax\n\tmov %%ax, %%ss", "i"(0));
  EXPECT_FAULT(SS, 0x60);
  TRY("xor %%eax, %%eax\n\tmov %%ax, %%ds\n\tmov $0x10, %%eax\n\tmov %%ax, %%ds", "i"(0));
  EXPECT_NO_FAULT();
  if (strict()) {
    TRY("mov $0xc0000999, %%ecx\n\trdmsr", "i"(0));
    EXPECT_FAULT(GP, 0);
    TRY("mov %%cr0, %%rax\n\tand $~1, %%eax\n\tmov %%rax, %%cr0", "i"(0));  // PG without PE
    EXPECT_FAULT(GP, 0);
    TRY("mov %%cr4, %%rax\n\tand $~0x20, %%eax\n\tmov %%rax, %%cr4", "i"(0));  // PAE in long mode
    EXPECT_FAULT(GP, 0);
  }
  TRY("mov $0xf0, %%ecx\n\tint $0x81", "i"(0));
  EXPECT_FAULT(0x81, 0);
  // A gate that is not there: the error code names it (IDT bit).
  idt[0x90].type = 0x0e;
  TRY("int $0x90", "i"(0));
  EXPECT_FAULT(NP, gate_error(0x90));
  idt[0x90].type = 0x8c;  // 32-bit call gate type
  TRY("int $0x90", "i"(0));
  EXPECT_FAULT(GP, gate_error(0x90));
  idt[0x90].type = 0x8e;
}

static void user_int_dpl(void) { __asm__ volatile("int $0x85\n\tint $0x80"); }
static void user_hlt(void) { __asm__ volatile("hlt\n\tint $0x80"); }
static void user_in(void) { __asm__ volatile("inb $0x3f, %%al\n\tint $0x80" ::: "rax"); }
static void user_cli(void) { __asm__ volatile("cli\n\tint $0x80"); }
static void user_cr(void) { __asm__ volatile("mov %%cr0, %%rax\n\tint $0x80" ::: "rax"); }
static void user_align(void) {
  __asm__ volatile("pushfq\n\torl $0x40000, (%rsp)\n\tpopfq\n\tmovl 1(%rsp), %eax\n\tint $0x80");
}
static void user_popf(void) {  // IF cannot be changed; it stays on
  __asm__ volatile("pushq $0x2\n\tpopfq\n\tpushfq\n\tpop %%rax\n\tmov %%rax, saved_rip(%%rip)\n\tint $0x80" ::: "rax");
}

static void rings(void) {
  in_user_mode(user_int_dpl);
  EXPECT_FAULT(GP, gate_error(0x85));
  EXPECT(trapped.cs, 0x3b);
  EXPECT(trapped.ss, 0x23);
  in_user_mode(user_hlt);
  EXPECT_FAULT(GP, 0);
  in_user_mode(user_in);
  EXPECT_FAULT(GP, 0);
  in_user_mode(user_cli);
  EXPECT_FAULT(GP, 0);
  in_user_mode(user_cr);
  EXPECT_FAULT(GP, 0);
  WRITE_CR(0, READ_CR(0) | 0x40000);  // AM
  in_user_mode(user_align);
  if (strict()) EXPECT_FAULT(AC, 0);
  in_user_mode(user_popf);
  EXPECT_NO_FAULT();
  EXPECT(saved_rip & 0x200, 0x200);
}

static void interrupt_stack_table(void) {
  idt[UD].ist = 1;
  TRY("ud2", "i"(0));
  EXPECT_FAULT(UD, 0);
  EXPECT(trap_stack < (u64)ist1_top && trap_stack > (u64)ist1_top - 8192, 1);
  idt[UD].ist = 0;
}

static void double_fault(void) {
  // #NP while delivering #GP's gate: both contributory, so a double fault with error code 0.
  u8 type = idt[GP].type;
  idt[GP].type = 0x0e;
  idt[DF].ist = 1;
  TRY("mov $0x1000, %%eax\n\tmov %%ax, %%ds", "i"(0));
  EXPECT_FAULT(DF, 0);
  idt[GP].type = type;
  // #NP while delivering #UD: not both contributory, so #NP itself, with EXT.
  type = idt[UD].type;
  idt[UD].type = 0x0e;
  TRY("ud2", "i"(0));
  EXPECT_FAULT(NP, gate_error(UD) + strict());
  idt[UD].type = type;
}

static void single_step(void) {
  TRY("pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\tnop\n\tnop", "i"(0));
  EXPECT_FAULT(DB, 0);
  u64 dr6;
  __asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
  EXPECT(dr6 & 0x4000, 0x4000);
}

static void units(void) {
  WRITE_CR(0, READ_CR(0) | 8);  // TS
  TRY("fld1", "i"(0));
  EXPECT_FAULT(NM, 0);
  TRY("movaps %%xmm0, %%xmm1", "i"(0));
  EXPECT_FAULT(NM, 0);
  __asm__ volatile("clts");
  WRITE_CR(4, READ_CR(4) & ~0x200UL);  // OSFXSR
  TRY("movaps %%xmm0, %%xmm1", "i"(0));
  EXPECT_FAULT(UD, 0);
  WRITE_CR(4, READ_CR(4) | 0x200);
  static u64 control = 0x33f & ~4UL;  // divide by zero unmasked
  TRY("fninit\n\tfldcw %0\n\tfldz\n\tfld1\n\tfdivp\n\tfwait", "m"(control));
  EXPECT_FAULT(MF, 0);
  TRY("fnclex\n\tfninit", "i"(0));
  static u32 mxcsr = 0x1d80;  // divide by zero unmasked
  static u32 usual = 0x1f80;
  TRY("ldmxcsr %0\n\txorps %%xmm0, %%xmm0\n\tpcmpeqd %%xmm1, %%xmm1\n\tpsrld $25, %%xmm1\n\tpslld $23, %%xmm1\n\t"
      "divps %%xmm0, %%xmm1", "m"(mxcsr));
  if (strict()) EXPECT_FAULT(XM, 0);
  __asm__ volatile("ldmxcsr %0" ::"m"(usual));
}

// SYSCALL and SYSRET: saved rip and flags, the mask, the selectors.
u64 syscall_rcx, syscall_r11, syscall_flags, syscall_cs;
__asm__(
    ".globl syscall_entry\nsyscall_entry:\n\tmov %rcx, syscall_rcx\n\tmov %r11, syscall_r11\n\tpushfq\n\t"
    "pop syscall_flags\n\tmov %cs, %rax\n\tmov %rax, syscall_cs\n\tsysretq");
extern u8 syscall_entry[];
static void user_syscall(void) { __asm__ volatile("std\n\tsyscall\n\tcld\n\tint $0x80" ::: "rcx", "r11", "rax"); }

static void fast_system_calls(void) {
  wrmsr(0xc0000081, 0x2bUL << 48 | 0x08UL << 32);  // STAR: SYSRET to 0x3b and 0x33, SYSCALL to 0x08 and 0x10
  wrmsr(0xc0000082, (u64)syscall_entry);
  wrmsr(0xc0000084, 0x600);  // clears IF and DF
  gdt[6] = 0x00cff3000000ffff;  // 0x30: what SYSRET puts into SS. It lies over the TSS's upper half, which is loaded
  in_user_mode(user_syscall);
  EXPECT_NO_FAULT();
  EXPECT(syscall_flags & 0x600, 0);
  EXPECT(syscall_r11 & 0x600, 0x600);
  EXPECT(syscall_cs, 8);
  EXPECT(syscall_rcx > 0x100000, 1);
}

int test(void) {
  simple();
  trap_and_fault_addresses();
  device_code();
  protection();
  rings();
  interrupt_stack_table();
  double_fault();
  single_step();
  units();
  fast_system_calls();
  return 0;
}

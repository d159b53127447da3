// What a bare-metal guest has: ports, model-specific registers, a record of the last fault, and expectations. A failed
// expectation prints its line on the serial port and makes the guest leave with code 1.
#pragma once

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

struct frame {
  u64 r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
  u64 vector, error, rip, cs, rflags, rsp, ss;
};

// The last trap. Where resume is set, the trap continues there with the stack as it was (and clears it); else at the same instruction.
struct trap_record {
  u64 count, vector, error, rip, cs, rflags, rsp, ss, cr2;
};
extern volatile struct trap_record trapped;
extern volatile u64 resume, resume_rsp;
extern volatile u64 trap_stack;  // where the trap's frame was
// Called for vectors 32 and up, instead of recording.
extern void (*volatile on_interrupt)(struct frame* frame);

extern u64 pml4[512], pdpt[512], pd[512], gdt[16];
struct gate {
  u16 offset0, selector;
  u8 ist, type;
  u16 offset1;
  u32 offset2, zero;
};
extern struct gate idt[256];
extern u8 tss[], stack0_top[], ist1_top[];

static inline void outb(u16 port, u8 value) { __asm__ volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
static inline u8 inb(u16 port) {
  u8 value;
  __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
static inline void outl(u16 port, u32 value) { __asm__ volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
static inline u64 rdmsr(u32 index) {
  u32 low, high;
  __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
  return (u64)high << 32 | low;
}
static inline void wrmsr(u32 index, u64 value) {
  __asm__ volatile("wrmsr" ::"c"(index), "a"((u32)value), "d"((u32)(value >> 32)) : "memory");
}
#define READ_CR(n) ({ u64 v_; __asm__ volatile("mov %%cr" #n ", %0" : "=r"(v_)); v_; })
#define WRITE_CR(n, v) __asm__ volatile("mov %0, %%cr" #n ::"r"((u64)(v)) : "memory")
static inline void invlpg(void* at) { __asm__ volatile("invlpg (%0)" ::"r"(at) : "memory"); }
static inline u64 rdtsc(void) {
  u32 low, high;
  __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
  return (u64)high << 32 | low;
}

void print(const char* text);
void print_hex(u64 value);
__attribute__((noreturn)) void leave(u32 code);
void expect_equal(u64 got, u64 want, const char* what, int line);
#define EXPECT(got, want) expect_equal((u64)(got), (u64)(want), #got, __LINE__)

// Runs assembly text; when it faults, execution goes on behind it. trapped.count says whether it did.
#define TRY(text, ...)                                          \
  do {                                                          \
    trapped.count = 0;                                          \
    __asm__ volatile("leaq 99f(%%rip), %%r11\n\tmovq %%r11, resume\n\tmovq %%rsp, resume_rsp\n\t" text "\n99:\n\tmovq $0, resume" \
                     : : __VA_ARGS__ : "r11", "rax", "rcx", "rdx", "memory", "cc"); \
  } while (0)
#define EXPECT_FAULT(want_vector, want_error)      \
  do {                                             \
    EXPECT(trapped.count, 1);                      \
    EXPECT(trapped.vector, want_vector);           \
    EXPECT(trapped.error, want_error);             \
  } while (0)
#define EXPECT_NO_FAULT() EXPECT(trapped.count, 0)

// Runs function in ring 3, 64-bit, on a stack of its own; it comes back by int $0x80, or by a fault, which is recorded.
void in_user_mode(void (*function)(void));

// Maps virtual 1 GiB + page * 4096 to physical with the given entry bits, in tables made for it.
u64* page_entry(u64 page);
#define WINDOW ((u8*)0x40000000UL)

// False where the machine around is known to be lax about what the manuals demand (QEMU's own translator).
int strict(void);

int test(void);  // each guest's own

// Several processors: bring-up by INIT and start-up messages, CPUID's topology, locked instructions, inter-processor
// interrupts by every kind of destination, timers and interrupt inputs of other processors, page tables and code that
// one processor changes under another, and spinning (SDM vol. 3, chapters 9 and 11). Passes with one processor, too.
#include "bare.h"

enum { kMost = 8, kStart = 0x8000 };
enum { ID = 0x20 / 4, TPR = 0x80 / 4, EOI = 0xb0 / 4, LDR = 0xd0 / 4, DFR = 0xe0 / 4, SPURIOUS = 0xf0 / 4,
       ICR = 0x300 / 4, ICR_HIGH = 0x310 / 4, TIMER = 0x320 / 4, INITIAL = 0x380 / 4, DIVIDE = 0x3e0 / 4 };
static volatile u32* const apic = (volatile u32*)0xfee00000UL;

// Where a start-up message leads: real mode at kStart, then long mode over the first processor's tables.
__asm__(
    ".pushsection .text\n"
    ".global ap_start, ap_end\n"
    ".code16\n"
    "ap_start:\n\tcli\n\tmov %cs, %ax\n\tmov %ax, %ds\n\tlgdtl ap_gdt - ap_start\n"
    "\tmov %cr0, %eax\n\tor $1, %eax\n\tmov %eax, %cr0\n\tljmpl $0x40, $(0x8000 + ap_32 - ap_start)\n"
    "ap_gdt:\n\t.word 0x7f\n\t.long gdt\n"
    ".code32\n"
    "ap_32:\n\tmov $0x10, %eax\n\tmov %eax, %ds\n\tmov %eax, %es\n\tmov %eax, %ss\n"
    "\tmov $0x6a0, %eax\n\tmov %eax, %cr4\n\tmov $pml4, %eax\n\tmov %eax, %cr3\n"
    "\tmov $0xc0000080, %ecx\n\trdmsr\n\tor $0x901, %eax\n\twrmsr\n"
    "\tmov $0x80010033, %eax\n\tmov %eax, %cr0\n\tljmp $0x08, $ap_64\n"
    "ap_end:\n"
    ".code64\n"
    "ap_64:\n\tmov $1, %eax\n\tcpuid\n\tshr $24, %ebx\n\tinc %ebx\n"
    "\tshl $13, %rbx\n\tlea ap_stacks(%rbx), %rsp\n\tlidt idt_pointer\n\tcall ap_main\n"
    ".popsection\n");
extern u8 ap_start[], ap_end[];
u8 ap_stacks[kMost][8192] __attribute__((aligned(4096)));

static u32 processors;
static volatile u32 alive[kMost], hits[kMost], last_vector[kMost];
static void (*volatile work[kMost])(void);

static void pause(void) { __asm__ volatile("pause" ::: "memory"); }
static u32 cpuid(u32 leaf, u32 sub, u32* ebx, u32* ecx, u32* edx) {
  u32 eax = leaf;
  *ecx = sub;
  __asm__ volatile("cpuid" : "+a"(eax), "=b"(*ebx), "+c"(*ecx), "=d"(*edx));
  return eax;
}
static u32 me(void) {
  u32 b, c, d;
  cpuid(1, 0, &b, &c, &d);
  return b >> 24;
}

static void send(u32 target, u32 low) {
  apic[ICR_HIGH] = target << 24;
  apic[ICR] = low;
}
static void count(struct frame* frame) {
  const u32 n = me();
  last_vector[n] = (u32)frame->vector;
  if (rdmsr(0x1b) & 0x400) wrmsr(0x80b, 0);
  else apic[EOI] = 0;
  __sync_fetch_and_add(&hits[n], 1);
}
static void forget_hits(void) {
  for (u32 n = 0; n < kMost; ++n) hits[n] = 0;
}
static void wait_for(volatile u32* value, u32 want) {
  while (*value != want) pause();
}
// Starts a function on another processor, or here.
static void begin(u32 n, void (*function)(void)) {
  if (n == 0) function();
  else work[n] = function;
}
static void finish(u32 n) {
  while (n != 0 && work[n]) pause();
}
static void on_all(void (*function)(void)) {
  for (u32 n = processors; n-- > 0;) begin(n, function);
  for (u32 n = 0; n < processors; ++n) finish(n);
}

static void local_apic_on(void) {
  apic[SPURIOUS] = 0x1ff;
  apic[DFR] = ~0u;
  apic[LDR] = 1u << (24 + me());
}

__attribute__((used)) void ap_main(void) {
  const u32 n = me();
  local_apic_on();
  __sync_fetch_and_add(&alive[n], 1);
  for (;;) {
    while (!work[n]) pause();
    work[n]();
    work[n] = 0;
  }
}

static void start(u32 n) {
  const u32 before = alive[n];
  send(n, 0x4500);
  send(n, 0x4600 | kStart >> 12);
  wait_for(&alive[n], before + 1);
}

static void bring_up(void) {
  u32 b, c, d;
  cpuid(1, 0, &b, &c, &d);
  processors = d >> 28 & 1 ? b >> 16 & 0xff : 1;
  EXPECT(b >> 24, 0);
  EXPECT(rdmsr(0x1b) >> 8 & 1, 1);  // the bootstrap processor
  memcpy((void*)kStart, ap_start, (u64)(ap_end - ap_start));
  for (u32 n = 1; n < processors; ++n) start(n);
  for (u32 n = 1; n < processors; ++n) {
    EXPECT(alive[n], 1);
    send(n, 0x4600 | 0x55);  // means nothing to one that runs
  }
  cpuid(0xb, 1, &b, &c, &d);
  EXPECT(b, processors);
}

static volatile u32 bad_identity;
static void check_identity(void) {
  u32 b, c, d;
  const u32 n = me();
  cpuid(0xb, 0, &b, &c, &d);
  if (d != n || apic[ID] >> 24 != n || (n && rdmsr(0x1b) >> 8 & 1)) ++bad_identity;
}

// ---- memory ----

static volatile u64 locked_total, guarded_total;
static volatile u32 lock;
static void add(void) {
  for (int i = 0; i < 3000; ++i) {
    __sync_fetch_and_add(&locked_total, 1);
    if (i % 4) continue;
    while (__sync_lock_test_and_set(&lock, 1)) pause();
    guarded_total = guarded_total + 1;
    __sync_lock_release(&lock);
  }
}
static void atomic_and_locked(void) {
  on_all(add);
  EXPECT(locked_total, 3000 * processors);
  EXPECT(guarded_total, 750 * processors);
}

// A lock taken in turn without PAUSE: quanta must pass the turn on.
static volatile u32 ticket_now;
static void take_turns(void) {
  const u32 n = me();
  for (u32 i = 0; i < 10; ++i) {
    while (ticket_now % processors != n) { }
    ticket_now = ticket_now + 1;
  }
}
static void spinning_without_pause(void) {
  on_all(take_turns);
  EXPECT(ticket_now, 10 * processors);
}

static u8 page_a[4096] __attribute__((aligned(4096))), page_b[4096] __attribute__((aligned(4096)));
static volatile u32 step, seen[8];
static volatile u64 stamp;
static void next(u32 from) {
  step = from + 1;
  while (step == from + 1) pause();
}
static void read_the_window(void) {
  volatile u32* const at = (volatile u32*)WINDOW;
  u32 (*const code)(void) = (u32(*)(void))(WINDOW + 4096);
  seen[0] = *at;
  seen[1] = code();
  next(0);
  seen[2] = *at;   // no invalidation here
  seen[3] = code();
  next(2);
  seen[4] = code();
  *at = 7;         // sets D again
  next(4);
}
static void other_tables_and_code(void) {
  if (processors == 1) return;
  *(volatile u32*)page_a = 1;
  *(volatile u32*)page_b = 2;
  static u8 code_a[4096] __attribute__((aligned(4096))) = {0xb8, 10, 0, 0, 0, 0xc3};  // mov eax, 10; ret
  static u8 code_b[4096] __attribute__((aligned(4096))) = {0xb8, 20, 0, 0, 0, 0xc3};
  *page_entry(0) = (u64)page_a | 3;
  *page_entry(1) = (u64)code_a | 3;
  (void)*(volatile u32*)WINDOW;
  step = 0;
  begin(processors - 1, read_the_window);
  wait_for(&step, 1);
  *page_entry(0) = (u64)page_b | 3;
  *page_entry(1) = (u64)code_b | 3;
  step = 2;
  wait_for(&step, 3);
  *(volatile u8*)(code_b + 1) = 30;  // under the other one's feet
  *page_entry(0) &= ~0x60UL;
  step = 4;
  wait_for(&step, 5);
  step = 6;
  finish(processors - 1);
  EXPECT(seen[0], 1);
  EXPECT(seen[1], 10);
  EXPECT(seen[2], 2);
  EXPECT(seen[3], 20);
  EXPECT(seen[4], 30);
  EXPECT(*(volatile u32*)page_b, 7);
  EXPECT(*page_entry(0) & 0x60, 0x60);
}

static volatile u32 time_went_back;
static void stamps(void) {
  for (int i = 0; i < 500; ++i) {
    while (__sync_lock_test_and_set(&lock, 1)) pause();
    const u64 now = rdtsc();
    if (now < stamp) ++time_went_back;
    stamp = now;
    __sync_lock_release(&lock);
  }
}

// ---- interrupts ----

static void halt_until_hit(void) {
  const u32 n = me();
  __asm__ volatile("cli");
  while (!hits[n]) __asm__ volatile("sti\n\thlt\n\tcli" ::: "memory");
}
// Makes all others halt until they are hit; then all must have been hit once by this vector.
static void expect_others_hit(u32 target, u32 low, u32 first, u32 last) {
  forget_hits();
  for (u32 n = first; n <= last; ++n) if (n) work[n] = halt_until_hit;
  __asm__ volatile("sti");
  send(target, low);
  for (u32 n = first; n <= last; ++n) {
    wait_for(&hits[n], 1);
    finish(n);
  }
  __asm__ volatile("cli");
  for (u32 n = 0; n < processors; ++n) {
    EXPECT(hits[n], n >= first && n <= last);
    if (n >= first && n <= last) EXPECT(last_vector[n], low & 0xff);
  }
}
static void set_priority(void) { apic[TPR] = me() == processors - 1 ? 0x20 : 0x30; }
static void clear_priority(void) { apic[TPR] = 0; }

static void messages(void) {
  const u32 last = processors - 1;
  for (u32 n = 0; n < processors; ++n) {
    expect_others_hit(n, 0x4000 | (0x40 + n), n, n);           // physical
    expect_others_hit(1u << n, 0x4800 | (0x50 + n), n, n);     // logical
  }
  expect_others_hit(0, 0x84060, 0, last);                      // all
  if (last) expect_others_hit(0, 0xc4061, 1, last);            // all others
  expect_others_hit(0xff, 0x4062, 0, last);                    // physical, everybody
  expect_others_hit(0xff, 0x4863, 0, last);                    // logical, everybody
  expect_others_hit(0, 0x44064, 0, 0);                         // itself
  if (!strict()) return;
  on_all(set_priority);
  expect_others_hit(0xff, 0x4965, last, last);                 // lowest priority
  on_all(clear_priority);
}

volatile u32 nmi_ready;
static void take_nmi(void) {
  TRY("movl $1, nmi_ready\n1: pause\n\tjmp 1b", "i"(0));
}
static void non_maskable(void) {
  if (processors == 1) return;
  begin(1, take_nmi);
  wait_for(&nmi_ready, 1);
  send(1, 0x4400);
  finish(1);
  EXPECT(trapped.count, 1);
  EXPECT(trapped.vector, 2);
}

static void own_timer(void) {
  const u32 n = me();
  apic[DIVIDE] = 0xb;
  apic[TIMER] = 0x70 + n;
  apic[INITIAL] = 200000 + 10000 * n;
  halt_until_hit();
}
static void timers(void) {
  forget_hits();
  on_all(own_timer);
  for (u32 n = 0; n < processors; ++n) {
    EXPECT(hits[n], 1);
    EXPECT(last_vector[n], 0x70 + n);
  }
}

static void take_pending(void) { __asm__ volatile("sti\n\tnop\n\tnop\n\tcli" ::: "memory"); }
// The PIT by the IO-APIC to the last processor.
static void input_of_another(void) {
  volatile u32* const select = (volatile u32*)0xfec00000UL;
  volatile u32* const window = (volatile u32*)0xfec00010UL;
  const u32 last = processors - 1;
  forget_hits();
  outb(0x43, 0x34);
  outb(0x40, 0x00); outb(0x40, 0x10);
  *select = 0x15;
  *window = last << 24;
  *select = 0x14;
  *window = 0x7a;
  begin(last, halt_until_hit);
  finish(last);
  *select = 0x14;
  *window = 0x1007a;
  begin(last, take_pending);  // it may have come again meanwhile
  finish(last);
  EXPECT(hits[last] >= 1, 1);
  EXPECT(last_vector[last], 0x7a);
}

static void again_from_the_start(void) {
  if (processors == 1) return;
  const u32 last = processors - 1;
  start(last);  // in the middle of its spinning
  EXPECT(alive[last], 2);
  forget_hits();
  begin(last, own_timer);
  finish(last);
  EXPECT(hits[last], 1);
}

static void to_x2apic(void) { wrmsr(0x1b, rdmsr(0x1b) | 0x400); }
static volatile u32 bad_logical;
static void check_x2apic(void) {
  if (rdmsr(0x802) != me() || rdmsr(0x80d) != 1u << me()) ++bad_logical;
}
static void x2apic_messages(void) {
  u32 b, c, d;
  cpuid(1, 0, &b, &c, &d);
  if (!(c >> 21 & 1)) return;
  on_all(to_x2apic);
  on_all(check_x2apic);
  EXPECT(bad_logical, 0);
  for (u32 n = 0; n < processors; ++n) {
    for (u32 logical = 0; logical < 2; ++logical) {
      forget_hits();
      if (n) work[n] = halt_until_hit;
      __asm__ volatile("sti");
      wrmsr(0x830, (u64)(logical ? 1u << n : n) << 32 | 0x4000 | logical << 11 | (0x80 + n));
      wait_for(&hits[n], 1);
      __asm__ volatile("cli");
      finish(n);
      EXPECT(last_vector[n], 0x80 + n);
    }
  }
}

static void map_devices(void) {
  static u64 directory[512] __attribute__((aligned(4096)));
  for (u64 i = 0; i < 512; ++i) directory[i] = (0xc0000000UL + i * 0x200000) | 0x93;  // uncached
  pdpt[3] = (u64)directory | 7;
}

int test(void) {
  map_devices();
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  on_interrupt = count;
  local_apic_on();
  bring_up();
  on_all(check_identity);
  EXPECT(bad_identity, 0);
  atomic_and_locked();
  spinning_without_pause();
  if (strict()) other_tables_and_code();
  on_all(stamps);
  EXPECT(time_went_back, 0);
  messages();
  non_maskable();
  timers();
  input_of_another();
  again_from_the_start();
  x2apic_messages();
  return 0;
}

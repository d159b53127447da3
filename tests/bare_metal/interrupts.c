// Interrupts: local APIC timer, task priority, STI's shadow, HLT's wake, NMI, the 8259s and the PIT through them and
// through the IO-APIC (SDM vol. 3, chapters 6 and 11).
#include "bare.h"

static volatile u32* const apic = (volatile u32*)0xfee00000UL;
static volatile u64 hits, last_vector, interrupted_rip;

enum { ID = 0x20 / 4, TPR = 0x80 / 4, EOI = 0xb0 / 4, SPURIOUS = 0xf0 / 4, ISR = 0x100 / 4, IRR = 0x200 / 4,
       ICR = 0x300 / 4, ICR_HIGH = 0x310 / 4, TIMER = 0x320 / 4, INITIAL = 0x380 / 4, CURRENT = 0x390 / 4,
       DIVIDE = 0x3e0 / 4 };

static void map_devices(void) {
  static u64 directory[512] __attribute__((aligned(4096)));
  for (u64 i = 0; i < 512; ++i) directory[i] = (0xc0000000UL + i * 0x200000) | 0x93;  // uncached
  pdpt[3] = (u64)directory | 7;
}

static void count(struct frame* frame) {
  ++hits;
  last_vector = frame->vector;
  interrupted_rip = frame->rip;
  apic[EOI] = 0;
}

static void self(u8 vector) { apic[ICR] = 0x40000 | vector; }
static void wait_a_little(void) { for (volatile int i = 0; i < 2000; ++i) { } }

static void fixed_interrupts(void) {
  hits = 0;
  self(0x50);
  wait_a_little();
  EXPECT(hits, 0);  // IF is clear
  EXPECT(apic[IRR + 4 * (0x50 / 32)] >> (0x50 % 32) & 1, 1);
  __asm__ volatile("sti\n\tnop\n\tnop\n\tcli");
  EXPECT(hits, 1);
  EXPECT(last_vector, 0x50);
  // The higher vector first, whatever the order of requests.
  hits = 0;
  self(0x41);
  self(0x62);
  __asm__ volatile("sti\n\tnop\n\tcli");
  EXPECT(hits, 2);
  EXPECT(last_vector, 0x41);
}

static void shadow(void) {
  hits = 0;
  self(0x50);
  wait_a_little();
  // STI holds interrupts for one instruction: CLI right behind it leaves no window.
  __asm__ volatile("sti\n\tcli");
  EXPECT(hits, 0);
  u64 after;
  __asm__ volatile("sti\n\tnop\n1:\n\tcli\n\tleaq 1b(%%rip), %0" : "=r"(after));
  EXPECT(hits, 1);
  EXPECT(interrupted_rip, after);
  // MOV SS holds them too.
  hits = 0;
  self(0x50);
  wait_a_little();
  __asm__ volatile("mov %%ss, %%eax\n\tpushfq\n\torl $0x200, (%%rsp)\n\tmov %%eax, %%ecx\n\tpopfq\n1:\n\tcli\n\t"
                   "leaq 1b(%%rip), %0" : "=r"(after)::"rax", "rcx");
  EXPECT(hits, 1);  // POPF has no shadow
  EXPECT(interrupted_rip, after);
}

static void task_priority(void) {
  hits = 0;
  WRITE_CR(8, 6);
  EXPECT(apic[TPR], 0x60);
  self(0x65);
  __asm__ volatile("sti\n\tnop\n\tnop");
  EXPECT(hits, 0);
  WRITE_CR(8, 5);
  __asm__ volatile("nop\n\tnop\n\tcli");
  EXPECT(hits, 1);
  WRITE_CR(8, 0);
}

static void timer(void) {
  apic[DIVIDE] = 0xb;  // by 1
  hits = 0;
  apic[TIMER] = 0x70;
  apic[INITIAL] = 100000;
  __asm__ volatile("sti\n\thlt\n\tcli");
  EXPECT(hits, 1);
  EXPECT(last_vector, 0x70);
  EXPECT(apic[CURRENT], 0);
  apic[TIMER] = 0x20071;  // periodic
  hits = 0;
  apic[INITIAL] = 100000;
  for (int i = 0; i < 5; ++i) __asm__ volatile("sti\n\thlt\n\tcli");
  EXPECT(hits, 5);
  apic[TIMER] = 0x10071;
  apic[INITIAL] = 0;
  u32 a = 1, b, c, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "=c"(c), "=d"(d));
  if (c >> 24 & 1) {  // deadline
    apic[TIMER] = 0x40072;
    hits = 0;
    const u64 deadline = rdtsc() + 200000;
    wrmsr(0x6e0, deadline);
    __asm__ volatile("sti\n\thlt\n\tcli");
    EXPECT(hits, 1);
    EXPECT(rdtsc() >= deadline, 1);
    EXPECT(rdmsr(0x6e0), 0);
  }
}

static void nmi(void) {
  trapped.count = 0;
  TRY("mov $0xfee00300, %%eax\n\tmovl $0x40400, (%%rax)\n\tmov $100000, %%ecx\n1: loop 1b", "i"(0));
  EXPECT(trapped.count, 1);
  EXPECT(trapped.vector, 2);
}

static void pic_and_pit(void) {
  outb(0x20, 0x11); outb(0x21, 0x40); outb(0x21, 4); outb(0x21, 1); outb(0x21, 0xfe);
  outb(0xa0, 0x11); outb(0xa1, 0x48); outb(0xa1, 2); outb(0xa1, 1); outb(0xa1, 0xff);
  apic[0x350 / 4] = 0x700;  // LINT0: ExtINT
  outb(0x43, 0x34);         // channel 0, rate generator
  outb(0x40, 0x00); outb(0x40, 0x10);
  hits = 0;
  for (int i = 0; i < 3; ++i) {
    __asm__ volatile("sti\n\thlt\n\tcli");
    outb(0x20, 0x20);
  }
  EXPECT(hits, 3);
  EXPECT(last_vector, 0x40);
  outb(0x21, 0xff);
  apic[0x350 / 4] = 0x10700;
}

static void io_apic(void) {
  volatile u32* const select = (volatile u32*)0xfec00000UL;
  volatile u32* const window = (volatile u32*)0xfec00010UL;
  *select = 1;
  EXPECT((*window >> 16 & 0xff) >= 23, 1);
  *select = 0x10 + 2 * 2 + 1;
  *window = apic[ID];  // destination
  *select = 0x10 + 2 * 2;
  *window = 0x73;  // edge, fixed, the PIT's input
  hits = 0;
  for (int i = 0; i < 3; ++i) __asm__ volatile("sti\n\thlt\n\tcli");
  EXPECT(hits, 3);
  EXPECT(last_vector, 0x73);
  *select = 0x10 + 2 * 2;
  *window = 0x10073;
}

static void time_goes_on(void) {
  u64 before = rdtsc();
  for (int i = 0; i < 100; ++i) {
    u64 now = rdtsc();
    EXPECT(now >= before, 1);
    before = now;
  }
}

int test(void) {
  map_devices();
  WRITE_CR(3, READ_CR(3));
  wrmsr(0x1b, rdmsr(0x1b) | 0x800);
  apic[SPURIOUS] = 0x1ff;
  on_interrupt = count;
  outb(0x21, 0xff);
  outb(0xa1, 0xff);
  fixed_interrupts();
  shadow();
  task_priority();
  timer();
  nmi();
  pic_and_pit();
  io_apic();
  time_goes_on();
  return 0;
}

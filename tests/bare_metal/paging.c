// Paging: accessed and dirty bits, write protection, NX, SMEP, SMAP, global pages, large pages, reserved bits, and the
// error code of each fault (SDM vol. 3, 4.6-4.10).
#include "bare.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, G = 0x100 };
#define NX (1UL << 63)
static u8 frame0[4096] __attribute__((aligned(4096)));
static u8 frame1[4096] __attribute__((aligned(4096)));

static void map(u64 page, void* frame, u64 bits) {
  *page_entry(page) = (u64)frame | bits;
  invlpg(WINDOW + page * 4096);
}

static u8* volatile user_target;
static void user_read(void) { (void)*(volatile u8*)user_target; __asm__ volatile("int $0x80"); }
static void user_write(void) { *(volatile u8*)user_target = 1; __asm__ volatile("int $0x80"); }
static void user_call(void) { ((void (*)(void))user_target)(); __asm__ volatile("int $0x80"); }

static void accessed_and_dirty(void) {
  map(0, frame0, P | W);
  EXPECT(*page_entry(0) & (A | D), 0);
  (void)*(volatile u8*)WINDOW;
  EXPECT(*page_entry(0) & (A | D), A);
  *(volatile u8*)WINDOW = 5;
  EXPECT(*page_entry(0) & (A | D), A | D);
  EXPECT(frame0[0], 5);
  *page_entry(0) &= ~(u64)(A | D);
  invlpg(WINDOW);
  *(volatile u8*)WINDOW = 6;
  EXPECT(*page_entry(0) & (A | D), A | D);
}

static void protection(void) {
  map(0, frame0, 0);
  TRY("movb 0x40000123, %%al", "i"(0));
  EXPECT_FAULT(14, 0);
  EXPECT(trapped.cr2, WINDOW + 0x123);
  TRY("movb $1, 0x40000123", "i"(0));
  EXPECT_FAULT(14, 2);
  map(0, frame0, P);
  TRY("movb $1, 0x40000000", "i"(0));  // CR0.WP is on
  EXPECT_FAULT(14, 3);
  EXPECT(*page_entry(0) & D, 0);
  WRITE_CR(0, READ_CR(0) & ~0x10000UL);
  TRY("movb $1, 0x40000000", "i"(0));
  EXPECT_NO_FAULT();
  EXPECT(*page_entry(0) & D, D);
  WRITE_CR(0, READ_CR(0) | 0x10000);
  // A write that crosses into an absent page writes nothing at all.
  map(0, frame0, P | W);
  map(1, frame1, 0);
  frame0[4095] = 7;
  TRY("movw $0x1234, 0x40000fff", "i"(0));
  EXPECT_FAULT(14, 2);
  EXPECT(trapped.cr2, WINDOW + 0x1000);
  EXPECT(frame0[4095], 7);
  // Reserved bits.
  map(0, frame0, P | W | 1UL << 51);
  TRY("movb 0x40000000, %%al", "i"(0));
  EXPECT_FAULT(14, strict() ? 9 : 8);
}

static void user_rights(void) {
  map(0, frame0, P | W);
  user_target = WINDOW;
  in_user_mode(user_read);
  EXPECT_FAULT(14, 5);
  in_user_mode(user_write);
  EXPECT_FAULT(14, 7);
  map(0, frame0, P | U);
  in_user_mode(user_read);
  EXPECT_NO_FAULT();
  in_user_mode(user_write);
  EXPECT_FAULT(14, 7);
}

static void no_execute(void) {
  frame0[0] = 0xc3;
  map(0, frame0, P | W | U | NX);
  TRY("mov $0x40000000, %%eax\n\tcall *%%rax", "i"(0));
  EXPECT(trapped.vector, 14);
  EXPECT(trapped.error, 0x11);
  EXPECT(trapped.rip, WINDOW);
  __asm__ volatile("" ::: "memory");
  user_target = WINDOW;
  in_user_mode(user_call);
  EXPECT_FAULT(14, 0x15);
  map(0, frame0, P | W | U);
  in_user_mode(user_call);
  EXPECT_NO_FAULT();
}

// SMEP and SMAP keep the kernel from user pages, so it must not live on such pages itself.
static void kernel_on_user_pages(int yes) {
  for (int i = 0; i < 512; ++i) pd[i] = yes ? pd[i] | U : pd[i] & ~(u64)U;
  WRITE_CR(3, READ_CR(3));
}

static void supervisor_mode_protection(void) {
  frame0[0] = 0xc3;
  map(0, frame0, P | W | U);
  kernel_on_user_pages(0);
  WRITE_CR(4, READ_CR(4) | 1 << 20);  // SMEP
  TRY("mov $0x40000000, %%eax\n\tcall *%%rax", "i"(0));
  EXPECT(trapped.vector, 14);
  EXPECT(trapped.error, 0x11);
  WRITE_CR(4, (READ_CR(4) & ~(1UL << 20)) | 1 << 21);  // SMAP
  TRY("clac\n\tmovb 0x40000000, %%al", "i"(0));
  EXPECT_FAULT(14, 1);
  TRY("clac\n\tmovb $1, 0x40000000", "i"(0));
  EXPECT_FAULT(14, 3);
  TRY("stac\n\tmovb 0x40000000, %%al\n\tclac", "i"(0));
  EXPECT_NO_FAULT();
  WRITE_CR(4, READ_CR(4) & ~(1UL << 21));
  kernel_on_user_pages(1);
}

static void large_pages(void) {
  static u64 directory[512] __attribute__((aligned(4096)));
  directory[3] = 0 | 0x83 | U;  // virtual 2 GiB + 6 MiB: physical 0
  pdpt[2] = (u64)directory | 7;
  pdpt[3] = 0x83 | U;  // one GiB page at virtual 3 GiB
  frame1[17] = 99;
  EXPECT(*(volatile u8*)(0x80000000UL + 0x600000 + (u64)frame1 % 0x200000 + 17) == 99 || (u64)frame1 >= 0x200000, 1);
  EXPECT(*(volatile u8*)(0xc0000000UL + (u64)frame1 + 17), 99);
  EXPECT(pdpt[3] & (A | D), A);
  *(volatile u8*)(0xc0000000UL + (u64)frame1 + 17) = 98;
  EXPECT(pdpt[3] & (A | D), A | D);
  EXPECT(frame1[17], 98);
  pdpt[3] = 0x83 | U | 1 << 13;  // reserved in a large page's address
  WRITE_CR(3, READ_CR(3));
  TRY("mov $0xc0000000, %%eax\n\tmovb (%%rax), %%al", "i"(0));
  EXPECT_FAULT(14, strict() ? 9 : 8);
  pdpt[3] = pdpt[2] = 0;
  WRITE_CR(3, READ_CR(3));
}

static void changes_are_seen(void) {
  frame0[0] = 1;
  frame1[0] = 2;
  map(0, frame0, P | W);
  EXPECT(*(volatile u8*)WINDOW, 1);
  map(0, frame1, P | W);
  EXPECT(*(volatile u8*)WINDOW, 2);
  *page_entry(0) = (u64)frame0 | P | W;
  WRITE_CR(3, READ_CR(3));
  EXPECT(*(volatile u8*)WINDOW, 1);
}

static void canonical(void) {
  TRY("movabs $0x800000000000, %%rax\n\tmovb (%%rax), %%al", "i"(0));
  EXPECT_FAULT(13, 0);
  TRY("movabs $0x800000000000, %%rax\n\tmovq %%rsp, %%rcx\n\tmovb %%ss:(%%rax), %%al", "i"(0));
  EXPECT_FAULT(13, 0);  // an SS override means nothing in 64-bit mode
}

int test(void) {
  accessed_and_dirty();
  protection();
  user_rights();
  no_execute();
  supervisor_mode_protection();
  large_pages();
  changes_are_seen();
  canonical();
  return 0;
}

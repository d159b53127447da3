// What the handlers do. Every fault is counted in kFaultCount; after 40 of them the guest halts. A page fault in the
// region first gets its default entry (kDefaults) every other time; otherwise, and for all other faults, the
// instruction is skipped: as long as kLengths says for
// the code pages, one byte elsewhere. A single step ends
// stepping every fourth time. The end of a program halts with its flags on the stack.
#include "handlers.h"

#include <string>

#include "base/check.h"
#include "layout.h"

asm(R"(
.pushsection .rodata
.globl blocks_handlers_begin, blocks_handlers_end
blocks_handlers_begin:
vector = 0
.rept 32
  .balign 16
  .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    pushq $0
  .endif
  pushq $vector
  jmp 1f
  vector = vector + 1
.endr
  .balign 16            # interrupt
  incl 0xa804
  iretq
  .balign 16            # end of the program
  hlt
  jmp . - 1
  .balign 16            # syscall
  incl 0xa808
  sysretq
1:
  pushq %rax
  pushq %rcx
  incl 0xa800
  movl 0xa800, %eax
  cmpl $40, %eax
  jae 9f
  movl 16(%rsp), %ecx
  cmpl $1, %ecx
  je 5f
  cmpl $3, %ecx
  je 8f
  cmpl $2, %ecx
  je 8f
  cmpl $14, %ecx
  jne 3f
  testl $1, %eax
  jz 3f
  movq %cr2, %rax
  subq $0x400000, %rax
  shrq $12, %rax
  cmpq $512, %rax
  jae 3f
  movq 0x6000(,%rax,8), %rcx
  movq %rcx, 0x5000(,%rax,8)
  movq %cr2, %rcx
  invlpg (%rcx)
  jmp 8f
3:
  movq 32(%rsp), %rax
  subq $0x400000, %rax
  cmpq $0x200000, %rax
  jb 6f
  movl $0xffbfc000, %ecx  # from code page 2 to kTop
  subq %rcx, %rax
  cmpq $0x4000, %rax
  jae 9f
6:
  movl $1, %ecx
  cmpq $0x4000, %rax
  jae 4f
  movzbl 0x14000(%rax), %ecx
4:
  addq %rcx, 32(%rsp)
  jmp 8f
5:
  testl $3, %eax
  jnz 8f
  andq $~0x100, 48(%rsp)
8:
  popq %rcx
  popq %rax
  addq $16, %rsp
  iretq
9:
  hlt
  jmp 9b
blocks_handlers_end:
.popsection
)");

extern "C" const unsigned char blocks_handlers_begin[], blocks_handlers_end[];

namespace pollux::test::translation {

ByteSpan handlers() {
  return {reinterpret_cast<const std::byte*>(blocks_handlers_begin), u64(blocks_handlers_end - blocks_handlers_begin)};
}

u64 handler_offset(unsigned vector) {
  if (vector == kInterruptVector) return 32 * 16;
  if (vector == kEndVector) return 33 * 16;
  POLLUX_CHECK(vector < 32, "a handler for this vector");
  return vector * 16;
}

u64 syscall_offset() { return 34 * 16; }

}  // namespace pollux::test::translation
